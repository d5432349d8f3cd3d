"""The ER7 reader: paths, delimiters, line ends, groups, and the promise that bytes come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.er7 import Er7Error, read
from connectors.hl7.paths import PATHS, PATHS_CACHED_MAX
from connectors.hl7.syntax import NULL

ADMINISTRATION = (
    b"MSH|^~\\&|MAR|NORTH|||20260601101500||RAS^O17^RAS_O17|C1|P|2.5.1\r"
    b"PID|1||A1&x&y^^^NORTH&1.2.3&ISO~B2^^^EAST||DOE^JANE\r"
    b"ORC|RE|P1\r"
    b"RXA|0|1|20260601||111^ONE^L|5\r"
    b"RXA|0|2|20260602||222^TWO^L|6\r"
    b"RXR|IV\r"
    b"ORC|RE|P2\r"
    b"RXA|0|1|20260603||333^THREE^L|7\r"
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-9", "RAS"),
        ("MSH-9.2", "O17"),
        ("PID-3", "A1"),
        ("PID-3.1", "A1"),
        ("PID-3.1.2", "x"),
        ("PID-3(2).1", "B2"),
        ("PID-3[2].4.1", "EAST"),
        ("PID-3.4.2", "1.2.3"),
        ("PID.3.4.3", "ISO"),
        ("RXA-5.1", "111"),
        ("RXA[2]-5.1", "222"),
        ("RXA(3)-5.2", "THREE"),
        ("RXA[4]-5.1", ""),
        ("RXA-99", ""),
        ("PID-3(3)", ""),
        ("PID-3.9", ""),
        ("PID-3.1.9", ""),
        ("ZZZ-1", ""),
    ],
)
def test_a_path_names_segment_field_repetition_component_and_subcomponent_from_one(path: str, expected: str) -> None:
    assert read(ADMINISTRATION).get(path) == expected


@pytest.mark.parametrize(
    "path", ["", "PID", "pid-3", "PID-", "PID-0", "PID-3.0", "PID-3(0)", "PID[0]-3", "PID-3.1.1.1", "PIDX-3"]
)
def test_what_is_no_path_is_a_clear_error(path: str) -> None:
    with pytest.raises(ValueError, match="HL7"):
        read(ADMINISTRATION).get(path)


def test_raw_text_is_as_deep_as_the_path_and_keeps_escapes() -> None:
    message = read(b"MSH|^~\\&|A\rPID|1||a\\T\\b&c^d~e^f\r")
    assert message.raw("PID-3") == "a\\T\\b&c^d~e^f"
    assert message.raw("PID-3(2)") == "e^f"
    assert message.raw("PID-3.1") == "a\\T\\b&c"
    assert message.raw("PID-3.1.2") == "c"
    assert message.raw("PID-3(5).1") == ""
    assert message.raw("MSH-2") == "^~\\&"
    assert message.raw("PID-9") == message.raw("OBX-1") == ""


def test_null_is_not_empty() -> None:
    message = read(b'MSH|^~\\&|A\rPID|1||""|\r')
    assert message.get("PID-3") == NULL
    assert message.get("PID-4") == ""


def test_segments_are_reachable_by_name_and_iterated_in_order() -> None:
    message = read(ADMINISTRATION)
    assert [segment.name for segment in message] == ["MSH", "PID", "ORC", "RXA", "RXA", "RXR", "ORC", "RXA"]
    assert [rxa.get("5.1") for rxa in message.segments("RXA")] == ["111", "222", "333"]
    assert [segment.name for segment in message.segments("ORC", "RXR")] == ["ORC", "RXR", "ORC"]
    assert message.segment("OBX") is None
    assert message.has("OBX", "RXR")
    assert not message.has("OBX")
    assert len(message) == 8


def test_groups_hold_what_belongs_to_one_order() -> None:
    first, second = read(ADMINISTRATION).groups("ORC")
    assert first.get("ORC-2") == "P1"
    assert [rxa.get("5.1") for rxa in first.segments("RXA")] == ["111", "222"]
    assert first.get("RXA[2]-6") == "6"
    assert first.get("RXR-1") == "IV"
    assert second.get("RXA-5.1") == "333"
    assert not second.has("RXR")


def test_a_segment_gives_all_repetitions_and_components_of_a_field() -> None:
    pid = read(ADMINISTRATION).segments("PID")[0]
    assert pid.repetitions("3.1") == ["A1", "B2"]
    assert pid.repetitions("3.4") == ["NORTH", "EAST"]
    assert pid.components(3) == ["A1", "", "", "NORTH"]
    assert pid.repetitions("9") == []
    assert pid.components(9) == []
    assert pid.fields()[:3] == ("PID", "1", "")
    assert pid.get("77") == pid.raw("77") == ""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (b"^~\\&", "b"),
        (b"^~\\&#", "b"),
        (b"^~\\\\&", "b"),
        (b"^~\\", "b"),
        (b"^~", "b"),
        (b"^", "b"),
        (b"", "b"),
        (b"^~\\\\\\\\&", "b"),
        (b"^~&", "b"),
        (b" ^~\\& ", "b"),
        (b"^~\\&amp;", "b"),
    ],
)
def test_short_long_and_doubled_msh_2_are_tolerated(encoding: bytes, expected: str) -> None:
    message = read(b"MSH|" + encoding + b"|A\rPID|1||a&b^c~d\r")
    assert message.get("PID-3.1.2") == expected
    assert message.get("PID-3.2") == "c"
    assert message.get("PID-3(2)") == "d"
    assert message.raw("MSH-2") == encoding.decode()


def test_an_escape_sign_that_got_lost_in_msh_2_is_not_looked_for_elsewhere() -> None:
    """`^~&` is `^~\\&` after an interpreter of strings took the backslash: & parts subcomponents, and is no escape sign."""
    message = read(b"MSH|^~&|A\rPID|1||a&F&b\r")
    assert message.get("PID-3.1.2") == "F"
    assert message.delimiters[:5] == ("|", "^", "~", "\\", "&")


def test_a_message_that_was_escaped_for_xml_as_a_whole_is_read_as_before_the_escaping() -> None:
    data = b"MSH|^~\\&amp;|A\rPID|1||a&amp;b^&lt;1 mg^&quot;x&#39;^&#65;\r"
    message = read(data)
    assert [message.get(f"PID-3.{n}") for n in range(1, 5)] == ["a", "<1 mg", "\"x'", "A"]
    assert message.get("PID-3.1.2") == "b"
    assert bytes(message) == data


def test_one_plain_ampersand_says_that_the_message_was_not_escaped_as_a_whole() -> None:
    message = read(b"MSH|^~\\&amp;|A\rPID|1||a&b^&lt;\r")
    assert message.get("PID-3.1.2") == "b"
    assert message.get("PID-3.2.2") == "lt;"


def test_delimiters_come_from_the_message() -> None:
    message = read(b"MSH$*%!@$A$B\rPID$1$$a@b*c%d!S!e\r")
    assert message.get("PID-3.1.2") == "b"
    assert message.get("PID-3.2") == "c"
    assert message.get("PID-3(2)") == "d*e"
    assert message.get("MSH-3") == "A"


def test_the_yen_sign_may_be_the_escape_sign() -> None:
    message = read("MSH|^~¥&|A\rPID|1||a¥T¥b\r".encode())
    assert message.get("PID-3") == "a&b"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n", "\r \t"])
def test_any_line_end_ends_a_segment(end: str) -> None:
    data = end.join(["MSH|^~\\&|A", "PID|1||X", "PV1|1|I", ""]).encode()
    message = read(data)
    assert [segment.name for segment in message] == ["MSH", "PID", "PV1"]
    assert message.get("PID-3") == "X"
    assert message.get("PV1-2") == "I"
    assert bytes(message) == data


def test_mixed_line_ends_are_read() -> None:
    message = read(b"MSH|^~\\&|A\rPID|1||X\nPV1|1|I\r\nORC|RE")
    assert [segment.name for segment in message] == ["MSH", "PID", "PV1", "ORC"]


def test_a_line_that_is_no_segment_belongs_to_the_field_before_it() -> None:
    message = read(b"MSH|^~\\&|A\rNTE|1||first\nsecond\n\nTAB\rPV1|1|I\r")
    assert message.get("NTE-3") == "first\nsecond\n\nTAB"
    assert message.get("PV1-2") == "I"


def test_a_bare_segment_name_is_a_segment_after_a_certain_line_end() -> None:
    assert [segment.name for segment in read(b"MSH|^~\\&|A\rZZZ\rPID|1")] == ["MSH", "ZZZ", "PID"]
    assert [segment.name for segment in read(b"MSH|^~\\&|A\nZZZ\nPID|1")] == ["MSH", "ZZZ", "PID"]


def test_an_indented_segment_is_read() -> None:
    assert read(b"MSH|^~\\&|A\n    PID|1||X").get("PID-3") == "X"


def test_block_signs_after_the_last_segment_are_left_out() -> None:
    assert read(b"\x0bMSH|^~\\&|A\rPID|1||X\r\x1c\r").get("PID-3") == "X"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\r\n \x0b", "empty"),
        (b"PID|1||X", "no_msh"),
        (b"hello", "no_msh"),
        (b"<ClinicalDocument/>", "no_msh"),
        (b"MSH", "msh_too_short"),
        (b"MSH|", "msh_too_short"),
        (b"MSH|\rPID|1", "msh_too_short"),
        (b"MSHA~\\&|A", "bad_delimiters"),
        (b"MSH|^^\\&|A", "bad_delimiters"),
        (b"MSH|abc|A", "bad_delimiters"),
        (b"MSH ^~\\& A", "bad_delimiters"),
        (b"MSH|^~\\&MAR|NORTH|", "bad_delimiters"),  # MSH-3 stuck to MSH-2: every field would be one off
        (b"MSH^~\\&|MAR|NORTH", "bad_delimiters"),  # MSH-1 is missing
        (b"MSH|^~\\&$A$B", "bad_delimiters"),
        (b"MSH|^~" + b"\\" * 30 + b"&|A", "bad_delimiters"),
        (b"MSH|^~\\&|A\rMSH|^~\\&|B", "several_messages"),
        (b"MSH|^~\\&|A MSH|^~\\&|B", "several_messages"),
    ],
)
def test_what_is_no_message_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(Er7Error) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.reason


@pytest.mark.parametrize("line", ["RXA^0^1^20260601^^A", "RXA$0$1$2", "  PID#1##X", "RXA~0~1~|2|3", "OBX&1&NM&"])
def test_a_segment_with_another_separator_is_refused_by_name_and_never_becomes_part_of_a_field(line: str) -> None:
    with pytest.raises(Er7Error, match="MSH-1") as caught:
        read(f"MSH|^~\\&|A\rNTE|1||text\r{line}\rPV1|1\r".encode())
    assert caught.value.code == "other_separator"
    assert line.strip()[:3] in caught.value.reason


@pytest.mark.parametrize(
    "text", ["PID: see below", "RXA, RXD and ORC", "OBX-5 ^ 2", "PID# 4711", "XYZ^1^2^3", "IN1.5.6.7", r"NTE\.br\a\.br\b"]
)
def test_a_line_of_text_that_begins_with_a_name_belongs_to_the_field_before_it(text: str) -> None:
    message = read(f"MSH|^~\\&|A\rNTE|1||first\r{text}\rPV1|1\r".encode())
    assert message.field("NTE", 3) == f"first\r{text}"


def test_after_another_separator_the_recommended_one_alone_says_that_a_line_is_a_segment() -> None:
    with pytest.raises(Er7Error, match="EVN") as caught:
        read(b"MSH#^~\\&#A\rEVN|A01\r")
    assert caught.value.code == "other_separator"


def test_inside_a_field_with_line_feeds_another_separator_is_text() -> None:
    """CR ends the segments of this message, so what follows LF is text whatever it looks like."""
    assert read(b"MSH|^~\\&|A\rNTE|1||a\nRXA^0^1^2^3\rPV1|1\r").field("NTE", 3) == "a\nRXA^0^1^2^3"


SEGMENTS = ("MSH|^~\\&|A|B|||1||ADT^A01|1|P|2.5", "PID|1||X", "ZXX|1|mine", "PV1|1|I|WARD")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\x1c\r", "\x1c", "\x00\x00", "\r[EOM]", "\n<EB>\n", " ", "\x1a"])
@pytest.mark.parametrize(
    "apart",
    [
        "\r",
        "\n",
        "\\r",
        "\\n",
        "\\r\\n",
        "<CR>",
        "\\r\n",
        "<cr>\r\n",
        "\\\\r",
        " ",
        "| ",
        "[CR]\n",
        "<br>",
        "<br />\n",
        "\u240d\n",
        "&#13;",
    ],
)
def test_line_ends_however_written_and_whatever_follows_the_last_one(apart: str, end: str) -> None:
    """The last field of each segment shows whether something of a line end or of the message's end was left in it."""
    written = apart.strip(" \r\n|")
    data = (apart.join(SEGMENTS) + written + end).encode()
    message = read(data)
    assert [segment.name for segment in message] == ["MSH", "PID", "ZXX", "PV1"]
    assert [message.field("MSH", 12), message.field("PID", 3), message.field("ZXX", 2)] == ["2.5", "X", "mine"]
    assert message.field("PV1", 3).strip() == "WARD"
    assert bytes(message) == data


