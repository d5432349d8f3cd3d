"""MLLP framing without a network, and acknowledgements in the sender's dialect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.ack import build_ack, plain_ack
from connectors.hl7.er7 import read
from connectors.hl7.framing import OVERSIZE_HEAD_BYTES, Block, Deframer, frame

AT = datetime(2026, 6, 1, 15, 0, 7, tzinfo=UTC)


def fed(deframer: Deframer, data: bytes, size: int) -> list[Block]:
    """The blocks of `data` arriving in pieces of a size."""
    blocks: list[Block] = []
    for start in range(0, len(data), size):
        blocks += deframer.feed(data[start : start + size])
    return blocks


@given(
    st.lists(st.binary(max_size=40).filter(lambda content: b"\x1c" not in content), max_size=5),
    st.integers(1, 60),
)
def test_what_was_framed_comes_out_however_it_is_cut_on_the_way(contents: list[bytes], size: int) -> None:
    deframer = Deframer(1000)
    assert [block.content for block in fed(deframer, b"".join(map(frame, contents)), size)] == contents
    assert not deframer.partial
    assert deframer.garbage_bytes == 0


def test_bytes_between_blocks_are_dropped_and_counted_but_not_line_ends() -> None:
    deframer = Deframer(1000)
    assert deframer.feed(b"HELO\r\n" + frame(b"a") + b"\r\n" + frame(b"b") + b"xyz") == [Block(b"a"), Block(b"b")]
    assert deframer.garbage_bytes == 7


def test_an_end_sign_that_is_not_followed_by_cr_is_content() -> None:
    assert Deframer(1000).feed(frame(b"a\x1cb")) == [Block(b"a\x1cb")]


def test_an_unfinished_block_is_partial() -> None:
    deframer = Deframer(1000)
    assert deframer.feed(b"\x0bMSH|") == []
    assert deframer.partial


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_block_over_the_limit_is_skipped_and_the_next_one_comes_through(size: int) -> None:
    deframer = Deframer(5000)
    big = b"MSH|" + b"x" * 20_000
    first, second = fed(deframer, frame(big) + frame(b"next"), size)
    assert first.oversize
    assert big.startswith(first.content)
    assert len(first.content) == OVERSIZE_HEAD_BYTES
    assert second == Block(b"next")
    assert deframer.skipped_bytes >= 15_000


def test_a_block_exactly_at_the_limit_is_taken() -> None:
    assert Deframer(10).feed(frame(b"x" * 10)) == [Block(b"x" * 10)]
    assert Deframer(10).feed(frame(b"x" * 11))[0].oversize


def test_memory_stays_bounded_while_an_endless_block_comes_in() -> None:
    deframer = Deframer(1000)
    deframer.feed(b"\x0b")
    for _ in range(100):
        deframer.feed(b"y" * 1000)
        assert len(deframer._buffer) <= 2000


# ---- acknowledgements -------------------------------------------------------------------------------------------------

SENT = b"MSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601101500||RAS^O17^RAS_O17|C1|P|2.5|||AL|NE||8859/1\rPID|1\r"


def test_an_acknowledgement_answers_the_sender_under_its_own_names() -> None:
    assert build_ack(read(SENT), "AA", "77", AT) == (
        b"MSH|^~\\&|HUB|PHARM|MAR|NORTH|20260601150007+0000||ACK^O17^ACK|77|P|2.5||||||8859/1\rMSA|AA|C1\r"
    )


def test_hl7apy_reads_our_acknowledgement() -> None:
    ack = parse_message(build_ack(read(SENT), "AA", "77", AT).decode(), validation_level=2)
    assert ack.msh.msh_9.to_er7() == "ACK^O17^ACK"
    assert ack.msa.msa_1.to_er7() == "AA"
    assert ack.msa.msa_2.to_er7() == "C1"
    assert ack.msh.msh_5.to_er7() == "MAR"


def test_an_acknowledgement_uses_the_senders_delimiters_and_character_set() -> None:
    sent = "MSH$*%!@$Müller$N$H$P$2026$$ADT*A01$C1$T$2.3$$$$$$8859/1\rPID$1\r".encode("latin-1")
    ack = build_ack(read(sent), "AA", "77", AT)
    assert ack == "MSH$*%!@$H$P$Müller$N$20260601150007+0000$$ACK*A01*ACK$77$T$2.3$$$$$$8859/1\rMSA$AA$C1\r".encode("latin-1")


def test_a_rejection_says_why_where_the_version_puts_it() -> None:
    new = read(build_ack(read(SENT), "AR", "77", AT, "larger than 10|20 bytes"))
    assert new.get("MSA-1") == "AR"
    assert (new.get("ERR-3"), new.get("ERR-4"), new.get("ERR-8")) == ("207", "E", "larger than 10|20 bytes")
    old = read(build_ack(read(SENT.replace(b"|2.5|", b"|2.3|")), "AR", "77", AT, "too large"))
    assert (old.get("ERR-1.4.1"), old.get("ERR-1.4.2")) == ("207", "too large")


def test_a_message_without_a_header_is_acknowledged_with_an_empty_control_id() -> None:
    ack = read(build_ack(None, "AA", "77", AT))
    assert (ack.get("MSA-1"), ack.get("MSA-2"), ack.get("MSH-9"), ack.get("MSH-12")) == ("AA", "", "ACK", "2.5.1")


@pytest.mark.parametrize("encoding", [b"", b"^", b"^~\\\\&"])
def test_short_and_doubled_delimiters_are_answered_readably(encoding: bytes) -> None:
    ack = read(build_ack(read(b"MSH|" + encoding + b"|A|B|C|D|1||ADT^A01|C1|P|2.5\r"), "AA", "77", AT))
    assert ack.get("MSA-2") == "C1"
    assert ack.get("MSH-9.2") == "A01"


HEADER_FIELDS = st.lists(
    st.text("AB|^~&\\ 1é", max_size=4).map(lambda text: text.replace("|", "")), min_size=0, max_size=11
)


@given(HEADER_FIELDS)
def test_the_plain_answer_is_the_answer(fields: list[str]) -> None:
    """The short way gives byte for byte what the long way gives, or nothing."""
    head = "MSH|^~\\&|" + "|".join(fields)
    data = head.encode() + b"\rPID|1\r"
    if not data.isascii():
        return
    quick = plain_ack(head.encode(), "AA", "77", f"{AT:%Y%m%d%H%M%S}+0000")
    if quick is not None:
        assert quick == build_ack(read(data), "AA", "77", AT)


def test_ordinary_headers_take_the_short_way() -> None:
    head = b"MSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601||RAS^O17^RAS_O17|C1|P|2.5.1"
    assert plain_ack(head, "AA", "77", "20260601+0000") is not None
