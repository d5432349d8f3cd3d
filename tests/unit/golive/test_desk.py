"""A site goes live on a real hub's folder: counted pocket by pocket, in shadow, compared, decided. Rules: docs/golive.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.golive import GoLive
from schemas.log import LogRecord
from schemas.raw import CABINET_JSON, RawMessage
from schemas.records import COMMAND
from schemas.reference import ApprovalRule, Role, UnitFactor
from schemas.topics import COMMANDS, SHADOW_COMMANDS, TOPICS
from tests.support.world import ITEM, NDC, OTHER_POCKET, POCKET, SITE, STORE, hospital, item, policy, product
from tests.unit.master.test_desk import named
from topology.downtime.hubs import FolderDowntime
from topology.errors import InputRefusedError, UnknownNameError
from topology.golive import baseline, opening
from topology.golive.counting import Said
from topology.golive.desk import GoLiveDesk
from topology.golive.stocklist import Given, compare_lists
from topology.local import LocalHub
from topology.query import run_query
from topology.verify.folder_source import StoreSource
from topology.verify.run import verify

NOW = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
COUNTED = NOW - timedelta(hours=4)
PEOPLE = (
    Role(person="pia", role="pharmacist"), Role(person="tim", role="technician"), Role(person="eve", role="engineer"),
    Role(person="sue", role="pharmacist", sites=("south",)),
)  # fmt: skip
SAID = Said(COUNTED, "kim", "lee")
WHY = {"by": "pia", "reason": "new cabinets"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    """Levels in two pockets and the store; a drug of schedule II without levels; packages of 25."""
    with LocalHub(tmp_path / "hub") as local:
        local.load_reference(named(
            *hospital(
                policy(critical=4), policy(OTHER_POCKET), policy(STORE, minimum=50, par=200, maximum=400), *PEOPLE,
                item("morphine", base_unit="vial", schedule=2, codes=()), UnitFactor(item=ITEM, unit="box", numerator=25),
                product(unit_cost=Decimal("0.20")), ApprovalRule(id="c", role="pharmacist", kinds=("restock",), controlled=True),
            )
        ))  # fmt: skip
        local.engine.run_until_idle()
        local.tick(NOW - timedelta(hours=8), timedelta(minutes=1))
        yield local


@pytest.fixture
def desk(hub: LocalHub) -> GoLiveDesk:
    return GoLiveDesk(FolderDowntime(hub))


def prepare(desk: GoLiveDesk) -> GoLive:
    return desk.prepare(site=SITE, now=NOW, accept_percent=Decimal(98), stuck_hours=24, **WHY)


def row(location: str = POCKET, quantity: int | str = 10, lot: str = "", **more: str) -> dict[str, str]:
    return {"location": location, "code": ITEM, "quantity": str(quantity), "lot": lot, **more}


ALL = [row(lot="L1", expiry="2027-05"), row(quantity=4, lot="L2"), row(OTHER_POCKET, 0), row(STORE, 150, "L1")]


def count(desk: GoLiveDesk, *rows: dict[str, str], said: Said = SAID, by: str = "tim") -> list[dict[str, Any]]:
    return opening.count(desk, site=SITE, by=by, rows=rows, said=said, now=NOW)


def counted(desk: GoLiveDesk) -> None:
    """Prepared, and every pocket counted."""
    prepare(desk)
    assert {one["outcome"] for one in count(desk, *ALL)} == {"accepted"}


def cabinet(hub: LocalHub, action: str, quantity: int, number: str, *, at: datetime = NOW, **more: Any) -> None:
    body = {
        "device": "ICU-CAB1", "pocket": "d1/p1", "transaction_id": number, "action": action, "quantity": quantity, "unit": "tablet",
        "occurred": at.isoformat(), "product_code": "amox-1", "facility": "NGH", **more,
    }  # fmt: skip
    data = json.dumps(body).encode()
    message = RawMessage(body=data, source="cabinets", connector="cabinet", content_type=CABINET_JSON, received_at=NOW)
    list(hub.replay([message]))
    hub.project()


def stock(hub: LocalHub, location: str = POCKET) -> dict[str, int]:
    hub.engine.run_until_idle()
    hub.project()
    return {one["lot"]: one["quantity"] for one in hub.views.stock(site=SITE, location=location)}


def written(hub: LocalHub, topic: str) -> list[Any]:
    records: list[LogRecord] = [
        one for partition in range(TOPICS[topic].partitions) for one in hub.engine.read(topic, partition, 0, 100_000)
    ]
    return [COMMAND.decode(one.value) for one in records if one.value is not None]


def refused(answers: list[dict[str, Any]]) -> list[str]:
    return [one["reason"] for one in answers if one["outcome"] == "refused"]


# ---- counting --------------------------------------------------------------------------------------------------------


def test_pockets_are_counted_by_lot_and_what_is_missing_is_listed(hub: LocalHub, desk: GoLiveDesk) -> None:
    prepare(desk)
    assert len(desk.standing(SITE, NOW).uncounted) == 3
    told = count(desk, *ALL[:2])
    assert [one["reason"] for one in told] == [f"opening balance of {POCKET}: 14 tablet in 2 lots"] * 2
    assert stock(hub) == {"L1": 10, "L2": 4}
    assert desk.standing(SITE, NOW).uncounted == ((OTHER_POCKET, ITEM), (STORE, ITEM))
    (line,) = [one for one in hub.views.stock(site=SITE, location=POCKET) if one["lot"] == "L1"]
    assert (line["expiry"], line["product"], line["shadow"]) == ("2027-05-31", "amox-hospira", True)


def test_the_same_list_again_counts_once(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    assert {one["outcome"] for one in count(desk, *ALL)} == {"duplicate"}
    assert [one.number for one in desk.counts(SITE)] == [1, 2, 3]
    assert stock(hub) == {"L1": 10, "L2": 4}


def test_a_pocket_is_taken_whole_or_not_at_all(hub: LocalHub, desk: GoLiveDesk) -> None:
    prepare(desk)
    told = count(desk, row(lot="L1"), row(lot="L2", code="nothing-known"), row(STORE, 150, "L1"))
    assert refused(told) == [
        f"another row of {POCKET} is refused (line 3): a place is taken whole",
        "code: nothing-known names no item: write the code as it stands on the stock list",
    ]
    assert (stock(hub), stock(hub, STORE)) == ({}, {"L1": 150})


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((row(lot="L1"), row(lot="l-1")), "stands in lines 2 and 3: write the sum in one"),
        ((row(lot="L1"), row(lot="L1", code=NDC)), "stands in lines 2 and 3: write the sum in one"),
        ((row(quantity="ten"),), "quantity: ten is no number"), ((row(quantity="1.5"),), "is not a whole number of tablet"),
        ((row(unit="crate"),), "unit: crate of amox is not known: write tablet"),
        ((row(expiry="2027-05"),), "lot: is missing beside an expiry date"),
        ((row(lot="L1", expiry="next year"),), "expiry: next year is no date"),
        ((row("nowhere"),), "location: nowhere is no place of the site"),
        ((row(witness="KIM"),), "witness: KIM counted it; a witness is somebody else"),
        ((row(date="2026-03-11", time="10:00"),), "has not been yet"),
        ((row(date="2024-03-11", time="10:00"),), "more than 365 days ago"),
        ((row(), row(lot="L2", counted_by="ann")), "counted at two times or by two people"),
        ((row("icu/cab1"),), f"holds amox at {POCKET}, {OTHER_POCKET}: write which"),
        ((row(unit_cost="-1"),), "unit_cost: -1 is no number"), ((row(lot="L1", counted_by="\x07"),), "control character"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_refused_with_what_to_write(desk: GoLiveDesk, rows: tuple[dict[str, str], ...], reason: str) -> None:
    prepare(desk)
    reasons = refused(count(desk, *rows))
    assert len(reasons) == len(rows)
    assert all(reason in one for one in reasons[:1])


def test_a_controlled_item_needs_a_witness_and_packages_are_counted_in_base_units(hub: LocalHub, desk: GoLiveDesk) -> None:
    prepare(desk)
    vial = {"location": STORE, "code": "morphine", "quantity": "6", "lot": "M1"}
    assert "is controlled: a count of it needs a witness" in refused(count(desk, vial, said=Said(COUNTED, "kim")))[0]
    count(desk, vial, row(STORE, 3, "L1", unit="box"), row(OTHER_POCKET, 2, "L1", unit="pack", code=NDC))
    assert (stock(hub, STORE), stock(hub, OTHER_POCKET)) == ({"M1": 6, "L1": 75}, {"L1": 50})


def test_history_that_arrives_after_the_count_changes_nothing_and_what_happens_later_counts(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    cabinet(hub, "vend", 9, "t1", at=COUNTED - timedelta(hours=2), lot="L1")
    assert stock(hub) == {"L1": 10, "L2": 4}
    cabinet(hub, "vend", 3, "t2", at=COUNTED + timedelta(hours=1), lot="L1")
    assert stock(hub) == {"L1": 7, "L2": 4}


def test_a_second_count_compares_and_is_a_count_as_any_other(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    cabinet(hub, "vend", 3, "t2", at=COUNTED + timedelta(hours=1), lot="L1")
    told = count(desk, row(quantity=6, lot="L1"), row(quantity=4, lot="L2"), said=Said(COUNTED + timedelta(hours=2), "ann"))
    assert told[0]["difference"] == -1
    assert "counted before, so it compares: 10, -1 against the 11 of the ledger" in told[0]["reason"]
    assert stock(hub) == {"L1": 6, "L2": 4}
    moved = {(one["kind"], one["to_account"]) for one in hub.views.movements(site=SITE) if one["kind"] == "count"}
    assert moved == {("count", "variance")}
    early = count(desk, row(quantity=6, lot="L1"), said=Said(COUNTED - timedelta(hours=1), "ann"))
    assert "what was there before is history" in refused(early)[0]
    assert "that one stands; if it is wrong, take it back" in refused(count(desk, row(quantity=99, lot="L1")))[0]


def test_opening_counts_are_no_discrepancy_and_no_accuracy_and_have_a_value(hub: LocalHub, desk: GoLiveDesk) -> None:
    """14 at the product's 0.20 a tablet in the pocket, 150 at a stated 0.18 in the store."""
    prepare(desk)
    count(desk, *ALL[:2], row(OTHER_POCKET, 0), row(STORE, 150, "L9", unit_cost="0.18"))
    hub.project()
    rows = {one["kpi"]: one for one in run_query(hub.views, "indicators", {"site": SITE})}
    assert (rows["inventory_accuracy"]["denominator"], rows["standard_workflow_share"]["denominator"]) == (0, 0)
    assert rows["stock_out_frequency"]["numerator"] == 0
    posted = run_query(hub.views, "journal", {"site": SITE})
    assert {(one["debit"], one["credit"]) for one in posted} == {("inventory", "opening")}
    assert sum(Decimal(one["amount"]) for one in posted) == Decimal("29.80")
    assert all(one["adds_up"] for one in run_query(hub.views, "finance_check", {"site": SITE}))


