"""Builders of canonical events: what a mapper would have made of a message, with only the stated fields set."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.codes import Code
from schemas.events import Decision, OrderAnswer, StockEvent, TransformPart
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.raw import RawRef
from tests.support.world import ITEM, SITE

START: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday noon UTC, seven in the morning at the site."""

BY_ITEM: Final = (Code(system="local", value=f"{ITEM}-1"),)
BY_PRODUCT: Final = (Code(system="gtin", value="00304094713021"),)

_FEEDS: Final = {
    EventKind.DISPENSE: Feed.DISPENSE, EventKind.ADMINISTER: Feed.ADMINISTRATION, EventKind.RECEIVE: Feed.SCAN,
    EventKind.PUT_AWAY: Feed.SCAN, EventKind.PICK: Feed.SCAN, EventKind.DISCARD: Feed.SCAN,
}  # fmt: skip
_numbers = itertools.count(1)


def minutes(count: float) -> datetime:
    """An instant that many minutes after the start."""
    return START + timedelta(minutes=count)


def day(number: int) -> date:
    """The site's calendar date that many days after the start."""
    return START.date() + timedelta(days=number)


def told(
    kind: EventKind | str,
    quantity: int | str | None = None,
    *,
    place: str | None = None,
    at: datetime = START,
    key: str | None = None,
    to: str | None = None,
    **changes: Any,
) -> StockEvent:
    """One event. `place` and `to` are paths or codes; a key is made up when none is given."""
    kind = EventKind(kind)
    number = next(_numbers)
    key = key if key is not None else f"made|{number}"
    fields: dict[str, Any] = {
        "event_id": derived_id("event", SITE, key), "event_key": key, "kind": kind,
        "feed": _FEEDS.get(kind, Feed.CABINET), "site": SITE, "source": "feed-1",
        "raw": RawRef(partition=0, offset=number), "occurred": at, "received_at": at, "codes": BY_ITEM,
        "quantity": None if quantity is None else Decimal(quantity), "unit": "tablet", "actor": "nurse-1",
        "location_codes": () if place is None else (place,), "to_location_codes": () if to is None else (to,),
    }  # fmt: skip
    return StockEvent(**{**fields, **changes})


def reversal(of: str, *, at: datetime = START, key: str | None = None, **changes: Any) -> StockEvent:
    """The event that takes back the one with key `of`."""
    return told(
        EventKind.REVERSAL, at=at, key=key or f"reversal|{of}", reverses=of, codes=(), unit=None, **changes
    )  # fmt: skip


def decision(target: str, action: str, actor: str, at: datetime = START, **changes: Any) -> Decision:
    """A person's decision."""
    number = next(_numbers)
    fields = {"decision_id": f"decision-{number}", "site": SITE, "target": target, "action": action, "actor": actor, "at": at}
    return Decision(**{**fields, "raw": RawRef(partition=0, offset=number), **changes})


def answer(command: str, status: str, at: datetime = START, **changes: Any) -> OrderAnswer:
    """An ERP's answer."""
    number = next(_numbers)
    fields = {"answer_id": f"answer-{number}", "site": SITE, "command_id": command, "status": status, "at": at}
    return OrderAnswer(**{**fields, "raw": RawRef(partition=0, offset=number), **changes})


def part(quantity: int | str, *, made: bool = False, code: str = f"{ITEM}-1", place: str | None = None, **changes: Any) -> TransformPart:
    """A line of a transform, by the item's local code; `codes` names it otherwise."""
    fields: dict[str, Any] = {
        "made": made, "codes": (Code(system="local", value=code),), "quantity": Decimal(quantity), "unit": "tablet",
        "location_codes": () if place is None else (place,),
    }  # fmt: skip
    return TransformPart(**{**fields, **changes})


def transform(*parts: TransformPart, place: str, **changes: Any) -> StockEvent:
    """Stock becomes other stock at a place."""
    return told(EventKind.TRANSFORM, place=place, parts=parts, codes=(), unit=None, feed=Feed.SCAN, **changes)
