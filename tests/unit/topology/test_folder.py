"""The data folder: one hub at a time, and never a silent start from empty or from less than was acknowledged."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.cli.running import run_here
from tests.unit.topology.folders import bodies, filled, flip, killed, message, write_ahead_logs
from topology.embedded.engine import Engine
from topology.embedded.folder import FORMAT, DataFolder
from topology.errors import FolderRefusedError
from topology.folder import is_locked, running_hub


def refused(path: Path) -> str:
    """The sentence with which a folder is refused: by the library, and by the command line with exit code 1."""
    with pytest.raises(FolderRefusedError) as caught:
        DataFolder(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    answer = run_here("stock", "--data", str(path))
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err == f"wardstock: {sentence}\n"
    return sentence


@pytest.fixture(scope="module")
def abandoned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder whose writer was killed, and how many messages it had acknowledged."""
    path = tmp_path_factory.mktemp("abandoned") / "hub"
    return path, killed(path)


@pytest.fixture
def left(abandoned: tuple[Path, int], tmp_path: Path) -> Path:
    """A copy of the abandoned folder, to be damaged."""
    return Path(shutil.copytree(abandoned[0], tmp_path / "hub"))


def tree(path: Path) -> dict[str, bytes]:
    """Every file of a folder, except the database's own diary and the lock."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and not file.name.startswith(("LOG", "lock", "LOCK", "OPTIONS"))
    }


# ---- taking a folder ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_is_made_where_there_is_none_or_an_empty_one(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "hub" if exists else tmp_path / "deep" / "hub"
    if exists:
        path.mkdir()
    folder = DataFolder(path)
    marker = json.loads((path / "wardstock.json").read_text())
    assert marker["format"] == FORMAT
    assert marker["hub"]
    folder.close()
    again = DataFolder(path)
    assert again.marker == marker
    again.close()


def test_the_patient_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    key = folder.patient_key
    folder.close()
    again = DataFolder(tmp_path)
    assert again.patient_key == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "patient.key").stat().st_mode) == 0o600
    again.close()


def test_a_lost_patient_key_of_a_used_folder_is_a_refusal_not_a_new_key(tmp_path: Path) -> None:
    """With another key the same patient would become two."""
    filled(tmp_path)
    (tmp_path / "patient.key").unlink()
    assert "patient.key" in refused(tmp_path)


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    assert "thesis.doc" in refused(tmp_path)
    assert tree(tmp_path) == {"thesis.doc": b"mine"}


def test_a_foreign_database_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    from topology.embedded.rocks import RocksStore

    RocksStore(tmp_path, create=True).close()
    before = tree(tmp_path)
    assert "other things" in refused(tmp_path)
    assert tree(tmp_path) == before


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub"
    path.write_text("not a folder")
    assert "is a file" in refused(path)


# ---- one hub at a time --------------------------------------------------------------------------------------------


def test_a_second_hub_on_the_folder_is_refused_and_told_where_the_first_one_is(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with pytest.raises(FolderRefusedError, match="another hub uses"):
        DataFolder(tmp_path)
    folder.announce("http://127.0.0.1:1234", "secret")
    with pytest.raises(FolderRefusedError, match=r"http://127\.0\.0\.1:1234") as caught:
        DataFolder(tmp_path)
    assert "secret" not in str(caught.value)
    folder.close()
    DataFolder(tmp_path).close()


def test_a_running_hub_leaves_its_address_for_its_own_user_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert running_hub(tmp_path) is None
    folder.announce("http://127.0.0.1:1234", "secret")
    assert running_hub(tmp_path) == {"url": "http://127.0.0.1:1234", "token": "secret", "pid": os.getpid()}
    assert stat.S_IMODE((tmp_path / "hub.json").stat().st_mode) == 0o600
    folder.close()
    assert running_hub(tmp_path) is None
    assert not (tmp_path / "hub.json").exists()


def test_the_address_of_a_killed_hub_does_not_count_because_its_lock_is_free(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "hub.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": 1}))
    assert not is_locked(tmp_path)
    assert running_hub(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\x00"])
def test_a_damaged_address_is_no_address(tmp_path: Path, text: str) -> None:
    folder = DataFolder(tmp_path)
    (tmp_path / "hub.json").write_text(text)
    found = running_hub(tmp_path)
    assert not found or not isinstance(found, dict)
    with pytest.raises(FolderRefusedError, match="another hub uses"):
        DataFolder(tmp_path)
    folder.close()


# ---- format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "word"), [(FORMAT - 1, "older"), (FORMAT + 1, "newer")])
def test_another_format_is_refused_by_name(tmp_path: Path, number: int, word: str) -> None:
    filled(tmp_path)
    marker = json.loads((tmp_path / "wardstock.json").read_text())
    (tmp_path / "wardstock.json").write_text(json.dumps({**marker, "format": number}))
    sentence = refused(tmp_path)
    assert f"{word} release" in sentence
    assert f"format {number}" in sentence


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "\x00\x00"])
def test_a_marker_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    filled(tmp_path)
    (tmp_path / "wardstock.json").write_text(text)
    assert "wardstock.json" in refused(tmp_path)


def test_a_used_folder_without_its_marker_is_refused_not_made_anew(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "wardstock.json").unlink()
    before = tree(tmp_path)
    refused(tmp_path)
    assert tree(tmp_path) == before


# ---- creation interrupted -----------------------------------------------------------------------------------------


def test_an_interrupted_creation_goes_on_because_nothing_was_ever_acknowledged_in_it(tmp_path: Path) -> None:
    (tmp_path / "wardstock.json.new").write_text('{"format": 1, "hub": "half')
    (tmp_path / "lock").touch()
    folder = DataFolder(tmp_path)
    Engine(folder.store, []).publish([message(1)])
    folder.close()
    assert len(bodies(tmp_path)) == 1


def test_an_interrupted_creation_with_a_database_already_made_goes_on_too(tmp_path: Path) -> None:
    DataFolder(tmp_path).close()
    (tmp_path / "wardstock.json").rename(tmp_path / "wardstock.json.new")
    DataFolder(tmp_path).close()
    assert bodies(tmp_path) == []


# ---- damage -------------------------------------------------------------------------------------------------------


def test_everything_a_killed_process_had_acknowledged_is_there(left: Path, abandoned: tuple[Path, int]) -> None:
    acknowledged = abandoned[1]
    found = bodies(left)
    assert found[:acknowledged] == [message(number).body for number in range(acknowledged)]


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9])
def test_a_byte_flipped_in_the_write_ahead_log_is_a_refusal(left: Path, where: float) -> None:
    """The library's own default would start without the rows behind the damage and say nothing."""
    log = write_ahead_logs(left)[-1]
    flip(log, int(log.stat().st_size * where))
    before = tree(left)
    assert "restore it from a backup" in refused(left)
    assert write_ahead_logs(left)[-1].read_bytes() == before[f"db/{log.name}"], "the damaged log is left for repair"


