"""The report: observations of all rules, filtered, grouped, added up and divided. Rounds nothing: figures are exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import chain
from typing import Final, Literal

from sinks.indicators import counting, flows, needs, stockouts, workflow, writeoffs
from sinks.indicators.catalogue import INDICATORS, Indicator
from sinks.indicators.classes import UNKNOWN, classes
from sinks.indicators.model import Entry, Exact, History, Observation
from sinks.indicators.periods import Period, day_start, local_day, name_of, pieces
from sinks.indicators.standing import standing

Dimension = Literal["location", "item_class"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("location", "item_class")
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: filters, grouping, dates (inclusive) in the site's calendar. A location includes what lies below it."""

    location: str | None = None
    item_class: str | None = None
    period: Period | None = None
    first: date | None = None
    last: date | None = None
    by: tuple[Dimension, ...] = ()


@dataclass(slots=True)
class Figure:
    """One indicator of one group, exact. `days` is how long the history covers the group's period."""

    indicator: Indicator
    location: str
    item_class: str
    period: str
    numerator: Exact = 0
    denominator: Exact = 0
    days: Fraction = Fraction(0)

    @property
    def value(self) -> Fraction | None:
        """The ratio in the indicator's unit; None when there is nothing to divide by."""
        under = Fraction(self.denominator)
        if self.indicator.per_day:
            under = under / self.days if self.days else Fraction(0)
        return self.numerator / under * self.indicator.scale if under > 0 else None

    @property
    def reason(self) -> str | None:
        """Why there is no value."""
        return self.indicator.nothing if self.value is None else None


def figures(history: History, question: Question) -> list[Figure]:
    """The indicators of a site, by location, class and period. Grouped, only those that a group has any part of."""
    entries = standing(history.entries)
    return _Report(history, question, entries).run()


def observations(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """What all rules find. `entries` are those that stand."""
    return chain(
        counting.accuracy(history, entries),
        stockouts.stock_outs(history, entries),
        writeoffs.written_off(history, entries),
        flows.availability(history, entries),
        needs.response(history, entries),
        flows.transfers(history, entries),
        needs.supplier_fill(history, entries),
        workflow.standard_share(history, entries),
    )


class _Report:
    """The sums of one question."""

    def __init__(self, history: History, question: Question, entries: list[Entry]) -> None:
        self._history, self._question, self._entries = history, question, entries
        self._classes = classes(history, entries)
        self._zone = history.reference.zones.get(history.site, "UTC")
        self._start = day_start(question.first, self._zone) if question.first else datetime.min.replace(tzinfo=UTC)
        last = question.last
        self._end = day_start(last + _DAY, self._zone) if last else datetime.max.replace(tzinfo=UTC)
        self._figures: dict[tuple[str, str, str, str], Figure] = {}

    def run(self) -> list[Figure]:
        """All figures, by location, class, period, and the indicators' own order."""
        question = self._question
        if not question.by and question.period is None:
            for name in INDICATORS:
                self._figure(name, question.location or "", question.item_class or "", "")
        for seen in observations(self._history, self._entries):
            if self._start <= seen.at < self._end and (figure := self._of(seen.indicator, seen.location, seen.item, seen.at)):
                figure.numerator += seen.numerator
                figure.denominator += seen.denominator
        for span in writeoffs.held(self._history, self._entries):
            start, end = max(span.start, self._start), min(span.end, self._end)
            for _, since, until in pieces(start, end, question.period, self._zone):
                figure = self._of(span.indicator, span.location, span.item, since)
                if figure is not None:
                    figure.denominator += span.level * _days(since, until)
        self._cover()
        order = list(INDICATORS)
        return sorted(
            self._figures.values(), key=lambda one: (one.location, one.item_class, one.period, order.index(one.indicator.name))
        )

    def _of(self, indicator: str, location: str, item: str, at: datetime) -> Figure | None:
        """The figure something belongs to; None when the question leaves it out."""
        question = self._question
        class_ = self._classes.get(item, UNKNOWN)
        if question.item_class is not None and class_ != question.item_class:
            return None
        if question.location is not None and not (location == question.location or location.startswith(f"{question.location}/")):
            return None
        shown = location if "location" in question.by else question.location or ""
        shown_class = class_ if "item_class" in question.by else question.item_class or ""
        return self._figure(indicator, shown, shown_class, self._period_of(at))

    def _period_of(self, at: datetime) -> str:
        return "" if self._question.period is None else name_of(local_day(at, self._zone), self._question.period)

    def _figure(self, indicator: str, location: str, item_class: str, period: str) -> Figure:
        key = (indicator, location, item_class, period)
        if key not in self._figures:
            self._figures[key] = Figure(INDICATORS[indicator], location, item_class, period)
        return self._figures[key]

    def _cover(self) -> None:
        """How many days of each period lie between the site's first entry and the as-of time."""
        if not self._entries or self._history.as_of is None:
            return
        start = max(self._entries[0].occurred, self._start)
        end = min(self._history.as_of, self._end)
        covered: dict[str, Fraction] = {}
        for name, since, until in pieces(start, end, self._question.period, self._zone):
            covered[name] = covered.get(name, Fraction(0)) + _days(since, until)
        for figure in self._figures.values():
            figure.days = covered.get(figure.period, Fraction(0))


def _days(start: datetime, end: datetime) -> Fraction:
    """Days from one instant to another, exact."""
    return Fraction((end - start) // _MICROSECOND, _DAY // _MICROSECOND)
