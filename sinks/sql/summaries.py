"""Totals over the projection: the equation of outcomes, the state of each site, the health of the ledger. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.kinds import CommandState, Outcome, Urgency
from sinks.sql.expiry import expiry_counts, site_zones
from sinks.sql.filters import shown
from sinks.sql.golive import site_modes
from sinks.sql.tables import BALANCES, CASES, COMMANDS, HOLDS, KPIS, MOVEMENTS, OUTCOMES, POSITIONS, QUARANTINE, REFERENCE

Row = dict[str, Any]


def outcomes_summary(connection: Connection, *, source: str | None = None) -> Row:
    """`received` (items that the messages declared), the counts of each outcome, and whether the two agree.

    `adds_up` asks more than equal sums: every message has exactly as many outcomes as it declared items. `messages_open` counts
    those that do not. `reasons` lists the counts by (source, outcome, code). `held_then_accepted` are counted transfers.
    """
    table = OUTCOMES.c
    where = [] if source is None else [table.source == source]
    items = table["items"]
    declared = sa.func.max(items)
    per_message = (
        sa.select(declared.label("declared"), sa.func.count().label("ended"), sa.func.min(items).label("least"))
        .where(*where)
        .group_by(table.raw_partition, table.raw_offset)
        .subquery()
    )
    wrong = sa.or_(per_message.c.declared != per_message.c.ended, per_message.c.declared != per_message.c.least)
    totals = connection.execute(
        sa.select(
            sa.func.count(),
            sa.cast(sa.func.coalesce(sa.func.sum(per_message.c.declared), 0), sa.BigInteger),
            sa.cast(sa.func.coalesce(sa.func.sum(sa.case((wrong, 1), else_=0)), 0), sa.BigInteger),
        )
    ).one()
    grouped = (table.source, table.outcome, table.code)
    statement = sa.select(*grouped, sa.func.count().label("items")).where(*where).group_by(*grouped).order_by(*grouped)
    reasons = [shown(row) for row in connection.execute(statement).mappings()]
    counts = {outcome.value: 0 for outcome in Outcome}
    for row in reasons:
        counts[row["outcome"]] += row["items"]
    transfers = sa.select(sa.func.count()).where(*where, table.was == Outcome.HELD.value, table.outcome == Outcome.ACCEPTED.value)
    return {
        "messages": totals[0],
        "received": totals[1],
        "counts": counts,
        "reasons": reasons,
        "held_then_accepted": connection.execute(transfers).scalar_one(),
        "messages_open": totals[2],
        "adds_up": totals[2] == 0 and totals[1] == sum(counts.values()),
    }


def ledger_summary(connection: Connection) -> Row:
    """How much of the ledger and of the commands is explained."""
    entries = connection.execute(sa.select(sa.func.count()).select_from(MOVEMENTS)).scalar_one()
    uncaused = connection.execute(sa.select(sa.func.count()).where(MOVEMENTS.c.cause == "")).scalar_one()
    commands = connection.execute(sa.select(sa.func.count()).select_from(COMMANDS)).scalar_one()
    unproven = connection.execute(
        sa.select(sa.func.count()).where(COMMANDS.c.document.contains('"proof":{}', autoescape=True))
    ).scalar_one()
    return {
        "movements": entries,
        "movements_with_cause": entries - uncaused,
        "commands": commands,
        "commands_with_proof": commands - unproven,
    }


def clock(connection: Connection) -> str | None:
    """The newest instant that the tables know of: of an event, or of the ticks at which indicators were published."""
    ticked = connection.execute(sa.select(sa.func.max(KPIS.c.as_of))).scalar_one()
    found = [text for text in (newest_event(connection), ticked and shown({"at": ticked})["at"]) if text]
    return max(found, key=datetime.fromisoformat, default=None)


def newest_event(connection: Connection) -> str | None:
    """The newest event time of any site's ledger or positions."""
    found = [
        connection.execute(sa.select(sa.func.max(column))).scalar_one() for column in (MOVEMENTS.c.occurred, POSITIONS.c.as_of)
    ]
    newest = max((text for text in found if text), default=None)
    return newest and shown({"at": newest})["at"]


