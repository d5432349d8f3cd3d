"""Loads removals, administrations and charges out of the tables and has them compared (`sinks.finance.charges`). Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.finance.charges import Amount, Basis, Compared, Said, Side, reconciled, standing
from sinks.finance.master import Document, Master
from sinks.sql import finance_data as data
from sinks.sql.finance import window_of
from sinks.sql.tables import DOSES, MOVEMENTS, REFERENCE

Row = dict[str, Any]
_PATIENT = "patient"


def charges(
    connection: Connection, basis: Basis, *, site: str | None = None, item: str | None = None, matched: bool = False,
    window: tuple[date | None, date | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """Lines of the reconciliation of a window, those that match only when asked for."""
    places = data.sites(connection, site, DOSES)
    by_id = {place.id: place for place in places}
    master = Master(lambda kind: _documents(connection, kind), lambda where, instant: by_id[where].day(instant))
    rows: list[Row] = []
    for place in places:
        first, last = window_of(connection, place, window, DOSES)
        ends = place.starts(first), place.starts(last + timedelta(days=1))
        amounts = [*_removals(connection, place.id, ends), *_doses(connection, place.id, ends, master)]
        lines = reconciled((one for one in amounts if item in (None, one.item)), basis)
        rows += [_row(line) for line in lines if matched or line.state != "matched"]
    return rows


def _row(line: Compared) -> Row:
    shown: Row = msgspec.structs.asdict(line)
    return {**shown, "patient": line.patient or None, "order_id": line.order_id or None, "reason": line.reason or None}


def _documents(connection: Connection, kind: str) -> Iterator[Document]:
    """The reference records of a kind that are in force."""
    here = (REFERENCE.c.kind == kind, REFERENCE.c.document.is_not(None))
    for text in connection.execute(sa.select(REFERENCE.c.document).where(*here).order_by(REFERENCE.c.id)).scalars():
        yield msgspec.json.decode(text)


def _removals(connection: Connection, site: str, ends: tuple[str, str]) -> Iterator[Amount]:
    """What left stock for patients less what came back, by event; what was taken back is nothing."""
    table = MOVEMENTS.c
    stock = sa.func.substr(sa.case((table.to_account == _PATIENT, table.from_account), else_=table.to_account), 1, 6) == "stock:"
    columns = (
        table.event_id, table.kind, table.corrects, table.item, table.quantity, table.to_account, table.patient, table.order_id,
    )  # fmt: skip
    statement = sa.select(*columns).where(
        table.site == site, table.occurred >= ends[0], table.occurred < ends[1], stock,
        sa.or_(table.from_account == _PATIENT, table.to_account == _PATIENT),
    )  # fmt: skip
    sums: dict[tuple[str, str], int] = {}
    whose: dict[tuple[str, str], tuple[str, str]] = {}
    for row in connection.execute(statement.order_by(table.log_partition, table.log_offset)):
        reversal = row.kind == "reversal" and row.corrects
        key = (row.corrects if reversal else row.event_id, row.item)
        sums[key] = sums.get(key, 0) + (row.quantity if row.to_account == _PATIENT else -row.quantity)
        if not reversal:
            whose[key] = (row.patient or "", row.order_id or "")
    for key, quantity in sums.items():
        if quantity:
            yield Amount(Side.REMOVED, site, *whose.get(key, ("", "")), key[1], quantity)


def _doses(connection: Connection, site: str, ends: tuple[str, str], master: Master) -> Iterator[Amount]:
    """Administrations and charges that stand, in base units. What takes back or replaces may be dated outside of the window."""
    table = DOSES.c
    told = sa.or_(table.occurred >= ends[0], table.reverses.is_not(None), table.replaces.is_not(None))
    rows = connection.execute(sa.select(DOSES).where(table.site == site, told).order_by(table.event_id))
    for one in standing(_said(row) for row in rows):
        if not ends[0] <= one.occurred < ends[1] or not one.sign or (one.quantity is None and one.replaces):
            continue
        means = master.item_of(one.codes, site, one.occurred)
        side = Side.CHARGED if one.feed == "charge" else Side.ADMINISTERED
        whose = (one.patient or "", one.order_id or "")
        if means is None:
            named = ", ".join(f"{system} {value}" for system, value in one.codes) or "no code"
            yield Amount(side, site, *whose, named, 0, "its item is not known by its codes")
            continue
        quantity = master.base_units(means, one.quantity, one.unit, is_dose=one.is_dose)
        if isinstance(quantity, str):
            yield Amount(side, site, *whose, means[0], 0, quantity)
        else:
            yield Amount(side, site, *whose, means[0], one.sign * quantity)


def _said(row: Any) -> Said:
    codes = tuple((system, value) for system, value in msgspec.json.decode(row.codes))
    return Said(
        row.event_key, row.site, row.feed, row.kind, row.occurred, codes, bool(row.is_dose), row.version, row.quantity, row.unit,
        row.patient, row.order_id, row.reverses, row.replaces, row.alias,
    )  # fmt: skip
