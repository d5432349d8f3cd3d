"""What becomes of each message type, of batches, and of bytes that are no message. Nothing ever raises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hl7.mapper import map_hl7
from connectors.hl7.message_types import disposition
from schemas.events import StockEvent
from schemas.mapping import NoEffect, Refused
from schemas.raw import RawRef
from tests.unit.hl7.support import ORC, PID, PV1, Hub, body, header, mapped, ras, raw, rds, rxa, rxd


def only(data: bytes) -> object:
    (result,) = mapped(data)
    return result


@pytest.mark.parametrize(
    "kind",
    [
        "ORU^R01",
        "SIU^S12",
        "MDM^T02",
        "OML^O21",
        "BAR^P01",
        "QBP^Q11",
        "RSP^K11",
        "ACK",
        "REF^I12",
        "PPR^PC1",
        "VXU^V04",
        "MFN^M02",
        "ORM^O01",
        "OMG^O19",
        "EAC^U07",
        "MFK^M15",
    ],
)
def test_known_types_that_move_no_stock_are_accepted_with_a_reason(kind: str) -> None:
    result = only(body(header(kind), PID))
    assert isinstance(result, NoEffect)
    assert result.reason.startswith(kind.partition("^")[0])
    assert result.reason.endswith("it moves no stock")


@pytest.mark.parametrize("kind", ["RRA^O18", "RRD^O14", "RRE^O12", "RRG^O16"])
def test_application_responses_are_accepted_without_movement(kind: str) -> None:
    result = only(body(header(kind), "MSA|AA|C0", ORC))
    assert isinstance(result, NoEffect)
    assert result.code == "application_response"


def test_a_response_that_answers_nothing_and_states_a_movement_is_kept_for_a_profile() -> None:
    result = only(body(header("RRA^O18"), PID, ORC, rxa()))
    assert isinstance(result, Refused)
    assert result.code == "no_mapping"
    assert "MSA" in result.reason


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("DFT^P03", "missing_segment"), ("DFT^P11", "missing_segment"), ("OMS^O05", "missing_segment"),
        ("INU^U05", "no_mapping"), ("INR^U06", "no_mapping"), ("MFN^M14", "no_mapping"), ("MFN^M15", "no_mapping"),
    ],
)  # fmt: skip
def test_types_that_may_move_stock_and_do_not_say_how_are_kept(kind: str, code: str) -> None:
    result = only(body(header(kind), PID))
    assert isinstance(result, Refused)
    assert result.code == code


@pytest.mark.parametrize("kind", ["ORM^O01", "ORU^R01", "OML^O21"])
def test_cabinet_segments_in_any_message_are_kept(kind: str) -> None:
    result = only(body(header(kind), PID, ORC, "RXO|1^A^L|1||mg", "ZPM|V|CAB"))
    assert isinstance(result, Refused)
    assert result.code == "no_mapping"
    assert "ZPM" in result.reason


@pytest.mark.parametrize("kind", ["ZDT^Z01", "CUSTOM^PAT", "XYZ", "ras17"])
def test_types_nobody_knows_are_refused_as_unknown(kind: str) -> None:
    result = only(body(header(kind), PID))
    assert isinstance(result, Refused)
    assert result.code == "unknown_message_type"


def test_a_message_without_a_type_is_refused() -> None:
    result = only(body(header(""), PID))
    assert isinstance(result, Refused)
    assert result.code == "no_message_type"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"PID|1", "no_msh"),
        (b"MSH|", "msh_too_short"),
        (b"MSH|^^^^|A", "bad_delimiters"),
        (b"\x00\x01\x02", "no_msh"),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_readers_reason(data: bytes, code: str) -> None:
    result = only(data)
    assert isinstance(result, Refused)
    assert result.code == code


def test_every_type_in_the_table_has_a_disposition_with_a_reason() -> None:
    for kind in ("ACK", "ORU", "DFT", "MFN", "QBP", "???"):
        result = disposition(kind, "", frozenset())
        assert result.reason
        assert result.code == result.code.lower()


# ---- batches ------------------------------------------------------------------------------------------------------------

BHS, BTS = b"BHS|^~\\&|MAR|NORTH\r", b"BTS|4\r"
ADT = body(header("ADT^A01", control="C9"), PID, PV1)


def test_a_batch_gives_the_sum_of_its_members_numbered_through() -> None:
    results = mapped(BHS + ras(rxa(), rxa(f2="2")) + ADT + rds(rxd(), rxd(f1="2")) + b"BTS|3\r")
    assert [type(result) for result in results] == [StockEvent] * 5
    assert [result.raw.index for result in results if isinstance(result, StockEvent)] == [0, 1, 2, 3, 4]
    assert {result.raw.offset for result in results if isinstance(result, StockEvent)} == {77}


def test_a_bad_member_is_refused_and_the_others_go_on() -> None:
    results = mapped(BHS + ADT + b"MSH|^~\r" + ras(rxa()) + b"BTS|3\r")
    assert [type(result) for result in results] == [StockEvent, Refused, StockEvent]
    assert isinstance(results[2], StockEvent)
    assert results[2].raw.index == 2


@pytest.mark.parametrize(("trailer", "what"), [(b"BTS|3\r", "declares 3 messages, 2 came"), (b"FTS|2\r", "declares 2 batches")])
def test_a_trailer_that_counts_otherwise_is_an_item_of_its_own(trailer: bytes, what: str) -> None:
    """A message may be missing: the ones that came go on, and a person is told."""
    *came, told = mapped(b"FHS|^~\\&|A\r" + BHS + ADT + ras(rxa()) + trailer)
    assert [type(result) for result in came] == [StockEvent, StockEvent]
    assert isinstance(told, Refused)
    assert (told.code, what in told.reason) == ("batch_count", True)


def test_the_same_member_has_the_same_key_alone_and_in_a_batch() -> None:
    (alone,) = mapped(ras(rxa()))
    in_batch = mapped(BHS + ADT + ras(rxa()) + BTS)[1]
    assert isinstance(alone, StockEvent)
    assert isinstance(in_batch, StockEvent)
    assert alone.event_key == in_batch.event_key


def test_an_empty_batch_is_accepted_and_one_that_lost_its_messages_is_refused() -> None:
    assert isinstance(only(BHS + b"BTS|0\r"), NoEffect)
    lost = only(BHS + b"BTS|3\r")
    assert isinstance(lost, Refused)
    assert "declares 3 messages, 0 came" in lost.reason


# ---- whatever the bytes ---------------------------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        b"MSH|^~\\&|A|NORTH|||20260601||",
        b"RAS^O17",
        b"RDS^O13",
        b"RDE^O11",
        b"ADT^A01",
        b"RGV^O15",
        b"|1|P|2.5\r",
        b"\rRXA|0|1|",
        b"\rRXD|1|",
        b"\rRXE|",
        b"\rRXG|",
        b"\rORC|",
        b"\rPID|1||",
        b"\rPV1|1|I|",
        b"20260601",
        b"|||||",
        b"||",
        b"^",
        b"~",
        b"&",
        b"\\X",
        b"\\",
        b'""',
        b"9",
        b"-",
        b"\xff",
        b"\n",
        b"\x1c\r",
        b"\x0b",
        b"BHS|^~\\&\r",
        b"BTS|2\r",
        b"D",
        b"U",
        b"\x1b$B",
    ]
)


@settings(max_examples=300)
@given(st.lists(PARTS, max_size=40))
def test_any_mixture_of_hl7_gives_results_and_never_raises(parts: list[bytes]) -> None:
    results = mapped(b"".join(parts))
    assert results
    for place, result in enumerate(results):
        if isinstance(result, StockEvent):
            assert result.raw == RawRef(partition=3, offset=77, index=place)
            assert result.event_key
            assert result.occurred.utcoffset() is not None
        else:
            assert isinstance(result, (NoEffect, Refused))
            assert result.reason


@given(st.binary(max_size=300))
def test_any_bytes_give_results_and_never_raise(data: bytes) -> None:
    assert mapped(data)


@given(st.binary(max_size=120))
def test_the_mapper_is_a_pure_function(data: bytes) -> None:
    message = raw(ras(rxa()) + data)
    ref = RawRef(partition=0, offset=1)
    assert map_hl7(message, ref, Hub()) == map_hl7(message, ref, Hub())
