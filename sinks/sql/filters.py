"""Small pieces of queries shared by the views: places and what lies below them, search, item names, text of instants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from sinks.sql.tables import MOVEMENTS, REFERENCE, without_nul

_WHOLE_SECOND: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.000000Z")


def shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as people read it: instants without a fraction that is zero."""
    return {
        str(name): value[:19] + "Z" if isinstance(value, str) and _WHOLE_SECOND.fullmatch(value) else value
        for name, value in row.items()
    }


def at_place(column: sa.ColumnElement[str], location: str) -> sa.ColumnElement[bool]:
    """The place itself or anything below it; `main` does not match `main2`. Case matters, unlike with LIKE in SQLite."""
    below = location + "/"
    return sa.or_(column == location, sa.func.substr(column, 1, len(below), type_=column.type) == below)


def touches_place(location: str) -> sa.ColumnElement[bool]:
    """Movements from or to a place or anything below it."""
    account = f"stock:{location}"
    return sa.or_(at_place(MOVEMENTS.c.from_account, account), at_place(MOVEMENTS.c.to_account, account))


def contains(column: sa.ColumnElement[Any], word: str) -> sa.ColumnElement[bool]:
    """Text that contains the word, whatever its case."""
    return sa.func.lower(column).contains(without_nul(word.lower()), autoescape=True)


def item_name(item: sa.ColumnElement[str]) -> sa.ScalarSelect[Any]:
    """The name of an item in the reference data, or null."""
    return sa.select(REFERENCE.c.name).where(REFERENCE.c.kind == "item", REFERENCE.c.id == item).scalar_subquery()
