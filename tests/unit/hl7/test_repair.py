"""Departures of real engines that are read, because the reading is certain; and texts that must not be cut."""

from __future__ import annotations

import importlib

import pytest

from connectors.hl7.er7 import read
from connectors.hl7.repair import KNOWN

MESSAGE = (
    "MSH|^~\\&|MAR|NORTH|HUB|PH|20260601101500||RAS^O17|C1|P|2.5.1\rPID|1||M1^^^N\rORC|RE|P1|F1\r"
    "RXA|0|1|20260601101000||AMX^Amox^L|2|TAB\r"
)


def names(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    message = read(data)
    assert bytes(message) == data
    return [segment.name for segment in message]


@pytest.mark.parametrize(
    "between",
    [" ", "   ", "\t", "\\r", "\\n", "\\r\\n", "\\r ", "<CR>", "<cr>", "<CR><LF>", "[CR]", "&#13;", "&#xD;", "\\X0D\\", "\x1e", "\x0b",
     "\x85", "\u2028"],
)  # fmt: skip
def test_segments_on_one_line(between: str) -> None:
    text = MESSAGE.rstrip("\r").replace("\r", between)
    assert names(text) == ["MSH", "PID", "ORC", "RXA"]
    assert read(text.encode()).get("RXA-5.1") == "AMX"
    assert read(text.encode()).get("PID-3.1") == "M1"


def test_blanks_and_a_separator_between_segments_on_one_line() -> None:
    assert names(MESSAGE.rstrip("\r").replace("\r", "||| ")) == ["MSH", "PID", "ORC", "RXA"]


def test_segments_without_anything_between_them_are_not_guessed() -> None:
    assert names(MESSAGE.replace("\r", "")) == ["MSH"]


@pytest.mark.parametrize("text", ["see PID and OBX for more", "AND| no segment", "Zn|", "ask NTE; then PV1", "x PID"])
def test_words_in_a_field_are_no_segments(text: str) -> None:
    data = MESSAGE + f"NTE|1||{text}"
    assert names(data) == ["MSH", "PID", "ORC", "RXA", "NTE"]
    on_one_line = f"MSH|^~\\&|A|B|||20260601||ORU^R01|1|P|2.5 NTE|1||{text}"
    assert names(on_one_line) == ["MSH", "NTE"]


def test_names_in_small_letters() -> None:
    assert names(MESSAGE.replace("PID", "pid").replace("RXA", "Rxa")) == ["MSH", "PID", "ORC", "RXA"]
    assert names(MESSAGE.replace("MSH", "msh")) == ["MSH", "PID", "ORC", "RXA"]
    assert names(MESSAGE + "zpm|V\r") == ["MSH", "PID", "ORC", "RXA", "ZPM"]


@pytest.mark.parametrize("line", ["and|or", "the|end", "abc|1"])
def test_small_letters_that_name_no_segment_belong_to_the_field_before(line: str) -> None:
    text = MESSAGE + f"NTE|1||first\r{line}\r"
    assert names(text) == ["MSH", "PID", "ORC", "RXA", "NTE"]


def test_blanks_before_the_separator_of_a_name() -> None:
    assert names(MESSAGE.replace("PID|", "PID |").replace("RXA|", "RXA\t|")) == ["MSH", "PID", "ORC", "RXA"]
    assert names(MESSAGE.replace("MSH|", "MSH |")) == ["MSH", "PID", "ORC", "RXA"]


def test_blanks_round_every_separator() -> None:
    message = read(MESSAGE.replace("|", " | ").encode())
    assert [segment.name for segment in message] == ["MSH", "PID", "ORC", "RXA"]
    assert message.segments("RXA")[0].value("5.1") == "AMX"


def test_a_second_administration_written_oddly_is_not_lost() -> None:
    """Before these departures were read, such a line became part of the field before it, and a removal was lost."""
    for odd in ("rxa|0|2|20260601101000||B^B^L|1|TAB", "RXA |0|2|20260601101000||B^B^L|1|TAB"):
        assert len(read((MESSAGE + odd + "\r").encode()).segments("RXA")) == 2


def test_a_declared_latin_1_that_is_utf_8() -> None:
    text = MESSAGE.replace("|2.5.1", "|2.5.1||||||8859/1").replace("Amox", "Amoxé")
    assert read(text.encode("utf-8")).get("RXA-5.2") == "Amoxé"
    assert read(text.encode("latin-1")).get("RXA-5.2") == "Amoxé"


@pytest.mark.parametrize(
    ("codec", "stated", "text"), [("shift_jis", "shift_jis", "薬"), ("euc_jp", "euc_jp", "薬"), ("cp1252", "cp1252", "€")]
)
def test_a_character_set_stated_for_the_feed_is_read_whatever_the_message_says(codec: str, stated: str, text: str) -> None:
    data = MESSAGE.replace("|2.5.1", "|2.5.1||||||UNICODE UTF-8").replace("Amox", text).encode(codec)
    assert read(data, stated).get("RXA-5.2") == text


def test_a_stated_character_set_that_can_not_be_is_not_believed() -> None:
    data = MESSAGE.replace("Amox", "é").encode("utf-8")
    assert read(data, "ascii").get("RXA-5.2") == "é"
    assert read(data, "klingon").get("RXA-5.2") == "é"


@pytest.mark.parametrize("version", ["2_1", "2_2", "2_3", "2_3_1", "2_4", "2_5", "2_5_1", "2_6", "2_7", "2_8", "2_8_1", "2_8_2"])
def test_every_segment_that_hl7apy_knows_is_known(version: str) -> None:
    try:
        tables = importlib.import_module(f"hl7apy.v{version}.segments").SEGMENTS
    except ImportError:
        pytest.skip(f"hl7apy has no version {version}")
    assert {name for name in tables if len(name) == 3} <= KNOWN
