"""A handmade site for the indicator rules: builders that state only what a test is about, and a way to ask for one figure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from sinks.indicators.catalogue import INDICATORS
from sinks.indicators.model import Count, Entry, History, Need, Reference
from sinks.indicators.report import Figure, Question, figures

SITE: Final = "north"
START: Final = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Midnight of Monday 2 March 2026 in New York, the site's zone."""
REFERENCE: Final = Reference(
    zones={SITE: "America/New_York"},
    place_kinds={(SITE, "main"): "store", (SITE, "main/quarantine"): "quarantine", (SITE, "icu/cab1"): "cabinet"},
    policies=frozenset({(SITE, "icu/cab1/p1", "amox"), (SITE, "icu/cab1/p2", "amox")}),
    item_costs={"amox": Fraction(2)},
    lead_times={("acme", "amox"): 2},
)


def at(hours: float) -> datetime:
    """An instant that many hours after the start."""
    return START + timedelta(hours=hours)


def entry(id_: str, kind: str, quantity: int, source: str, target: str, hours: float, **more: Any) -> Entry:
    """One entry. Places are written as paths with a slash or `main`; other names are outside accounts."""
    outside = {"supplier", "patient", "waste", "variance", "suspense"}
    accounts = [name if name in outside or name.startswith("site:") else f"stock:{name}" for name in (source, target)]
    given: dict[str, Any] = {"event_id": id_, "item": "amox", "product": "amox-1", "lot": "L1", "cause": f"key|{id_}", **more}
    return Entry(
        movement_id=f"m|{id_}|{kind}|{target}", site=SITE, kind=kind, quantity=quantity, from_account=accounts[0],
        to_account=accounts[1], occurred=at(hours), **given,
    )  # fmt: skip


def count(id_: str, hours: float, **more: Any) -> Count:
    """A count of the item in a pocket."""
    given = {"keys": (f"key|{id_}",), "report": id_, "fact": f"key|{id_}", "location": "icu/cab1/p1", "item": "amox", **more}
    return Count(event_id=id_, site=SITE, occurred=at(hours), **given)


def need(id_: str, opened: float, closed: float | None = None, **more: Any) -> Need:
    """A restock command of the pocket."""
    given = {
        "location": "icu/cab1/p1", "item": "amox", "kind": "restock", "quantity": 10,
        "state": "issued" if closed is None else "satisfied", **more,
    }  # fmt: skip
    return Need(command_id=id_, site=SITE, opened=at(opened), closed=None if closed is None else at(closed), **given)


def history(entries: Iterable[Entry] = (), *, until: float | None = None, **more: Any) -> History:
    """The history of the site; as of its newest entry or the hours given."""
    given = tuple(entries)
    newest = max([one.occurred for one in given], default=START)
    as_of = newest if until is None else at(until)
    return History(**{"site": SITE, "entries": given, "as_of": as_of, "reference": REFERENCE, **more})


def figure(name: str, told: History, question: Question | None = None) -> Figure:
    """The one figure of an indicator."""
    found = [one for one in figures(told, question or Question()) if one.indicator is INDICATORS[name]]
    assert len(found) == 1
    return found[0]


def ratio(name: str, told: History, question: Question | None = None) -> tuple[Fraction, Fraction, Fraction | None]:
    """Numerator, denominator and value of an indicator."""
    one = figure(name, told, question)
    return one.numerator, one.denominator, one.value


def day(number: int) -> date:
    """The site's date that many days after the start."""
    return date(2026, 3, 2) + timedelta(days=number)
