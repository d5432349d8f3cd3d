"""The spool: what it returned for survives everything short of losing the disk, and every change by hand is noticed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.edge import spool as spool_module
from connectors.edge.record import Request
from connectors.edge.spool import Spool, SpoolDamagedError, SpoolFullError

PLENTY = 100 * 1024 * 1024


_OPEN: list[Spool] = []


def opened(folder: Path, bytes_max: int) -> Spool:
    """A spool that is closed when the test ends, as a process that dies would let go of it."""
    _OPEN.append(Spool(folder, bytes_max))
    return _OPEN[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def request(number: int, size: int = 20) -> Request:
    return Request(
        "/scans", "site=north", (("content-type", "application/json"),), f"{number}".encode().ljust(size), "2026-03-02T08:00:00Z"
    )


def bodies(spool: Spool) -> list[int]:
    """Everything that waits, handed over on the way."""
    found = []
    while (one := spool.next()) is not None:
        found.append(int(one.record.request.body))
        spool.handed_over(one)
    return found


def kept(folder: Path, *groups: int) -> Spool:
    spool = opened(folder, PLENTY)
    number = spool.last
    for size in groups:
        spool.append([request(number + place) for place in range(1, size + 1)])
        number += size
    return spool


def test_requests_come_out_whole_once_and_in_order(tmp_path: Path) -> None:
    spool = kept(tmp_path, 1, 3, 2)
    first = spool.next()
    assert first is not None
    assert first.record.request == request(1)
    assert spool.next() == first, "until it was handed over"
    assert bodies(spool) == [1, 2, 3, 4, 5, 6]
    assert spool.next() is None
    spool.append([request(7)])
    assert bodies(spool) == [7]


@pytest.mark.parametrize("handed", [0, 1, 4, 6])
def test_another_process_goes_on_where_the_note_stands(tmp_path: Path, handed: int) -> None:
    spool = kept(tmp_path, 6)
    for _ in range(handed):
        found = spool.next()
        assert found is not None
        spool.handed_over(found)
    spool.save()
    spool.close()
    again = kept(tmp_path, 1)
    assert bodies(again) == list(range(handed + 1, 8))


def test_what_was_handed_over_and_not_noted_is_handed_over_again(tmp_path: Path) -> None:
    assert bodies(kept(tmp_path, 3)) == [1, 2, 3]
    assert bodies(opened(tmp_path, PLENTY)) == [1, 2, 3]


def test_files_are_deleted_when_all_in_them_is_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 500)
    spool = kept(tmp_path, *[1] * 40)
    assert len(list(tmp_path.glob("*.spool"))) > 5
    assert bodies(spool) == list(range(1, 41))
    spool.save()
    assert len(list(tmp_path.glob("*.spool"))) == 1
    spool.append([request(41)])
    assert bodies(spool) == [41]
    assert bodies(kept(tmp_path, 1))[-1] == 42


def test_a_full_spool_keeps_nothing_of_the_group_and_takes_again_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 400)
    spool = opened(tmp_path, 1_000)
    spool.append([request(1), request(2)])
    spool.append([request(3), request(4)])
    with pytest.raises(SpoolFullError, match="limit is 1000"):
        spool.append([request(5, 300), request(6, 300)])
    assert bodies(spool) == [1, 2, 3, 4]
    spool.append([request(5, 300), request(6, 300)])
    assert bodies(spool) == [5, 6]


@pytest.mark.parametrize("fails", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_in_the_middle_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, code: int
) -> None:
    spool = kept(tmp_path, 2)
    real = os.fsync

    class Half:
        """A file that takes half of what is written, then fails."""

        def __init__(self, file: Any) -> None:
            self._file = file
            self.name = file.name

        def write(self, data: bytes) -> int:
            self._file.write(data[: len(data) // 2])
            raise OSError(code, "no")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    def failing(_: int) -> None:
        raise OSError(code, "no")

    whole = spool._file
    if fails == "write":
        spool._file = Half(whole)  # type: ignore[assignment]
    else:
        monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(SpoolFullError if code == errno.ENOSPC else OSError):
        spool.append([request(3)])
    spool._file = whole
    monkeypatch.setattr(os, "fsync", real)
    spool.append([request(3)])
    assert bodies(spool) == [1, 2, 3]
    assert bodies(opened(tmp_path, PLENTY)) == [1, 2, 3]


def test_a_process_that_dies_while_writing_loses_nothing_it_returned_for(tmp_path: Path) -> None:
    """The last write is cut off at every byte; what is no whole record is kept beside."""
    spool = kept(tmp_path / "spool", 2)
    spool.close()
    [file] = (tmp_path / "spool").glob("*.spool")
    returned_for = file.stat().st_size
    spool = opened(tmp_path / "spool", PLENTY)
    spool.close()
    with file.open("ab") as more:
        more.write(_next_frames(tmp_path))
    whole = file.read_bytes()
    for length in range(returned_for, len(whole)):
        folder = tmp_path / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "spool", folder)
        (folder / file.name).write_bytes(whole[:length])
        again = opened(folder, PLENTY)
        assert again.last in (2, 3), length
        assert bodies(again)[:2] == [1, 2], length
        left = [(folder / name).read_bytes() for name in again.set_aside]
        assert b"".join(left) == whole[(folder / file.name).stat().st_size : length]
        again.append([request(9)])
        assert bodies(opened(folder, PLENTY))[-1] == 9


def _next_frames(tmp_path: Path) -> bytes:
    """What the next two records of the spool would be."""
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "spool", copy)
    [file] = copy.glob("*.spool")
    before = file.stat().st_size
    spool = opened(copy, PLENTY)
    spool.append([request(3), request(4)])
    newest = max(copy.glob("*.spool"))
    return newest.read_bytes() if newest != file else file.read_bytes()[before:]


def test_any_byte_that_somebody_changed_is_noticed(tmp_path: Path) -> None:
    kept(tmp_path, 4).close()
    [file] = tmp_path.glob("*.spool")
    whole = bytearray(file.read_bytes())
    pick = Random(7)
    for place in pick.sample(range(len(whole) * 3 // 4), 150):
        changed = bytearray(whole)
        changed[place] ^= 1 << pick.randrange(8)
        file.write_bytes(changed)
        with pytest.raises(SpoolDamagedError, match=r"spool"):
            opened(tmp_path, PLENTY)
        assert file.read_bytes() == bytes(changed), "nothing is deleted"


def test_a_record_taken_out_or_put_in_again_is_noticed(tmp_path: Path) -> None:
    spool = opened(tmp_path, PLENTY)
    ends = [0]
    for number in range(1, 5):
        spool.append([request(number)])
        ends.append(next(iter(tmp_path.glob("*.spool"))).stat().st_size)
    [file] = tmp_path.glob("*.spool")
    data = file.read_bytes()
    one, two = data[ends[1] : ends[2]], data[ends[2] : ends[3]]
    for changed in (
        data[: ends[1]] + data[ends[2] :], data[ends[1] :], data[: ends[2]] + one + data[ends[2] :],
        data[: ends[1]] + two + one + data[ends[3] :],
    ):  # fmt: skip
        file.write_bytes(changed)
        with pytest.raises(SpoolDamagedError):
            opened(tmp_path, PLENTY)


@pytest.mark.parametrize("name", ["key", "cursor"])
def test_a_spool_without_its_key_or_its_note_is_not_opened(tmp_path: Path, name: str) -> None:
    kept(tmp_path, 1).close()
    (tmp_path / name).unlink()
    with pytest.raises(SpoolDamagedError, match=name):
        opened(tmp_path, PLENTY)


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    opened(tmp_path, PLENTY)
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_what_the_hub_will_never_take_is_set_aside_whole(tmp_path: Path) -> None:
    spool = kept(tmp_path, 2)
    found = spool.next()
    assert found is not None
    spool.refuse(found, "413 too long")
    spool.handed_over(found)
    assert bodies(spool) == [2]
    [file] = (tmp_path / "refused").glob("*.json")
    assert "413 too long" in file.read_text()
