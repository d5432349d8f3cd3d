"""The view of consumption: months of items at places, rounded as they are shown."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.engine import Engine

from sinks.consumption.formulas import qat_unmet
from sinks.consumption.matrix import category
from sinks.consumption.report import Consumption, Question, consumption
from sinks.indicators.classes import UNKNOWN, classes
from sinks.indicators.model import History
from sinks.indicators.standing import standing
from sinks.sql.filters import shown
from sinks.sql.indicators import rounded
from sinks.sql.mining import read_history, sites_of, watermark
from sinks.sql.rows import instant_text

PLACES: Final = 1
"""Decimal places of days and of corrected quantities, which are no whole number by every method."""


def consumption_by_month(engine: Engine, question: Question, *, site: str | None = None) -> list[dict[str, Any]]:
    """Rows by site, location, item and month of the site's calendar. `location` is empty where all of the site is meant.

    `average` is over the last whole months up to this one; empty while there is none. `unmet` is what was not given for want of
    stock, by QAT's rule. `as_of` and `watermark` as for the key figures.
    """
    rows = []
    with engine.connect() as connection:
        for name in sites_of(connection):
            if site not in (None, name):
                continue
            history = read_history(connection, name)
            class_of = classes(history, standing(history.entries))
            stated = {
                "method": question.method, "as_of": None if history.as_of is None else instant_text(history.as_of),
                "watermark": watermark(connection, name),
            }  # fmt: skip
            rows += [_row(history, one, class_of) | stated for one in consumption(history, question)]
    return [shown(row) for row in rows]


def _row(history: History, one: Consumption, class_of: dict[str, str]) -> dict[str, Any]:
    month = one.month
    abc, ven = class_of.get(month.item, UNKNOWN), history.reference.vens.get(month.item, "")
    return {
        "site": history.site, "location": month.location, "item": month.item, "month": f"{month.first:%Y-%m}",
        "whole": month.is_whole, "opening": month.opening, "received": month.received, "consumed": month.consumed,
        "adjusted": month.adjusted, "closing": month.closing, "days_out": rounded(month.out, PLACES),
        "corrected": rounded(one.corrected, PLACES), "unmet": rounded(qat_unmet(month.consumed, month.out), PLACES),
        "average": None if one.average is None else rounded(one.average, 0), "abc": abc, "ven": ven,
        "category": category(abc, ven),
    }  # fmt: skip
