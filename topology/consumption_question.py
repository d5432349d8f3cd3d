"""What is asked of consumption: the filters of the view become a question, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sinks.consumption.formulas import METHODS
from sinks.consumption.report import Question
from topology.errors import InputRefusedError

CONSUMPTION_FILTERS: Final = frozenset({"item", "location", "months", "method", "by"})
MONTHS_MAX: Final = 120


def consumption_question_of(given: Mapping[str, str | int | None]) -> Question:
    """The question. Raises `InputRefusedError` for a method, grouping or number of months that there is not."""
    texts = {name: str(value) for name, value in given.items() if value is not None}
    method = texts.get("method", "openlmis")
    if method not in METHODS:
        msg = f"there is no method {method!r}; there are {', '.join(METHODS)}"
        raise InputRefusedError(msg)
    by = texts.get("by")
    if by not in (None, "location"):
        msg = f"there is no by {by!r}; there is location"
        raise InputRefusedError(msg)
    months = texts.get("months", "3")
    if not (months.isascii() and months.isdigit() and 1 <= int(months[:9]) <= MONTHS_MAX):
        msg = f"months is a whole number from 1 to {MONTHS_MAX}, not {months!r}"
        raise InputRefusedError(msg)
    return Question(
        item=texts.get("item"), location=texts.get("location"), months=int(months), method=method, by_location=by is not None
    )
