"""The key figures of a site before and after its cut-over, side by side: whole days of its calendar, as of a stated time.

`history`: days before the site began to prepare, where events of that time were loaded. `shadow`: days of the shadow time before
the first cut-over. `live`: days since the last cut-over. A day on which the mode changed belongs to none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from schemas.golive import GoLive, SiteMode
from sinks.indicators.report import Question
from sinks.sql import golive as asked
from sinks.sql.indicators import indicators
from sinks.sql.views import Views
from topology.golive.words import Words

PERIODS: Final = ("history", "shadow", "live")
_DAY: Final = timedelta(days=1)
_SHOWN: Final = ("value", "numerator", "denominator", "reason")


@dataclass(frozen=True, slots=True)
class Days:
    """A period, first and last day; none where it has no whole day."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def between(cls, after: date | None, before: date) -> Days:
        """The whole days after one on which something changed, and before another."""
        first = None if after is None else after + _DAY
        return cls(first, before - _DAY) if first is not None and first <= before - _DAY else cls()


def periods(record: GoLive, began: date | None, today: date, words: Words) -> dict[str, Days]:
    """The three periods of a site. `began` is the day of its first event, `today` the day after the last whole one."""
    changed = [(change.mode, words.day(change.at)) for change in record.changes]
    shadow = next((day for mode, day in changed if mode is SiteMode.SHADOW), None)
    cut_over = next((day for mode, day in changed if mode is SiteMode.LIVE), None)
    since, until = None, today
    for mode, day in changed:
        if mode is SiteMode.LIVE:
            since, until = day, today
        elif since is not None and until == today:
            until = day
    prepared = changed[0][1] if changed else today
    return {
        "history": Days.between(None if began is None else began - _DAY, prepared),
        "shadow": Days.between(shadow, cut_over or today),
        "live": Days.between(since, until),
    }


def report(views: Views, record: GoLive, words: Words, now: datetime) -> dict[str, Any]:
    """Every figure with its value in each period, the periods, and what the reader must mind."""
    first = asked.first_event(views.engine, record.site)
    began = None if first is None else words.day(datetime.fromisoformat(first))
    found = periods(record, began, words.day(now), words)
    figures: dict[str, dict[str, Any]] = {}
    stated: dict[str, Any] = {"as_of": None, "watermark": None}
    for name, days in found.items():
        if days.first is None:
            continue
        for row in indicators(views.engine, Question(first=days.first, last=days.last), site=record.site):
            figure = figures.setdefault(
                row["kpi"], {key: row[key] for key in ("kpi", "unit", "target", "formula", "counts", "source")}
            )
            figure[name] = {key: row[key] for key in _SHOWN}
            stated = {"as_of": row["as_of"], "watermark": row["watermark"]}
    shown = {name: None if days.first is None else _days(days) for name, days in found.items()}
    return {
        "site": record.site, "mode": record.mode.value, "made_at": now.isoformat(), **stated, "periods": shown,
        "figures": [{**one, **{name: one.get(name) for name in PERIODS}} for one in figures.values()],
        "cautions": _cautions(found, stated),
    }  # fmt: skip


def _days(days: Days) -> dict[str, Any]:
    if days.first is None or days.last is None:
        raise AssertionError
    return {"first": days.first.isoformat(), "last": days.last.isoformat(), "days": (days.last - days.first).days + 1}


def _cautions(found: dict[str, Days], stated: dict[str, Any]) -> list[str]:
    """What the reader must mind."""
    said = [f"{name} has no whole day yet: nothing is shown for it" for name, days in found.items() if days.first is None]
    if found["history"].first is not None:
        said.append(
            "history has no opening balance: its figures of counts and stock (accuracy, stock-outs, write-offs) say little"
        )
    last = found["live"].last or found["shadow"].last
    if stated["watermark"] is not None and last is not None and str(stated["watermark"])[:10] <= last.isoformat():
        said.append(f"feeds are complete up to {stated['watermark']}: later days may still change")
    return said
