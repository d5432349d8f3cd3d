"""Named views and their filters: the one list behind the command line and the local API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.sql.views import Views
from topology.errors import InputRefusedError

_FILTERS: Final[dict[str, frozenset[str]]] = {
    "stock": frozenset({"site", "item", "location", "lot", "product"}),
    "positions": frozenset({"site", "item", "location"}),
    "commands": frozenset({"site", "item", "state"}),
    "cases": frozenset({"site", "item", "state"}),
    "alerts": frozenset({"site", "item"}),
    "holds": frozenset({"site"}),
    "quarantine": frozenset({"site", "with_body"}),
    "movements": frozenset({"site", "item", "location", "lot", "product", "kind", "event_id", "command"}),
    "kpis": frozenset({"site"}),
    "trace": frozenset({"lot"}),
    "command": frozenset({"command_id"}),
    "outcomes_summary": frozenset({"source"}),
}
VIEWS: Final = tuple(_FILTERS)
STOCK_FIELDS: Final = ("site", "location", "item", "product", "lot", "expiry", "status", "quantity", "unit")


def run_query(views: Views, view: str, filters: Mapping[str, str | int | None]) -> list[dict[str, Any]]:
    """Rows of a named view. Raises `InputRefusedError` for an unknown view or filter."""
    if view not in _FILTERS:
        msg = f"there is no view {view!r}; there are {', '.join(VIEWS)}"
        raise InputRefusedError(msg)
    given = {name: value for name, value in filters.items() if value is not None}
    unknown = sorted(set(given) - _FILTERS[view] - {"limit"})
    if unknown:
        msg = f"{view} has no filter {', '.join(unknown)}; it has {', '.join(sorted(_FILTERS[view]))} and limit"
        raise InputRefusedError(msg)
    limit = given.pop("limit", None)
    if view == "command":
        found = views.command(str(given.get("command_id", "")))
        return [] if found is None else [found]
    if view == "outcomes_summary":
        return [views.outcomes_summary(**_texts(given))]
    if view == "kpis":
        return views.kpis(**_texts(given))
    if view == "trace":
        return views.trace(str(given.get("lot", "")), limit=None if limit is None else int(limit))
    if given.get("state", "open") not in ("open", "all"):
        msg = "state is open or all"
        raise InputRefusedError(msg)
    if view == "quarantine":
        with_body = str(given.pop("with_body", "")).lower() in ("true", "1", "yes")
        return views.quarantine(with_body=with_body, limit=None if limit is None else int(limit), **_texts(given))
    rows: list[dict[str, Any]] = getattr(views, view)(limit=None if limit is None else int(limit), **_texts(given))
    if view == "stock":
        return [{name: row[name] for name in (*STOCK_FIELDS, "stale_since") if name in row} for row in rows]
    return rows


def _texts(given: Mapping[str, str | int | None]) -> dict[str, Any]:
    return {name: str(value) for name, value in given.items()}
