"""What the tables say of expiry risk, allocation and read recalls: on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas import topics
from schemas.codec import encode
from schemas.events import ReferenceChange
from schemas.ids import fingerprint
from schemas.kinds import BalanceStatus
from schemas.log import LogRecord
from schemas.records import Kpi, RecallReading
from schemas.reference import REFERENCE_KINDS, RecallNotice, Site
from sinks.sql import Projection, Views
from tests.browser.hospital import NOW, TODAY, Log
from topology.errors import InputRefusedError, UnknownNameError
from topology.query import run_query

SITE, PLACE, ITEM = "mercy", "main", "HEP5000"


@pytest.fixture
def written(url: str) -> Iterator[Projection]:
    made = Projection(url)
    yield made
    made.close()


def stocked(written: Projection, *lots: tuple[str, int, int | None, str], daily: str | None = "3", **position: Any) -> Views:
    """Lots (number, quantity, days left, status) of an item at one place that uses so many a day. The site's clock stands at NOW."""
    log = Log()
    demand = None if daily is None else Decimal(daily)
    records = [
        log.position(SITE, PLACE, ITEM, 1, daily_demand=demand, **position), reference(log, site()),
        log.record(topics.KPIS, (SITE, "x"), Kpi(site=SITE, kpi="x", value=None, numerator=0, denominator=0, as_of=NOW)),
    ]  # fmt: skip
    for lot, quantity, days, status in lots:
        expiry = None if days is None else TODAY + timedelta(days=days)
        records.append(log.balance(SITE, PLACE, ITEM, lot, quantity, expiry=expiry, status=BalanceStatus(status)))
    written.apply(records)
    return Views(written.engine)


def site(name: str = SITE) -> Site:
    return Site(id=name, name=name, zone="America/New_York")


def reference(log: Log, record: Any, revision: int = 1) -> LogRecord:
    kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    change = ReferenceChange(revision=revision, kind=kind.name, id=kind.id_of(record), record=fields)
    return log.record(topics.REFERENCE, (kind.name, change.id), change)


