"""The projection takes from the site log what no output says, once, in any batches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from schemas.events import Watermark
from schemas.kinds import EventKind
from schemas.log import LogRecord
from schemas.topics import SITE_LOG
from sinks.sql import Projection
from sinks.sql.facts import SITE_FACTS
from tests.browser.hospital import NOW, Log
from tests.support.facts import reversal, told
from tests.support.world import POCKET


def facts(written: Projection) -> dict[str, str]:
    with written.engine.connect() as connection:
        return {row.fact: row.at for row in connection.execute(sa.select(SITE_FACTS))}


@pytest.mark.parametrize("batch", [1, 100])
def test_the_highest_watermark_of_a_source_stands(url: str, batch: int) -> None:
    log, written = Log(), Projection(url)
    marks = [Watermark(source=source, site="s", complete_to=NOW + timedelta(minutes=at)) for source, at in (("a", 5), ("b", 1), ("a", 3))]
    records = [log.site("Watermark", mark) for mark in marks]
    for at in range(0, len(records), batch):
        written.apply(records[at : at + batch])
    assert facts(written) == {"complete|s|a": "2026-03-10T14:10:00.000000Z", "complete|s|b": "2026-03-10T14:06:00.000000Z"}


@pytest.mark.parametrize("batch", [1, 100])
def test_counts_and_reversals_are_kept_as_they_were_first_told_and_nothing_else_is(url: str, batch: int) -> None:
    log, written = Log(), Projection(url)
    count = told(EventKind.COUNT, 3, place=POCKET, key="c", at=NOW)
    events = [
        count, told(EventKind.COUNT, 4, place=POCKET, key="c", at=NOW + timedelta(hours=1)), reversal("c", key="u", at=NOW),
        told(EventKind.VEND, 1, place=POCKET), told(EventKind.COUNT, 4, place=POCKET, test=True),
        told(EventKind.LOAD, 4, place=POCKET, begin_count=Decimal(1), begin_count_verified=True),
        told(EventKind.VEND, 1, place=POCKET, begin_count=Decimal(1), begin_count_verified=True, key="b", at=NOW),
    ]  # fmt: skip
    records = [log.site("StockEvent", event) for event in events]
    for at in range(0, len(records), batch):
        written.apply(records[at : at + batch])
    found = facts(written)
    assert set(found.values()) == {"2026-03-10T14:05:00.000000Z"}
    assert {fact.split("|")[0] for fact in found} == {"count", "taken_back"}
    assert f"count|{count.event_id}" in found
    assert len(found) == 3


def test_a_record_of_the_site_log_that_can_not_be_read_is_named_and_passed_over(url: str) -> None:
    """Its processor has put it into quarantine and gone on; the tables must go on too."""
    written = Projection(url)
    broken = LogRecord(topic=SITE_LOG, partition=2, offset=7, key=b"", value=b"{}", headers=(("ce_type", "Watermark"),))
    with capture_logs() as logs:
        assert written.apply([broken]) == 1
    assert [(one["event"], one["record"]) for one in logs] == [("site_record_passed_over", "site.log[2]@7")]
    assert written.positions() == {(SITE_LOG, 2): 8}
    assert facts(written) == {}


def test_records_of_types_this_release_does_not_know_are_passed_over(url: str) -> None:
    strange = LogRecord(topic=SITE_LOG, partition=2, offset=7, key=b"", value=b"?", headers=(("ce_type", "Later"),))
    assert Projection(url).apply([strange]) == 1
