"""Stage transfers, the lines: what was sent to and received from other sites, as far as this site knows, and what does not fit.

A site knows its own facts, and the other site's by its notices. Neither reads the other's state, and each fact is told once a
version. What is on its way stands at the sender, on a card of its own (`streams.ledger.postings.way_to`). What does not fit is a
case that closes when the rest is told; one of a controlled substance is closed by a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from schemas.transfers import TransferNotice, TransferStep
from streams.ledger.model import UNKNOWN_LOT, LotId
from streams.ledger.postings import way_to
from streams.site import controlled, network_feed, transfer_orders
from streams.site.desk import Desk
from streams.site.par import LATENESS_MINUTES_DEFAULT
from streams.site.tables import Timer, TransferLine
from streams.site.work import Work
from streams.times import HOUR_US, MINUTE_US, from_us, to_us

Transfer = tuple[str, str, str, str]
"""From, to, shipment and item."""
SENT: Final = "sent"
RECEIVED: Final = "received"
UNMATCHED: Final = "transfer_unmatched"
OVER: Final = "transfer_over"
LOTS: Final = "transfer_lots"
OVERDUE: Final = "transfer_overdue"
CASES: Final = (UNMATCHED, OVER, LOTS, OVERDUE)
TRANSFER_HOURS_DEFAULT: Final = 72
_OWN_WAYS: Final = {EventKind.TRANSFER_OUT: SENT, EventKind.TRANSFER_IN: RECEIVED}


def transfer_of(event: StockEvent, item: str) -> Transfer:
    """The transfer that a send or an arrival is a line of."""
    ends = (event.site, event.partner or "") if event.kind is EventKind.TRANSFER_OUT else (event.partner or "", event.site)
    return (*ends, event.shipment or "", item)


def posted(desk: Desk, work: Work, lot: LotId) -> None:
    """A send or an arrival was posted: keep the line, tell the other site, and look whether it fits."""
    event = work.event
    way = _OWN_WAYS.get(event.kind)
    if way is None or not work.quantity:
        return
    transfer = transfer_of(event, work.item.id)
    desk.transfer_facts.put((event.site, event.event_key), (*transfer, way))
    line = TransferLine(1, work.quantity, lot.lot, to_us(event.occurred))
    desk.transfer_lines.put((event.site, *transfer, way, event.event_key), line)
    beyond = desk.book.lot_facts((event.site, work.location, work.item.id), lot).beyond if way == SENT else None
    _tell(desk, event.site, (*transfer, way), event.event_key, line, work, beyond)
    look(desk, event.site, transfer)


def taken_back(desk: Desk, site: str, event_key: str) -> None:
    """A fact counts no longer: where it was a line, the other site hears of it."""
    named = desk.transfer_facts.get((site, event_key))
    if named is None:
        return
    key = (site, *named, event_key)
    held = desk.transfer_lines.get(key)
    if held is None or not held.quantity:
        return
    line = TransferLine(held.version + 1, 0, held.lot, held.at_us)
    desk.transfer_lines.put(key, line)
    _tell(desk, site, named, event_key, line, None)
    look(desk, site, named[:4])  # type: ignore[arg-type]  # four parts of the key


def heard(desk: Desk, notice: TransferNotice, lot: str) -> bool:
    """Keep a line of the other site; whether it is news."""
    way = SENT if notice.step is TransferStep.SENT else RECEIVED
    key = (notice.site, *_transfer(notice), way, notice.line)
    held = desk.transfer_lines.get(key)
    if held is not None and held.version >= notice.version:
        return False
    desk.transfer_lines.put(key, TransferLine(notice.version, notice.quantity, lot, to_us(notice.at)))
    return True


def _transfer(notice: TransferNotice) -> Transfer:
    return notice.from_site, notice.to_site, notice.shipment, notice.item


def _tell(
    desk: Desk, site: str, named: tuple[str, ...], line: str, now: TransferLine, work: Work | None, beyond: int | None = None
) -> None:
    from_site, to_site, shipment, item, way = named
    event = work.event if work is not None else None
    notice = TransferNotice(
        step=TransferStep.SENT if way == SENT else TransferStep.RECEIVED, from_site=from_site, to_site=to_site, shipment=shipment,
        item=item, quantity=now.quantity, at=from_us(now.at_us), line=line, version=now.version,
        product=work.product if work is not None else "", lot=event.lot if event else None,
        expiry=event.expiry if event else None, container=event.container if event else None,
        beyond_use=None if beyond is None else from_us(beyond), raw=event.raw if event else None,
    )  # fmt: skip
    network_feed.tell_site(desk, site, notice)


# ---- what does not fit ---------------------------------------------------------------------------------------------------


def judge(sent: int, received: int, lots: Mapping[str, int], *, overdue: bool) -> str | None:
    """What is wrong with a transfer of one item: a kind of case, or None.

    `lots` is what was sent less what was received (and given up) by lot. Stock of an unknown lot may be of any.
    """
    total = sum(lots.values())
    if total < 0:
        return OVER if sent else UNMATCHED
    other_lots = -sum(quantity for lot, quantity in lots.items() if quantity < 0 and lot != UNKNOWN_LOT)
    if received and other_lots > max(lots.get(UNKNOWN_LOT, 0), 0):
        return LOTS
    return OVERDUE if total and overdue else None


def look(desk: Desk, site: str, transfer: Transfer) -> None:
    """Compare what was sent with what was received, and open, keep or close the cases about it.

    Lines may still come for the site's lateness; what is on its way may be so for its `transfer_hours`.
    """
    item = desk.catalog.item(transfer[3])
    lines = {way: _lines(desk, site, transfer, way) for way in (SENT, RECEIVED)}
    if item is None:
        return
    sent, received = (sum(line.quantity for line in lines[way]) for way in (SENT, RECEIVED))
    is_sender = site == transfer[0]
    lots = _under_way(desk, transfer) if is_sender else _open(lines)
    told_us, due_us = _patience(desk, site, lines)
    found = judge(sent, received, lots, overdue=is_sender and due_us is not None and due_us <= desk.now_us)
    for due in (told_us, due_us if is_sender else None):
        if due is not None and due > desk.now_us:
            desk.schedule(due, Timer("transfer", (site, *transfer)))
    for kind in CASES:
        if kind != found and item.schedule is None:
            desk.case_close(_case_id(site, transfer, kind), site, "transfer")
    if found is not None and (found == OVERDUE or told_us is None or told_us <= desk.now_us):
        _say(desk, site, transfer, item, (found, sent, received, lots))
    for kind in CASES:
        desk.transfer_cases.put((site, _case_id(site, transfer, kind)), transfer)
    if is_sender:
        transfer_orders.progress(desk, transfer, sent, received, sum(lots.values()))


def _lines(desk: Desk, site: str, transfer: Transfer, way: str) -> list[TransferLine]:
    return [line for _, line in desk.transfer_lines.scan((site, *transfer, way)) if line.quantity]


def _under_way(desk: Desk, transfer: Transfer) -> Counter[str]:
    """At the sender: what lies on the transfer's own card."""
    from_site, to_site, shipment, item = transfer
    found: Counter[str] = Counter()
    for lot, quantity in desk.book.lot_quantities((from_site, way_to(to_site, shipment), item)).items():
        found[lot.lot] += quantity
    return found


