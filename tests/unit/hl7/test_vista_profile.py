"""The shipped profile `vista-oms`: every code, the worked examples of `domain` §4, both versions of the layout, bins, duplicates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.kinds import EventKind, Feed
from schemas.mapping import Refused
from schemas.topics import CASES, OUTCOMES
from tests.unit.hl7.cabinet_messages import Cabinet, note, oms, zpm
from tests.unit.hl7.support import ORC, events, mapped


def at(minute: int) -> str:
    return f"202606011{minute // 60}{minute % 60:02d}00"


def test_the_worked_examples_from_a_pocket_of_ten() -> None:
    """`domain` §4: from begin 10, V2, W1, R1, A(expected 9, actual 7), C 12, F5, U, L 20, V3 cancelled, V before the last C."""
    cabinet = Cabinet()
    steps = [
        oms(zpm("C", f9="10", at=at(0))),
        oms(zpm("V", "2", f8="10", at=at(1))),
        oms(zpm("W", "1", f8="8", at=at(2))),
        oms(zpm("R", "1", f8="8", at=at(3))),
        oms(zpm("A", f8="9", f9="7", at=at(4))),
        oms(zpm("C", f9="12", at=at(5))),
        oms(zpm("F", "5", f8="12", at=at(6))),
        oms(zpm("U", f8="17", f9="17", at=at(7))),
        oms(zpm("L", f8="20", at=at(8))),
        oms(zpm("V", "3", f8="20", at=at(9)), note("CANCELLED BY USER")),
        oms(zpm("V", "4", f8="16", at=at(4))),
    ]
    assert cabinet.after(steps) == [10, 8, 8, 9, 7, 12, 17, 0, 20, 20, 20]


@pytest.mark.parametrize(
    ("code", "kind", "sign"),
    [
        ("V", EventKind.VEND, -1), ("I", EventKind.VEND, -1), ("R", EventKind.RETURN, 1), ("F", EventKind.REFILL, 1),
        ("E", EventKind.EXPIRE, -1), ("D", EventKind.DISCARD, -1), ("W", EventKind.WASTE, 0),
    ],
)  # fmt: skip
def test_every_code_that_states_an_amount(code: str, kind: EventKind, sign: int) -> None:
    event = events(oms(zpm(code, "3")), profile="vista-oms")[0]
    assert (event.kind, event.feed, event.quantity) == (kind, Feed.CABINET, Decimal(3))
    cabinet = Cabinet()
    assert cabinet.after([oms(zpm("C", f9="10", at=at(0))), oms(zpm(code, "3", f8="10", at=at(1)))]) == [10, 10 + 3 * sign]


@pytest.mark.parametrize("code", ["U", "B"])
def test_unload_and_emptied_bin_take_everything_out(code: str) -> None:
    cabinet = Cabinet()
    assert cabinet.after([oms(zpm("C", f9="10", at=at(0))), oms(zpm(code, "10", f8="10", at=at(1)))]) == [10, 0]


def test_a_null_transaction_moves_nothing() -> None:
    event = events(oms(zpm("N", "2")), profile="vista-oms")[0]
    assert (event.kind, event.no_effect) == (EventKind.NULL, "the cabinet marked the transaction as null")


def test_a_discrepancy_without_a_count_is_expected_plus_the_signed_amount() -> None:
    """PSJPAD7U: for A an absent actual count is expected count + amount."""
    event = events(oms(zpm("A", "-2", f8="9")), profile="vista-oms")[0]
    assert (event.kind, event.quantity) == (EventKind.COUNT, Decimal(7))
    event = events(oms(zpm("A", "2", f8="9")), profile="vista-oms")[0]
    assert event.quantity == Decimal(11)
    refused = mapped(oms(zpm("A", "-12", f8="9")), profile="vista-oms")[0]
    assert isinstance(refused, Refused)
    assert refused.code == "negative_quantity"


def test_a_sign_on_an_amount_is_dropped_because_the_code_gives_the_direction() -> None:
    assert events(oms(zpm("V", "-2")), profile="vista-oms")[0].quantity == Decimal(2)


def test_counts_before_the_transaction() -> None:
    """A vend's actual begin count is not a person's count (PSJPAD7U uses the expected one); a return's is."""
    vend = events(oms(zpm("V", "1", f8="10", f9="9")), profile="vista-oms")[0]
    assert (vend.begin_count, vend.begin_count_verified) == (Decimal(10), False)
    returned = events(oms(zpm("R", "1", f8="10", f9="9")), profile="vista-oms")[0]
    assert (returned.begin_count, returned.begin_count_verified) == (Decimal(9), True)


def test_every_field_of_the_layout() -> None:
    fields = {"f12": "N2^NURSE^BOB", "f16": "s2", "f20": "LOT9", "f21": "SN7", "f8": "10"}
    event = events(oms(zpm("V", "2", **fields)), profile="vista-oms")[0]
    assert [(code.system, code.value, code.text) for code in event.codes] == [("local", "amox-1", "Amoxicillin 250 mg")]
    assert (event.location_codes[0], event.pocket) == ("ICU-CAB1", "d1/s2/p1")
    assert (event.unit, event.lot, event.serial, event.actor, event.witness) == ("TAB", "LOT9", "SN7", "N1", "N2")
    assert event.order_id == "P1001"
    assert event.patient == "hash(MRN1001,NORTH)"
    assert event.occurred.isoformat() == "2026-06-01T14:00:00+00:00"


