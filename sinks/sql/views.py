"""What people ask of the projection, each answer a list of plain dicts in a stable order. Reads only; decides nothing.

The command line, the local API and the tower share these. Every filter is optional; `limit` bounds the rows, and `count` says how
many there are without it. Instants come as RFC 3339 text in UTC, dates as ISO 8601, decimals as text.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from schemas.codes import normalise_lot
from schemas.topics import SITE_LOG
from sinks.sql import downtime, genealogy, golive, lots, recalls, scans, summaries, tables
from sinks.sql.engine import open_engine
from sinks.sql.expiry import dated, expiring_query, site_today
from sinks.sql.expiry_risk import with_risk
from sinks.sql.filters import at_place, contains, item_name, shown, touches_place
from sinks.sql.staleness import mark_stale
from sinks.sql.tables import ALERTS, BALANCES, CASES, COMMANDS, HOLDS, KPIS, MOVEMENTS, OUTCOMES, POSITIONS, QUARANTINE, REFERENCE

State = Literal["open", "all", "decision"]
"""`decision`: open, and nothing happens until a person decides."""

Row = dict[str, Any]

_POSITION_ORDERS: Final[dict[str, sa.ColumnElement[Any]]] = {
    "place": POSITIONS.c.location,
    "item": sa.func.lower(sa.func.coalesce(item_name(POSITIONS.c.item), POSITIONS.c.item)),
    "on_hand": POSITIONS.c.on_hand,
    "usable": POSITIONS.c.usable,
    "due": POSITIONS.c.due,
    "minimum": POSITIONS.c.minimum,
    "days_to_stock_out": sa.cast(POSITIONS.c.days_to_stock_out, sa.Numeric),
    "need": POSITIONS.c.urgency_rank,
}
POSITION_ORDERS: Final = tuple(_POSITION_ORDERS)
"""Names that `positions` can be sorted by."""


class Views:
    """Read queries over the tables a `Projection` keeps."""

    def __init__(self, engine_or_url: Engine | str) -> None:
        """The projection's own engine, or the URL of its database. The tables must exist (a `Projection` makes them)."""
        self.engine = open_engine(engine_or_url)
        self.staff_key = b""
        """Key of the pseudonyms of staff; without one nobody is scored."""

    # ---- plumbing ---------------------------------------------------------------------------------------------------

    def _rows(self, statement: sa.Select[Any], limit: int | None = None) -> list[Row]:
        with self.engine.connect() as connection:
            return [shown(row) for row in connection.execute(statement.limit(limit)).mappings()]

    def _marked(self, statement: sa.Select[Any], limit: int | None) -> list[Row]:
        """Rows of places, those that are stale marked."""
        with self.engine.connect() as connection:
            rows = mark_stale(connection, [shown(row) for row in connection.execute(statement.limit(limit)).mappings()])
            return golive.mark_shadow(connection, rows)

    def _documents(self, statement: sa.Select[Any], limit: int | None) -> list[Row]:
        with self.engine.connect() as connection:
            return [msgspec.json.decode(text) for text in connection.execute(statement.limit(limit)).scalars()]

    def count(self, view: str, **filters: Any) -> int:
        """How many rows the named view has with these filters, without a limit. Raises `KeyError` for a view without a count."""
        query = _COUNTED[view]
        with self.engine.connect() as connection:
            inner = query(**filters).order_by(None).subquery()
            return connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one()

    def revision(self) -> int:
        """A number that changes whenever what people see may have: the sum of the offsets, without the site log and its ticks."""
        seen = sa.func.coalesce(sa.func.sum(tables.OFFSETS.c.next_offset), 0)
        with self.engine.connect() as connection:
            return int(connection.execute(sa.select(seen).where(tables.OFFSETS.c.topic != SITE_LOG)).scalar_one())

    # ---- stock ------------------------------------------------------------------------------------------------------

    def stock(self, *, limit: int | None = None, **filters: str | None) -> list[Row]:
        """On hand by place, product, lot, expiry and status. Filters: site, item, location (and below), lot, product.

        Rows of places whose feed is silent have `stale_since`.
        """
        return self._marked(_stock(**filters), limit)

    def positions(
        self,
        *,
        site: str | None = None,
        item: str | None = None,
        location: str | None = None,
        search: str | None = None,
        order: str = "place",
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """Items at places, with the item's name. `order` is one of `POSITION_ORDERS`; unknown values stand last either way.

        Rows of places whose feed is silent have `stale_since`.
        Raises `KeyError` for another order.
        """
        key = _POSITION_ORDERS[order]
        statement = _positions(site=site, item=item, location=location, search=search).order_by(None)
        first = (key.desc() if descending else key.asc()).nulls_last()
        return self._marked(statement.order_by(first, POSITIONS.c.site, POSITIONS.c.item, POSITIONS.c.location), limit)

    def expiring(
        self,
        now: datetime,
        *,
        within_days: int = 90,
        site: str | None = None,
        item: str | None = None,
        location: str | None = None,
        at_risk: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """Lots on hand that have expired or expire within the days, soonest first, in the calendar of each site at `now`.

        A lot dated today has `days` 0 and may still be used today; below 0 it has expired. `risk` is how much of it will not be
        used before, at the rate at which its place uses the item (`sinks.expiry.risk`); `at_risk` leaves out lots without any.
        """
        with self.engine.connect() as connection:
            statement, days_of = expiring_query(connection, now, within_days=within_days)
            statement = _given(statement, BALANCES, site=site, item=item)
            if location is not None:
                statement = statement.where(at_place(BALANCES.c.location, location))
            rows = connection.execute(statement.limit(None if at_risk else limit)).mappings()
            found = [dated(shown(row), days_of(row["site"], row["expiry"])) for row in rows]
            found = with_risk(connection, found, site_today(connection, now))
        return [row for row in found if row["risk"] or not at_risk][:limit]

    def expiring_count(self, now: datetime, *, within_days: int = 90, site: str | None = None) -> int:
        """How many rows `expiring` has without a limit."""
        with self.engine.connect() as connection:
            statement, _ = expiring_query(connection, now, within_days=within_days)
            inner = _given(statement, BALANCES, site=site).order_by(None).subquery()
            return connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one()

    def movements(self, *, newest_first: bool = False, limit: int | None = None, **filters: str | None) -> list[Row]:
        """Ledger entries in time order. Filters: site, item, location (and below), lot, product, kind, event_id, command.

        `command` gives what names the command as its order or cause, and what moved at its place while it was open.
        """
        statement = _movements(**filters)
        if newest_first:
            statement = statement.order_by(None).order_by(MOVEMENTS.c.occurred.desc(), MOVEMENTS.c.movement_id.desc())
        return self._rows(statement, limit)

    def trace(self, lot: str, *, limit: int | None = None) -> list[Row]:
        """Every movement of a lot, everywhere, in time order. Blanks, hyphens and case of the lot number do not matter."""
        return self.movements(lot=lot, limit=limit)

    def genealogy(self, lot: str, *, limit: int | None = None) -> list[Row]:
        """What a lot was made of, and what was made of it; see `genealogy.genealogy`."""
        with self.engine.connect() as connection:
            return genealogy.genealogy(connection, lot)[:limit]

    def containers(self, *, limit: int | None = None, **filters: str | None) -> list[Row]:
        """Opened containers, and stock with a beyond-use time, on hand: what ends first comes first. Filters as of `stock`."""
        return self._marked(_containers(**filters), limit)

    def lots(self, *, site: str | None = None, item: str | None = None, location: str | None = None) -> list[Row]:
        """What may lie where, lot by lot: sure and probable quantities (`sinks.lots.knowledge.lines_of`)."""
        with self.engine.connect() as connection:
            return lots.lot_rows(connection, site=site, item=item, location=location)

    def recalls(self) -> list[Row]:
        """Recall notices by id, those in force and those released, with the sites at which each is effective and pending."""
        return recalls.with_sites(self.reference("recall"), self.recall_sites())

    def recall_sites(self, *, notice: str | None = None, site: str | None = None) -> list[Row]:
        """Each recall notice at each site, effective or pending; see `recalls.sites_of`."""
        with self.engine.connect() as connection:
            return recalls.sites_of(connection, notice, site)

    def lookback(self, notice: str, *, site: str | None = None) -> list[Row] | None:
        """Whom and what a recall concerns (`sinks.recalls.lookback`); None when there is no such notice."""
        with self.engine.connect() as connection:
            return recalls.lookback_rows(connection, notice, site)

    # ---- work -------------------------------------------------------------------------------------------------------

    def commands(
        self, *, state: State = "open", site: str | None = None, item: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """The full command documents: stock-outs first, then critical, then routine, each oldest first."""
        statement = _commands(state=state, site=site, item=item).with_only_columns(COMMANDS.c.document)
        return self._documents(statement, limit)

    def command(self, command_id: str) -> Row | None:
        """One command document, or None."""
        found = self._documents(sa.select(COMMANDS.c.document).where(COMMANDS.c.command_id == command_id), 1)
        return found[0] if found else None

    def cases(
        self, *, state: State = "open", site: str | None = None, item: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """The full case documents, open ones first, each oldest first."""
        statement = _cases(state=state, site=site, item=item).with_only_columns(CASES.c.document)
        return self._documents(statement, limit)

    def alerts(self, *, site: str | None = None, item: str | None = None, limit: int | None = None) -> list[Row]:
        """Alerts, newest first."""
        return self._rows(_alerts(site=site, item=item), limit)

    def holds(self, *, site: str | None = None, limit: int | None = None) -> list[Row]:
        """Items that wait for a fact, longest waiting first."""
        return self._rows(_holds(site=site), limit)

    def quarantine(
        self,
        *,
        site: str | None = None,
        message: tuple[int, int] | None = None,
        with_body: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """What could not be understood, newest first; the body (base64) only when asked for. `message`: partition and offset."""
        return self._rows(_quarantine(site=site, message=message, with_body=with_body), limit)

    def quarantine_sizes(self, *, site: str | None = None, message: tuple[int, int] | None = None, limit: int) -> list[int]:
        """Characters of the bodies of the first rows of `quarantine`, in its order."""
        size = sa.func.coalesce(sa.func.length(QUARANTINE.c.body_base64), 0).label("size")
        statement = _quarantine(site=site, message=message).with_only_columns(size)
        return [int(row["size"]) for row in self._rows(statement, limit)]

    # ---- totals -----------------------------------------------------------------------------------------------------

    def outcomes_summary(self, *, source: str | None = None) -> Row:
        """Received against accepted + duplicate + held + quarantined; see `summaries.outcomes_summary`."""
        with self.engine.connect() as connection:
            return summaries.outcomes_summary(connection, source=source)

    def network_summary(self, now: datetime | None = None) -> list[Row]:
        """One row a site; see `summaries.network_summary`. Without `now`, the newest event time stands for it."""
        with self.engine.connect() as connection:
            return summaries.network_summary(connection, now)

    def ledger_summary(self) -> Row:
        """Entries, entries that name their cause, commands, and commands that carry a proof."""
        with self.engine.connect() as connection:
            return summaries.ledger_summary(connection)

    def clock(self) -> str | None:
        """The newest instant that the tables know of: of an event, or of the ticks at which indicators were published."""
        with self.engine.connect() as connection:
            return summaries.clock(connection)

    def newest_event(self) -> str | None:
        """The newest event time in the ledger, or None when it is empty."""
        with self.engine.connect() as connection:
            return summaries.newest_event(connection)

    def kpis(self, *, site: str | None = None) -> list[Row]:
        """Indicators by site and name."""
        statement = sa.select(*_all_but(KPIS, "record_key")).order_by(KPIS.c.site, KPIS.c.kpi)
        return self._rows(statement if site is None else statement.where(KPIS.c.site == site))

    def sites(self) -> list[Row]:
        """The sites of the reference data, as they were loaded."""
        return self.reference("site")

    def reference(self, kind: str) -> list[Row]:
        """The records of one kind that are in force, by id."""
        here = (REFERENCE.c.kind == kind, REFERENCE.c.document.is_not(None))
        return self._documents(sa.select(REFERENCE.c.document).where(*here).order_by(REFERENCE.c.id), None)

    def reference_below(self, kind: str, prefix: str) -> list[Row]:
        """The records of one kind whose ids begin so."""
        here = (REFERENCE.c.kind == kind, REFERENCE.c.document.is_not(None), REFERENCE.c.id.startswith(prefix, autoescape=True))
        return self._documents(sa.select(REFERENCE.c.document).where(*here).order_by(REFERENCE.c.id), None)

    def scans(self, session: str) -> Row:
        """How the scans of one session ended; see `scans.session_scans`."""
        return scans.session_scans(self.engine, session)

    def movements_between(self, site: str, start: datetime, end: datetime) -> list[Row]:
        """Movements of a stretch of time; see `downtime.movements_between`."""
        return downtime.movements_between(self.engine, site, start, end)

    def ended(self, source: str) -> list[Row]:
        """How the items of a source ended; see `downtime.ended`."""
        return downtime.ended(self.engine, source)

    def heard(self, site: str) -> Row:
        """How far a site's stock reaches, and its feeds; see `downtime.heard`."""
        return downtime.heard(self.engine, site)

    def go_live(self) -> list[Row]:
        """Modes of the sites that have one, as they were decided; a site without one is live."""
        return self.reference("go_live")

    def outcomes(self, *, source: str | None = None, limit: int | None = None) -> list[Row]:
        """How each received item ended, in the order of the raw log."""
        order = (OUTCOMES.c.raw_partition, OUTCOMES.c.raw_offset, OUTCOMES.c.raw_index)
        statement = sa.select(*_all_but(OUTCOMES, "record_key")).order_by(*order)
        return self._rows(statement if source is None else statement.where(OUTCOMES.c.source == source), limit)


def _all_but(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    return [column for column in table.columns if column.name not in names]


def _given(statement: sa.Select[Any], table: sa.Table, **equal: str | None) -> sa.Select[Any]:
    """Add an equality for each filter that is given."""
    for name, value in equal.items():
        if value is not None:
            statement = statement.where(table.c[name] == value)
    return statement


def _stock(
    *,
    site: str | None = None,
    item: str | None = None,
    location: str | None = None,
    lot: str | None = None,
    product: str | None = None,
) -> sa.Select[Any]:
    table = BALANCES.c
    grouped = (table.site, table.location, table.item, table.product, table.lot, table.expiry, table.status)
    quantity = sa.cast(sa.func.sum(table.quantity), sa.BigInteger).label("quantity")
    statement = sa.select(*grouped, quantity, table.unit).group_by(*grouped, table.unit)
    statement = statement.order_by(*(column.nulls_last() if column is table.expiry else column for column in grouped))
    statement = _given(statement, BALANCES, site=site, item=item, product=product)
    if location is not None:
        statement = statement.where(at_place(table.location, location))
    if lot is not None:
        statement = statement.where(table.lot_key == normalise_lot(lot))
    return statement


def _containers(**filters: str | None) -> sa.Select[Any]:
    table = BALANCES.c
    location, lot = filters.pop("location", None), filters.pop("lot", None)
    columns = (
        table.site, table.location, table.item, table.product, table.lot, table.container, table.expiry, table.beyond_use,
        table.status, table.quantity, table.unit,
    )  # fmt: skip
    order = (table.beyond_use.nulls_last(), table.expiry.nulls_last(), table.site, table.location, table.item, table.container)
    statement = sa.select(*columns).where(sa.or_(table.container.is_not(None), table.beyond_use.is_not(None))).order_by(*order)
    statement = _given(statement, BALANCES, **filters)
    if location is not None:
        statement = statement.where(at_place(table.location, location))
    return statement if lot is None else statement.where(table.lot_key == normalise_lot(lot))


def _positions(
    *, site: str | None = None, item: str | None = None, location: str | None = None, search: str | None = None
) -> sa.Select[Any]:
    name = item_name(POSITIONS.c.item)
    statement = sa.select(*_all_but(POSITIONS, "record_key"), name.label("item_name"))
    statement = _given(statement, POSITIONS, site=site, item=item)
    if location is not None:
        statement = statement.where(at_place(POSITIONS.c.location, location))
    for word in (search or "").split():
        statement = statement.where(
            sa.or_(*(contains(column, word) for column in (POSITIONS.c.item, name, POSITIONS.c.location)))
        )
    return statement


def _commands(*, state: State = "open", site: str | None = None, item: str | None = None) -> sa.Select[Any]:
    table = COMMANDS.c
    order = (table.is_open.desc(), table.urgency_rank.desc(), table.opened_at, table.command_id)
    statement = _given(sa.select(COMMANDS), COMMANDS, site=site, item=item).order_by(*order)
    if state == "decision":
        statement = statement.where(table.state.in_(sorted(summaries.DECISION_STATES)), table.shadow.is_(False))
    return statement if state == "all" else statement.where(table.is_open == 1)


def _cases(*, state: State = "open", site: str | None = None, item: str | None = None) -> sa.Select[Any]:
    order = (CASES.c.state.desc(), CASES.c.opened_at, CASES.c.case_id)
    statement = _given(sa.select(CASES), CASES, site=site, item=item).order_by(*order)
    return statement if state == "all" else statement.where(CASES.c.state == "open")


def _alerts(*, site: str | None = None, item: str | None = None) -> sa.Select[Any]:
    return _given(sa.select(ALERTS), ALERTS, site=site, item=item).order_by(ALERTS.c.at.desc(), ALERTS.c.alert_id)


def _holds(*, site: str | None = None) -> sa.Select[Any]:
    return _given(sa.select(*_all_but(HOLDS, "record_key")), HOLDS, site=site).order_by(HOLDS.c.since, HOLDS.c.event_id)


def _quarantine(
    *, site: str | None = None, message: tuple[int, int] | None = None, with_body: bool = False
) -> sa.Select[Any]:  # fmt: skip
    columns = _all_but(QUARANTINE, "record_key", *(() if with_body else ("body_base64",)))
    table = QUARANTINE.c
    order = (table.at.desc(), table.raw_partition, table.raw_offset, table.raw_index)
    statement = _given(sa.select(*columns), QUARANTINE, site=site).order_by(*order)
    if message is None:
        return statement
    return statement.where(table.raw_partition == message[0], table.raw_offset == message[1])


_UNSEEN: Final = ("lot_key", "known", "log_partition", "log_offset")
"""Columns of movements that only queries need."""


def _movements(
    *,
    site: str | None = None,
    item: str | None = None,
    location: str | None = None,
    lot: str | None = None,
    product: str | None = None,
    kind: str | None = None,
    event_id: str | None = None,
    command: str | None = None,
) -> sa.Select[Any]:
    table = MOVEMENTS.c
    statement = sa.select(*_all_but(MOVEMENTS, *_UNSEEN)).order_by(table.occurred, table.movement_id)
    statement = _given(statement, MOVEMENTS, site=site, item=item, product=product, kind=kind, event_id=event_id)
    if lot is not None:
        statement = statement.where(table.lot_key == normalise_lot(lot))
    if location is not None:
        statement = statement.where(touches_place(location))
    if command is not None:
        statement = statement.where(_of_command(command))
    return statement


def _of_command(command: str) -> sa.ColumnElement[bool]:
    """Movements that name the command, or happened at its place and item between its opening and its closing."""
    table, given = MOVEMENTS.c, COMMANDS.c
    account = "stock:" + given.location
    while_open = sa.exists().where(
        given.command_id == command,
        given.site == table.site,
        given.item == table.item,
        table.occurred >= given.opened_at,
        sa.or_(given.closed_at.is_(None), table.occurred <= given.closed_at),
        sa.or_(table.from_account == account, table.to_account == account),
    )
    return sa.or_(table.order_id == command, table.cause == command, while_open)


_COUNTED: Final = {
    "stock": _stock,
    "positions": _positions,
    "commands": _commands,
    "cases": _cases,
    "alerts": _alerts,
    "holds": _holds,
    "quarantine": _quarantine,
    "movements": _movements,
}
