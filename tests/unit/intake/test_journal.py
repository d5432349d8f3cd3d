"""The journal between intake and hub: what was appended is read once and whole, whatever became of the writer or the disk."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from schemas.raw import HL7_ER7, RawMessage
from topology.intake import journal as journal_module
from topology.intake.groups import CONTENT_BYTES_MAX
from topology.intake.journal import JournalDamagedError, JournalFullError, JournalReader, JournalWriter, Position, numbers

AT = datetime(2026, 6, 1, 10, 15, tzinfo=UTC)


def message(number: int, size: int = 20) -> RawMessage:
    return RawMessage(
        body=f"{number:08d}".encode() + b"\xff" * size, source="mllp", connector="hl7", content_type=HL7_ER7, received_at=AT,
        site="north", peer="10.0.0.1:99",
    )  # fmt: skip


def read_all(reader: JournalReader, at_once: int = 1_000) -> list[RawMessage]:
    """Everything there is, as a hub takes it over."""
    found = []
    while True:
        some, position = reader.read(at_once)
        if position == reader.position:
            return found
        reader.taken(position)
        found += some


def test_messages_come_out_as_they_went_in_and_once(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    given = [message(number) for number in range(10)]
    writer.append(given[:3])
    assert read_all(reader) == given[:3]
    assert read_all(reader) == []
    assert not reader.waits()
    writer.append(given[3:])
    assert reader.waits()
    assert read_all(reader) == given[3:]


def test_files_that_were_taken_over_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FILE_BYTES", 500)
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    given = [message(number) for number in range(50)]
    for one in given:
        writer.append([one])
    assert len(numbers(tmp_path)) > 10
    assert read_all(reader, 7) == given
    assert len(numbers(tmp_path)) == 1


def test_nothing_is_deleted_before_the_hub_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FILE_BYTES", 500)
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    given = [message(number) for number in range(50)]
    for one in given:
        writer.append([one])
    assert reader.read(1_000)[0] == given
    assert read_all(JournalReader(tmp_path, reader.position)) == given


def test_a_message_larger_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    given = [message(1), message(2, 4_000_000), message(3)]
    for one in given:
        writer.append([one])
    assert read_all(reader) == given


def test_a_writer_that_was_killed_in_mid_group_loses_only_what_nobody_was_told_of(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, 0)
    writer.append([message(1)])
    writer.append([message(2), message(3)])
    (path,) = tmp_path.glob("*.journal")
    whole = path.read_bytes()
    after_first = JournalReader(tmp_path, Position()).read(1)[1].place
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        later = JournalWriter(tmp_path, 0)
        later.append([message(9)])
        expected = [message(1)] * (cut >= after_first) + [message(9)]
        assert read_all(JournalReader(tmp_path, Position())) == expected, cut
        assert not path.exists()
        torn = list(tmp_path.glob("*.torn"))
        assert bool(torn) == (cut not in (0, after_first)), "what was being written is kept"
        for one in (*torn, *tmp_path.glob("*.journal")):
            one.unlink()


def test_a_changed_byte_is_damage_that_is_said_and_never_a_gap(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, 0)
    for number in range(5):
        writer.append([message(number)])
    writer.close()
    JournalWriter(tmp_path, 0)
    path = min(tmp_path.glob("*.journal"))
    whole = path.read_bytes()
    random = Random(3)
    for _ in range(300):
        place, bit = random.randrange(len(whole) - len(journal_module.END)), random.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        with pytest.raises(JournalDamagedError, match="is damaged at byte"):
            JournalReader(tmp_path, Position()).read(1_000)


def test_what_is_being_written_is_waited_for(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    writer.append([message(1)])
    (path,) = tmp_path.glob("*.journal")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert read_all(reader) == []
    assert reader.waits()
    path.write_bytes(whole)
    assert read_all(reader) == [message(1)]


@pytest.mark.parametrize("step", ["write", "fdatasync"])
def test_a_disk_that_fails_keeps_nothing_of_the_group_and_goes_on_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    writer.append([message(1)])
    real = getattr(os, step)

    def failing(file: int, *data: bytes) -> int:
        if data:
            real(file, bytes(data[0])[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module.os, step, failing)
    with pytest.raises(JournalFullError, match="the disk is full"):
        writer.append([message(2)])
    monkeypatch.setattr(journal_module.os, step, real)
    writer.append([message(2)])
    assert read_all(reader) == [message(1), message(2)]


def test_a_group_that_was_read_and_then_taken_back_by_a_failed_sync_hides_nothing_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = JournalWriter(tmp_path, 0), JournalReader(tmp_path, Position())
    writer.append([message(1)])

    def read_and_fail(_: int) -> None:
        assert read_all(reader) == [message(1), message(2)]
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal_module.os, "fdatasync", read_and_fail)
    with pytest.raises(JournalFullError, match="the disk fails"):
        writer.append([message(2)])
    monkeypatch.undo()
    writer.append([message(2)])
    writer.append([message(3)])
    assert read_all(reader) == [message(2), message(3)], "the second was sent again, for nobody had acknowledged it"


def test_it_takes_no_more_than_may_wait_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FILE_BYTES", 500)
    writer, reader = JournalWriter(tmp_path, 0, bytes_max=3_000), JournalReader(tmp_path, Position())
    kept = 0

    def append_for_ever() -> None:
        nonlocal kept
        while True:
            writer.append([message(kept)])
            kept += 1

    with pytest.raises(JournalFullError, match="3000 bytes wait for the hub already"):
        append_for_ever()
    assert len(read_all(reader)) == kept
    writer.append([message(kept)])
    assert read_all(reader) == [message(kept)]


def test_a_new_writer_begins_behind_what_the_hub_has_come_to(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path, Position(7, 100))
    JournalWriter(tmp_path, 7).append([message(1)])
    assert read_all(reader) == [message(1)]


def test_a_length_that_no_group_has_is_torn(tmp_path: Path) -> None:
    (tmp_path / "000000000001.journal").write_bytes(b"WSJ1" + (CONTENT_BYTES_MAX + 1).to_bytes(4, "big") + bytes(40))
    JournalWriter(tmp_path, 0).append([message(1)])
    assert read_all(JournalReader(tmp_path, Position())) == [message(1)]


def test_what_another_release_wrote_is_said_and_not_skipped(tmp_path: Path) -> None:
    import zlib

    content = b"\x91\xa1x"
    (tmp_path / "000000000001.journal").write_bytes(
        b"WSJ1" + len(content).to_bytes(4, "big") + zlib.crc32(content).to_bytes(4, "big") + content
    )
    with pytest.raises(JournalDamagedError, match="this release can't read"):
        JournalReader(tmp_path, Position()).read(1)
