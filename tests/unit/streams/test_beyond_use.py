"""Beyond-use dates (domain §3.4): what is opened, punctured, thawed or warm is a stock unit of its own, usable until an instant.

Effective expiry = min(manufacturer expiry, beyond-use date); beyond-use date = time of the event + the site's policy, or what the
label says. Whatever the order of arrival, the earliest end counts; only taking an event back makes it later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.events import StockEvent
from schemas.preparation import BeyondUsePolicy
from schemas.reference import RecallNotice
from schemas.topics import ALERTS, BALANCES
from tests.support.facts import BY_PRODUCT, START, day, decision, minutes, part, reversal, told, transform
from tests.support.world import BIN, ITEM, OTHER_POCKET, POCKET, SITE, STORE, ZONE_INFO, item, location, policy
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

FRIDGE = "main/fridge"
PUNCTURE_28_DAYS = BeyondUsePolicy(site=SITE, event="puncture", form="multi-dose vial", days=28, source="USP <51>")
TWO_DAYS_WARM = BeyondUsePolicy(site=SITE, event="out_of_fridge", days=2)
SIX_HOURS_OPEN = BeyondUsePolicy(site=SITE, event="open", hours=6)
THAWED_A_DAY = BeyondUsePolicy(site=SITE, event="thaw", hours=24)


def after(start: datetime = START, **time: float) -> datetime:
    return start + timedelta(**time)


def hub(*more: Any) -> RecordedHub:
    """Ten tablets of lot L1 in the store, dated 200 days ahead; policies for all that can start a clock."""
    made = RecordedHub(
        item(form="multi-dose vial"), location(FRIDGE, codes=("FRIDGE",)), PUNCTURE_28_DAYS, TWO_DAYS_WARM, SIX_HOURS_OPEN,
        THAWED_A_DAY, *more,
    )  # fmt: skip
    made.tick(after(days=-1))
    made.tell(told("receive", 10, place=STORE, lot="L1", expiry=day(200), codes=BY_PRODUCT, at=after(hours=-2)))
    return made


def opened(kind: str = "puncture", container: str = "V1", at: datetime = START, quantity: int = 1, **changes: Any) -> StockEvent:
    return told(kind, quantity, at=at, **{"place": STORE, "lot": "L1", "container": container, "codes": BY_PRODUCT, **changes})


def of(container: str, kind: str = "dispense", quantity: int = 1, at: datetime = START, **changes: Any) -> StockEvent:
    return told(kind, quantity, at=at, **{"place": STORE, "lot": "L1", "container": container, "codes": BY_PRODUCT, **changes})


def balances(site: RecordedHub, place: str = STORE) -> dict[str, tuple[int, str, datetime | None]]:
    """Quantity, status and beyond-use instant by container at a place; "" is what is unopened."""
    held = [one for one in site.latest(BALANCES) if one.location == place]
    return {one.container or "": (one.quantity, str(one.status), one.beyond_use) for one in held}


def usable_at(site: RecordedHub, at: datetime, place: str = STORE) -> int:
    site.tick(at)
    return site.usable(place)


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == [] and site.accounts_total() == 0


# ---- the rules of domain §3.4 ------------------------------------------------------------------------------------------


def test_domain_3_4_a_multi_dose_vial_is_usable_28_days_after_puncture_and_not_a_moment_longer() -> None:
    site = hub()
    site.tell(opened())
    end = after(days=28)
    assert balances(site) == {"": (9, "available", None), "V1": (1, "available", end)}
    assert usable_at(site, end - timedelta(microseconds=1)) == 10
    assert (usable_at(site, end), site.on_hand(STORE)) == (9, 10)
    assert balances(site)["V1"] == (1, "expired", end)
    assert agrees(site)


def test_domain_3_4_the_label_says_otherwise() -> None:
    """28 d after puncture unless the label says otherwise: 14 days here, 42 there."""
    site = hub()
    site.tell(opened(container="A", beyond_use=after(days=14)))
    site.tell(opened(container="B", beyond_use=after(days=42)))
    assert (balances(site)["A"][2], balances(site)["B"][2]) == (after(days=14), after(days=42))
    assert [usable_at(site, after(days=days)) for days in (13, 14, 28, 41, 42)] == [10, 9, 9, 9, 8]


def test_domain_3_4_the_effective_expiry_is_the_earlier_of_expiry_and_beyond_use() -> None:
    """A lot dated ten days ahead, punctured today: usable all of its last day at the site, whatever the 28 days."""
    site = RecordedHub(item(form="multi-dose vial"), PUNCTURE_28_DAYS)
    site.tick(after(days=-1))
    site.hear(told("receive", 5, place=STORE, lot="L2", expiry=day(10), codes=BY_PRODUCT), opened(lot="L2", at=minutes(5)))
    midnight = datetime.combine(day(11), datetime.min.time(), ZONE_INFO)
    assert usable_at(site, midnight - timedelta(seconds=1)) == 5
    assert usable_at(site, midnight) == 0
    assert agrees(site)


def test_domain_3_4_a_refrigerated_item_that_was_warm_keeps_its_shortened_date_in_the_fridge() -> None:
    """One way: back in the fridge the old date does not come back."""
    site = hub()
    site.hear(
        told("put_away", 5, place=STORE, to=FRIDGE, lot="L1", codes=BY_PRODUCT, at=minutes(1)),
        opened("out_of_fridge", "BOX", minutes(10), 3, place=FRIDGE),
        of("BOX", "put_away", 3, minutes(20), place=FRIDGE, to=STORE),
        of("BOX", "put_away", 3, minutes(600), to=FRIDGE),
    )
    end = after(days=2, minutes=10)
    assert balances(site, FRIDGE) == {"": (2, "available", None), "BOX": (3, "available", end)}
    assert usable_at(site, end - timedelta(seconds=1), FRIDGE) == 5
    assert usable_at(site, end, FRIDGE) == 2
    assert agrees(site)


def test_domain_3_4_a_compounded_sterile_preparation_of_category_1_by_its_rows_of_the_table() -> None:
    """CSP Category 1: at most 12 h at room temperature, 24 h refrigerated: rows that the site enters, of two forms."""
    rows = [BeyondUsePolicy(site=SITE, event="transform", form=form, hours=hours) for form, hours in (("crt", 12), ("cold", 24))]
    site = RecordedHub(item("warm", form="crt"), item("cool", form="cold"), *rows)
    site.tell(
        transform(
            part(1, lot="L1"), part(1, made=True, code="warm-1", lot="W"), part(1, made=True, code="cool-1", lot="C"), place=STORE
        )
    )
    ends = {one.item: one.beyond_use for one in site.latest(BALANCES) if one.item != ITEM}
    assert ends == {"warm": after(hours=12), "cool": after(hours=24)}


def test_domain_3_4_expired_stock_is_on_hand_and_a_stock_out() -> None:
    """Expired-only item = stock-out: the last vial is open, and its time is over."""
    site = hub(policy(STORE, minimum=2, par=5, critical=1))
    site.hear(told("discard", 9, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(-10)), opened("open", at=minutes(0)))
    site.tick(after(hours=6))
    assert (site.usable(STORE), site.on_hand(STORE)) == (0, 1)
    assert [command.urgency for command in site.open_commands()] == ["stock_out"]
    assert agrees(site)


def test_domain_3_4_fefo_takes_what_ends_first_an_opened_container_before_an_older_lot() -> None:
    site = hub(policy(POCKET, source=STORE, minimum=4, par=6, critical=4))
    site.tell(told("receive", 4, place=STORE, lot="L0", expiry=day(60), codes=BY_PRODUCT))
    site.tell(told("receive", 6, place=STORE, lot="X"))
    site.tell(opened(quantity=2))
    site.hear(told("refill", 6, place=POCKET, lot="X", at=minutes(10)), told("vend", 6, place=POCKET, lot="X", at=minutes(20)))
    (command,) = site.open_commands()
    taken = [(lot.lot, lot.container, lot.quantity) for lot in command.lots]
    assert taken == [("L1", "V1", 2), ("L0", None, 4)]
    assert command.lots[0].beyond_use == after(days=28)


# ---- the policy table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        ([{"days": 1}], 1),
        ([{"days": 1}, {"form": "multi-dose vial", "days": 2}], 2),
        ([{"days": 1}, {"form": "multi-dose vial", "days": 2}, {"item": ITEM, "days": 3}], 3),
        ([{"item": ITEM, "days": 3}, {"product": "amox-hospira", "days": 4}], 4),
        ([{"form": "bag", "days": 2}, {"days": 1}], 1),
        ([{"product": "another", "days": 4}, {"item": "another", "days": 3}, {"days": 1}], 1),
    ],
)
def test_the_most_specific_row_counts(rows: list[dict[str, Any]], days: int) -> None:
    site = RecordedHub(item(form="multi-dose vial"), *[BeyondUsePolicy(site=SITE, event="thaw", **row) for row in rows])
    site.hear(told("receive", 5, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(-1)), opened("thaw"))
    assert balances(site)["V1"][2] == after(days=days)
    assert agrees(site)


def test_a_row_of_another_site_or_another_event_says_nothing() -> None:
    others = [BeyondUsePolicy(site="south", event="thaw", days=1), BeyondUsePolicy(site=SITE, event="open", days=1)]
    site = RecordedHub(*others)
    site.hear(told("receive", 5, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(-1)), opened("thaw"))
    assert balances(site)["V1"][2] is None
    (case,) = site.open_cases("beyond_use_unknown")
    assert "container V1: no policy says until when it may be used after thaw" in case.text


def test_a_policy_that_is_loaded_later_ends_what_waited_for_one_and_nothing_else() -> None:
    site = hub()
    site.withdraw("beyond_use_policy", f"{SITE}|thaw|||")
    site.hear(opened("open", "A"), opened("thaw", "B"))
    assert len(site.open_cases("beyond_use_unknown")) == 1
    site.learn(BeyondUsePolicy(site=SITE, event="thaw", hours=10))
    site.learn(BeyondUsePolicy(site=SITE, event="open", hours=1))
    assert (balances(site)["A"][2], balances(site)["B"][2]) == (after(hours=6), after(hours=10))
    assert site.open_cases("beyond_use_unknown") == []
    assert agrees(site)


# ---- arrival -------------------------------------------------------------------------------------------------------------


def test_any_order_of_arrival_gives_the_same_stock_and_the_same_end() -> None:
    """Opened, warm, given of, moved, counted and one of them taken back: every fifth of the 720 orders, the clock past every end."""
    told_of_it = [
        opened("open", quantity=3, at=minutes(10), key="open"),
        opened("out_of_fridge", quantity=3, at=minutes(30), key="warm"),
        of("V1", quantity=1, at=minutes(60), key="dose"),
        of("V1", "put_away", 1, minutes(90), to=BIN, key="move"),
        told("count", 8, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(120), key="count"),
        reversal("open", at=minutes(500), key="undo"),
    ]
    seen = set()
    for number, order in enumerate(list(permutations(told_of_it))[::5]):
        site = hub()
        for event in order:
            site.tell(event)
        site.tick(after(days=3))
        site.tick(after(days=4))
        seen.add((tuple(sorted(balances(site).items())), tuple(balances(site, BIN).items()), site.usable(STORE), site.usable(BIN)))
        if number % 24 == 0:
            assert agrees(site)
    end = after(days=2, minutes=30)
    expected = ((("", (7, "available", None)), ("V1", (1, "expired", end))), (("V1", (1, "expired", end)),), 7, 0)
    assert seen == {expected}


def test_an_opening_that_is_told_after_its_end_expires_at_once_and_says_what_was_given_of_it() -> None:
    site = hub()
    site.hear(of("V1", at=after(hours=5), key="in time"), of("V1", at=after(hours=7), key="late"))
    site.tick(after(days=1))
    assert [case.text.partition(":")[0] for case in site.open_cases("container_not_opened")] == ["amox 250 mg tablet"]
    site.tell(opened("open", quantity=4, key="open"))
    assert site.usable(STORE) == 6
    (case,) = site.open_cases("unusable_given")
    since = after(hours=6).strftime("%Y-%m-%dT%H:%MZ")
    assert f"container V1, was given although it was beyond its use-by time since {since}" in case.text
    assert site.open_cases("container_not_opened") == []
    assert agrees(site)


def test_a_dose_given_after_the_end_is_a_case_when_the_end_was_known() -> None:
    site = hub()
    site.hear(opened("open", quantity=4), of("V1", at=after(hours=5)), of("V1", at=after(hours=6)))
    assert len(site.open_cases("unusable_given")) == 1


def test_an_opening_that_is_taken_back_was_none_in_either_order() -> None:
    first, second = hub(), hub()
    first.hear(opened("open", quantity=2, key="o"), reversal("o"))
    second.hear(reversal("o"), opened("open", quantity=2, key="o"))
    for site in (first, second):
        assert usable_at(site, after(days=1)) == 10
        assert balances(site) == {"": (10, "available", None)}
        assert agrees(site)


def test_taking_the_first_clock_back_leaves_the_next_one() -> None:
    site = hub()
    site.hear(opened("open", key="o"), opened("thaw", key="t", at=minutes(10)))
    assert balances(site)["V1"][2] == after(hours=6)
    site.tick(after(hours=7))
    site.tell(reversal("o", at=after(hours=7)))
    assert balances(site)["V1"] == (1, "available", after(hours=24, minutes=10))
    assert site.usable(STORE) == 10
    assert agrees(site)


def test_a_resend_opens_nothing_twice_and_another_label_under_the_same_identity_is_a_conflict() -> None:
    site = hub()
    one = opened("open", key="o")
    site.hear(one, one)
    assert site.outcomes()[-1] == "duplicate"
    site.tell(opened("open", key="o", beyond_use=after(days=9)))
    assert site.outcomes()[-1] == "conflicting_duplicate"
    assert balances(site)["V1"] == (1, "available", after(hours=6))


def test_the_end_is_said_once_with_what_is_left_and_not_of_an_empty_container() -> None:
    site = hub()
    site.hear(opened("open", "A", quantity=3), opened("open", "B"), of("B"), of("A", "put_away", 1, minutes(5), to=BIN))
    for hours in (5, 6, 7, 8):
        site.tick(after(hours=hours))
    (alert,) = [one for one in site.all(ALERTS) if one.kind == "beyond_use"]
    assert alert.text.endswith(f"discard 2 tablet at {STORE}, 1 tablet at {BIN}")
    assert "container A is beyond its use-by time" in alert.text


# ---- what is a container, what is not ------------------------------------------------------------------------------------


def test_a_container_that_is_open_already_is_not_taken_from_unopened_stock_again() -> None:
    site = hub()
    site.hear(opened("open", quantity=2), opened("puncture", quantity=2, at=minutes(5)), opened("thaw", quantity=0, at=minutes(9)))
    assert {name: row[0] for name, row in balances(site).items()} == {"": 8, "V1": 2}


def test_a_count_of_a_lot_counts_its_opened_containers_too() -> None:
    """Nine in all, one of them open: what is counted before and after the opening is told is the same."""
    for opens in (minutes(-30), minutes(30)):
        site = hub()
        site.hear(told("count", 9, place=STORE, lot="L1", codes=BY_PRODUCT), opened("open", at=opens))
        assert {name: row[0] for name, row in balances(site).items()} == {"": 8, "V1": 1}
        assert site.on_hand(STORE) == 9
        assert agrees(site)


def test_a_count_of_no_tablet_of_a_lot_empties_its_containers() -> None:
    site = hub()
    site.hear(opened("open", quantity=3), told("count", 0, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(9)))
    assert (balances(site), site.on_hand(STORE)) == ({}, 0)
    assert agrees(site)


def test_a_count_of_a_container_says_nothing_of_what_is_unopened() -> None:
    site = hub()
    site.hear(opened("open", quantity=3), of("V1", "count", 2, minutes(9)))
    assert {name: row[0] for name, row in balances(site).items()} == {"": 7, "V1": 2}
    assert agrees(site)


def test_a_container_of_a_place_that_was_counted_as_a_whole_before_anybody_knew_of_it() -> None:
    """Five there, of no known lot; one had been opened the day before, of a lot that nobody had scanned in."""
    site = RecordedHub(SIX_HOURS_OPEN)
    site.tick(after(days=-2))
    site.tell(told("count", 5, place=OTHER_POCKET))
    site.tell(opened("open", lot=None, place=OTHER_POCKET, at=after(days=-1)))
    assert {name: row[0] for name, row in balances(site, OTHER_POCKET).items()} == {"": 4, "V1": 1}
    assert (site.on_hand(OTHER_POCKET), usable_at(site, after(minutes=1), OTHER_POCKET)) == (5, 4)
    assert agrees(site)


def test_a_recall_of_the_lot_blocks_what_was_opened_of_it() -> None:
    site = hub()
    site.tell(opened("open", quantity=2))
    site.learn(RecallNotice(id="R", classification="II", products=("amox-hospira",), lots=("L1",)))
    assert {name: row[1] for name, row in balances(site).items()} == {"": "recalled", "V1": "recalled"}
    assert site.usable(STORE) == 0
    assert agrees(site)


def test_a_case_about_a_missing_opening_is_closed_by_a_person_too() -> None:
    site = hub()
    site.tell(of("V9"))
    (case,) = site.open_cases("container_not_opened")
    site.say(decision(case.case_id, "close", "pia"))
    assert site.open_cases("container_not_opened") == []
