"""The views about money and their filters, from text to the questions of `sinks.sql.finance`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sinks.finance.charges import Basis
from sinks.finance.layers import Method
from sinks.sql import charges, finance, return_credits
from sinks.sql.views import Views
from topology.asked_days import day_of, window_of
from topology.errors import InputRefusedError

MONEY_FILTERS: Final[dict[str, frozenset[str]]] = {
    "valuation": frozenset({"site", "item", "method", "at", "lots"}),
    "turns": frozenset({"site", "item", "method", "from", "to"}),
    "journal": frozenset({"site", "item", "method", "from", "to"}),
    "charges": frozenset({"site", "item", "from", "to", "basis", "state"}),
    "credits": frozenset({"site"}),
    "finance_check": frozenset({"site"}),
}

_Rows = list[dict[str, Any]]


def run_money(views: Views, view: str, given: Mapping[str, str]) -> _Rows:
    """Rows of a view about money. Raises `InputRefusedError` for a filter that can't be read."""
    scope = {name: given[name] for name in ("site", "item") if name in given}
    asked = _QUESTIONS[view]
    with views.engine.connect() as connection:
        try:
            return asked(connection, scope, given)
        except ValueError as error:
            raise InputRefusedError(str(error)) from None


def _valuation(connection: Any, scope: dict[str, str], given: Mapping[str, str]) -> _Rows:
    lots = one_of(given, "lots", ("false", "true")) == "true"
    return finance.valuation(connection, _method(given), at=day_of(given, "at"), lots=lots, **scope)


def _turns(connection: Any, scope: dict[str, str], given: Mapping[str, str]) -> _Rows:
    return finance.turns(connection, _method(given), window=window_of(given), **scope)


def _journal(connection: Any, scope: dict[str, str], given: Mapping[str, str]) -> _Rows:
    return finance.journal(connection, _method(given), window=window_of(given), **scope)


def _charges(connection: Any, scope: dict[str, str], given: Mapping[str, str]) -> _Rows:
    basis = Basis(one_of(given, "basis", tuple(basis.value for basis in Basis)))
    matched = one_of(given, "state", ("open", "all")) == "all"
    return charges.charges(connection, basis, matched=matched, window=window_of(given), **scope)


def _credits(connection: Any, scope: dict[str, str], _given: Mapping[str, str]) -> _Rows:
    return return_credits.return_credits(connection, site=scope.get("site"))


def _check(connection: Any, scope: dict[str, str], _given: Mapping[str, str]) -> _Rows:
    return finance.check(connection, site=scope.get("site"))


_QUESTIONS: Final[dict[str, Callable[[Any, dict[str, str], Mapping[str, str]], _Rows]]] = {
    "valuation": _valuation, "turns": _turns, "journal": _journal, "charges": _charges, "credits": _credits,
    "finance_check": _check,
}  # fmt: skip


def _method(given: Mapping[str, str]) -> Method:
    return Method(one_of(given, "method", tuple(method.value for method in Method)))


def one_of(given: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """A filter with a fixed set of values, the first when it is not given. Raises `InputRefusedError` for any other."""
    text = given.get(name, allowed[0]).lower()
    if text not in allowed:
        msg = f"{name} is {' or '.join(allowed)}"
        raise InputRefusedError(msg)
    return text
