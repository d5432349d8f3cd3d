"""What people ask about money, each answer a list of plain dicts in a stable order. Reads only; the rules are in `sinks.finance`.

Money is text with two decimals in the currency of the costs; an unknown value is null, never 0.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from heapq import merge
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.finance.chain import Chain, PoolKey
from sinks.finance.costs import Costs
from sinks.finance.journal import Journal, Posting
from sinks.finance.layers import Method
from sinks.finance.money import cents, divided, money_text, unit_text
from sinks.finance.valuation import YEAR_DAYS, LotValue, ProductValue, Turnover, lot_values, product_values, turnover
from sinks.sql import finance_data as data
from sinks.sql import return_credits
from sinks.sql.tables import BALANCES

Row = dict[str, Any]
WINDOW_DAYS: Final = 30
"""Days of a window whose beginning is not given."""


def valuation(
    connection: Connection, method: Method, *, site: str | None = None, item: str | None = None, at: date | None = None,
    lots: bool = False,
) -> list[Row]:  # fmt: skip
    """Value of stock at the end of a date at each site (None: now, whatever its time), by product or by lot and place."""
    known = data.costs(connection)
    rows: list[Row] = []
    for place in data.sites(connection, site):
        until = None if at is None else place.starts(at + timedelta(days=1))
        chains = data.chains(connection, place, method, known, item)
        if lots:
            rows += _lot_rows(connection, place, chains, until, at)
        else:
            rows += [_product_row(place.id, one) for chain in chains for one in product_values(chain, until)]
    return rows


def _product_row(site: str, one: ProductValue) -> Row:
    return {
        "site": site, "item": one.item, "product": one.product, "account": one.account, "quantity": one.quantity,
        "unpriced": one.unpriced, "unit_cost": unit_text(one.unit_cost), "value": _money(one.value),
    }  # fmt: skip


def _lot_rows(connection: Connection, site: data.Site, chains: list[Chain], until: str | None, at: date | None) -> list[Row]:
    names = data.lot_names(connection, site.id)
    statuses = _statuses(connection, site.id) if at is None else {}
    rows = []
    for chain in chains:
        for one in lot_values(chain, until):
            name = names[one.item, one.product, one.lot]
            rows.append(
                {
                    "site": site.id, "item": one.item, "product": one.product, "account": one.account, "location": one.location,
                    "lot": name.lot, "expiry": name.expiry, "container": one.container or None,
                    "status": statuses.get(_place_of(one)) if at is None else _status_at(name.expiry, at),
                    "quantity": one.quantity, "value": _money(one.value),
                }
            )  # fmt: skip
    return rows


def _status_at(expiry: str | None, at: date) -> str:
    """Of a past date only the calendar is known: a lot dated that day was still good."""
    return "expired" if expiry is not None and expiry < at.isoformat() else "not_expired"


def _place_of(one: LotValue) -> tuple[str, ...]:
    return one.location, one.item, one.product, one.lot, one.container


def _statuses(connection: Connection, site: str) -> dict[tuple[str, ...], str]:
    table = BALANCES.c
    columns = (table.location, table.item, table.product, table.lot_key, table.container, table.status)
    rows = connection.execute(sa.select(*columns).where(table.site == site))
    return {(*row[:4], row.container or ""): row.status for row in rows}


def turns(
    connection: Connection, method: Method, *, site: str | None = None, item: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """Cost of goods used against average value, a row a site. Raises `ValueError` for a window that is none or too long."""
    known = data.costs(connection)
    rows = []
    for place in data.sites(connection, site):
        first, last = window_of(connection, place, window)
        found = turnover(data.chains(connection, place, method, known, item), (first, last), place.starts)
        rows.append({"site": place.id, "from": first.isoformat(), "to": last.isoformat(), **_turn_row(found)})
    return rows


def window_of(
    connection: Connection, site: data.Site, given: tuple[date | None, date | None], *tables: sa.Table
) -> tuple[date, date]:  # fmt: skip
    """The window asked for. Left open: `WINDOW_DAYS` up to the site's newest movement (or row of `tables`), from its first on."""
    oldest, newest = data.days_told_of(connection, site, *tables)
    last = given[1] or newest
    return given[0] or min(max(last - timedelta(days=WINDOW_DAYS - 1), oldest), last), last


def _turn_row(found: Turnover) -> Row:
    hundredths = divided(found.cogs * 100, found.average) if found.average > 0 else None
    yearly = divided(found.cogs * 100 * YEAR_DAYS, found.average * found.days) if found.average > 0 else None
    return {
        "days": found.days, "cogs": _exact(found.cogs), "waste": _exact(found.waste), "opening_value": _exact(found.opening),
        "closing_value": _exact(found.closing), "average_value": _exact(found.average), "turns": _money(hundredths),
        "turns_a_year": _money(yearly), "unpriced": found.unpriced,
    }  # fmt: skip