def _open(lines: Mapping[str, list[TransferLine]]) -> Counter[str]:
    """At the receiver: what was said to be sent less what came."""
    found: Counter[str] = Counter()
    for way, sign in ((SENT, 1), (RECEIVED, -1)):
        for line in lines[way]:
            found[line.lot] += sign * line.quantity
    return found


def _patience(desk: Desk, site: str, lines: Mapping[str, list[TransferLine]]) -> tuple[int | None, int | None]:
    """Until when lines may be late, and until when what was sent may be on its way."""
    record = desk.catalog.site(site)
    late = (record.lateness_minutes if record is not None else LATENESS_MINUTES_DEFAULT) * MINUTE_US
    hours = record.transfer_hours if record is not None else TRANSFER_HOURS_DEFAULT
    newest = max((line.at_us for way in lines.values() for line in way), default=None)
    last_sent = max((line.at_us for line in lines[SENT]), default=None)
    return (
        None if newest is None else newest + late,
        None if last_sent is None else last_sent + hours * HOUR_US,
    )


def _case_id(site: str, transfer: Transfer, kind: str) -> str:
    return derived_id("case", kind, site, *transfer)


def _say(
    desk: Desk, site: str, transfer: Transfer, item: Item, found: tuple[str, int, int, Mapping[str, int]]
) -> None:
    """Open the case, or write into it what is known now."""
    kind, sent, received, lots = found
    from_site, to_site, shipment, _ = transfer
    case_id = _case_id(site, transfer, kind)
    unit, differing = item.base_unit, ", ".join(f"lot {lot}: {quantity:+d}" for lot, quantity in sorted(lots.items()) if quantity)
    what = f"transfer {shipment} of {item.name} from {from_site} to {to_site}: {sent} {unit} sent, {received} received"
    advice = {
        UNMATCHED: "no dispatch is known: ask the sender which stock this was",
        OVER: f"more came than was sent ({differing}): count at both sites; the sender then writes the difference off",
        LOTS: f"other lots came than were sent ({differing}): look at the packages; the sender then writes the difference off",
        OVERDUE: f"on its way for too long ({differing}): look for it; the sender's pharmacist writes off what is lost",
    }[kind]
    facts = {
        "shipment": shipment, "from_site": from_site, "to_site": to_site, "sent": sent, "received": received,
        "open": {lot: quantity for lot, quantity in sorted(lots.items()) if quantity},
    }  # fmt: skip
    about = {"item": item.id, "facts": facts, **({"location": way_to(to_site, shipment)} if site == from_site else {})}
    if item.schedule is not None:
        controlled.case(desk, site, case_id, kind, f"{what}; {advice}", **about)
        return
    desk.case_open(case_id, site, kind, f"{what}; {advice}", reopen=True, **about)
    desk.case_note(case_id, site, f"{what}; {advice}", facts)