def test_places_are_declared_empty_and_a_wrong_count_is_taken_back(hub: LocalHub, desk: GoLiveDesk) -> None:
    prepare(desk)
    count(desk, *ALL[:2])
    told = opening.empty(desk, site=SITE, by="tim", location="ICU-CAB1", said=SAID, now=NOW)
    assert [one["location"] for one in told] == [OTHER_POCKET]
    with pytest.raises(UnknownNameError, match="no pocket at or below icu/cab1 is without a count"):
        opening.empty(desk, site=SITE, by="tim", location="icu/cab1", said=SAID, now=NOW)
    with pytest.raises(UnknownNameError, match="location: icu/cab9 is no place of the site"):
        opening.empty(desk, site=SITE, by="tim", location="icu/cab9", said=SAID, now=NOW)
    gone = opening.take_back(desk, site=SITE, by="pia", number=1, reason="other cabinet", now=NOW)
    assert gone.taken_back_by == "pia"
    assert opening.take_back(desk, site=SITE, by="pia", number=1, reason="again", now=NOW) == gone
    assert stock(hub) == {}
    assert desk.standing(SITE, NOW).uncounted == ((POCKET, ITEM), (STORE, ITEM))
    count(desk, row(quantity=12, lot="L1"))
    assert stock(hub) == {"L1": 12}
    with pytest.raises(UnknownNameError, match="has no count 77"):
        opening.take_back(desk, site=SITE, by="pia", number=77, reason="x", now=NOW)


