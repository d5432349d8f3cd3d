"""The map of a par list: what it may say, and what a person is told to write where it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import InputRefusedError
from topology.reference_files.par_list_map import Columns, ParListMap, read_map

COLUMNS = "columns: {device: Station, code: MedID, minimum: Min, par: Par"
EXAMPLE = "columns: {device: Station, code: MedID, minimum: Min, par: Par}"


def read(tmp_path: Path, text: str) -> ParListMap:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    return read_map(path)


def told(tmp_path: Path, text: str) -> str:
    """What is said of a map, without the file's name."""
    with pytest.raises(InputRefusedError) as refused:
        read(tmp_path, text)
    return str(refused.value).removeprefix(f"{tmp_path / 'map.yaml'} ")


def test_what_is_not_said_has_its_usual_value(tmp_path: Path) -> None:
    wanted = ParListMap(columns=Columns(device="Station", code="MedID", minimum="Min", par="Par"))
    assert read(tmp_path, f"{COLUMNS}}}") == wanted
    assert read(tmp_path, f"{COLUMNS}, pocket: , maximum: '', critical: ~, unit: null}}\ndelimiter:\n") == wanted
    assert (wanted.delimiter, wanted.encoding, wanted.code_system) == (",", "utf-8", "local")


def test_a_column_may_be_named_like_a_number_a_date_or_a_yes(tmp_path: Path) -> None:
    found = read(tmp_path, "columns: {device: 5, code: 2026-05-01, minimum: on, par: 1.50, pocket: ' Slot '}\ndelimiter: \"\\t\"")
    assert found.columns == Columns(device="5", code="2026-05-01", minimum="on", par="1.50", pocket="Slot")
    assert found.delimiter == "\t"


@pytest.mark.parametrize("text", ["", "# nothing but a word to the reader\n", "{}", "~"])
def test_an_empty_map_says_what_to_write(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == f"is empty: write which column holds what, e.g. {EXAMPLE}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text", f"holds no fields with values: write which column holds what, e.g. {EXAMPLE}"),
        ("[1, 2]", f"holds no fields with values: write which column holds what, e.g. {EXAMPLE}"),
        ("delimiter: ';'", f"columns is missing: write which column holds what, e.g. {EXAMPLE}"),
        ("columns: [a]", f"columns can't be a list: write which column holds what, e.g. {EXAMPLE}"),
        ("columns: text", f"columns can't be 'text': write which column holds what, e.g. {EXAMPLE}"),
        ("columns: {device: A, code: B, minimum: C}", "columns.par is missing: write the header of the column with the level to refill to"),
        (f"{COLUMNS}, unit: [x]}}", "columns.unit can't be a list: write the header of a column"),
        (f"{COLUMNS}, unit: {{a: b}}}}", "columns.unit can't be fields with values: write the header of a column"),
        (f"{COLUMNS}, colour: x}}", "'columns.colour' is not known: there are device, code, minimum, par, pocket, maximum, critical, unit"),
        (f"{EXAMPLE}\ncolour: x", "'colour' is not known: there are columns, delimiter, encoding, code_system"),
        (f"{EXAMPLE}\ndelimiter: ;;", 'delimiter can\'t be \';;\': write one character between cells, e.g. ";" or "\\t"; not the quote'),
        (f"{EXAMPLE}\ndelimiter: '\"'", "delimiter can't be '\"': write one character"),
        (f'{EXAMPLE}\ndelimiter: "\\n"', "delimiter can't be '\\u000a': write one character"),
        (f"{EXAMPLE}\nencoding: utf8", "encoding can't be 'utf8': write utf-8, latin-1, windows-1252 or utf-16"),
        (f"{EXAMPLE}\ncode_system: [x]", "code_system can't be a list: write the system of the codes, e.g. local or ndc"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_place_with_what_to_write(tmp_path: Path, text: str, said: str) -> None:
    assert told(tmp_path, text).removeprefix("is no map of a par list: ").startswith(said)


def test_several_faults_are_told_together(tmp_path: Path) -> None:
    said = told(tmp_path, "columns: {device: [x], code: B, minimum: C}\ncolour: 1")
    assert [part.split(" ")[0] for part in said.removeprefix("is no map of a par list: ").split("; ")] == [
        "columns.device", "columns.par", "'colour'",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[", "a: b: c", "columns: {device: \"\\ud800\"}", "? [a]\n: b", "[" * 5_000, "a: \x01"])
def test_what_is_no_yaml_is_told_without_a_word_of_the_library(tmp_path: Path, text: str) -> None:
    said = told(tmp_path, text)
    assert said.startswith("can't be read: it is not YAML")
    assert said.endswith(f"; write {EXAMPLE}")
    assert "Error" not in said


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_bytes(b"columns: {device: caf\xe9}")
    for path, why in ((tmp_path / "absent.yaml", "No such file"), (tmp_path, "Is a directory"), (tmp_path / "map.yaml", "not UTF-8")):
        with pytest.raises(InputRefusedError, match=why):
            read_map(path)
