"""The views of controlled substances and their filters, from text to the questions of `sinks.sql.controlled`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, Literal

from sinks.sql import controlled, scores
from sinks.sql.views import Views
from topology.asked_days import day_of, window_of
from topology.controlled.staff import pseudonym
from topology.errors import InputRefusedError, UnknownNameError
from topology.money import one_of

CONTROLLED_FILTERS: Final[dict[str, frozenset[str]]] = {
    "controlled_balance": frozenset({"site", "item", "schedule", "location", "from", "to", "by_place", "entries"}),
    "controlled_inventory": frozenset({"site", "at", "moment"}),
    "controlled_form41": frozenset({"site", "from", "to"}),
    "controlled_form106": frozenset({"case"}),
    "controlled_evidence": frozenset({"case"}),
    "controlled_scores": frozenset({"site"}),
    "controlled_users": frozenset({"site"}),
}
SCHEDULES: Final = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}

_Rows = list[dict[str, Any]]


def run_controlled(view: str, views: Views, filters: Mapping[str, str | int]) -> _Rows:
    """Rows of a view. Raises `InputRefusedError` for a filter that can't be read, `UnknownNameError` for an unknown case."""
    given = {name: str(value) for name, value in filters.items()}
    with views.engine.connect() as connection:
        return _QUESTIONS[view](connection, views, given)


def _balance(connection: Any, _views: Views, given: Mapping[str, str]) -> _Rows:
    schedule = None
    if "schedule" in given:
        schedule = SCHEDULES.get(given["schedule"].strip().upper().removeprefix("C-"))
        if schedule is None:
            msg = f"schedule is I, II, III, IV or V, not {given['schedule']!r}"
            raise InputRefusedError(msg)
    return controlled.balance(
        connection, site=given.get("site"), item=given.get("item"), schedule=schedule, location=given.get("location"),
        by_place=_yes(given, "by_place"), lines=_yes(given, "entries"), window=window_of(given),
    )  # fmt: skip


def _inventory(connection: Any, views: Views, given: Mapping[str, str]) -> _Rows:
    is_beginning = one_of(given, "moment", ("close", "beginning")) == "beginning"
    moment: Literal["beginning", "close"] = "beginning" if is_beginning else "close"
    return controlled.inventory(connection, _site(views, given), _stated_day(given), moment)


def _stated_day(given: Mapping[str, str]) -> date:
    day = day_of(given, "at")
    if day is None:
        msg = "say of which day the inventory is: at, a date like 2026-03-31"
        raise InputRefusedError(msg)
    return day


def _form_41(connection: Any, views: Views, given: Mapping[str, str]) -> _Rows:
    return controlled.form_41(connection, _site(views, given), window_of(given))


def _form_106(connection: Any, _views: Views, given: Mapping[str, str]) -> _Rows:
    found = controlled.form_106(connection, given.get("case", ""))
    if found is None:
        msg = f"there is no case {given.get('case', '')!r} about a controlled item; `wardstock cases --all` lists cases"
        raise UnknownNameError(msg)
    return [found]


def _evidence(connection: Any, _views: Views, given: Mapping[str, str]) -> _Rows:
    found = controlled.evidence_of(connection, given.get("case", ""))
    if found is None:
        msg = f"there is no case {given.get('case', '')!r}; `wardstock cases --all` lists them"
        raise UnknownNameError(msg)
    return [found]


def _scores(connection: Any, views: Views, given: Mapping[str, str]) -> _Rows:
    key = views.staff_key
    if not key:
        msg = "this hub has no key for the pseudonyms of staff, so nobody is scored here"
        raise InputRefusedError(msg)
    return scores.scores(connection, lambda person: pseudonym(key, person), given.get("site"))


def _users(connection: Any, _views: Views, given: Mapping[str, str]) -> _Rows:
    return [{"person": name} for name in scores.users(connection, given.get("site"))]


_QUESTIONS: Final[dict[str, Callable[[Any, Views, Mapping[str, str]], _Rows]]] = {
    "controlled_balance": _balance, "controlled_inventory": _inventory, "controlled_form41": _form_41,
    "controlled_form106": _form_106, "controlled_evidence": _evidence, "controlled_scores": _scores, "controlled_users": _users,
}  # fmt: skip


def _yes(given: Mapping[str, str], name: str) -> bool:
    return one_of(given, name, ("false", "true")) == "true"


def _site(views: Views, given: Mapping[str, str]) -> str:
    """The site that is asked for; the only one where none is named."""
    known = [str(row["id"]) for row in views.sites()]
    if "site" in given:
        if given["site"] not in known:
            msg = f"there is no site {given['site']}: ask for {', '.join(known[:10]) or 'one after loading it'}"
            raise UnknownNameError(msg)
        return given["site"]
    if len(known) != 1:
        msg = f"say which site: {', '.join(known[:10]) or 'none is loaded yet'}"
        raise InputRefusedError(msg)
    return known[0]