def _by_site(connection: Connection, column: sa.ColumnElement[Any], value: sa.ColumnElement[Any], *where: Any) -> dict[str, Any]:
    """One value a site."""
    statement = sa.select(column, value).where(*where).group_by(column)
    return {row[0]: row[1] for row in connection.execute(statement) if row[0] is not None}


def _known_sites(connection: Connection) -> dict[str, str]:
    """Names of the sites of the reference data, and of every site that has positions (under its id)."""
    named = sa.select(REFERENCE.c.id, REFERENCE.c.name).where(REFERENCE.c.kind == "site", REFERENCE.c.document.is_not(None))
    names = {row.id: row.name or row.id for row in connection.execute(named)}
    for table in (POSITIONS, BALANCES, COMMANDS, CASES):
        for site in connection.execute(sa.select(table.c.site).distinct()).scalars():
            names.setdefault(site, site)
    return names


def _commands_by_site(connection: Connection) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Open commands by urgency, and those that wait for a person (approval, or an answer to a rejection)."""
    table = COMMANDS.c
    statement = sa.select(table.site, table.urgency, table.state, sa.func.count(), table.shadow).where(table.is_open == 1)
    by_urgency: dict[str, dict[str, int]] = {}
    waiting: dict[str, int] = {}
    groups = (table.site, table.urgency, table.state, table.shadow)
    for site, urgency, state, number, shadow in connection.execute(statement.group_by(*groups)):
        counts = by_urgency.setdefault(site, {each.value: 0 for each in Urgency})
        counts[urgency] += number
        if state in DECISION_STATES and not shadow:
            waiting[site] = waiting.get(site, 0) + number
    return by_urgency, waiting


DECISION_STATES = frozenset(
    {CommandState.AWAITING_APPROVAL.value, CommandState.AWAITING_DOCUMENT.value, CommandState.REJECTED.value}
)
"""Command states in which nothing happens until a person decides."""


def network_summary(connection: Connection, now: datetime | None = None) -> list[Row]:
    """What a pharmacist asks of each site first, by site id. Counts are of items at places (positions) unless named otherwise.

    `usable` have something to give; `constrained` are at or below their critical level; `expiring_30`, `expiring_90` and
    `expired` count lots at places in the site's calendar; `decisions` are commands that wait for a person, plus open cases.
    """
    seen = newest_event(connection)
    instant = now or (datetime.fromisoformat(seen) if seen else None)
    expiring = expiry_counts(connection, instant) if instant else {}
    count = sa.func.count()
    usable = _by_site(connection, POSITIONS.c.site, count, POSITIONS.c.usable > 0)
    positions = _by_site(connection, POSITIONS.c.site, count)
    constrained = _by_site(connection, POSITIONS.c.site, count, POSITIONS.c.usable <= POSITIONS.c.critical)
    cases = _by_site(connection, CASES.c.site, count, CASES.c.state == "open")
    held = _by_site(connection, HOLDS.c.site, count)
    quarantined = _by_site(connection, QUARANTINE.c.site, count)
    newest = _by_site(connection, MOVEMENTS.c.site, sa.func.max(MOVEMENTS.c.occurred))
    by_urgency, waiting = _commands_by_site(connection)
    zones = site_zones(connection)
    modes = site_modes(connection)
    none_expiring = {"expired": 0, "expiring_30": 0, "expiring_90": 0}
    return [
        shown(
            {
                "site": site,
                "name": name,
                "zone": zones.get(site, "UTC"),
                "mode": modes.get(site, "live"),
                "positions": positions.get(site, 0),
                "usable": usable.get(site, 0),
                "constrained": constrained.get(site, 0),
                **expiring.get(site, none_expiring),
                "commands": by_urgency.get(site, {each.value: 0 for each in Urgency}),
                "open_cases": cases.get(site, 0),
                "decisions": waiting.get(site, 0) + cases.get(site, 0),
                "held": held.get(site, 0),
                "quarantined": quarantined.get(site, 0),
                "newest_event": newest.get(site),
            }
        )
        for site, name in sorted(_known_sites(connection).items())
    ]