def risk_of(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    return {row["lot"]: (row["usable_before_expiry"], row["risk"]) for row in rows}


def test_domain_3_4_the_risk_of_a_lot_goes_by_the_consumption_of_its_place(written: Projection) -> None:
    views = stocked(written, ("A", 50, 10, "available"), ("B", 40, 40, "available"))
    rows = views.expiring(NOW)
    assert risk_of(rows) == {"A": (30, 20), "B": (40, 0)}
    assert [(row["days"], row["bucket"], row["daily_demand"]) for row in rows] == [(10, "30", "3"), (40, "60", "3")]


def test_only_lots_at_risk_are_shown_when_asked_and_lots_farther_ahead_are_counted_all_the_same(written: Projection) -> None:
    views = stocked(written, ("A", 50, 10, "available"), ("B", 400, 100, "available"))
    assert risk_of(views.expiring(NOW, at_risk=True)) == {"A": (30, 20)}
    assert risk_of(views.expiring(NOW, at_risk=True, within_days=365)) == {"A": (30, 20), "B": (270, 130)}
    assert len(views.expiring(NOW, within_days=365, limit=1)) == 1


def test_recalled_and_quarantined_stock_is_used_by_nobody_and_expired_stock_is_lost(written: Projection) -> None:
    views = stocked(
        written, ("X", 9, -1, "expired"), ("R", 30, 5, "recalled"), ("Q", 30, 5, "quarantined"), ("A", 50, 10, "available")
    )
    assert risk_of(views.expiring(NOW)) == {"X": (0, 9), "R": (None, None), "Q": (None, None), "A": (30, 20)}


def test_domain_3_4_stock_of_an_unknown_lot_that_left_is_taken_from_the_lot_that_expires_first(written: Projection) -> None:
    views = stocked(written, ("A", 50, 10, "available"), ("unknown", -15, None, "available"))
    assert risk_of(views.expiring(NOW)) == {"A": (30, 5)}


def test_a_place_without_an_estimate_uses_nothing(written: Projection) -> None:
    assert risk_of(stocked(written, ("A", 5, 10, "available"), daily=None).expiring(NOW)) == {"A": (0, 5)}


def test_the_view_asks_as_of_the_clock_that_the_tables_know(written: Projection) -> None:
    views = stocked(written, ("A", 50, 10, "available"), ("B", 40, 40, "available"))
    assert [row["lot"] for row in run_query(views, "expiring", {"within": "30"})] == ["A"]
    assert [row["lot"] for row in run_query(views, "expiring", {"risk": "true", "location": "main"})] == ["A"]
    for wrong in ({"within": "soon"}, {"within": "-1"}, {"within": "99999"}, {"risk": "maybe"}, {"lot": "A"}):
        with pytest.raises(InputRefusedError):
            run_query(views, "expiring", wrong)
    with pytest.raises(UnknownNameError, match="there is no site mars"):
        run_query(views, "expiring", {"site": "mars"})


def test_an_empty_hub_has_nothing_that_expires(written: Projection) -> None:
    assert run_query(Views(written.engine), "expiring", {}) == []


def test_a_position_says_how_much_of_it_is_allocated(written: Projection) -> None:
    [row] = stocked(written, allocated=7).positions()
    assert row["allocated"] == 7


# ---- recalls ---------------------------------------------------------------------------------------------------------


def notice(**changes: Any) -> RecallNotice:
    return RecallNotice(**{"id": "R1", "classification": "I", "products": ("p",), "lots": ("L1",), **changes})


def reading(log: Log, at_site: str, said: RecallNotice, revision: int, offset: int) -> LogRecord:
    content = fingerprint(encode(said).decode())
    value = RecallReading(
        site=at_site, notice=said.id, revision=revision, content=content, in_force=said.released is None, at=NOW
    )
    made = log.record(topics.RECALLS, (at_site, said.id), value)
    return LogRecord(made.topic, made.partition, made.offset, made.key, made.value, (("ce_id", f"site.log-3-{offset}-0"),))


def test_domain_3_8_a_recall_is_pending_at_each_site_until_its_partition_has_read_what_it_says_now(written: Projection) -> None:
    log, views = Log(), Views(written.engine)
    written.apply([reference(log, site("mercy")), reference(log, site("stluke")), reference(log, notice(), 1)])
    assert [(row["site"], row["state"], row["at"]) for row in views.recall_sites()] == [("mercy", "pending", None), ("stluke", "pending", None)]
    written.apply([reading(log, "mercy", notice(), 1, 17)])
    rows = views.recall_sites(notice="R1")
    assert [(row["site"], row["state"], row["revision"], row["partition"], row["offset"]) for row in rows] == [
        ("mercy", "effective", 1, 3, 17), ("stluke", "pending", None, None, None),
    ]  # fmt: skip
    [shown] = views.recalls()
    assert (shown["effective_at"], shown["pending_at"]) == (["mercy"], ["stluke"])
    written.apply([reading(log, "stluke", notice(), 1, 20)])
    assert views.recalls()[0]["pending_at"] == []


def test_other_words_are_pending_again_and_the_same_words_again_are_not(written: Projection) -> None:
    log, views = Log(), Views(written.engine)
    written.apply([reference(log, site("mercy")), reference(log, notice(), 1), reading(log, "mercy", notice(), 1, 17)])
    before = views.recall_sites()
    written.apply([reference(log, notice(), 2)])
    assert views.recall_sites() == before
    written.apply([reference(log, notice(released="FDA"), 3)])
    assert [(row["state"], row["in_force"], row["revision"]) for row in views.recall_sites()] == [("pending", False, 1)]


def test_a_notice_that_there_is_not_is_refused(written: Projection) -> None:
    with pytest.raises(UnknownNameError, match="there is no recall notice 'R9'"):
        run_query(Views(written.engine), "recall_sites", {"notice": "R9"})
