"""Consumption of each item at each place by calendar month of the site, from the entries that stand. Pure.

Consumed is what patients got less what came back from them. A place that gives nothing to patients, a warehouse, consumes what it
sends to other places (MSH via BHIMA: transfers are consumption for stores that only transfer, not for those that dispense). All
else that leaves or comes, counts' variances included, is an adjustment. Wastage of a removed dose moved no stock when it was
told: it was consumed with the removal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from sinks.consumption.formulas import METHODS, MONTH, average, closing
from sinks.indicators.model import Entry, History
from sinks.indicators.periods import day_start, first_day, local_day, next_first_day
from sinks.indicators.standing import standing
from sinks.indicators.stockouts import by_card, day_ends, usable_levels

PATIENT: Final = "patient"
SUPPLIER: Final = "supplier"
_MOMENT: Final = timedelta(microseconds=1)
Card = tuple[str, str]
"""Location (empty: all of the site) and item."""


@dataclass(slots=True)
class Month:
    """One item at one place in one month. Quantities in base units; `out` days without usable stock, of a month of 30."""

    location: str
    item: str
    first: date
    opening: int = 0
    received: int = 0
    consumed: int = 0
    adjusted: int = 0
    out: Fraction = Fraction(0)
    is_whole: bool = False
    """The month is over, and the site's history reaches back to its beginning."""

    @property
    def closing(self) -> int:
        """Balance at the end."""
        return closing(self.opening, self.received, self.adjusted, self.consumed)


@dataclass(frozen=True, slots=True)
class Consumption:
    """A month with its consumption corrected for stock-outs, and the average of the whole months up to it that were asked for."""

    month: Month
    corrected: Fraction
    average: Fraction | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `months`: how many whole months an average is of. `by_location`: each place apart, else all of the site."""

    item: str | None = None
    location: str | None = None
    months: int = 3
    method: str = "openlmis"
    by_location: bool = False


def consumption(history: History, question: Question) -> list[Consumption]:
    """Every month of every item (and place), by place, item and month, up to the as-of time: clocks ahead of it are left out."""
    if history.as_of is None:
        return []
    entries = [one for one in standing(history.entries) if one.occurred <= history.as_of]
    if not entries:
        return []
    span = _Span(history.reference.zones.get(history.site, "UTC"), entries[0].occurred, history.as_of)
    found = []
    for months in _cards(question, entries, span):
        whole: list[Fraction] = []
        for month in months:
            corrected = METHODS[question.method](month.consumed, month.out)
            if month.is_whole:
                whole.append(corrected)
            found.append(Consumption(month, corrected, average(whole[-question.months :])))
    return found


@dataclass(frozen=True, slots=True)
class _Span:
    """What the site's history covers, in its calendar."""

    zone: str
    start: datetime
    as_of: datetime

    def is_whole(self, first: date) -> bool:
        """Whether a month lies within it, from its first day to its last."""
        is_over = day_start(next_first_day(first, "month"), self.zone) <= self.as_of + _MOMENT
        return is_over and local_day(self.start, self.zone) <= first


def _cards(question: Question, entries: list[Entry], span: _Span) -> Iterator[list[Month]]:
    """The months of each card, filled in."""
    places = {one for entry in entries for one in (entry.source, entry.target) if one is not None}
    asked = question.location
    mine = frozenset(one for one in places if asked is None or one == asked or one.startswith(f"{asked}/"))
    groups = [(one, frozenset({one})) for one in sorted(mine)] if question.by_location else [(asked or "", mine)]
    for name, group in groups:
        by_item: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if question.item in (None, entry.item) and (entry.source in group or entry.target in group):
                by_item[entry.item].append(entry)
        for item, own in sorted(by_item.items()):
            yield _months(own, group, (name, item), span)


def _months(entries: list[Entry], group: frozenset[str], card: Card, span: _Span) -> list[Month]:
    gives = any(entry.to_account == PATIENT and entry.source in group for entry in entries)
    days = [local_day(entry.occurred, span.zone) for entry in entries]
    months = {first: Month(*card, first) for first in _firsts(min(days), local_day(span.as_of, span.zone))}
    for entry, day in zip(entries, days, strict=True):
        if _crosses(entry, group):
            _add(months[first_day(day, "month")], entry, group, gives=gives)
    _stock_outs(months, entries, group, span)
    opening = 0
    for month in months.values():
        month.opening = opening
        opening = month.closing
        month.is_whole = span.is_whole(month.first)
    return list(months.values())


def _firsts(start: date, end: date) -> Iterator[date]:
    day = first_day(start, "month")
    while day <= end:
        yield day
        day = next_first_day(day, "month")


def _crosses(entry: Entry, group: frozenset[str]) -> bool:
    """Whether an entry changes what the group holds."""
    return (entry.source in group) != (entry.target in group)


def _add(month: Month, entry: Entry, group: frozenset[str], *, gives: bool) -> None:
    leaves = entry.source in group
    change = -entry.quantity if leaves else entry.quantity
    other = entry.to_account if leaves else entry.from_account
    between = (entry.target if leaves else entry.source) is not None
    if other == PATIENT or (between and leaves and not gives):
        month.consumed -= change
    elif not leaves and (between or other == SUPPLIER):
        month.received += change
    else:
        month.adjusted += change


def _stock_outs(months: dict[date, Month], entries: Iterable[Entry], group: frozenset[str], span: _Span) -> None:
    """Days that ended without usable stock anywhere in the group, as days of a month of 30."""
    changes = [change for (place, _), own in by_card(entries).items() if place in group for change in own]
    out: dict[date, int] = defaultdict(int)
    for end, usable in day_ends(usable_levels(changes, span.zone, span.as_of), span.zone, span.as_of):
        out[first_day(local_day(end - _MOMENT, span.zone), "month")] += usable <= 0
    for first, days in out.items():
        if first in months:
            months[first].out = Fraction(days * MONTH, (next_first_day(first, "month") - first).days)
