"""What is asked of the indicators: the filters of the view `indicators` become a question, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sinks.indicators.classes import CLASSES
from sinks.indicators.periods import PERIODS
from sinks.indicators.report import DIMENSIONS, Question
from topology.asked_days import window_of
from topology.errors import InputRefusedError

QUESTION_FILTERS: Final = frozenset({"location", "item_class", "period", "from", "to", "by"})


def question_of(given: Mapping[str, str | int | None]) -> Question:
    """The question. Raises `InputRefusedError` for a period, class, grouping or date that there is not."""
    texts = {name: str(value) for name, value in given.items() if value is not None}
    period: Any = _one_of("period", texts.get("period"), PERIODS)
    parts = [part.strip() for part in texts["by"].split(",")] if "by" in texts else []
    by: Any = tuple(dict.fromkeys(_one_of("by", part, DIMENSIONS) for part in parts))
    first, last = window_of(texts)
    item_class = _one_of("item_class", texts.get("item_class"), CLASSES)
    return Question(location=texts.get("location"), item_class=item_class, period=period, first=first, last=last, by=by)


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is None or value in known:
        return value
    asked = f"figures can't be told apart by {value!r}" if name == "by" else f"there is no {name} {value!r}"
    msg = f"{asked}; there are {', '.join(known)}"
    raise InputRefusedError(msg)
