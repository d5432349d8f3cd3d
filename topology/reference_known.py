"""Which reference records a hub holds, so that new files may refer to them and claim no code that is taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from schemas.reference import REFERENCE_KINDS
from sinks.sql.views import Views
from topology.reference_files.model import ReferenceRecord

CODED: Final = ("item", "product", "code")
"""Kinds of records that claim codes."""


def known_ids(views: Views) -> dict[str, list[str]]:
    """Ids by kind."""
    return {name: [_id(row, kind.id_fields) for row in views.reference(name)] for name, kind in REFERENCE_KINDS.items()}


def records_of(kind: str, rows: Iterable[dict[str, Any]]) -> list[ReferenceRecord]:
    """Rows of the projection as records."""
    found = REFERENCE_KINDS[kind]
    records = [found.codec.validate(row) for row in rows]
    return [(kind, found.id_of(record), record) for record in records]


def _id(row: dict[str, Any], fields: tuple[str, ...]) -> str:
    return "|".join(str(row[field]) for field in fields)
