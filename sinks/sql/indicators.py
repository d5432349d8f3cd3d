"""The view of the indicators: exact figures, rounded as they are shown, each with its formula, as-of time and watermark."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy.engine import Engine

from sinks.indicators.model import Exact
from sinks.indicators.report import Figure, Question, figures
from sinks.sql.filters import shown
from sinks.sql.mining import read_history, sites_of, watermark
from sinks.sql.rows import instant_text

SUM_PLACES: Final = 4
"""Decimal places of a numerator or denominator that is no whole number."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """What every row of a site states."""

    site: str
    as_of: str | None
    watermark: str | None


def indicators(engine: Engine, question: Question, *, site: str | None = None) -> list[dict[str, Any]]:
    """Rows by site, location, class, period and indicator. `location` and `item_class` are empty where all are meant.

    `as_of` is the highest event time taken in, `watermark` until when all sources of the site are complete: periods that end
    later may still change.
    """
    rows = []
    with engine.connect() as connection:
        for name in sites_of(connection):
            if site not in (None, name):
                continue
            history = read_history(connection, name)
            as_of = None if history.as_of is None else instant_text(history.as_of)
            stated = _Stated(name, as_of, watermark(connection, name))
            rows += [_row(stated, figure) for figure in figures(history, question)]
    return rows


def _row(stated: _Stated, figure: Figure) -> dict[str, Any]:
    one = figure.indicator
    return shown(
        {
            "site": stated.site, "location": figure.location, "item_class": figure.item_class, "period": figure.period,
            "kpi": one.name, "value": None if figure.value is None else rounded(figure.value, one.places), "unit": one.unit,
            "numerator": _sum(figure.numerator), "denominator": _sum(figure.denominator), "reason": figure.reason,
            "formula": one.formula, "counts": f"{one.numerator} / {one.denominator}", "target": one.target,
            "source": one.source, "as_of": stated.as_of, "watermark": stated.watermark,
        }
    )  # fmt: skip


def rounded(value: Exact, places: int) -> str:
    """A fraction as decimal text of so many places, half to even: rounded once, from the exact value."""
    return f"{Decimal(round(value * 10**places)).scaleb(-places):f}"


def _sum(value: Exact) -> int | str:
    return value.numerator if value.denominator == 1 else rounded(value, SUM_PLACES)
