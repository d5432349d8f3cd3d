"""Named views and their filters: the one list behind the command line and the local API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import Any, Final

from schemas.kinds import Outcome
from sinks.sql.consumption import consumption_by_month
from sinks.sql.ended import ended
from sinks.sql.expiry import DAYS_MAX
from sinks.sql.filters import shown
from sinks.sql.indicators import indicators
from sinks.sql.transfers import transfers
from sinks.sql.views import Views
from topology.consumption_question import CONSUMPTION_FILTERS, consumption_question_of
from topology.controlled.questions import CONTROLLED_FILTERS, run_controlled
from topology.errors import InputRefusedError, UnknownNameError
from topology.indicator_question import QUESTION_FILTERS, question_of
from topology.known_names import refuse_unknown
from topology.money import MONEY_FILTERS, run_money

FILTERS: Final[dict[str, frozenset[str]]] = {
    "stock": frozenset({"site", "item", "location", "lot", "product"}),
    "containers": frozenset({"site", "item", "location", "lot", "product"}),
    "positions": frozenset({"site", "item", "location"}),
    "commands": frozenset({"site", "item", "state"}),
    "cases": frozenset({"site", "item", "state"}),
    "alerts": frozenset({"site", "item"}),
    "holds": frozenset({"site"}),
    "quarantine": frozenset({"site", "message", "with_body"}),
    "outcomes": frozenset({"site", "message", "source", "outcome", "code"}),
    "movements": frozenset({"site", "item", "location", "lot", "product", "kind", "event_id", "command"}),
    "kpis": frozenset({"site"}),
    "indicators": frozenset({"site", *QUESTION_FILTERS}),
    "consumption": frozenset({"site", *CONSUMPTION_FILTERS}),
    "heard": frozenset({"site"}),
    "go_live": frozenset(),
    "trace": frozenset({"lot"}),
    "genealogy": frozenset({"lot"}),
    "lots": frozenset({"site", "item", "location"}),
    "recalls": frozenset(),
    "recall_sites": frozenset({"notice", "site"}),
    "expiring": frozenset({"site", "item", "location", "within", "risk"}),
    "lookback": frozenset({"notice", "site"}),
    "transfers": frozenset({"site", "item", "state"}),
    "command": frozenset({"command_id"}),
    "outcomes_summary": frozenset({"source"}),
    **MONEY_FILTERS,
    **CONTROLLED_FILTERS,
}
VIEWS: Final = tuple(FILTERS)
EXPIRING_WITHIN_DAYS: Final = 90
"""How far ahead `expiring` looks unless it is asked."""
ROWS_MAX: Final = 1_000_000_000
"""Largest number of rows that can be asked for."""
BODIES_MAX: Final = 100
BODY_CHARACTERS_MAX: Final = 32 * 1024 * 1024
"""Rows with their message's body, and characters of all these bodies, in one answer; one row always fits."""
_PLACE: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,18})")
STOCK_FIELDS: Final = ("site", "location", "item", "product", "lot", "expiry", "status", "quantity", "unit")


def run_query(views: Views, view: str, filters: Mapping[str, str | int | None]) -> list[dict[str, Any]]:
    """Rows of a named view. Raises `InputRefusedError` for an unknown view, filter, site or place."""
    if view not in FILTERS:
        msg = f"there is no view {view!r}; there are {', '.join(VIEWS)}"
        raise InputRefusedError(msg)
    given = {name: value for name, value in filters.items() if value is not None}
    unknown = sorted(set(given) - FILTERS[view] - {"limit"})
    if unknown:
        msg = f"{view} has no filter {', '.join(unknown)}; it has {', '.join(sorted(FILTERS[view]))} and limit"
        raise InputRefusedError(msg)
    limit = _limit(given.pop("limit", None))
    rows = _rows(views, view, given, limit)
    refuse_unknown(views, view, given, rows)
    return rows


def _rows(views: Views, view: str, given: Mapping[str, str | int], limit: int | None) -> list[dict[str, Any]]:
    """The rows of a view that there is, with filters that it has."""
    asked = _OF_THEIR_OWN.get(view)
    if asked is not None:
        return asked(views, given)[:limit]
    if view in MONEY_FILTERS:
        return run_money(views, view, _texts(given))[:limit]
    if given.get("state", "open") not in ("open", "all"):
        msg = "state is open or all"
        raise InputRefusedError(msg)
    if view == "quarantine":
        return _quarantine(views, given, limit)
    if view == "outcomes":
        return _outcomes(views, given, limit)
    rows: list[dict[str, Any]] = getattr(views, view)(limit=limit, **_texts(given))
    if view == "stock":
        return [{name: row[name] for name in (*STOCK_FIELDS, "stale_since", "shadow") if name in row} for row in rows]
    return rows


def _quarantine(views: Views, given: Mapping[str, str | int], limit: int | None) -> list[dict[str, Any]]:
    """What is in quarantine. With bodies a page of it, for one may have megabytes: whoever wants all asks message by message."""
    asked: dict[str, Any] = {"site": _texts(given).get("site"), "message": _message(given.get("message"))}
    if not _yes("with_body", given.get("with_body", False)):
        return views.quarantine(limit=limit, **asked)
    if limit is not None and limit > BODIES_MAX:
        msg = f"with_body answers at most {BODIES_MAX} rows: name a smaller limit, or one message (message=PARTITION/OFFSET)"
        raise InputRefusedError(msg)
    held = list(accumulate(views.quarantine_sizes(limit=limit or BODIES_MAX, **asked)))
    fitting = max(1, sum(characters <= BODY_CHARACTERS_MAX for characters in held))
    return views.quarantine(with_body=True, limit=fitting, **asked)


