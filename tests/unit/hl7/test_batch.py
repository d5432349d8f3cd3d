"""Cutting raw bodies into messages: batches, MLLP blocks, streams, text before the first header."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.batch import split
from connectors.hl7.er7 import read

ONE = b"MSH|^~\\&|A|B|||1||ADT^A01|1|P|2.5\rPID|1||X\r"
TWO = b"MSH|^~\\&|A|B|||1||ADT^A02|2|P|2.5\rPID|1||Y\r"
FHS, BHS = b"FHS|^~\\&|A|B\r", b"BHS|^~\\&|A|B\r"


def test_one_message_is_its_own_only_member() -> None:
    assert split(ONE).members == (ONE,)
    assert not split(ONE).enveloped


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_messages_in_a_row_are_cut_before_each_header(end: bytes) -> None:
    one, two = ONE.replace(b"\r", end), TWO.replace(b"\r", end)
    assert split(one + two).members == (one, two)


def test_a_batch_gives_its_messages_without_the_envelope() -> None:
    batch = split(FHS + BHS + ONE + TWO + b"BTS|2\rFTS|1\r")
    assert batch.members == (ONE, TWO)
    assert batch.enveloped
    assert batch.problems == ()


def test_two_batches_in_one_file_are_counted_each_for_itself() -> None:
    batch = split(FHS + BHS + ONE + b"BTS|1\r" + BHS + TWO + b"BTS|1\rFTS|2\r")
    assert batch.members == (ONE, TWO)
    assert batch.problems == ()


def test_wrong_trailer_counts_are_reported_and_the_messages_go_on() -> None:
    batch = split(FHS + BHS + ONE + TWO + b"BTS|3|comment\rFTS|2\r")
    assert batch.members == (ONE, TWO)
    assert batch.problems == ("BTS-1 declares 3 messages, 2 came", "FTS-1 declares 2 batches, 1 came")


@pytest.mark.parametrize("trailer", [b"BTS\r", b"BTS|\r", b"BTS|many\r", b"BTS|99999999999\r"])
def test_a_trailer_without_a_usable_number_says_nothing(trailer: bytes) -> None:
    assert split(BHS + ONE + trailer).problems == ()


def test_an_envelope_without_messages_has_no_members() -> None:
    assert split(FHS + BHS + b"BTS|0\rFTS|1\r") == ((), (), True)
    assert split(BHS + b"BTS|4\r").problems == ("BTS-1 declares 4 messages, 0 came",)


def test_mllp_blocks_are_taken_apart() -> None:
    framed = b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r"
    assert split(framed).members == (ONE, TWO)


def test_a_single_block_is_unframed() -> None:
    assert split(b"\x0b" + ONE + b"\x1c\r").members == (ONE,)


def test_text_before_the_first_header_is_left_out() -> None:
    assert split(b"[SOM]" + ONE).members == (ONE,)
    assert split(b"some text\r\n" + ONE).members == (ONE,)


@pytest.mark.parametrize("mark", [b"[SOM]", b"<SOM>", b"[som]", b"<SB>", b"<VT>"])
def test_the_start_of_a_block_as_text_begins_a_message_wherever_it_stands(mark: bytes) -> None:
    assert split(mark + ONE + mark + TWO).members[1] == TWO
    assert split(mark + ONE + TWO).members == (ONE, TWO)
    assert split(ONE + mark + TWO).members == (ONE, TWO)


def test_another_bracket_before_the_letters_msh_does_not_cut() -> None:
    data = ONE + b"NTE|1||as in [A]MSH|^~\\& of <B>MSH|^~\\&\r"
    assert split(data).members == (data,)


def test_the_lines_of_a_log_are_cut_where_their_headers_begin() -> None:
    body = b"10:01 INFO got " + ONE + b"10:02 INFO got " + TWO
    assert [read(member).get("MSH-10") for member in split(body).members] == ["1", "2"]
    assert split(b"received: " + ONE + TWO).members == (ONE, TWO)
    columns = b"10:01|INFO|" + ONE + b"10:02|INFO|" + TWO
    assert [read(member).get("MSH-10") for member in split(columns).members] == ["1", "2"]
    assert split(b"PID|1||Z " + ONE).members == (b"PID|1||Z ", ONE)


def test_the_letters_msh_inside_a_field_do_not_cut_a_message_with_text_before_it() -> None:
    data = ONE + b"NTE|1||see MSH|^~\\& of yesterday\r"
    assert split(b"[SOM]" + data).members == (data,)
    assert split(b"log: " + data).members == (data,)


@pytest.mark.parametrize("apart", [b" ", b"\\r", b"<CR>", b"\\r\\n", b"\x1e", b"<br/>"])
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\x1c\r"])
def test_messages_on_one_line_are_cut_before_each_header(apart: bytes, end: bytes) -> None:
    """Read as one message, the second one's items would go to the first one's patient."""
    body = (FHS + BHS + ONE + TWO + b"BTS|3\rFTS|1\r").rstrip(b"\r").replace(b"\r", apart) + end
    batch = split(body)
    messages = [read(member) for member in batch.members]
    assert [(message.get("MSH-10"), message.get("PID-3")) for message in messages] == [("1", "X"), ("2", "Y")]
    assert batch.problems == ("BTS-1 declares 3 messages, 2 came",)
    two = (ONE + TWO).rstrip(b"\r").replace(b"\r", apart) + end
    assert [read(member).get("MSH-10") for member in split(two).members] == ["1", "2"]


@pytest.mark.parametrize("name", [b"msh|", b"Msh|", b"MSH |", b"MSH  | "])
def test_a_header_in_small_letters_or_with_a_blank_is_cut_as_it_is_read(name: bytes) -> None:
    odd = TWO.replace(b"MSH|", name)
    assert split(ONE + odd).members == (ONE, odd)
    assert read(odd).get("MSH-9.2") == "A02"


def test_file_and_batch_headers_may_have_delimiters_of_their_own() -> None:
    batch = split(b"FHS#*+!@#A\rBHS$%!@=$A\r" + ONE + TWO + b"BTS$2\rFTS#2\r")
    assert batch.members == (ONE, TWO)
    assert batch.problems == ("FTS-1 declares 2 batches, 1 came",)


def test_segments_of_a_batch_on_one_line_without_a_header_are_a_member_that_can_be_refused() -> None:
    assert split(b"BHS|^~\\&|A PID|1||Z BTS|1").members == (b"PID|1||Z ",)


@pytest.mark.parametrize("quote", [b'"', b"'", b"`"])
def test_the_quotes_round_a_published_body_are_left_out(quote: bytes) -> None:
    assert split(quote + ONE.rstrip(b"\r") + quote + b"\n").members == (ONE.rstrip(b"\r"),)
    assert split(b"x" + ONE.rstrip(b"\r") + quote).members == (ONE.rstrip(b"\r") + quote,)


def test_padding_between_and_after_messages_is_none_of_their_fields() -> None:
    one, two = split(b"\x00\x00" + ONE.rstrip(b"\r") + b"\x00" * 9 + TWO + b"\x00" * 9).members
    assert read(one).get("PID-3") == "X"
    assert read(two).get("PID-3") == "Y"


def test_segments_before_the_first_header_are_a_member_that_can_be_refused() -> None:
    orphan = b"PID|1||Z\rPV1|1\r"
    assert split(orphan + ONE).members == (orphan, ONE)


def test_segments_after_an_envelope_without_a_header_are_a_member_too() -> None:
    assert split(BHS + b"PID|1||Z\r" + ONE + b"BTS|1\r").members == (b"PID|1||Z\r", ONE)


def test_a_bad_member_stays_a_member() -> None:
    assert split(BHS + ONE + b"MSH|^~\r" + TWO + b"BTS|3\r").members == (ONE, b"MSH|^~\r", TWO)
    assert split(ONE + b"MSH\r" + TWO).members == (ONE, b"MSH\r", TWO)


@pytest.mark.parametrize("body", [b"", b"hello", b"BHS_2", b"FHS :py:class:`hl7.Segment`", b"PID|1\rPV1|1\r"])
def test_a_body_without_a_header_is_its_own_only_member(body: bytes) -> None:
    assert split(body).members == (body,)


def test_the_letters_msh_inside_a_field_do_not_cut() -> None:
    data = ONE + b"NTE|1||see MSH|^~\\& of yesterday\r"
    assert split(data).members == (data,)


def test_a_byte_order_mark_stays_with_its_message() -> None:
    data = codecs.BOM_UTF8 + ONE
    assert split(data).members == (data,)


@pytest.mark.parametrize(("mark", "codec"), [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")])
def test_messages_in_utf_16_are_cut_and_keep_the_mark_each(mark: bytes, codec: str) -> None:
    one, two = (text.decode().encode(codec) for text in (ONE, TWO))
    assert split(mark + one + two).members == (mark + one, mark + two)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_messages_in_utf_16_without_a_mark_are_cut(codec: str) -> None:
    one, two = (text.decode().encode(codec) for text in (ONE, TWO))
    assert split(one + two).members == (one, two)


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
def test_messages_in_utf_32_are_cut_and_keep_the_mark_each(codec: str) -> None:
    mark, one, two = (text.encode(codec) for text in ("\ufeff", ONE.decode(), TWO.decode()))
    assert split(mark + one + two).members == (mark + one, mark + two)
    assert read(mark + one).get("PID-3") == "X"


def test_utf_16_that_is_cut_off_is_one_member() -> None:
    data = codecs.BOM_UTF16_LE + ONE.decode().encode("utf-16-le") + b"\x00"
    assert split(data).members == (data,)


@given(
    st.lists(
        st.sampled_from([ONE, TWO, FHS, BHS, b"BTS|1\r", b"\x0b", b"\x1c\r", b"junk\r", b"MSH|^~\r", b"PID|9\r"]), max_size=12
    )
)
def test_no_header_is_ever_lost(parts: list[bytes]) -> None:
    """Every MSH that begins a line or block is the beginning of exactly one member."""
    body = b"\r".join(parts)
    headers = sum(part.startswith(b"MSH") for part in parts)
    assert sum(member.startswith(b"MSH") for member in split(body).members) == headers


@given(st.binary(max_size=300))
def test_any_bytes_can_be_split(body: bytes) -> None:
    batch = split(body)
    assert batch.enveloped or batch.members


def test_a_large_body_of_line_ends_is_split_in_linear_time() -> None:
    """A quadratic pattern would take hours on this body; the test would time out rather than fail on a clock."""
    body = ONE + b"\r\n" * 500_000 + b" \t" * 500_000 + TWO
    assert len(split(body).members) >= 1


@pytest.mark.parametrize("piece", [b"MSH ", b" MSH|", b"xMSH|^~", b"[SOM]", b"\nx MSH", b"BHS|^~ ", b"\x00", b"'"])
def test_any_piece_that_resembles_a_header_is_split_in_linear_time(piece: bytes) -> None:
    assert split(piece * 100_000 + ONE).members
