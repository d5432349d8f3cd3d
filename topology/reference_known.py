"""Which reference records a hub holds, so that new files may refer to them."""

from __future__ import annotations

from typing import Any

from schemas.reference import REFERENCE_KINDS
from sinks.sql.views import Views


def known_ids(views: Views) -> dict[str, list[str]]:
    """Ids by kind."""
    return {name: [_id(row, kind.id_fields) for row in views.reference(name)] for name, kind in REFERENCE_KINDS.items()}


def _id(row: dict[str, Any], fields: tuple[str, ...]) -> str:
    return "|".join(str(row[field]) for field in fields)