def test_a_count_belongs_to_a_site_that_is_not_live(desk: GoLiveDesk) -> None:
    with pytest.raises(InputRefusedError, match=r"site north is live: .* prepare it first"):
        count(desk, *ALL)
    with pytest.raises(UnknownNameError, match="there is no site mars"):
        opening.count(desk, site="mars", by="tim", rows=ALL, said=SAID, now=NOW)


# ---- modes -----------------------------------------------------------------------------------------------------------


def test_who_may_decide_and_in_which_order(desk: GoLiveDesk) -> None:
    with pytest.raises(InputRefusedError, match="was never prepared"):
        desk.shadow(site=SITE, now=NOW, **WHY)
    with pytest.raises(InputRefusedError, match="tim is technician at site north: prepare is decided by pharmacist or engineer or steward"):
        desk.prepare(site=SITE, by="tim", reason="x", now=NOW, accept_percent=Decimal(98), stuck_hours=24)
    with pytest.raises(InputRefusedError, match="sue has no role at site north"):
        desk.prepare(site=SITE, by="sue", reason="x", now=NOW, accept_percent=Decimal(98), stuck_hours=24)
    counted(desk)
    with pytest.raises(InputRefusedError, match="is preparing: only one that runs in shadow goes live"):
        desk.cut_over(site=SITE, now=NOW, **WHY)
    desk.shadow(site=SITE, by="eve", reason="begin", now=NOW)
    with pytest.raises(InputRefusedError, match="is shadow, and was prepared before"):
        prepare(desk)
    with pytest.raises(InputRefusedError, match="there is nothing to roll back"):
        desk.roll_back(site=SITE, now=NOW, **WHY)
    with pytest.raises(InputRefusedError, match="eve is engineer at site north: cut over is decided by pharmacist"):
        desk.cut_over(site=SITE, by="eve", reason="x", now=NOW)
    desk.cut_over(site=SITE, now=NOW, **WHY)
    done = desk.roll_back(site=SITE, by="eve", reason="wrong factors", now=NOW)
    assert [(one.number, str(one.mode), one.by, one.role) for one in done.changes] == [
        (1, "preparing", "pia", "pharmacist"), (2, "shadow", "eve", "engineer"), (3, "live", "pia", "pharmacist"),
        (4, "shadow", "eve", "engineer"),
    ]  # fmt: skip


