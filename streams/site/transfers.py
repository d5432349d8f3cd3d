"""Stage transfers, what is told: notices of other sites, and a person's decision to give up what is on its way.

A notice of an arrival takes it off the sender's way at the time it arrived, as a fact of its own key; one that is taken back
is reversed like any fact. To give up is a count of nothing on the transfer's card: what is told later of the time before it moves
its variance, as for every count.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas.codes import ITEM, PRODUCT, Code, normalise_lot
from schemas.events import Decision, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.raw import RawRef
from schemas.transfers import TransferNotice, TransferStep
from streams.ledger.model import UNKNOWN_LOT, CardKey
from streams.ledger.postings import way_to
from streams.site import beyond_use, ledger, shipments, transfer_orders
from streams.site.desk import Desk
from streams.site.work import Work

MAY_WRITE_OFF: Final = frozenset({"pharmacist"})
_LINES: Final = frozenset({TransferStep.SENT, TransferStep.RECEIVED})
_AFTER_DEVICES: Final = 2**62
_NO_RAW: Final = RawRef(partition=0, offset=0)


def take(desk: Desk, notice: TransferNotice) -> list[CardKey]:
    """Take a notice in; returns the cards that changed."""
    if notice.step not in _LINES:
        return transfer_orders.take(desk, notice)
    lot = normalise_lot(notice.lot) if notice.lot else UNKNOWN_LOT
    if desk.catalog.item(notice.item) is None or not shipments.heard(desk, notice, lot):
        return []
    touched = _off_the_way(desk, notice) if notice.step is TransferStep.RECEIVED else beyond_use.carried(desk, notice, lot)
    shipments.look(desk, notice.site, (notice.from_site, notice.to_site, notice.shipment, notice.item))
    return touched


def _off_the_way(desk: Desk, notice: TransferNotice) -> list[CardKey]:
    """What the other site received is on its way no longer; what it did not receive after all is so again."""
    key = received_key(notice.to_site, notice.line)
    event = _event(notice, key, EventKind.TRANSFER_RECEIVED)
    item = desk.catalog.item(notice.item)
    if item is None:
        return []
    if notice.quantity:
        place = way_to(notice.to_site, notice.shipment)
        return ledger.post(desk, Work(event, item, notice.product, place, notice.to_site, notice.quantity))
    seen = desk.seen.get((notice.site, key))
    if seen is None or seen.status != "posted":
        return []
    back = _event(notice, f"{key}|back", EventKind.REVERSAL, reverses=key)
    return ledger.reverse(desk, back)[2]


def received_key(site: str, line: str) -> str:
    """The event key, at the sender, of what another site says it received."""
    return f"transfer|{site}|{line}"


def _event(notice: TransferNotice, key: str, kind: EventKind, *, reverses: str | None = None) -> StockEvent:
    """The notice as a fact of the site it is for."""
    codes = (Code(system=ITEM, value=notice.item), *((Code(system=PRODUCT, value=notice.product),) if notice.product else ()))
    return StockEvent(
        event_id=derived_id("event", notice.site, key), event_key=key, kind=kind, feed=Feed.SUPPLY, site=notice.site,
        source=f"site:{notice.to_site}", raw=notice.raw or _NO_RAW, occurred=notice.at, received_at=notice.at, codes=codes,
        quantity=Decimal(notice.quantity), lot=notice.lot, expiry=notice.expiry, partner=notice.to_site,
        shipment=notice.shipment, reverses=reverses, container=notice.container,
    )  # fmt: skip


def write_off(desk: Desk, decision: Decision) -> tuple[str, str, list[CardKey]]:
    """Give up what the transfer of a case has on its way. Returns a reason code, a sentence, and the card that changed."""
    transfer = desk.transfer_cases.get((decision.site, decision.target))
    if transfer is None:
        return "unknown_target", f"{decision.target} is no case of a transfer at site {decision.site}", []
    from_site, to_site, shipment, item_id = transfer
    item = desk.catalog.item(item_id)
    if from_site != decision.site or item is None:
        return "not_the_sender", f"what is on its way stands at {from_site}, which sent it: its pharmacist decides", []
    held = [role for role in desk.catalog.roles_of(decision.actor) if not role.sites or decision.site in role.sites]
    if not any(role.role in MAY_WRITE_OFF for role in held):
        return "not_authorised", f"{decision.actor} is no pharmacist at {decision.site}", []
    key = f"write_off|{decision.decision_id}"
    event = StockEvent(
        event_id=derived_id("event", decision.site, key), event_key=key, kind=EventKind.TRANSFER_LOSS, feed=Feed.SUPPLY,
        site=decision.site, source="decision", raw=decision.raw or _NO_RAW, occurred=decision.at, received_at=decision.at,
        device_sequence=_AFTER_DEVICES, actor=decision.actor, partner=to_site, shipment=shipment,
    )  # fmt: skip
    place = way_to(to_site, shipment)
    before = desk.book.card((from_site, place, item_id)).on_hand
    touched = ledger.post(desk, Work(event, item, "", place, None, 0))
    left = desk.book.card((from_site, place, item_id)).on_hand
    shipments.look(desk, from_site, transfer)
    return "written_off", f"{before - left} {item.base_unit} of transfer {shipment} are written off", touched
