"""Recalls from the tables: which sites have read a notice; what its look-back is made of. Decides nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from schemas.codec import encode
from schemas.ids import fingerprint
from schemas.reference import REFERENCE_KINDS, RecallNotice
from sinks.lots.knowledge import Knowledge
from sinks.recalls.lookback import lookback
from sinks.recalls.making import TRANSFORM
from sinks.recalls.scope import Move, move_of
from sinks.sql.filters import shown
from sinks.sql.genealogy import transforms
from sinks.sql.lots import lot_settings
from sinks.sql.tables import MOVEMENTS, RECALL_READINGS, REFERENCE

Row = dict[str, Any]
_INSTANTS: Final = ("first", "last")


def notice_of(connection: sa.Connection, notice_id: str) -> RecallNotice | None:
    """A notice that is loaded, in force or released; None when there is none of this id."""
    statement = sa.select(REFERENCE.c.document).where(REFERENCE.c.kind == "recall", REFERENCE.c.id == notice_id)
    document = connection.execute(statement).scalar_one_or_none()
    return None if document is None else REFERENCE_KINDS["recall"].codec.validate(msgspec.json.decode(document))


def lookback_rows(connection: sa.Connection, notice_id: str, site: str | None = None) -> list[Row] | None:
    """The lines of a look-back (`sinks.recalls.lookback`); None when there is no such notice."""
    notice = notice_of(connection, notice_id)
    if notice is None:
        return None
    products = _products_of(connection, notice)
    moves = _moves(connection, notice, products, site)
    lines = lookback(notice, products, moves, Knowledge(moves, lot_settings(connection)))
    return [{**line, **shown({name: line[name] for name in _INSTANTS})} for line in lines]


def sites_of(connection: sa.Connection, notice_id: str | None = None, site: str | None = None) -> list[Row]:
    """Each loaded notice at each site: `effective` once the site's partition has read what it says now, `pending` until then.

    `at`, `partition` and `offset` say when and at which place of the site log it was read; of a pending one, its reading before.
    """
    notices = _in_force(connection, "recall", notice_id)
    sites = sorted(_in_force(connection, "site", site))
    table = RECALL_READINGS.c
    statement = sa.select(RECALL_READINGS).where(table.notice.in_(sorted(notices)), table.site.in_(sites))
    readings = {(row["notice"], row["site"]): row for row in connection.execute(statement).mappings()}
    found: list[Row] = []
    for name in sorted(notices):
        notice = REFERENCE_KINDS["recall"].codec.validate(msgspec.json.decode(notices[name]))
        content = fingerprint(encode(notice).decode("utf-8"))
        for at_site in sites:
            row = readings.get((name, at_site))
            state = "effective" if row is not None and row["content"] == content else "pending"
            read = {field: None if row is None else row[field] for field in ("revision", "at", "log_partition", "log_offset")}
            found.append(
                {
                    "notice": name, "site": at_site, "state": state, "in_force": notice.released is None,
                    "revision": read["revision"], **shown({"at": read["at"]}), "partition": read["log_partition"],
                    "offset": read["log_offset"],
                }
            )  # fmt: skip
    return found


def with_sites(notices: list[Row], sites: list[Row]) -> list[Row]:
    """Notices with the sites at which each is effective, and those at which it is pending."""
    return [
        {**one, **{f"{state}_at": _named(sites, one["id"], state) for state in ("effective", "pending")}} for one in notices
    ]


def _named(sites: list[Row], notice: str, state: str) -> list[str]:
    return [row["site"] for row in sites if row["notice"] == notice and row["state"] == state]


def _in_force(connection: sa.Connection, kind: str, id_: str | None) -> dict[str, str]:
    """The documents of the records of a kind that are in force, by id."""
    statement = sa.select(REFERENCE.c.id, REFERENCE.c.document).where(REFERENCE.c.kind == kind, REFERENCE.c.document.is_not(None))
    if id_ is not None:
        statement = statement.where(REFERENCE.c.id == id_)
    return {row.id: row.document for row in connection.execute(statement)}


def _products_of(connection: sa.Connection, notice: RecallNotice) -> dict[str, frozenset[str]]:
    """All products of each item that has a product of the notice."""
    statement = sa.select(REFERENCE.c.document).where(REFERENCE.c.kind == "product", REFERENCE.c.document.is_not(None))
    found: dict[str, frozenset[str]] = {}
    for document in connection.execute(statement).scalars():
        product = msgspec.json.decode(document)
        found[product["item"]] = found.get(product["item"], frozenset()) | {product["id"]}
    recalled = set(notice.products)
    return {item: ids for item, ids in found.items() if ids & recalled}


def _moves(
    connection: sa.Connection, notice: RecallNotice, products: dict[str, frozenset[str]], site: str | None
) -> list[Move]:
    """All entries of the items: those its products belong to, those they were booked on before, and what was made of them."""
    booked = sa.select(MOVEMENTS.c.item).distinct().where(MOVEMENTS.c.product.in_(notice.products))
    items = _with_made({*products, *connection.execute(booked).scalars()}, transforms(connection, site))
    statement = sa.select(MOVEMENTS).where(MOVEMENTS.c.item.in_(sorted(items)))
    if site is not None:
        statement = statement.where(MOVEMENTS.c.site == site)
    statement = statement.order_by(MOVEMENTS.c.occurred, MOVEMENTS.c.movement_id)
    return [move_of(row) for row in connection.execute(statement).mappings()]


def _with_made(items: set[str], lines: list[dict[str, Any]]) -> set[str]:
    """The items, and those that were made of them in any number of steps."""
    events: dict[str, tuple[set[str], set[str]]] = {}
    for line in lines:
        used, made = events.setdefault(line["event_id"], (set(), set()))
        (used if line["to_account"] == TRANSFORM else made).add(line["item"])
    found: set[str] = set()
    while found != items:
        found = items
        items = items.union(*(made for used, made in events.values() if used & items))
    return items