def test_a_cut_over_is_refused_while_something_is_in_the_way_unless_it_says_why(hub: LocalHub, desk: GoLiveDesk) -> None:
    prepare(desk)
    count(desk, *ALL[:3])
    cabinet(hub, "vend", 1, "t9", product_code="unknown-code")
    desk.shadow(site=SITE, now=NOW, **WHY)
    later = NOW + timedelta(hours=25)
    with pytest.raises(InputRefusedError) as refusal:
        desk.cut_over(site=SITE, now=later, **WHY)
    assert "1 pockets have no opening count (amox at main): count them or declare them empty" in str(refusal.value)
    assert "1 items are held or in quarantine for more than 24 h" in str(refusal.value)
    done = desk.cut_over(site=SITE, now=later, override="the store is counted tonight", **WHY)
    assert (done.changes[-1].override, done.changes[-1].uncounted, done.changes[-1].stuck) == ("the store is counted tonight", 1, 1)


def test_a_consumer_sees_nothing_before_cut_over_one_command_at_it_and_nothing_open_after_roll_back(
    hub: LocalHub, desk: GoLiveDesk
) -> None:
    counted(desk)
    desk.shadow(site=SITE, now=NOW, **WHY)
    cabinet(hub, "vend", 11, "t2", at=COUNTED + timedelta(hours=1), lot="L1")
    assert (written(hub, COMMANDS), len(written(hub, SHADOW_COMMANDS)) > 0) == ([], True)
    (shown,) = [one for one in hub.views.commands(site=SITE) if one["location"] == POCKET]
    assert shown["shadow"] is True
    desk.cut_over(site=SITE, now=NOW, **WHY)
    hub.project()
    assert [(one.location, str(one.state)) for one in written(hub, COMMANDS) if one.location == POCKET] == [(POCKET, "issued")]
    (shown,) = [one for one in hub.views.commands(site=SITE) if one["location"] == POCKET]
    assert shown["shadow"] is False
    desk.roll_back(site=SITE, now=NOW, **WHY)
    hub.project()
    newest = {one.command_id: one for one in written(hub, COMMANDS)}
    assert {str(one.state) for one in newest.values()} == {"cancelled"}
    before = len(written(hub, COMMANDS))
    cabinet(hub, "vend", 1, "t3", at=COUNTED + timedelta(hours=2), lot="L1")
    assert len(written(hub, COMMANDS)) == before
    report = verify(StoreSource(hub.folder.store, "hub"))
    assert [one.text for one in report.differences] == []


# ---- comparing ---------------------------------------------------------------------------------------------------------


