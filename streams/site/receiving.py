"""Stage receiving: what arrives unfit goes to the quarantine place, and what arrives for an order is compared with it.

The goods are there, so a receipt is never refused. Expired or short-dated, damaged, too warm or too cold: it posts at the site's
quarantine place, with a case. More than was ordered, another item, or less a day after the first of it came, is a case.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.site.desk import Desk
from streams.site.tables import Timer
from streams.site.work import Work
from streams.times import DAY_US, end_of_day_us, to_us

SHORT_AFTER_US: Final = DAY_US
RECEIPTS_KEPT_MAX: Final = 256
"""Receipts of one order that are added up, the last ones."""
_ARRIVES: Final = frozenset({EventKind.RECEIVE, EventKind.TRANSFER_IN})
_CONDITIONS: Final = {"damaged": "it arrived damaged", "temperature": "it was too warm or too cold on the way"}


def unfit(desk: Desk, event: StockEvent) -> str | None:
    """Why what arrives may not be used; None when nothing is known against it."""
    if event.kind not in _ARRIVES:
        return None
    if event.condition is not None:
        return _CONDITIONS.get(event.condition, f"it arrived {event.condition}")
    record = desk.catalog.site(event.site)
    if event.expiry is None or event.expiry == date.max or record is None:
        return None
    arrived = to_us(event.occurred)
    if end_of_day_us(event.expiry, record.zone) <= arrived:
        return f"it had expired ({event.expiry.isoformat()}) when it arrived"
    least = event.expiry - timedelta(days=min(record.receipt_life_days, event.expiry.toordinal() - 1))
    if end_of_day_us(least, record.zone) <= arrived:
        return f"it expires {event.expiry.isoformat()}, and this site wants {record.receipt_life_days} days left on arrival"
    return None


def set_aside(desk: Desk, event: StockEvent, item: Item, place: str, why: str) -> str:
    """Open the case of an unfit receipt; returns the place it is received into."""
    quarantine = desk.catalog.quarantine_of(event.site)
    where = quarantine or place
    advice = f"it stands in {where}: put it there" if quarantine else f"the site has no quarantine place: it stands in {where}"
    text = f"{item.name}, lot {event.lot or 'not stated'}: {why}; {advice}, and return it or destroy it"
    case_id = derived_id("case", "receipt_unfit", event.site, event.event_key)
    desk.case_open(
        case_id, event.site, "receipt_unfit", text, location=where, item=item.id, event_id=event.event_id, raw=event.raw
    )  # fmt: skip
    desk.count(event.site, "receipts_unfit")
    return where


def compare(desk: Desk, work: Work) -> None:
    """A posted receipt that names an order of the hub: is it that item, and not more than was ordered?"""
    event = work.event
    command = desk.commands.get((event.site, event.order_id)) if event.order_id and event.kind is EventKind.RECEIVE else None
    if command is None:
        return
    if command.item != work.item.id:
        ordered = found.name if (found := desk.catalog.item(command.item)) is not None else command.item
        text = f"{work.quantity} {work.item.base_unit} of {work.item.name} came for order {event.order_id}, which is of {ordered}"
        _case(desk, event, "receipt_wrong_item", event.event_key, text, work.item.id)
        return
    key = (event.site, command.command_id)
    held = desk.receipts.get(key) or ()
    desk.receipts.put(key, (*held, (event.event_key, work.quantity))[-RECEIPTS_KEPT_MAX:])
    if not held:
        desk.schedule(desk.now_us + SHORT_AFTER_US, Timer("receipt", key))
    total = _total(desk, *key)
    if total > command.quantity:
        came = f"{total} {command.unit} of {work.item.name} came for order {event.order_id}"
        text = f"{came}, {total - command.quantity} more than the {command.quantity} ordered: return them or have them billed"
        _case(desk, event, "receipt_over", command.command_id, text, work.item.id)
    elif total == command.quantity:
        desk.case_close(derived_id("case", "receipt_short", *key), event.site, event.event_key)


def look(desk: Desk, site: str, command_id: str) -> None:
    """A day after the first of an order came: is all of it here?"""
    command = desk.commands.get((site, command_id))
    total = _total(desk, site, command_id)
    if command is None or total >= command.quantity:
        return
    text = f"of {command.quantity} {command.unit} of {command.item} ordered ({command_id}), {total} have come: ask for the rest"
    case_id = derived_id("case", "receipt_short", site, command_id)
    desk.case_open(case_id, site, "receipt_short", text, location=command.location, item=command.item)


def _total(desk: Desk, site: str, command_id: str) -> int:
    """What came for an order and stands."""
    total = 0
    for event_key, quantity in desk.receipts.get((site, command_id)) or ():
        seen = desk.seen.get((site, event_key))
        total += quantity if seen is not None and seen.status == "posted" else 0
    return total


def _case(desk: Desk, event: StockEvent, kind: str, about: str, text: str, item: str) -> None:
    case_id = derived_id("case", kind, event.site, about)
    desk.case_open(case_id, event.site, kind, text, item=item, event_id=event.event_id, raw=event.raw)