def test_written_out_line_ends_on_some_lines_only_are_text() -> None:
    message = read(b"MSH|^~\\&|A|C:\\r\rPID|1||X\rPV1|1|I\\r\r")
    assert message.raw("MSH-4") == "C:\\r"
    assert message.raw("PV1-2") == "I\\r"


@pytest.mark.parametrize(
    "version", ["", "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.2", "2.9", "9"]
)
def test_every_version_is_read_and_segments_of_the_senders_own_are_kept(version: str) -> None:
    message = read(f"MSH|^~\\&|A|B|||1||RDS^O13|1|P|{version}\rPID|1||X\rZZ9|a^b|c\rRXD|1||1\rZPM|d\r".encode())
    assert message.get("MSH-12") == version
    assert [segment.name for segment in message] == ["MSH", "PID", "ZZ9", "RXD", "ZPM"]
    assert message.get("ZZ9-1.2") == "b"


@pytest.mark.parametrize("blank", [" ", "\t", "\x1e", "\\r", "x"])
def test_text_on_one_line_is_read_in_linear_time(blank: str) -> None:
    """A pattern that tries every blank of a run anew needs hours for this; the test would time out rather than fail on a clock."""
    assert len(read(b"MSH|^~\\&|A|" + blank.encode() * 500_000 + b"y PID|1")) == 2


