"""Reads a site's history out of the tables for the indicator rules. Owns the queries and the resolving of counted codes; no rule.

A count that moved something says by its movements what was counted where. One that moved nothing is resolved here, by the
reference data in force; what that leaves open counts for the site alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.ids import derived_id
from schemas.kinds import STOCK_KINDS, Outcome
from sinks.indicators.counting import standing_counts
from sinks.indicators.model import NO_PLACE, Count, Entry, History, Need, Reversal, Stuck
from sinks.indicators.standing import BOOKKEEPING, standing
from sinks.sql.facts import COMPLETE, COUNT, SITE_FACTS, TAKEN_BACK
from sinks.sql.master import Resolver, read_reference
from sinks.sql.tables import ALERTS, CASES, COMMANDS, KPIS, MOVEMENTS, OUTCOMES

AHEAD_MAX: Final = timedelta(hours=1)
"""An event farther ahead of what the hub has heard of time has a wrong clock: it is counted, and is not the as-of time."""
_BREAKS: Final = ("unusable_given", "unwitnessed_waste", "ambiguous_duplicate", "conflicting_duplicate")
"""Kinds of cases about one fact that broke a rule."""


def sites_of(connection: Connection) -> list[str]:
    """Sites that have a ledger, commands or counts."""
    found: set[str] = set()
    for column in (MOVEMENTS.c.site, COMMANDS.c.site, SITE_FACTS.c.site):
        found.update(connection.execute(sa.select(column).distinct()).scalars())
    return sorted(found - {""})


def read_history(connection: Connection, site: str) -> History:
    """All that the indicators of a site are made of."""
    entries = tuple(_entries(connection, site))
    reference, resolver = read_reference(connection, site)
    counts = _counts(connection, site, entries, resolver)
    backs = sa.select(SITE_FACTS.c.document, SITE_FACTS.c.at).where(SITE_FACTS.c.kind == TAKEN_BACK, SITE_FACTS.c.site == site)
    reversals = [
        Reversal(msgspec.json.decode(text)["event_key"], datetime.fromisoformat(at)) for text, at in connection.execute(backs)
    ]
    cases = sa.select(CASES.c.event_id).where(CASES.c.site == site, CASES.c.kind.in_(_BREAKS), CASES.c.event_id.is_not(None))
    taken = History(
        site=site, entries=entries, as_of=None, counts=counts, reference=reference,
        reversals=tuple(reversals), needs=tuple(_needs(connection, site)), stuck=tuple(_stuck(connection, site)),
        overridden=_overridden(connection, site, entries), broken=frozenset(connection.execute(cases).scalars()),
    )  # fmt: skip
    return replace(taken, as_of=_as_of(connection, taken))


def watermark(connection: Connection, site: str) -> str | None:
    """Up to when all sources of a site are complete: the lowest of their watermarks, else the newest published tick."""
    marks = sa.select(sa.func.min(SITE_FACTS.c.at)).where(SITE_FACTS.c.kind == COMPLETE, SITE_FACTS.c.site == site)
    lowest: str | None = connection.execute(marks).scalar_one()
    if lowest is not None:
        return lowest
    tick: str | None = connection.execute(sa.select(sa.func.max(KPIS.c.as_of)).where(KPIS.c.site == site)).scalar_one()
    return tick


def _as_of(connection: Connection, taken: History) -> datetime | None:
    """The highest event time of what stands, leaving out clocks that are ahead of what the hub has heard."""
    times = [one.occurred for one in (*standing(taken.entries), *standing_counts(taken), *taken.reversals)]
    heard = sa.select(sa.func.max(SITE_FACTS.c.at)).where(SITE_FACTS.c.kind == COMPLETE, SITE_FACTS.c.site == taken.site)
    newest = connection.execute(heard).scalar_one()
    limit = datetime.fromisoformat(newest) + AHEAD_MAX if newest else None
    believed = [at for at in times if limit is None or at <= limit]
    return max(believed or times, default=None)


def _entries(connection: Connection, site: str) -> Iterator[Entry]:
    names = (
        "movement_id", "site", "event_id", "kind", "item", "product", "lot", "quantity", "from_account", "to_account", "cause",
        "corrects", "order_id",
    )  # fmt: skip
    columns = [MOVEMENTS.c[name] for name in names]
    statement = sa.select(*columns, MOVEMENTS.c.occurred, MOVEMENTS.c.expiry).where(MOVEMENTS.c.site == site)
    for row in connection.execute(statement).mappings():
        expiry = date.fromisoformat(row["expiry"]) if row["expiry"] else None
        given: dict[str, Any] = {name: row[name] for name in names}
        yield Entry(**given, occurred=datetime.fromisoformat(row["occurred"]), expiry=expiry)


def _counts(connection: Connection, site: str, entries: tuple[Entry, ...], resolver: Resolver) -> tuple[Count, ...]:
    """Counts that were posted."""
    told = sa.select(SITE_FACTS.c.at, SITE_FACTS.c.document).where(SITE_FACTS.c.kind == COUNT, SITE_FACTS.c.site == site)
    done = sa.select(OUTCOMES.c.event_ids).where(
        OUTCOMES.c.site == site, OUTCOMES.c.outcome == Outcome.ACCEPTED.value, OUTCOMES.c.code == "posted"
    )
    posted = set(connection.execute(done).scalars())
    moved = {one.event_id: one for one in entries if one.kind not in BOOKKEEPING}
    found = []
    for at, text in connection.execute(told):
        fact = msgspec.json.decode(text)
        if fact["event_id"] not in posted:
            continue
        occurred, own = datetime.fromisoformat(at), moved.get(fact["event_id"])
        location = (own.target or own.source if own else None) or resolver.place(fact["places"], fact["pocket"]) or NO_PLACE
        found.append(
            Count(
                event_id=fact["event_id"], keys=tuple(key for key in fact["keys"] if key), report=fact["report"],
                fact=fact["fact"], site=site, location=location, item=own.item if own else resolver.item(fact["codes"], occurred),
                occurred=occurred, version=fact["version"],
            )
        )  # fmt: skip
    return tuple(found)


def _needs(connection: Connection, site: str) -> Iterator[Need]:
    table = COMMANDS.c
    columns = (
        table.command_id, table.site, table.location, table.item, table.kind, table.state, table.quantity, table.opened_at,
        table.closed_at, table.supplier,
    )  # fmt: skip
    for row in connection.execute(sa.select(*columns).where(table.site == site)):
        closed = datetime.fromisoformat(row.closed_at) if row.closed_at else None
        yield Need(*row[:7], datetime.fromisoformat(row.opened_at), closed, row.supplier)


def _stuck(connection: Connection, site: str) -> Iterator[Stuck]:
    """Held and quarantined items that are, or may be, facts about stock."""
    stuck = (Outcome.HELD.value, Outcome.QUARANTINED.value)
    statement = sa.select(OUTCOMES.c.at, OUTCOMES.c.kinds).where(OUTCOMES.c.site == site, OUTCOMES.c.outcome.in_(stuck))
    stock = {kind.value for kind in STOCK_KINDS}
    for at, kinds in connection.execute(statement):
        if not kinds or stock.intersection(kinds.split()):
            yield Stuck(site, datetime.fromisoformat(at))


def _overridden(connection: Connection, site: str, entries: tuple[Entry, ...]) -> frozenset[str]:
    """Causes of removals on override: an alert's id is made of the key of its event."""
    said = sa.select(ALERTS.c.alert_id).where(ALERTS.c.site == site, ALERTS.c.kind == "override")
    alerts = set(connection.execute(said).scalars())
    if not alerts:
        return frozenset()
    return frozenset(one.cause for one in entries if derived_id("alert", site, "override", one.cause) in alerts)
