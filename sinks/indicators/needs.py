"""Shortage response time and supplier fill performance: commands against the supply that answered them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from schemas.kinds import CommandKind, CommandState
from sinks.indicators.catalogue import FILL_LINES, FILL_UNITS, RESPONSE
from sinks.indicators.model import Entry, History, Need, Observation, minutes_between, one

LEAD_TIME_DAYS: Final = 7
"""When a purchase is due where the supplier's lead time is not known."""
SUPPLIES: Final = frozenset({"refill", "load", "receive", "put_away", "pick", "transfer_in"})
_ANSWERED: Final = frozenset({CommandKind.RESTOCK, CommandKind.TRANSFER, CommandKind.PURCHASE, CommandKind.EXPEDITE})
_BOUGHT: Final = frozenset({CommandKind.PURCHASE, CommandKind.EXPEDITE})
_ORDERED: Final = frozenset({CommandState.ISSUED, CommandState.ACKNOWLEDGED, CommandState.SATISFIED})


def response(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """How long each need waited, in the period it opened in. A need that was cancelled before supply came was not answered."""
    supplied: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for entry in entries:
        if entry.kind in SUPPLIES and entry.target is not None:
            supplied[entry.target, entry.item].append(entry.occurred)
    for need in sorted(history.needs, key=lambda each: each.command_id):
        if need.kind not in _ANSWERED:
            continue
        times = supplied.get((need.location, need.item), [])
        at = bisect_left(times, need.opened)
        first = times[at] if at < len(times) else None
        answered = first if need.closed is None or (first is not None and first <= need.closed) else None
        if answered is None and need.state == CommandState.SATISFIED:
            answered = need.closed
        if answered is not None:
            minutes = minutes_between(need.opened, answered)
            yield Observation(RESPONSE, need.location, need.item, need.opened, minutes, 1)


def supplier_fill(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """Units and lines of purchase commands that are due, in the period they opened in."""
    lines = sorted(
        (need for need in history.needs if need.kind in _BOUGHT and need.state in _ORDERED),
        key=lambda need: (need.opened, need.command_id),
    )
    received = _received(lines, entries)
    for need in lines:
        units = min(received[need.command_id], need.quantity)
        if need.closed is None and units < need.quantity and not _due(history, need):
            continue
        yield Observation(FILL_UNITS, need.location, need.item, need.opened, units, need.quantity)
        yield one(FILL_LINES, need.location, need.item, need.opened, good=units == need.quantity)


def _due(history: History, need: Need) -> bool:
    """Whether the lead time of the need's supplier has passed."""
    days = history.reference.lead_times.get((need.supplier or "", need.item), LEAD_TIME_DAYS)
    return history.as_of is not None and need.opened + timedelta(days=days) <= history.as_of


def _received(lines: list[Need], entries: list[Entry]) -> dict[str, int]:
    """Units received for each line: by the command the receipt names, else for the newest line that was open at the place.

    A receipt at another place counts when the item is bought for one place only (a dock, a quarantine place).
    """
    by_item: dict[str, list[Need]] = defaultdict(list)
    for need in lines:
        by_item[need.item].append(need)
    known = {need.command_id for need in lines}
    found: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.kind != "receive" or entry.target is None:
            continue
        if entry.order_id in known:
            found[entry.order_id or ""] += entry.quantity
            continue
        bought = by_item.get(entry.item, [])
        if len({need.location for need in bought}) > 1:
            bought = [need for need in bought if need.location == entry.target]
        at = bisect_left([need.opened for need in bought], entry.occurred + timedelta(microseconds=1))
        if at:
            found[bought[at - 1].command_id] += entry.quantity
    return found