def test_more_paths_than_the_cache_holds_still_work() -> None:
    message = read(ADMINISTRATION)
    for number in range(1, PATHS_CACHED_MAX + 10):
        assert message.get(f"RXA[{number + 3}]-1") == ""
    assert len(PATHS) <= PATHS_CACHED_MAX
    assert message.get("PID-5.2") == "JANE"


FRAGMENTS = st.sampled_from(
    [
        "MSH|^~\\&|",
        "PID|",
        "RXA|0|1",
        "\r",
        "\n",
        "\r\n",
        "^",
        "~",
        "&",
        "|",
        "\\",
        "\\F\\",
        "\\X0D\\",
        "é",
        "\x1c",
        "\x0b",
        "\ufeff",
        '""',
        "abc",
        "9",
    ]
)


@given(st.lists(FRAGMENTS, max_size=30), st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-8-sig"]))
def test_bytes_come_back_as_they_were_whatever_the_message(fragments: list[str], encoding: str) -> None:
    data = ("MSH|^~\\&|A" + "".join(fragments)).encode(encoding, "ignore")
    try:
        message = read(data)
    except Er7Error as error:
        assert error.code == "several_messages"  # a fragment is a header  # noqa: PT017
        return
    assert bytes(message) == data
    for segment in message:
        for number in range(1, len(segment.fields()) + 1):
            segment.get(str(number))
            segment.raw(f"{number}(2).1.2")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_losslessly_or_refused_by_name(data: bytes) -> None:
    try:
        outcome = bytes(read(data))
    except Er7Error as error:
        outcome = error.code.encode()
    assert outcome in {data, b"empty", b"no_msh", b"msh_too_short", b"bad_delimiters", b"several_messages", b"other_separator"}


@given(st.binary(max_size=100))
def test_any_bytes_after_a_header_are_read_losslessly(tail: bytes) -> None:
    data = b"MSH|^~\\&|A\r" + tail
    try:
        assert bytes(read(data)) == data
    except Er7Error as error:
        assert error.code in ("several_messages", "other_separator")  # noqa: PT017


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="|^~\\&\r\n\x00\x04\x1a\x1b\x1c"), max_size=8)


@given(st.lists(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_was_joined_with_the_delimiters_is_found_again(field: list[list[list[str]]]) -> None:
    """Aim: the reader is the inverse of joining. A field of repetitions × components × subcomponents, each fetched by its path."""
    text = "~".join("^".join("&".join(subs) for subs in components) for components in field)
    message = read(f"MSH|^~\\&|A\rZXX|{text}\r".encode())
    for r, components in enumerate(field, 1):
        for c, subs in enumerate(components, 1):
            for s, expected in enumerate(subs, 1):
                assert message.get(f"ZXX-1({r}).{c}.{s}") == expected
