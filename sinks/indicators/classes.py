"""Item classes: ABC by annual issue value where the cost is known, else by schedule and storage.

ABC by cumulative value, 70 / 90 / 100 % (Devnani et al. 2010, PMC3021698): items in falling order of value; an item is A while
the value before it is below 70 % of all, B while below 90 %, else C. So the item of the highest value is always A.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Final

from sinks.indicators.model import Entry, History
from sinks.indicators.standing import GIVEN

CUT_OFFS: Final = (("A", Fraction(7, 10)), ("B", Fraction(9, 10)))
YEAR: Final = timedelta(days=365)
UNKNOWN: Final = "unknown"
CLASSES: Final = ("A", "B", "C", "controlled", "fridge", "freezer", "room", UNKNOWN)


def abc(values: Mapping[str, Fraction]) -> dict[str, str]:
    """Class of each item by its annual value; all C where nothing has any."""
    whole = sum(values.values(), Fraction(0))
    before = Fraction(0)
    found = {}
    for item, value in sorted(values.items(), key=lambda pair: (-pair[1], pair[0])):
        found[item] = next((name for name, cut in CUT_OFFS if value and before < cut * whole), "C")
        before += value
    return found


def classes(history: History, entries: list[Entry]) -> dict[str, str]:
    """Class of every item that has entries, needs or counts at the site, by issues of the year before the as-of time."""
    issued: dict[str, Fraction] = defaultdict(Fraction)
    items = {entry.item for entry in entries} | {need.item for need in history.needs} | {one.item for one in history.counts}
    costed = set()
    for entry in entries:
        cost = history.reference.cost(entry.product, entry.item)
        if cost is None:
            continue
        costed.add(entry.item)
        if history.as_of is not None and entry.occurred > history.as_of - YEAR:
            if entry.kind in GIVEN:
                issued[entry.item] += entry.quantity * cost
            elif entry.kind == "return" and entry.source is None:
                issued[entry.item] -= entry.quantity * cost
    by_value = abc({item: max(issued[item], Fraction(0)) for item in costed})
    return {item: by_value.get(item) or _by_handling(history, item) for item in items}


def _by_handling(history: History, item: str) -> str:
    """Controlled, else the storage class."""
    if history.reference.schedules.get(item):
        return "controlled"
    return history.reference.storages.get(item, UNKNOWN)
