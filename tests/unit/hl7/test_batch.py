"""Cutting raw bodies into messages: batches, MLLP blocks, streams, text before the first header."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.batch import split

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