def test_a_byte_flipped_in_the_last_synced_record_is_a_refusal(left: Path) -> None:
    """At the tail the database takes it for a write that was cut short; only the synced position outside it knows better."""
    log = write_ahead_logs(left)[-1]
    last_synced = log.read_bytes().rindex(b"message %06d " % (len(bodies(Path(shutil.copytree(left, left.parent / "copy")))) - 1))
    flip(log, last_synced)
    refused(left)


def test_a_write_ahead_log_cut_in_its_last_record_is_a_refusal(left: Path) -> None:
    log = write_ahead_logs(left)[-1]
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size * 3 // 4)
    assert "durable records are missing" in refused(left)


def test_a_deleted_write_ahead_log_is_a_refusal(left: Path) -> None:
    for log in write_ahead_logs(left):
        log.unlink()
    refused(left)


def test_a_deleted_current_file_is_a_refusal_and_makes_no_new_database(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "db" / "CURRENT").unlink()
    assert "CURRENT" in refused(tmp_path)
    assert not (tmp_path / "db" / "CURRENT").exists()


def test_a_deleted_database_folder_is_a_refusal(tmp_path: Path) -> None:
    filled(tmp_path)
    shutil.rmtree(tmp_path / "db")
    refused(tmp_path)
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize("kept", [0, 10, 0.5])
def test_a_truncated_manifest_is_a_refusal(tmp_path: Path, kept: float) -> None:
    filled(tmp_path)
    manifest = sorted((tmp_path / "db").glob("MANIFEST-*"))[-1]
    size = manifest.stat().st_size
    with manifest.open("r+b") as file:
        file.truncate(int(size * kept) if isinstance(kept, float) else kept)
    refused(tmp_path)


@pytest.mark.parametrize("text", ["", "   \n", "abc", "-1", "12x4", "\x00" * 21])
def test_a_damaged_synced_file_is_a_refusal(tmp_path: Path, text: str) -> None:
    filled(tmp_path)
    (tmp_path / "synced").write_text(text)
    assert "synced" in refused(tmp_path)


def test_a_deleted_synced_file_is_a_refusal(tmp_path: Path) -> None:
    """Without it a shorter database could not be told from a whole one."""
    filled(tmp_path)
    (tmp_path / "synced").unlink()
    assert "synced" in refused(tmp_path)


def test_a_folder_set_back_to_an_older_copy_of_its_database_is_a_refusal(tmp_path: Path) -> None:
    filled(tmp_path)
    shutil.copytree(tmp_path / "db", tmp_path.parent / "older")
    folder = DataFolder(tmp_path)
    Engine(folder.store, []).publish([message(99)])
    folder.close()
    shutil.rmtree(tmp_path / "db")
    shutil.copytree(tmp_path.parent / "older", tmp_path / "db")
    assert "durable records are missing" in refused(tmp_path)


def test_a_refused_folder_is_given_back_so_that_it_opens_after_the_repair(tmp_path: Path) -> None:
    filled(tmp_path)
    text = (tmp_path / "synced").read_text()
    (tmp_path / "synced").write_text("damaged")
    with pytest.raises(FolderRefusedError):
        DataFolder(tmp_path)
    (tmp_path / "synced").write_text(text)
    assert len(bodies(tmp_path)) == 50
