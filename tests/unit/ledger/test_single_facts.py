"""What each kind of fact does to stock, one example a rule; and the message → stock movement map of cabinets in hub terms."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from schemas.kinds import EventKind, Feed, LocationKind
from schemas.reference import RecallNotice
from schemas.topics import BALANCES, MOVEMENTS
from tests.support.facts import BY_ITEM, START, day, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import BIN, OTHER_POCKET, POCKET, STORE, WARD, location

TEN = told("count", 10, place=POCKET, at=START, key="begin", lot="L1")


def accounts(hub: SiteHub) -> list[tuple[str, str, int]]:
    return [(one.from_account, one.to_account, one.quantity) for one in hub.all(MOVEMENTS)]


@pytest.mark.parametrize(
    ("kind", "quantity", "after"),
    [
        ("vend", 2, 8), ("waste", 1, 10), ("return", 1, 11), ("refill", 5, 15), ("count", 12, 12), ("unload", 10, 0),
        ("unload", 4, 0), ("load", 20, 20), ("expire", 3, 7), ("null", 3, 10), ("discard", 4, 6),
    ],
)  # fmt: skip
def test_one_cabinet_transaction_from_a_begin_count_of_ten(kind: str, quantity: int, after: int) -> None:
    hub = SiteHub()
    hub.hear(TEN, told(kind, quantity, place=POCKET, at=minutes(1), lot="L1"))
    assert hub.on_hand(POCKET) == after
    assert hub.accounts_total() == 0


def test_a_day_of_cabinet_transactions_runs_as_the_map_says() -> None:
    """From begin 10: V2 → 8, W1 → 8, R1 → 9, C12 → 12, F5 → 17, U → 0, L20 → 20; a vend dated before C is history only."""
    hub = SiteHub()
    hub.hear(TEN)
    steps = [("vend", 2, 8), ("waste", 1, 8), ("return", 1, 9), ("count", 12, 12), ("refill", 5, 17), ("unload", 17, 0), ("load", 20, 20)]
    for minute, (kind, quantity, after) in enumerate(steps, start=1):
        hub.tell(told(kind, quantity, place=POCKET, at=minutes(minute * 10), lot="L1"))
        assert hub.on_hand(POCKET) == after, kind
    hub.tell(told("vend", 3, place=POCKET, at=minutes(35), lot="L1"))
    assert hub.on_hand(POCKET) == 20
    assert ("stock:" + POCKET, "patient", 3) in accounts(hub)
    assert hub.accounts_total() == 0


def test_a_cancelled_transaction_moves_nothing() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("vend", 3, place=POCKET, at=minutes(1), lot="L1", no_effect="CANCELLED at the cabinet"))
    assert hub.on_hand(POCKET) == 10
    assert hub.outcomes()[-1] == "no_effect"


@pytest.mark.parametrize(
    ("kind", "place", "to", "source", "target"),
    [
        ("vend", POCKET, None, f"stock:{POCKET}", "patient"),
        ("return", POCKET, None, "patient", f"stock:{POCKET}"),
        ("waste", POCKET, None, "patient", "waste"),
        ("refill", POCKET, None, f"stock:{STORE}", f"stock:{POCKET}"),
        ("expire", POCKET, None, f"stock:{POCKET}", "waste"),
        ("discard", STORE, None, f"stock:{STORE}", "waste"),
        ("dispense", STORE, None, f"stock:{STORE}", "patient"),
        ("administer", WARD, None, f"stock:{WARD}", "patient"),
        ("receive", STORE, None, "supplier", f"stock:{STORE}"),
        ("put_away", BIN, STORE, f"stock:{BIN}", f"stock:{STORE}"),
        ("pick", STORE, WARD, f"stock:{STORE}", f"stock:{WARD}"),
        ("pick", STORE, None, f"stock:{STORE}", "stock:transit"),
    ],
)
def test_a_fact_is_one_movement_between_two_accounts(
    kind: str, place: str, to: str | None, source: str, target: str
) -> None:
    hub = SiteHub()
    hub.tell(told(kind, 3, place=place, to=to, lot="L1"))
    assert accounts(hub) == [(source, target, 3)]
    assert hub.accounts_total() == 0


def test_a_refill_where_no_source_is_named_comes_from_suspense() -> None:
    hub = SiteHub(location("ed/cab2", codes=("ED-CAB2",)))
    hub.tell(told("refill", 3, place="ED-CAB2", pocket="p1", lot="L1"))
    assert accounts(hub) == [("suspense", "stock:ed/cab2/p1", 3)]


def test_a_refill_from_the_place_itself_changes_nothing_there() -> None:
    hub = SiteHub(location("ed/cab2", codes=("ED-CAB2",), refill_from="ed/cab2"))
    hub.hear(told("count", 4, place="ed/cab2", lot="L1"), told("refill", 3, place="ed/cab2", at=minutes(1), lot="L1"))
    assert hub.lots("ed/cab2") == {"L1": 4}
    assert hub.accounts_total() == 0


def test_a_put_away_to_the_same_place_changes_nothing_there() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 4, place=STORE, lot="L1"), told("put_away", 3, place=STORE, to=STORE, at=minutes(1), lot="L1"))
    assert hub.lots(STORE) == {"L1": 4}
    assert hub.accounts_total() == 0


@pytest.mark.parametrize("kind", ["vend", "return", "refill", "receive", "put_away", "pick", "waste", "discard"])
def test_a_quantity_of_nothing_is_accepted_and_moves_nothing(kind: str) -> None:
    hub = SiteHub()
    hub.tell(told(kind, 0, place=POCKET, to=WARD, lot="L1"))
    assert hub.outcomes() == ["posted"]
    assert accounts(hub) == []


def test_a_load_of_nothing_leaves_an_empty_pocket() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("load", 0, place=POCKET, at=minutes(1), lot="L2"))
    assert hub.lots(POCKET) == {}
    assert hub.on_hand(STORE) == 0


def test_a_load_writes_what_was_there_to_variance_and_takes_the_new_total_from_the_store() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("load", 20, place=POCKET, at=minutes(1), lot="L2"))
    assert hub.lots(POCKET) == {"L2": 20}
    assert hub.lots(STORE) == {"L2": -20}
    assert accounts(hub)[1:] == [(f"stock:{POCKET}", "variance", 10), (f"stock:{STORE}", f"stock:{POCKET}", 20)]


def test_an_unload_gives_back_what_it_states_and_writes_the_rest_to_variance() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("unload", 7, place=POCKET, at=minutes(1), lot="L1"))
    assert hub.lots(POCKET) == {}
    assert hub.lots(STORE) == {"L1": 7}
    assert accounts(hub)[1:] == [(f"stock:{POCKET}", f"stock:{STORE}", 7), (f"stock:{POCKET}", "variance", 3)]


# ---- counts ----------------------------------------------------------------------------------------------------------


def two_lots() -> list:
    return [told("count", 6, place=POCKET, lot="L1"), told("count", 4, place=POCKET, at=minutes(1), lot="L2")]


def test_a_count_of_a_lot_sets_that_lot_and_no_other() -> None:
    hub = SiteHub()
    hub.hear(*two_lots(), told("count", 3, place=POCKET, at=minutes(2), lot="L1"))
    assert hub.lots(POCKET) == {"L1": 3, "L2": 4}


@pytest.mark.parametrize(("counted", "unknown"), [(7, -3), (13, 3), (10, None)])
def test_a_count_of_the_whole_place_writes_the_difference_to_the_unknown_lot(counted: int, unknown: int | None) -> None:
    hub = SiteHub()
    hub.hear(*two_lots(), told("count", counted, place=POCKET, at=minutes(2)))
    expected = {"L1": 6, "L2": 4, **({"unknown": unknown} if unknown is not None else {})}
    assert hub.lots(POCKET) == expected
    assert hub.on_hand(POCKET) == counted


def test_a_count_of_nothing_is_certain_for_every_lot() -> None:
    hub = SiteHub()
    hub.hear(*two_lots(), told("vend", 1, place=POCKET, at=minutes(2)), told("count", 0, place=POCKET, at=minutes(3)))
    assert hub.lots(POCKET) == {}
    assert hub.accounts_total() == 0


def test_a_late_fact_before_a_count_moves_the_counts_variance_and_not_the_stock() -> None:
    """Begin 10, counted 12 (variance +2); a vend of 3 before the count arrives late: still 12, variance now +5."""
    hub = SiteHub()
    hub.hear(TEN, told("count", 12, place=POCKET, at=minutes(10), lot="L1"))
    hub.tell(told("vend", 3, place=POCKET, at=minutes(5), lot="L1"))
    assert hub.on_hand(POCKET) == 12
    assert hub.moved()["variance", "amox", "L1"] == -15
    correction = hub.all(MOVEMENTS)[-1]
    assert (correction.kind, correction.from_account, correction.quantity) == ("variance", "variance", 3)
    assert correction.corrects is not None
    assert correction.occurred == minutes(10)


def test_a_late_count_absorbs_what_came_before_it_and_keeps_what_came_after() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("vend", 2, place=POCKET, at=minutes(5), lot="L1"), told("vend", 1, place=POCKET, at=minutes(15), lot="L1"))
    hub.tell(told("count", 20, place=POCKET, at=minutes(10), lot="L1"))
    assert hub.on_hand(POCKET) == 19


def test_a_late_fact_after_a_count_of_another_lot_changes_its_own_lot_only() -> None:
    hub = SiteHub()
    hub.hear(*two_lots(), told("count", 0, place=POCKET, at=minutes(20)), told("count", 5, place=POCKET, at=minutes(30), lot="L2"))
    hub.tell(told("return", 2, place=POCKET, at=minutes(25), lot="L1"))
    assert hub.lots(POCKET) == {"L1": 2, "L2": 5}


@pytest.mark.parametrize("by", ["sequence", "rank", "key"])
def test_facts_of_one_instant_stand_in_the_order_of_device_sequence_kind_and_key(by: str) -> None:
    """Two counts of one instant: the one that stands later in the ledger decides, whatever arrives last."""
    first = {"sequence": {"device_sequence": 1, "key": "b"}, "rank": {"key": "b"}, "key": {"key": "a"}}[by]
    second = {"sequence": {"device_sequence": 2, "key": "a"}, "rank": {"key": "a"}, "key": {"key": "b"}}[by]
    early = told("load" if by == "rank" else "count", 5, place=POCKET, lot="L1", **first)
    late = told("count", 9, place=POCKET, lot="L1", **second)
    for stream in ([early, late], [late, early]):
        hub = SiteHub()
        hub.hear(*stream)
        assert hub.on_hand(POCKET) == 9


# ---- reversals -------------------------------------------------------------------------------------------------------

KINDS = ["vend", "return", "waste", "refill", "load", "unload", "count", "expire", "receive", "put_away", "pick", "discard"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [False, True])
def test_a_reversal_undoes_its_fact_whole_whether_it_arrives_after_or_before(kind: str, first: bool) -> None:
    hub = SiteHub()
    hub.hear(TEN, told("count", 50, place=STORE, lot="L1"))
    before = hub.moved()
    fact = told(kind, 7, place=STORE if kind in {"receive", "pick", "put_away"} else POCKET, to=WARD, at=minutes(5), key="f", lot="L1")
    undo = reversal("f", at=minutes(6))
    hub.hear(*([undo, fact] if first else [fact, undo]))
    assert hub.moved() == before
    assert {account: quantity for account, quantity in hub.moved().items() if account[0].startswith("stock:")} == hub.balanced()
    assert hub.outcomes()[-1] == ("reversed_before_arrival" if first else "reversed")


def test_a_reversal_names_the_movements_it_takes_back() -> None:
    hub = SiteHub()
    fact = told("vend", 2, place=POCKET, key="f", lot="L1")
    hub.hear(fact, reversal("f", at=minutes(9)))
    posted, undone = hub.all(MOVEMENTS)
    assert (undone.from_account, undone.to_account, undone.quantity) == (posted.to_account, posted.from_account, posted.quantity)
    assert undone.corrects == fact.event_id
    assert undone.kind == "reversal"


def test_a_reversal_behind_a_count_moves_the_counts_variance() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("vend", 2, place=POCKET, at=minutes(1), key="f", lot="L1"), told("count", 8, place=POCKET, at=minutes(2), lot="L1"))
    hub.tell(reversal("f", at=minutes(3)))
    assert hub.on_hand(POCKET) == 8
    assert hub.moved()["variance", "amox", "L1"] == -8
    assert hub.accounts_total() == 0


def test_reversing_a_count_lets_what_was_before_it_stand_again() -> None:
    hub = SiteHub()
    hub.hear(*two_lots(), told("count", 0, place=POCKET, at=minutes(5), key="c"), told("vend", 1, place=POCKET, at=minutes(6), lot="L2"))
    hub.tell(reversal("c", at=minutes(7)))
    assert hub.lots(POCKET) == {"L1": 6, "L2": 3}


@pytest.mark.parametrize("again", ["the same message", "another message"])
def test_a_second_reversal_of_one_fact_moves_nothing(again: str) -> None:
    hub = SiteHub()
    undo = reversal("f", at=minutes(1), key="undo-1")
    hub.hear(TEN, told("vend", 2, place=POCKET, key="f", at=minutes(1), lot="L1"), undo)
    hub.tell(undo if again == "the same message" else reversal("f", at=minutes(2), key="undo-2"))
    assert hub.on_hand(POCKET) == 10
    assert hub.outcomes()[-1] == ("duplicate" if again == "the same message" else "already_reversed")


def test_a_fact_resent_after_its_early_reversal_is_a_duplicate() -> None:
    hub = SiteHub()
    fact = told("vend", 2, place=POCKET, key="f", lot="L1")
    hub.hear(reversal("f", at=minutes(1)), fact, fact)
    assert hub.on_hand(POCKET) == 0
    assert hub.outcomes()[-1] == "duplicate"


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1), (2, 1, 0)])
def test_a_reversal_of_a_reversal_is_a_case_whichever_came_first_and_the_fact_stays_taken_back(order: tuple[int, ...]) -> None:
    again = reversal("r", key="rr", at=minutes(2))
    stream = [told("vend", 2, place=POCKET, key="f", lot="L1"), reversal("f", key="r", at=minutes(1)), again]
    hub = SiteHub()
    hub.hear(*[stream[number] for number in order])
    assert hub.on_hand(POCKET) == 0
    [case] = hub.open_cases("reversal_of_reversal")
    assert (case.event_id, case.raw) == (again.event_id, again.raw)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_a_fact_that_replaces_another_stands_in_for_it_in_any_order(order: tuple[int, ...]) -> None:
    """A dose corrected from 2 to 1: the ward is down by 1, the first statement is taken back."""
    stream = [
        told("count", 10, place=WARD, lot="L1"),
        told("administer", 2, place=WARD, at=minutes(1), key="a", lot="L1"),
        told("administer", 1, place=WARD, at=minutes(1), key="u", lot="L1", replaces="a"),
    ]
    hub = SiteHub()
    hub.hear(*[stream[number] for number in order])
    assert hub.on_hand(WARD) == 9
    assert hub.accounts_total() == 0


# ---- what breaks a rule posts, and is said ----------------------------------------------------------------------------


def test_stock_below_zero_opens_a_case_and_the_missing_fact_closes_it() -> None:
    hub = SiteHub()
    hub.tell(told("vend", 2, place=POCKET, at=minutes(5), lot="L1"))
    assert hub.on_hand(POCKET) == -2
    assert [(one.kind, one.location) for one in hub.open_cases()] == [("negative_stock", POCKET)]
    hub.tell(told("return", 2, place=POCKET, at=minutes(1), lot="L1"))
    assert hub.on_hand(POCKET) == 0
    assert hub.open_cases() == []
    assert [one.state for one in hub.all("cases")] == ["open", "closed"]


def test_a_case_of_a_controlled_item_never_closes_itself() -> None:
    from tests.support.world import item

    hub = SiteHub(item(schedule=2))
    hub.hear(told("vend", 2, place=POCKET, at=minutes(5), lot="L1"), told("return", 2, place=POCKET, at=minutes(1), lot="L1"))
    assert [one.kind for one in hub.open_cases()] == ["negative_stock"]


def test_an_expired_lot_that_was_given_posts_and_is_a_case() -> None:
    hub = SiteHub()
    hub.hear(told("count", 3, place=POCKET, lot="L2", expiry=day(2)))
    hub.tell(told("vend", 1, place=POCKET, at=START + timedelta(days=3), lot="L2", expiry=day(2)))
    assert hub.on_hand(POCKET) == 2
    assert [one.kind for one in hub.open_cases()] == ["unusable_given"]


@pytest.mark.parametrize("expiry_first", [True, False])
def test_an_expired_lot_that_was_given_is_a_case_also_when_its_expiry_is_told_later(expiry_first: bool) -> None:
    dated = told("count", 3, place=OTHER_POCKET, lot="L2", expiry=day(2))
    given = [told("vend", 1, place=POCKET, at=START + timedelta(days=number), lot="L2", key=f"v{number}") for number in (1, 3)]
    hub = SiteHub()
    hub.hear(*([dated, *given] if expiry_first else [*given, dated]))
    [case] = hub.open_cases("unusable_given")
    assert (case.event_id, case.location, case.raw) == (given[1].event_id, POCKET, given[1].raw)


def test_the_case_of_a_lot_that_was_given_says_why_it_was_not_usable_and_since_when() -> None:
    """A lot dated D is over with the site's midnight after D (design §1); a recall counts from when it was read."""
    dates = [told("count", 3, place=OTHER_POCKET, lot="L2", expiry=one, key=f"c{one}") for one in (day(2), day(1))]
    vend = told("vend", 1, place=POCKET, at=START + timedelta(days=5), lot="L2", key="v")
    notice = RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("L2",))
    ends = set()
    for facts in permutations([vend, *dates]):
        hub = SiteHub()
        hub.tick(START + timedelta(days=3))
        hub.learn(notice)
        hub.hear(*facts)
        [case] = hub.open_cases("unusable_given")
        ends.add((case.text, str(case.facts)))
    [(text, facts_said)] = ends
    over = datetime.combine(day(2), time(), ZoneInfo("America/New_York")).astimezone(UTC)
    assert f"had expired ({day(1)}, over since {over:%Y-%m-%dT%H:%MZ})" in text
    assert f"and was blocked by recall R1 since {START + timedelta(days=3):%Y-%m-%dT%H:%MZ}" in text
    assert "'notice': 'R1'" in facts_said


