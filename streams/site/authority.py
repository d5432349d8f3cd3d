"""Stage authority: does this event move stock, or does it only say more about a removal that another feed decrements?

One physical removal is one decrement, at the place it left, by the one feed that has authority there (`domain` §4, golden rule).
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.events import StockEvent
from schemas.kinds import STOCK_KINDS, EventKind, Feed
from schemas.reference import Location
from streams.site.resolve import Missing

_DECREMENTS: Final = frozenset({EventKind.VEND, EventKind.DISPENSE, EventKind.ADMINISTER})


class Moves(msgspec.Struct, frozen=True):
    """The event moves stock."""


class Enriches(msgspec.Struct, frozen=True):
    """The event is accepted without movement, for a stated reason."""

    code: str
    reason: str


def before_place(event: StockEvent) -> Enriches | None:
    """Why an event moves nothing, whatever place it names; None when that depends on the place."""
    if event.test:
        return Enriches("test_traffic", "test or training traffic, by its own label: nothing moves")
    if event.no_effect:
        return Enriches("no_effect", event.no_effect)
    if event.kind not in STOCK_KINDS:
        return Enriches("no_movement", f"{event.kind} messages move no stock")
    return None


def at_place(event: StockEvent, location: Location | None) -> Moves | Enriches:
    """Whether the feed may decrement at the place. Facts of the place itself (counts, refills, scans) always move.

    A charge is no fact of the place: neither it nor its credit moves anything where charges have no authority. Paper stands in
    for the feed with authority, which was away; what that feed tells later is compared by `wardstock downtime reconcile`.
    """
    if location is None or (event.kind not in _DECREMENTS and event.feed is not Feed.CHARGE):
        return Moves()
    if event.feed in (location.authority, Feed.PAPER):
        return Moves()
    reason = (
        f"{event.kind} at {location.path} only adds detail: stock there is decremented by the {location.authority} feed"
    )
    return Enriches("not_authority", reason)


def part_wasted(event: StockEvent, missing: Missing) -> Enriches | None:
    """Why a waste of part of a container moves nothing: the container left its place whole, when it was removed."""
    if event.kind is not EventKind.WASTE or missing.code != "fractional_quantity":
        return None
    return Enriches("part_wasted", "the waste of part of a container that was removed before: its stock had left already")
