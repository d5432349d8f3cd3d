"""Lots of a small hospital, from what its site processor wrote: what is sure, what is probable, and what a scan or a count settles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from schemas.events import FoundLot, StockEvent
from schemas.topics import MOVEMENTS
from sinks.lots.knowledge import Knowledge, lines_of
from sinks.lots.settings import settings_of
from tests.simulation.lot_world import move_of
from tests.support.facts import BY_ITEM, START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE, hospital
from tests.unit.recalls.support import notice

FIRST, SECOND = "A1", "B2"
ENDS = {FIRST: "2026-05-31", SECOND: "2026-09-30"}


def say(kind: str, quantity: int, at: float, lot: str | None = None, place: str = POCKET, **more: Any) -> StockEvent:
    expiry = ENDS.get(lot or "")
    from datetime import date

    return told(kind, quantity, place=place, at=minutes(at), lot=lot, expiry=date.fromisoformat(expiry) if expiry else None, **more)


STOCKED = (
    say("receive", 50, 0, FIRST, STORE), say("receive", 50, 0.5, SECOND, STORE),
    say("refill", 4, 1, FIRST), say("refill", 4, 2, SECOND),
)  # fmt: skip


def known(events: Iterable[StockEvent], *rules: dict[str, Any]) -> Knowledge:
    hub = SiteHub()
    hub.hear(*events)
    records = [(type(one).__name__.lower(), {name: getattr(one, name) for name in one.__dataclass_fields__}) for one in hospital()]
    return Knowledge(
        [move_of(one) for one in hub.all(MOVEMENTS)], settings_of([*records, *(("drawing_rule", {"site": SITE, **one}) for one in rules)])
    )


def lay(knowledge: Knowledge, place: str = POCKET) -> dict[str, tuple[int, str, str]]:
    """Of each lot: sure, expected, probability."""
    lines = lines_of(knowledge.mix(SITE, ITEM), SITE, ITEM, place)
    return {line["lot"]: (line["sure"], str(line["expected"]), str(line["probability"])) for line in lines}


def test_while_lots_are_told_all_is_sure() -> None:
    assert lay(known([*STOCKED, say("vend", 1, 3, FIRST)])) == {FIRST: (3, "3.00", "None"), SECOND: (4, "4.00", "None")}


def test_a_vend_without_lot_leaves_both_lots_less_sure_by_the_rule_of_the_site() -> None:
    """First expiry first with 0.9: 0.9 + 0.1 · 4/8 that it was the first, so 4 − 0.95 of it are there on average."""
    assert lay(known([*STOCKED, say("vend", 1, 3)])) == {FIRST: (3, "3.05", "None"), SECOND: (3, "3.95", "None")}


def test_the_rule_of_the_nearest_place_and_there_of_the_item_counts() -> None:
    """At random it is 4/8 each."""
    rules = ({"rule": "fefo", "compliance": "1"}, {"location": "icu", "rule": "fifo"}, {"location": "icu", "item": ITEM, "rule": "random"})
    assert lay(known([*STOCKED, say("vend", 1, 3)], *rules)) == {FIRST: (3, "3.50", "None"), SECOND: (3, "3.50", "None")}
    assert lay(known([*STOCKED, say("vend", 1, 3)], rules[0])) == {FIRST: (3, "3.00", "None"), SECOND: (4, "4.00", "None")}


def test_first_in_first_out_takes_what_came_first_even_if_it_ends_later() -> None:
    turned = (STOCKED[0], STOCKED[1], say("refill", 4, 1, SECOND), say("refill", 4, 2, FIRST), say("vend", 1, 3))
    assert lay(known(turned, {"rule": "fifo", "compliance": "1"})) == {SECOND: (3, "3.00", "None"), FIRST: (4, "4.00", "None")}


def test_what_has_expired_is_not_what_was_taken_for_a_patient_but_what_was_taken_as_expired() -> None:
    """The first lot ends with May 31 in New York."""
    late = [*STOCKED, say("vend", 1, 60 * 24 * 92), say("expire", 4, 60 * 24 * 92 + 5)]
    assert lay(known(late, {"compliance": "1"})) == {SECOND: (3, "3.00", "None")}


def test_a_fill_without_lot_carries_along_what_the_store_may_have_given() -> None:
    """The store holds 50 of each: 0.9 + 0.1 · 50/100 that it was the first."""
    events = (*STOCKED[:2], say("refill", 4, 1))
    assert lay(known(events)) == {FIRST: (0, "3.80", "0.950"), SECOND: (0, "0.20", "0.050")}


def test_what_a_later_count_of_the_store_says_of_the_fill_holds_in_the_pocket() -> None:
    """46 of the second lot left, and of the first all that is booked: 0.05, unless the count is wrong (1/1000) and so is the silence about the first (1/20)."""
    events = (*STOCKED[:2], say("refill", 4, 1), say("count", 46, 2, SECOND, STORE))
    assert lay(known(events)) == {FIRST: (0, "0.00", "0.001"), SECOND: (0, "4.00", "0.999")}


def test_a_lot_that_a_round_of_counts_did_not_name_is_as_booked_or_gone() -> None:
    """One of the first lot, two of the second and third; two vends at random; then a count finds one of the second, and none speaks
    of the others. The other vend took the first lot, which is then gone (0.2: 1/5 · 2/4 twice), or the third, whose count would have
    changed the books (0.4, and 1/20 that it was not counted). Or the count is wrong (1/1000): both of the third, or both of the
    second (0.1 each), or first and third (0.2 · 1/20)."""
    third = "C3"
    events = (
        say("receive", 50, 0, FIRST, STORE), say("receive", 50, 0, SECOND, STORE), say("receive", 50, 0, third, STORE),
        say("refill", 1, 1, FIRST), say("refill", 2, 2, SECOND), say("refill", 2, 2.5, third), say("vend", 1, 3), say("vend", 1, 3.5),
        say("count", 1, 4, SECOND),
    )  # fmt: skip
    left = 0.4 / 20 + 0.1 / 1000 + 0.1 / 1000
    whole = 0.2 + left + 0.2 / 20 / 1000
    assert lay(known(events, {"rule": "random"}))[FIRST][2] == f"{left / whole:.3f}"


def test_a_removal_that_goes_on_with_another_lot_used_up_the_first() -> None:
    """Two of four of each left at random, unknown; then two of the first and one of the second, a minute apart or in one removal.
    Apart it is as likely that the two were of the first lot as not; in one, nothing of it was left but in one of twenty removals."""
    first = [*STOCKED, say("vend", 2, 3), say("vend", 2, 4, FIRST, order_id="O")]
    told = {minute: [*first, say("vend", 1, minute, SECOND, order_id="O")] for minute in (4.1, 6)}
    assert lay(known(told[6], {"rule": "random"}))[FIRST][2] == "0.500"
    assert lay(known(told[4.1], {"rule": "random"}))[FIRST][2] == f"{1 / 21:.3f}"
    assert lay(known([*first, say("vend", 1, 4.1, SECOND, order_id="P")], {"rule": "random"}))[FIRST][2] == "0.500"


def test_a_count_of_everything_settles_every_lot_it_changed() -> None:
    """Of four vends without lot one was of the first lot and three of the second; the next vend is unknown again."""
    found = tuple(FoundLot(codes=BY_ITEM, quantity=Decimal(quantity), lot=lot) for lot, quantity in ((FIRST, 3), (SECOND, 1)))
    events = [*STOCKED, say("vend", 4, 3), say("count", 4, 4, found=found)]
    assert lay(known(events)) == {FIRST: (3, "3.00", "None"), SECOND: (1, "1.00", "None")}
    assert lay(known([*events, say("vend", 1, 5)])) == {FIRST: (2, "2.02", "None"), SECOND: (0, "0.97", "0.975")}


def test_an_emptied_pocket_holds_what_was_loaded_then() -> None:
    events = (*STOCKED, say("vend", 2, 3), say("load", 5, 4, SECOND))
    assert lay(known(events)) == {SECOND: (5, "5.00", "None")}


def test_a_count_of_nothing_empties() -> None:
    assert lay(known((*STOCKED, say("vend", 2, 3), say("count", 0, 4)))) == {}


def test_a_scan_of_a_lot_that_only_one_past_allows_settles_it() -> None:
    """Four of the first lot are scanned out after an unknown one: that was of the second lot."""
    events = (*STOCKED, say("vend", 1, 3), say("vend", 4, 4, FIRST))
    assert lay(known(events))[SECOND] == (3, "3.00", "None")


def test_what_expired_longer_ago_than_the_site_leaves_it_is_gone_but_for_what_was_left_lying() -> None:
    """Two of each lot, two vended at random: as likely of the first as of the second. Then the first expires, nobody says that it was
    taken away, and the site takes away what expired within a day: that it lies there is 1/20 against 1 likely."""
    soon = (START + timedelta(days=2)).date()
    story = [
        say("receive", 50, 0, SECOND, STORE), told("receive", 50, place=STORE, at=minutes(0.5), lot="S1", expiry=soon),
        say("refill", 2, 1, SECOND), told("refill", 2, place=POCKET, at=minutes(2), lot="S1", expiry=soon),
        say("vend", 2, 3), say("receive", 1, 10 * 24 * 60, SECOND, STORE),
    ]  # fmt: skip
    found = {hours: lay(known(story, {"rule": "random", "expired_hours": hours}))["S1"][2] for hours in (None, 24, 8_760)}
    assert found == {None: "0.500", 24: f"{1 / 21:.3f}", 8_760: "0.500"}


def test_what_was_given_back_by_the_same_order_lies_there_again() -> None:
    events = (*STOCKED, say("vend", 1, 3, patient="p", order_id="O"), say("return", 1, 4, patient="p", order_id="O"))
    assert lay(known(events)) == {FIRST: (4, "4.00", "None"), SECOND: (4, "4.00", "None")}


def test_goods_without_lot_are_of_the_lot_that_is_scanned_from_them_later() -> None:
    """Half and half that it is this lot or one never named; then the scan is ordinary, or a lot came unreported (1/1000 squared)."""
    events = (say("receive", 9, 0, None, STORE), say("refill", 4, 1, FIRST), say("refill", 4, 2))
    assert lay(known(events), STORE) == {FIRST: (0, "1.00", "0.999"), "unknown": (0, "0.00", "0.001")}
    assert lay(known(events))[FIRST] == (4, "8.00", "None")


def test_goods_of_which_nobody_ever_said_the_lot_are_of_an_unknown_lot() -> None:
    assert lay(known((say("receive", 9, 0, None, STORE),)), STORE) == {"unknown": (9, "9.00", "None")}


def test_it_is_the_same_in_whatever_order_the_events_arrive() -> None:
    events = (
        *STOCKED, say("vend", 1, 3, key="v"), say("vend", 1, 3.5), say("count", 7, 4), reversal("v", at=minutes(5)),
        say("vend", 1, 6, SECOND),
    )  # fmt: skip
    expected = lay(known(events))
    for order in (events[::-1], events[3:] + events[:3]):
        assert lay(known(order)) == expected


def test_of_one_instant_the_device_says_what_came_first() -> None:
    """Filled, then all of it taken, in one second; a vend ranks before a refill where the device says nothing."""
    for sequences, expected in (((1, 2), {}), ((2, 1), {FIRST: (2, "2.00", "None")})):
        filled, taken = sequences
        events = (say("refill", 2, 1, FIRST, device_sequence=filled), say("vend", 2, 1, device_sequence=taken))
        assert lay(known((STOCKED[0], *events))) == expected


def test_a_probability_is_never_told_as_none_or_as_certain() -> None:
    """Sixty doses of the first lot that alone may be taken: by the rule it was never the second one."""
    events = (*STOCKED, *(say("vend", 1, 3 + n, patient=f"p{n}") for n in range(3)))
    knowledge = known(events, {"compliance": "1"})
    from tests.unit.recalls.support import PRODUCT, look

    hub = SiteHub()
    hub.hear(*events)
    moves = [move_of(one) for one in hub.all(MOVEMENTS)]
    from sinks.recalls.lookback import lookback

    lines = lookback(notice(SECOND), {ITEM: frozenset({PRODUCT})}, moves, knowledge)
    assert [(line["patient"], line["probability"]) for line in lines if line["about"] == "patient"] == [
        (f"p{n}", Decimal("0.001")) for n in range(3)
    ]
    assert [line["patient"] for line in look(hub, notice(SECOND)) if line["about"] == "patient"] == ["p0", "p1", "p2"]


def test_opening_a_container_changes_nothing_of_what_may_lie_there() -> None:
    """It stays where it is, of the lot that it is of; told or not, it has not come anew."""
    for lot in (FIRST, None):
        story = [*STOCKED, say("vend", 1, 3)]
        openings = [say("open", 1, 3.5, lot, container="V1"), say("open", 1, 4, lot, container="V2"), reversal("undo me", at=minutes(6))]
        openings.insert(2, say("open", 1, 5, lot, container="V3", key="undo me"))
        assert lay(known([*story, *openings])) == lay(known(story)) == {FIRST: (3, "3.05", "None"), SECOND: (3, "3.95", "None")}


def test_of_three_fills_without_lot_one_was_of_the_lot_that_the_store_lacks() -> None:
    """Only together are they known: each by itself or by the one before, it could be that none was (1/6)."""
    story = [
        say("receive", 4, 0, FIRST, STORE), say("receive", 50, 0.5, SECOND, STORE),
        *(say("refill", 4, at) for at in (1, 2, 3)), say("count", 42, 4, SECOND, STORE),
    ]  # fmt: skip
    [first] = [held for held in known(story, {"rule": "random"}).mix(SITE, ITEM).held(POCKET) if held.lot[1] == FIRST]
    assert first.any_ > 0.99


def test_what_a_count_of_the_store_says_holds_two_places_further_on() -> None:
    """Picked for the pocket, unloaded to the store: what came back is what a later count says had gone."""
    story = [
        say("receive", 50, 0, FIRST, STORE), say("receive", 50, 0.5, SECOND, STORE), say("refill", 4, 1), say("count", 46, 2, SECOND, STORE),
        say("unload", 4, 3),
    ]  # fmt: skip
    assert {lot: expected for lot, (_, expected, _) in lay(known(story), STORE).items()} == {FIRST: "50.00", SECOND: "50.00"}


def test_two_fills_without_lot_are_known_together_by_a_count_of_the_store() -> None:
    """The store lacks four of each lot: one fill was of the first, the other of the second, whichever. So the place has both."""
    story = [
        say("receive", 50, 0, FIRST, STORE), say("receive", 50, 0.5, SECOND, STORE), say("refill", 4, 1), say("refill", 4, 2),
        say("count", 46, 3, FIRST, STORE), say("count", 46, 3.5, SECOND, STORE),
    ]  # fmt: skip
    lots = lay(known(story))
    assert {lot: expected for lot, (_, expected, _) in lots.items()} == {FIRST: "4.00", SECOND: "4.00"}
    mix = known(story).mix(SITE, ITEM)
    assert all(held.any_ > 0.999 for held in mix.held(POCKET)), "not three in four, as if the fills had nothing to do with each other"