def _outcomes(views: Views, given: Mapping[str, str | int], limit: int | None) -> list[dict[str, Any]]:
    """How items ended. Raises `InputRefusedError` for an outcome that there is not."""
    equal = _texts({name: value for name, value in given.items() if name != "message"})
    if "outcome" in equal and equal["outcome"] not in set(Outcome):
        msg = f"outcome is one of {', '.join(Outcome)}"
        raise InputRefusedError(msg)
    with views.engine.connect() as connection:
        return ended(connection, message=_message(given.get("message")), limit=limit, **equal)


def _message(value: str | int | None) -> tuple[int, int] | None:
    """Partition and offset of a message. Raises `InputRefusedError` for anything else."""
    if value is None:
        return None
    found = _PLACE.fullmatch(str(value))
    if found is None:
        msg = f"message is PARTITION/OFFSET, as quarantine shows them, not {str(value)!r}"
        raise InputRefusedError(msg)
    return int(found[1]), int(found[2])


def _lookback(views: Views, notice: str = "", site: str | None = None) -> list[dict[str, Any]]:
    """The look-back of a notice. Raises `UnknownNameError` when there is none of this id."""
    rows = views.lookback(notice, site=site)
    if rows is None:
        msg = f"there is no recall notice {notice!r}; `wardstock recall list` names them"
        raise UnknownNameError(msg)
    return rows


def _transfers(views: Views, given: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """What is on its way between sites; with `state` all, what has arrived as well."""
    state = str(given.get("state", "open"))
    if state not in ("open", "all"):
        msg = "state is open or all"
        raise InputRefusedError(msg)
    filters = {name: str(given[name]) for name in ("site", "item") if name in given}
    with views.engine.connect() as connection:
        return [shown(row) for row in transfers(connection, finished=state == "all", **filters)]


def _recall_sites(views: Views, notice: str | None = None, site: str | None = None) -> list[dict[str, Any]]:
    """Where a notice is effective and where pending. Raises `UnknownNameError` when there is none of this id."""
    if notice is not None and notice not in {row["id"] for row in views.reference("recall")}:
        msg = f"there is no recall notice {notice!r}; `wardstock recall list` names them"
        raise UnknownNameError(msg)
    return views.recall_sites(notice=notice, site=site)


def _expiring(views: Views, given: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """Lots that have expired or soon will, as of the newest instant the tables know of. Raises `InputRefusedError`."""
    asked: dict[str, Any] = dict(given)
    within, risk = str(asked.pop("within", EXPIRING_WITHIN_DAYS)), _yes("risk", asked.pop("risk", "false"))
    if not (within.isascii() and within.isdigit() and len(within) <= len(str(DAYS_MAX)) and int(within) <= DAYS_MAX):
        msg = f"within is a whole number of days, at most {DAYS_MAX}"
        raise InputRefusedError(msg)
    clock = views.clock()
    if clock is None:
        return []
    return views.expiring(datetime.fromisoformat(clock), within_days=int(within), at_risk=risk, **_texts(asked))


_OF_THEIR_OWN: Final[dict[str, Callable[[Views, Mapping[str, str | int]], list[dict[str, Any]]]]] = {
    "command": lambda views, given: [one for one in [views.command(str(given.get("command_id", "")))] if one is not None],
    "outcomes_summary": lambda views, given: [views.outcomes_summary(**_texts(given))],
    "kpis": lambda views, given: views.kpis(**_texts(given)),
    "indicators": lambda views, given: indicators(views.engine, question_of(given), site=_texts(given).get("site")),
    "consumption": lambda views, given: consumption_by_month(
        views.engine, consumption_question_of(given), site=_texts(given).get("site")
    ),
    "heard": lambda views, given: [views.heard(str(given.get("site", "")))],
    "recalls": lambda views, _: views.recalls(),
    "go_live": lambda views, _: views.go_live(),
    "recall_sites": lambda views, given: _recall_sites(views, **_texts(given)),
    "expiring": _expiring,
    "lookback": lambda views, given: _lookback(views, **_texts(given)),
    "transfers": _transfers,
    "lots": lambda views, given: views.lots(**_texts(given)),
    "trace": lambda views, given: views.trace(str(given.get("lot", ""))),
    "genealogy": lambda views, given: views.genealogy(str(given.get("lot", ""))),
    **{name: partial(run_controlled, name) for name in CONTROLLED_FILTERS},
}
"""Views that take other questions than rows by site and item."""


def _limit(value: str | int | None) -> int | None:
    """How many rows at most. Raises `InputRefusedError` for what is no such number."""
    if value is None:
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(ROWS_MAX)) and 1 <= int(text) <= ROWS_MAX):
        msg = f"limit is a whole number from 1 to {ROWS_MAX}"
        raise InputRefusedError(msg)
    return int(text)


def _yes(name: str, value: str | int) -> bool:
    """A filter that is on or off. Raises `InputRefusedError` for anything else."""
    text = str(value).lower()
    if text not in ("true", "false"):
        msg = f"{name} is true or false"
        raise InputRefusedError(msg)
    return text == "true"


def _texts(given: Mapping[str, str | int | None]) -> dict[str, Any]:
    return {name: str(value) for name, value in given.items()}