def test_version_2_3_splits_drug_user_and_witness_into_fields() -> None:
    """PSJPAD7U: +1 after the drug, +2 after the user, +3 after the witness."""
    shifted = (
        "ZPM|V|SYS1|ICU-CAB1|d1|p1|amox-1|Amoxicillin 250 mg|2|10|10|2|N1|NURSE,ANN|N2|NURSE,BOB|38|NGH|ICU|s2|20|5|"
        "20260601100000|LOT9|SN7" + "|" * 13 + "TAB"
    )
    event = events(oms(shifted, version="2.3"), profile="vista-oms")[0]
    assert (event.kind, event.quantity, event.begin_count) == (EventKind.VEND, Decimal(2), Decimal(10))
    assert (event.actor, event.witness, event.lot, event.serial, event.pocket) == ("N1", "N2", "LOT9", "SN7", "d1/s2/p1")
    assert (event.codes[0].value, event.unit) == ("amox-1", "TAB")


def test_return_and_patient_bins_are_pockets_of_their_own() -> None:
    cabinet = Cabinet()
    cabinet.take(oms(zpm("C", f9="10", at=at(0))))
    cabinet.take(oms(zpm("R", "1", at=at(1)), note("", "RETURN BIN")))
    cabinet.take(oms(zpm("R", "2", at=at(2)), note("", "PATIENT SPECIFIC BIN")))
    assert [cabinet.on_hand(f"icu/cab1/d1/p1{bin_}") for bin_ in ("", "RB", "PSB")] == [10, 1, 2]
    cabinet.take(oms(zpm("W", "1", at=at(3)), note("", "RETURN BIN")))
    assert [cabinet.on_hand(f"icu/cab1/d1/p1{bin_}") for bin_ in ("", "RB", "PSB")] == [10, 0, 2]


def test_a_code_nobody_named_is_kept_and_the_others_go_on() -> None:
    results = mapped(oms(zpm("V", "1"), zpm("Q", "1", at=at(9))), profile="vista-oms")
    assert isinstance(results[1], Refused)
    assert results[1].code == "unknown_transaction_code"
    assert "ZPM-1 is 'Q'" in results[1].reason


@pytest.mark.parametrize(("fields", "code"), [({"f10": ""}, "missing_quantity"), ({"f10": "two"}, "bad_quantity")])
def test_an_amount_that_is_none_is_refused(fields: dict[str, str], code: str) -> None:
    refused = mapped(oms(zpm("V", **fields)), profile="vista-oms")[0]
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert "ZPM-10" in refused.reason


# ---- the same fact again -----------------------------------------------------------------------------------------


def test_a_replayed_queue_with_new_ids_and_times_posts_once() -> None:
    cabinet = Cabinet()
    day = [zpm("C", f9="10", at=at(0)), zpm("V", "2", f8="10", at=at(1)), zpm("V", "2", f8="8", at=at(2))]
    for number, one in enumerate(day + day):
        cabinet.take(oms(one, control=f"NEW{number}"))
    assert cabinet.on_hand() == 6
    assert [one.outcome for one in cabinet.site.all(OUTCOMES)][3:] == ["duplicate"] * 3


def test_two_real_vends_in_one_minute_differ_by_their_begin_counts() -> None:
    """Without a transaction id: the same drug, pocket, user and minute, but the pocket held 10, then 8."""
    cabinet = Cabinet()
    assert cabinet.after([
        oms(zpm("C", f9="10", at=at(0))), oms(zpm("V", "2", f8="10", at=at(1))), oms(zpm("V", "2", f8="8", at=at(1))),
    ]) == [10, 8, 6]  # fmt: skip


def test_the_same_transaction_with_another_amount_posts_once_and_asks_a_person() -> None:
    cabinet = Cabinet()
    cabinet.after([oms(zpm("C", f9="10", at=at(0))), oms(zpm("V", "2", f8="10", at=at(1)))])
    cabinet.take(oms(zpm("V", "3", f8="10", at=at(1))))
    assert cabinet.on_hand() == 8
    assert [case.kind for case in cabinet.site.latest(CASES) if case.kind == "conflicting_duplicate"] == ["conflicting_duplicate"]


def test_one_control_id_for_every_message_is_no_reason_to_lose_one() -> None:
    cabinet = Cabinet()
    messages = [zpm("C", f9="10", at=at(0)), *(zpm("V", "1", f8=str(10 - n), at=at(n + 1)) for n in range(5))]
    for one in messages:
        cabinet.take(oms(one, control="SAME"))
    assert cabinet.on_hand() == 5


# ---- several transactions in one message ---------------------------------------------------------------------------


def test_each_transaction_has_the_order_and_unit_of_its_own_group() -> None:
    rqd = "RQD|1|amox-1||||2|%s"
    groups = [
        "ORC|NW|P1|F1", (rqd % "BOX").replace("||||2|", "|||2|"), zpm("V", "2", f8="10", at=at(1)),
        "ORC|NW|P2|F2", (rqd % "TAB").replace("||||2|", "|||2|"), zpm("V", "1", f8="8", at=at(2)), note("CANCEL"),
    ]  # fmt: skip
    first, second = events(oms(*groups, patient=False), profile="vista-oms")
    assert (first.order_id, first.unit, first.no_effect) == ("P1", "BOX", None)
    assert (second.order_id, second.unit, second.no_effect) == ("P2", "TAB", "the cabinet cancelled the transaction")


def test_a_transaction_before_the_first_order_is_not_lost() -> None:
    found = events(oms(zpm("C", f9="10", at=at(1)), ORC, zpm("V", "2", f8="10", at=at(2)), patient=False), profile="vista-oms")
    assert [(event.kind, event.order_id) for event in found] == [(EventKind.COUNT, None), (EventKind.VEND, "P1001")]


def test_several_transactions_under_one_order_share_it() -> None:
    found = events(oms(zpm("V", "2", f8="10", at=at(1)), zpm("V", "1", f8="8", at=at(2))), profile="vista-oms")
    assert [event.order_id for event in found] == ["P1001", "P1001"]