def compared(desk: GoLiveDesk, *rows: dict[str, str], as_of: datetime = NOW, orders: list[dict[str, str]] | None = None) -> Any:
    return compare_lists(desk, site=SITE, by="pia", given=Given(name="list.csv", as_of=as_of, stock=rows, orders=orders), now=NOW)


def test_each_line_of_a_stock_list_has_both_numbers_and_the_reason_where_it_shows(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    cabinet(hub, "vend", 2, "t2", at=NOW - timedelta(minutes=20), lot="L1")
    found = compared(
        desk, row(quantity=10, lot="L1"), row(quantity=4, lot="L2"), row(OTHER_POCKET, 0), row(STORE, 6), row(BIN, 3),
        row("nowhere", 1),
    )  # fmt: skip
    lines = {(one["location"], one["lot"]): (one["theirs"], one["ours"], one["reason"]) for one in found["lines"]}
    assert lines == {
        (POCKET, "L1"): (10, 8, "timing"),  # the list was drawn before the vend
        (POCKET, "L2"): (4, 4, None), (OTHER_POCKET, None): (0, 0, None),
        (STORE, None): (6, 150, "unit_factor"),  # 6 boxes of 25
        (BIN, None): (3, 0, "not_counted"),
    }  # fmt: skip
    assert (found["agreement"], found["accept_percent"]) == ("40.00", "98")
    assert [one["reason"] for one in found["refused"]] == ["location: nowhere is no place of the site: write a place as it stands on the stock list"]


BIN = "main/returns"


def test_a_lot_that_nobody_reported_is_named_as_the_reason(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    cabinet(hub, "vend", 3, "t2", at=NOW - timedelta(hours=2))
    found = compared(desk, row(quantity=8, lot="L1"), row(quantity=3, lot="L2"), row(STORE, 150), row(OTHER_POCKET, 0))
    assert [one["reason"] for one in found["lines"] if one["location"] == POCKET] == ["lot_not_reported"] * 3


def test_the_list_is_compared_as_of_its_own_time_and_the_trend_is_by_day(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    cabinet(hub, "vend", 3, "t2", at=NOW - timedelta(minutes=90), lot="L1")
    full = (row(quantity=14), row(OTHER_POCKET, 0), row(STORE, 150))
    assert compared(desk, *full, as_of=NOW - timedelta(hours=3))["agreement"] == "100.00"
    found = compared(desk, *full)
    assert (found["agreement"], [one["agreement"] for one in found["trend"]]) == ("66.67", ["66.67"])
    assert found["trend"][0]["day"] == "2026-03-10"
    assert desk.standing(SITE, NOW).last == desk.comparisons(SITE)[-1]


def test_open_orders_are_compared_with_the_needs_of_the_same_time(hub: LocalHub, desk: GoLiveDesk) -> None:
    counted(desk)
    hub.tick(NOW, timedelta(minutes=1))
    needs = compared(desk, *ALL, orders=[row(OTHER_POCKET, 18), row(STORE, 100)])["needs"]
    assert [(one["location"], one["found"], one["theirs"], one["ours"]) for one in needs] == [
        (OTHER_POCKET, "both", 18, 20), (STORE, "list_only", 100, None),
    ]  # fmt: skip


# ---- before and after ----------------------------------------------------------------------------------------------------


def test_the_periods_are_whole_days_of_the_site_and_a_day_of_a_change_is_in_none(desk: GoLiveDesk) -> None:
    prepare(desk)
    start = datetime(2026, 4, 1, 15, 0, tzinfo=UTC)
    desk.shadow(site=SITE, now=start, **WHY)
    steps: list[tuple[str, int]] = [("cut", 5), ("back", 7), ("cut", 10)]
    for what, days in steps:
        at = start + timedelta(days=days)
        if what == "cut":
            desk.cut_over(site=SITE, now=at, override="not counted here", **WHY)
        else:
            desk.roll_back(site=SITE, now=at, **WHY)
    record = desk.standing(SITE, NOW).record
    words = desk.words(SITE)
    today = datetime(2026, 4, 20).date()  # noqa: DTZ001  # a date
    found = baseline.periods(record, datetime(2026, 3, 1).date(), today, words)  # noqa: DTZ001  # a date
    assert {name: (str(days.first), str(days.last)) for name, days in found.items()} == {
        "history": ("2026-03-01", "2026-03-09"), "shadow": ("2026-04-02", "2026-04-05"), "live": ("2026-04-12", "2026-04-19"),
    }  # fmt: skip