def test_what_lay_in_quarantine_and_was_given_says_so() -> None:
    hub = SiteHub(location("quar", LocationKind.QUARANTINE, authority=Feed.DISPENSE))
    hub.hear(told("count", 3, place="quar", lot="L2"), told("dispense", 1, place="quar", at=minutes(5), lot="L2"))
    [case] = hub.open_cases("unusable_given")
    assert case.text.endswith("lot L2 was given although it lay in quarantine")
    assert case.facts == {"unusable": [{"reason": "quarantine", "since": None}]}


def test_what_was_given_after_an_expiry_told_later_is_no_case_when_it_was_taken_back() -> None:
    hub = SiteHub()
    hub.hear(
        told("vend", 1, place=POCKET, at=START + timedelta(days=3), lot="L2", key="v"), reversal("v", at=START + timedelta(days=4)),
        told("count", 3, place=OTHER_POCKET, lot="L2", expiry=day(2)),
    )  # fmt: skip
    assert hub.open_cases("unusable_given") == []


def test_two_expiry_dates_of_one_lot_are_a_case_and_the_earlier_one_is_used() -> None:
    for dates in ((day(2), day(9)), (day(9), day(2))):
        hub = SiteHub()
        hub.hear(*[told("return", 1, place=POCKET, at=minutes(n), lot="L2", expiry=one) for n, one in enumerate(dates)])
        hub.tick(START + timedelta(days=4))
        assert [one.kind for one in hub.open_cases()] == ["expiry_conflict"]
        assert hub.usable(POCKET) == 0
        assert hub.on_hand(POCKET) == 2