def journal(
    connection: Connection, method: Method, *, site: str | None = None, item: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """The posting feed: balanced pairs whose posting date lies in the window, in the order they were posted."""
    known, classes = data.costs(connection), data.item_classes(connection)
    first, last = ((day.isoformat() if day else None) for day in window)
    rows = []
    for place in data.sites(connection, site):
        made = _journal(place, method, known)
        valued = made.postings(data.moves(connection, place.id))
        credited = return_credits.postings(connection, place.id)
        for posting in merge(valued, credited, key=lambda one: one.known):
            day = place.day(posting.known)
            if (first is None or first <= day) and (last is None or day <= last) and item in (None, posting.item):
                rows.append(_posting_row(place, posting, day, classes.get(posting.item, "not_scheduled")))
    return rows


def _journal(site: data.Site, method: Method, known: Costs) -> Journal:
    return Journal(site.id, method, known, site.in_transit)


def _posting_row(site: data.Site, one: Posting, day: str, item_class: str) -> Row:
    return {
        "posting_id": one.posting_id, "period": day[:7], "posting_date": day, "document_date": site.day(one.occurred),
        "site": one.site, "debit": one.debit, "credit": one.credit, "amount": _money(one.amount),
        "debit_location": one.debit_location, "credit_location": one.credit_location, "item": one.item,
        "item_class": item_class, "product": one.product, "lot": one.lot, "quantity": one.quantity, "unpriced": one.unpriced,
        "reason": one.reason, "kind": one.kind, "movement_id": one.movement_id, "event_id": one.event_id,
        "known": data.seen(one.known), "occurred": data.seen(one.occurred),
    }  # fmt: skip


def check(connection: Connection, *, site: str | None = None) -> list[Row]:
    """Whether layers, journal and ledger agree, a row a site and method.

    `quantity_differences` are products whose layers hold another quantity than the balances; `value_differences` those whose
    account in the journal is not the value of their layers, to the cent; `out_of_balance` is the sum of all debits less credits.
    """
    known = data.costs(connection)
    rows = []
    for place in data.sites(connection, site):
        held = _held(connection, place)
        rows += [
            {"site": place.id, "method": method.value, **_checked(connection, place, method, known, held)} for method in Method
        ]
    return rows


def _checked(
    connection: Connection, site: data.Site, method: Method, known: Costs, held: Counter[tuple[str, PoolKey]]
) -> Row:
    made = _journal(site, method, known)
    posted: Counter[str] = Counter()
    number = 0
    for posting in made.postings(data.moves(connection, site.id)):
        number += 1
        posted[posting.debit] += posting.amount or 0
        posted[posting.credit] -= posting.amount or 0
    quantities: Counter[tuple[str, PoolKey]] = Counter()
    values: Counter[tuple[str, PoolKey]] = Counter()
    for chain in data.chains(connection, site, method, known):
        for key, pool in chain.standing.pools.items():
            quantities[chain.item, key] = pool.quantity
            values[chain.item, key] = cents(pool.value)
    accounts = made.account_cents()
    wrong = [key for key in {*quantities, *held} if quantities[key] != held[key]]
    astray = [key for key in {*values, *accounts} if values[key] != accounts.get(key, 0)]
    return {
        "postings": number, "value": money_text(sum(values.values())), "posted": money_text(sum(accounts.values())),
        "out_of_balance": money_text(sum(posted.values())), "quantity_differences": len(wrong), "value_differences": len(astray),
        "adds_up": not wrong and not astray and not sum(posted.values()),
    }  # fmt: skip


def _held(connection: Connection, site: data.Site) -> Counter[tuple[str, PoolKey]]:
    """Base units per product, on their way or not, from the balances."""
    table = BALANCES.c
    columns = (table.item, table.product, table.location, sa.cast(sa.func.sum(table.quantity), sa.BigInteger))
    statement = sa.select(*columns).where(table.site == site.id).group_by(*columns[:3])
    found: Counter[tuple[str, PoolKey]] = Counter()
    for item, product, location, quantity in connection.execute(statement):
        found[item, (product, "in_transit" if site.in_transit(location) else "inventory")] += quantity
    return found


def _money(amount_cents: int | None) -> str | None:
    return None if amount_cents is None else money_text(amount_cents)


def _exact(value: int) -> str:
    return money_text(cents(value))
