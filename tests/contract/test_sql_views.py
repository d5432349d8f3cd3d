"""The views give the right rows: filters, sums, order, limits, and dates in the calendar of the site."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from schemas import topics
from schemas.codec import encode
from schemas.keys import encode_key
from schemas.kinds import CommandState, Outcome, Urgency
from schemas.log import LogRecord
from schemas.records import Alert, Case, Kpi
from sinks.sql import Projection, Views
from sinks.sql.views import POSITION_ORDERS
from tests.browser.hospital import ITEMS, NOW, PLACES, SITES, SPECIAL, Log, network
from tests.support.postgres import KINDS, fresh_databases
from topology.errors import UnknownNameError
from topology.query import FILTERS, VIEWS, run_query

STOCK_FIELDS = ["site", "location", "item", "product", "lot", "expiry", "status", "quantity", "unit"]


Empty = tuple[Log, Projection, Views]


@pytest.fixture(scope="module", params=KINDS)
def views(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    """The handmade network; tests that change something make their own."""
    with fresh_databases(request.param, request, tmp_path_factory.mktemp("views")) as fresh:
        written = Projection(fresh())
        written.apply(network(Log()))
        yield Views(written.engine)
        written.close()


@pytest.fixture
def empty(url: str) -> Iterator[Empty]:
    """A log to write records of, the tables that they go to, and what people see of them."""
    written = Projection(url)
    yield Log(), written, Views(written.engine)
    written.close()


def test_stock_lists_the_published_fields_in_a_stable_order(views: Views) -> None:
    rows = views.stock()
    assert [list(row) for row in rows[:1]] == [STOCK_FIELDS]
    assert rows == views.stock()
    keys = [(row["site"], row["location"], row["item"], row["product"], row["lot"]) for row in rows]
    assert keys == sorted(keys)
    assert len(rows) == views.count("stock") == len(SITES) * len(ITEMS) * len(PLACES) - len(SPECIAL) + 3


def test_stock_is_filtered_by_site_item_lot_and_place(views: Views) -> None:
    rows = views.stock(site="mercy", item="HEP5000", location="icu/cab1/d1/p01")
    assert [(row["lot"], row["quantity"], row["expiry"], row["status"]) for row in rows] == [
        ("H099", 5, "2026-03-09", "expired"),
        ("H123", 3, "2026-03-10", "available"),
    ]
    assert [row["lot"] for row in views.stock(lot=" h-123 ")] == ["H123"]
    assert views.stock(site="nowhere") == []
    assert len(views.stock(limit=7)) == 7


def test_a_place_includes_what_lies_below_it_and_not_its_namesakes(empty: Empty) -> None:
    log, written, views = empty
    for location in ("main", "main/fridge", "main2", "MAIN/x", "main0"):
        written.apply([log.balance("s", location, "HEP5000", "L", 1, None), log.position("s", location, "HEP5000", 1)])
    assert [row["location"] for row in views.stock(location="main")] == ["main", "main/fridge"]
    assert [row["location"] for row in views.positions(location="main")] == ["main", "main/fridge"]


def test_text_is_in_the_order_of_its_code_points_whatever_the_language_of_the_database(empty: Empty) -> None:
    """English, for one, would say a-1, a1, b, B, é."""
    log, written, views = empty
    written.apply([log.balance("s", "main", "HEP5000", lot, 1, None) for lot in ("b", "é", "a1", "B", "a-1")])
    assert [row["lot"] for row in views.stock()] == ["B", "a-1", "a1", "b", "é"]


def test_a_place_with_a_character_that_no_postgresql_text_holds_is_found_all_the_same(empty: Empty) -> None:
    """PostgreSQL finds below it and in searches as well; SQLite, which keeps the character, does not, and does no harm."""
    log, written, views = empty
    written.apply([log.position("s", "a\x00b/c", "HEP5000", 1), log.position("s", "a", "HEP5000", 2)])
    assert [row["usable"] for row in views.positions(location="a\x00b/c")] == [1]
    found = int(written.engine.dialect.name == "postgresql")
    assert views.count("positions", location="a\x00b") == views.count("positions", search="\x00b/") == found


@pytest.mark.postgres
def test_sqlite_and_postgresql_give_the_same_bytes(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    told = []
    for kind in ("sqlite", "postgresql"):
        with fresh_databases(kind, request, tmp_path) as fresh:
            written = Projection(fresh())
            written.apply(network(Log()))
            views = Views(written.engine)
            orders = [views.positions(order=order, descending=down) for order in POSITION_ORDERS for down in (False, True)]
            all_of_it = [
                *orders, views.stock(), views.commands(state="all"), views.cases(state="all"), views.alerts(), views.holds(),
                views.quarantine(with_body=True), views.kpis(), views.movements(), views.outcomes(source="mercy-adc", limit=100),
                views.outcomes_summary(), views.network_summary(NOW), views.expiring(NOW), views.ledger_summary(), views.revision(),
                views.sites(),
            ]  # fmt: skip
            told.append([msgspec.json.encode(each) for each in all_of_it])
            written.close()
    assert told[0] == told[1]


def test_positions_carry_the_item_name_and_can_be_searched(views: Views) -> None:
    rows = views.positions(site="mercy", search="HEPARIN icu")
    assert {(row["item_name"], row["location"]) for row in rows} == {
        ("Heparin 5,000 units/mL vial", "icu/cab1/d1/p01"),
        ("Heparin 5,000 units/mL vial", "icu/cab1/d1/p02"),
    }
    assert views.count("positions", site="mercy", search="hep5000") == len(PLACES)
    assert views.positions(search="100%") == []
    assert views.positions(search="_") == []


def test_positions_sort_urgent_needs_first_and_unknown_values_last(views: Views) -> None:
    first = views.positions(site="mercy", order="need", descending=True, limit=4)
    assert [row["urgency"] for row in first] == ["stock_out", "critical", "routine", None]
    days = [row["days_to_stock_out"] for row in views.positions(site="mercy", order="days_to_stock_out", limit=4)]
    assert days[:3] == ["0", "0.5", "0.8"]
    for order in POSITION_ORDERS:
        assert len(views.positions(site="mercy", order=order, limit=1)) == 1
    with pytest.raises(KeyError):
        views.positions(order="lot; drop table")


def test_days_to_stock_out_sort_as_numbers_with_the_unknown_last_both_ways(empty: Empty) -> None:
    log, written, views = empty
    for item, days in (("HEP5000", "10"), ("APAP500", "9.5"), ("ONDAN4", None), ("VANC1G", "1" + "0" * 15)):
        written.apply([log.position("s", "main", item, 1, days_to_stock_out=days)])
    up = [row["days_to_stock_out"] for row in views.positions(order="days_to_stock_out")]
    down = [row["days_to_stock_out"] for row in views.positions(order="days_to_stock_out", descending=True)]
    assert up == ["9.5", "10", "1" + "0" * 15, None]
    assert down == ["1" + "0" * 15, "10", "9.5", None]


def test_commands_are_full_documents_the_most_urgent_first(views: Views) -> None:
    found = views.commands()
    assert [each["command_id"] for each in found] == ["c-nor", "c-vanc", "c-morph", "c-hep"]
    assert found[0]["proof"]["trigger"] == "usable 0 ≤ critical 2"
    assert [each["lot"] for each in found[0]["lots"]] == ["L070", "L071"]
    assert [each["command_id"] for each in views.commands(state="all")][-1] == "c-done"
    assert [each["command_id"] for each in views.commands(state="decision")] == ["c-morph"]
    assert views.commands(site="stluke") == []
    assert [each["command_id"] for each in views.commands(item="VANC1G")] == ["c-vanc"]
    assert views.count("commands", state="all") == 5
    assert views.command("c-hep") is not None
    assert views.command("none") is None


def test_a_command_is_upserted_by_its_key_and_closes(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.command("c1", "s", "main", "HEP5000")])
    written.apply([log.command("c1", "s", "main", "HEP5000", revision=2, state=CommandState.SATISFIED, closed_at=NOW)])
    assert views.commands() == []
    assert [each["revision"] for each in views.commands(state="all")] == [2]


def test_a_rejected_command_waits_for_a_person(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.command("c1", "s", "main", "HEP5000", state=CommandState.REJECTED)])
    assert [each["command_id"] for each in views.commands(state="decision")] == ["c1"]
    assert views.network_summary()[0]["decisions"] == 1


def test_cases_holds_and_quarantine_carry_their_reasons(views: Views) -> None:
    assert [each["case_id"] for each in views.cases()] == ["case-1"]
    assert views.cases(site="stluke") == []
    assert [each["waits_for"] for each in views.holds(site="stluke")] == ["code ndc 000409471302"]
    without = views.quarantine()
    assert [each["code"] for each in without] == ["segment_missing"]
    assert "body_base64" not in without[0]
    assert views.quarantine(with_body=True)[0]["body_base64"] == "TVNIfA=="
    assert views.quarantine(site="mercy") == []


def test_alerts_come_newest_first_and_indicators_by_site_and_name(empty: Empty) -> None:
    log, written, views = empty
    for number in (1, 2):
        alert = Alert(
            alert_id=f"a{number}", site="s", kind="expiry", text="t", at=NOW + timedelta(minutes=number), item="HEP5000"
        )
        written.apply([log.record(topics.ALERTS, ("s",), alert)])
    for name in ("turns", "accuracy"):
        kpi = Kpi(site="s", kpi=name, value=None, numerator=1, denominator=2, as_of=NOW)
        written.apply([log.record(topics.KPIS, ("s", name), kpi)])
    assert [each["alert_id"] for each in views.alerts(item="HEP5000")] == ["a2", "a1"]
    assert [each["kpi"] for each in views.kpis(site="s")] == ["accuracy", "turns"]
    assert views.kpis(site="t") == []
    assert views.alerts(limit=1)[0]["at"] == "2026-03-10T14:07:00Z"


def test_outcomes_add_up_to_what_was_received(views: Views) -> None:
    found = views.outcomes_summary()
    assert found["messages"] == 9
    assert found["received"] == 10
    assert found["counts"] == {"accepted": 7, "duplicate": 1, "held": 1, "quarantined": 1}
    assert found["adds_up"] is True
    assert {(row["outcome"], row["code"]): row["items"] for row in found["reasons"]} == {
        ("accepted", "posted"): 7,
        ("duplicate", "resent"): 1,
        ("held", "unknown_code"): 1,
        ("quarantined", "segment_missing"): 1,
    }
    assert views.outcomes_summary(source="other")["received"] == 0
    assert len(views.outcomes(source="mercy-adc", limit=100)) == 10


def test_a_message_with_an_item_that_never_ended_does_not_add_up(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.outcome(0, 0, 2, Outcome.ACCEPTED)])
    found = views.outcomes_summary()
    assert (found["received"], found["messages_open"], found["adds_up"]) == (2, 1, False)
    written.apply([log.outcome(0, 1, 2, Outcome.ACCEPTED)])
    assert views.outcomes_summary()["adds_up"] is True


def test_two_errors_that_cancel_in_the_sum_do_not_add_up(empty: Empty) -> None:
    """One message lacks an outcome and another has one too many: the totals agree and the hub still says no."""
    log, written, views = empty
    written.apply(
        [log.outcome(0, 0, 2, Outcome.ACCEPTED), log.outcome(1, 0, 1, Outcome.ACCEPTED), log.outcome(1, 1, 1, Outcome.HELD)]
    )
    found = views.outcomes_summary()
    assert found["received"] == sum(found["counts"].values()) == 3
    assert (found["messages_open"], found["adds_up"]) == (2, False)


def test_movements_are_filtered_and_in_time_order(views: Views) -> None:
    rows = views.movements(site="mercy", item="HEP5000")
    assert [row["occurred"] for row in rows] == sorted(row["occurred"] for row in rows)
    assert len(rows) == 61
    assert views.movements(newest_first=True, limit=1)[0]["movement_id"] == "m0001"
    assert views.count("movements", kind="refill") == 1
    assert views.count("movements", location="main") == 1
    assert views.count("movements", location="icu") == 61
    assert views.count("movements", event_id="e7") == 1
    assert views.count("movements", product="other") == 0


def test_trace_finds_a_lot_however_it_is_written(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.movement(1, lot="AB-0123"), log.movement(2, lot="ab 0123"), log.movement(3, lot="AB123")])
    assert [row["movement_id"] for row in views.trace("ab-0123 ")] == ["m0002", "m0001"]


def test_movements_of_a_command_are_those_that_name_it_or_happened_while_it_was_open(empty: Empty) -> None:
    log, written, views = empty
    opened, closed = NOW - timedelta(minutes=35), NOW - timedelta(minutes=15)
    place = {"site": "mercy", "location": "icu/cab1/d1/p01", "item": "HEP5000"}
    written.apply([log.command("c1", *place.values(), opened_at=opened, closed_at=closed, state=CommandState.SATISFIED)])
    written.apply(
        [
            log.movement(1),  # 10 minutes ago: after it closed
            log.movement(2),  # 20 minutes ago: while it was open
            log.movement(3, from_account="stock:main"),  # in time, elsewhere
            log.movement(4),  # 40 minutes ago: before it opened
            log.movement(5, order_id="c1"),  # names it
        ]
    )
    assert [row["movement_id"] for row in views.movements(command="c1")] == ["m0005", "m0002"]


def test_the_network_summary_counts_each_site(views: Views) -> None:
    found = {row["site"]: row for row in views.network_summary()}
    assert list(found) == sorted(SITES)
    mercy = found["mercy"]
    assert (mercy["positions"], mercy["usable"], mercy["constrained"]) == (60, 59, 2)
    assert mercy["commands"] == {"routine": 2, "critical": 1, "stock_out": 1}
    assert (mercy["open_cases"], mercy["decisions"]) == (1, 2)
    assert (mercy["expired"], mercy["expiring_30"], mercy["expiring_90"]) == (1, 2, 2)
    assert mercy["newest_event"] == "2026-03-10T13:55:00Z"
    assert mercy["name"] == "Mercy General Hospital"
    assert (found["stluke"]["held"], found["stluke"]["quarantined"]) == (1, 1)
    assert views.newest_event() == "2026-03-10T14:05:00Z"
    assert views.ledger_summary() == {"movements": 61, "movements_with_cause": 61, "commands": 5, "commands_with_proof": 5}


def test_a_command_without_proof_is_counted_as_such(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.command("c1", "s", "main", "HEP5000", proof={}), log.command("c2", "s", "main", "HEP5000")])
    assert (views.ledger_summary()["commands"], views.ledger_summary()["commands_with_proof"]) == (2, 1)


def test_an_empty_projection_answers_everything_with_nothing(empty: Empty) -> None:
    _, _, views = empty
    assert views.network_summary() == views.stock() == views.commands() == views.sites() == []
    assert views.newest_event() is None
    assert views.outcomes_summary()["adds_up"] is True
    assert views.expiring(NOW) == []
    assert views.revision() == 0


def test_the_revision_rises_with_every_record(empty: Empty) -> None:
    log, written, views = empty
    written.apply([log.position("s", "main", "HEP5000", 1)])
    first = views.revision()
    written.apply([log.record(topics.POSITIONS, ("s", "main", "HEP5000"), None)])
    assert views.revision() > first


@pytest.mark.parametrize(("within", "lots"), [(29, ["H099", "H123"]), (30, ["H099", "H123", "V77"]), (10**9, None)])
def test_expiring_counts_days_to_the_boundary(views: Views, within: int, lots: list[str] | None) -> None:
    """On 2026-03-10: H099 expired yesterday, H123 is on its last day, V77 (2026-04-09) has 30 days."""
    rows = views.expiring(NOW, within_days=within, site="mercy")
    if lots is None:
        assert len(rows) == views.expiring_count(NOW, within_days=within, site="mercy") == 60
        return
    assert [row["lot"] for row in rows] == lots
    assert [row["days"] for row in rows] == [-1, 0, 30][: len(lots)]


@pytest.mark.parametrize(
    ("now", "days"),
    [(datetime(2026, 3, 11, 3, 59, tzinfo=UTC), 0), (datetime(2026, 3, 11, 4, 0, tzinfo=UTC), -1)],
)
def test_a_lot_is_usable_until_midnight_at_its_site(views: Views, now: datetime, days: int) -> None:
    """Midnight in New York on 2026-03-11 is 04:00 UTC (daylight saving time)."""
    assert {row["days"] for row in views.expiring(now, site="mercy", within_days=5) if row["lot"] == "H123"} == {days}
    expired = next(row["expired"] for row in views.network_summary(now) if row["site"] == "mercy")
    assert expired == (1 if days == 0 else 2)


def test_lots_of_a_site_without_a_record_expire_in_utc(empty: Empty) -> None:
    log, written, views = empty
    written.apply(
        [
            log.balance("unknown", "main", "HEP5000", "L", 1, date(2026, 3, 10)),
            log.balance("unknown", "main", "HEP5000", "M", 1, None),
        ]
    )
    assert [(row["lot"], row["days"]) for row in views.expiring(datetime(2026, 3, 11, tzinfo=UTC))] == [("L", -1)]
    assert [row["site"] for row in views.network_summary(NOW)] == ["unknown"]


def test_constrained_means_at_or_below_critical_whatever_is_due(empty: Empty) -> None:
    log, written, views = empty
    for item, usable in (("HEP5000", 3), ("APAP500", 2), ("ONDAN4", -1)):
        written.apply([log.position("s", "main", item, usable, critical=2, due=500, urgency=Urgency.CRITICAL)])
    written.apply([log.position("s", "main", "VANC1G", 0)])
    summary = views.network_summary()[0]
    assert (summary["positions"], summary["usable"], summary["constrained"]) == (4, 2, 2)


def silent_feed(locations: list[str], state: str = "open") -> LogRecord:
    """The case that a silent feed opens."""
    case = Case(
        case_id="c1", site="s", kind="feed_silent", state=state, text="silent", opened_at=NOW, updated_at=NOW,
        facts={"source": "mllp", "since": "2026-03-01T00:00:00+00:00", "locations": locations},
    )  # fmt: skip
    return LogRecord(topics.CASES, 0, 900, encode_key(("s", "c1")), encode(case), (("ce_type", "Case"),))


@pytest.mark.parametrize(
    ("locations", "stale"), [(["main"], ["main", "main/fridge"]), ([], ["main", "main/fridge", "main2"]), (["icu"], [])]
)
def test_balances_of_a_silent_feed_are_stale(empty: Empty, locations: list[str], stale: list[str]) -> None:
    log, written, views = empty
    for location in ("main", "main/fridge", "main2"):
        written.apply([log.balance("s", location, "HEP5000", "L", 1, None), log.position("s", location, "HEP5000", 1)])
    written.apply([silent_feed(locations)])
    for rows in (views.stock(), views.positions()):
        assert [row["location"] for row in rows if row.get("stale_since") == "2026-03-01T00:00:00+00:00"] == stale
    written.apply([msgspec.structs.replace(silent_feed(locations, "closed"), offset=901)])
    assert not any("stale_since" in row for row in views.stock())


OF_A_CASE = {"controlled_evidence", "controlled_form106"}


@pytest.mark.parametrize("view", sorted(set(VIEWS) - {"lookback"} - OF_A_CASE))
def test_every_view_of_the_api_answers_on_both_databases(views: Views, view: str) -> None:
    """The question with no more than what a view must be told."""
    needed = {
        "trace": {"lot": "H123"}, "command": {"command_id": "none"}, "controlled_inventory": {"site": "mercy", "at": "2026-03-01"},
    }  # fmt: skip
    filters = needed.get(view, {"site": "mercy"} if "site" in FILTERS[view] else {})
    views.staff_key = b"pseudonyms of this test"
    assert isinstance(run_query(views, view, filters), list)


@pytest.mark.parametrize("view", sorted(OF_A_CASE))
def test_what_is_asked_of_no_case_is_refused_on_both_databases(views: Views, view: str) -> None:
    with pytest.raises(UnknownNameError, match="none"):
        run_query(views, view, {"case": "none"})


def test_a_look_back_of_no_notice_is_refused_on_both_databases(views: Views) -> None:
    with pytest.raises(UnknownNameError, match="there is no recall notice 'none'"):
        run_query(views, "lookback", {"notice": "none"})