def test_lots_are_compared_without_case_blanks_and_hyphens_but_with_leading_zeros() -> None:
    hub = SiteHub()
    hub.hear(*[told("return", 1, place=POCKET, lot=text) for text in ("ab-0123 ", "AB0123", "0123", "123")])
    assert hub.lots(POCKET) == {"AB0123": 2, "0123": 1, "123": 1}


def test_a_zero_balance_is_a_tombstone() -> None:
    hub = SiteHub()
    hub.hear(TEN, told("vend", 10, place=POCKET, at=minutes(1), lot="L1"))
    assert hub.latest(BALANCES) == []
    assert [one.value for one in hub.outputs if one.topic == BALANCES][-1] is None


def test_what_a_movement_says_of_people_comes_from_its_event() -> None:
    hub = SiteHub()
    event = told(EventKind.WASTE, 1, place=POCKET, lot="L1", witness="nurse-2", patient="hash", order_id="O1", codes=BY_ITEM)
    hub.tell(event)
    [one] = hub.all(MOVEMENTS)
    assert (one.actor, one.witness, one.patient, one.order_id, one.raw) == ("nurse-1", "nurse-2", "hash", "O1", event.raw)
    assert one.cause == event.event_key


def test_stock_of_one_item_is_not_stock_of_another() -> None:
    from tests.support.world import item

    hub = SiteHub(item("ibu"))
    hub.hear(TEN, told("vend", 2, place=POCKET, lot="L1", codes=item("ibu").codes, feed=Feed.CABINET))
    assert (hub.on_hand(POCKET), hub.on_hand(POCKET, "ibu")) == (10, -2)
