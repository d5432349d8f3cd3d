"""Cabinet transactions (`schemas/cabinet.py`) as stock events: one result a transaction, a bad one never spoils the others.

The mapper says what the cabinet saw. Which item it was, and whether it moves stock, is decided later.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.json_items import Fault, checked_expiry, checked_quantity, instant, key, map_items, validated
from schemas.cabinet import CABINET_TRANSACTION, TRANSACTIONS_MAX, CabinetAction, CabinetTransaction
from schemas.codes import Code
from schemas.events import FoundLot, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, MappingContext, SiteFacts
from schemas.raw import RawMessage, RawRef

_AMOUNTS: Final = frozenset(
    {CabinetAction.VEND, CabinetAction.RETURN, CabinetAction.WASTE, CabinetAction.REFILL, CabinetAction.EXPIRE}
)
"""Actions whose quantity is an amount; an amount of 0 moves nothing. Load, unload and count state totals."""


def map_cabinet(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one transaction or a list of at most `TRANSACTIONS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        transaction = validated(CABINET_TRANSACTION, item, instants=("occurred",), dates=("expiry",))
        place = ref if index == ref.index else RawRef(partition=ref.partition, offset=ref.offset, index=index)
        return transaction_event(transaction, message, place, context)

    return map_items(message.body, TRANSACTIONS_MAX, "transaction", one)


def transaction_key(facility: str | None, device: str, transaction_id: str) -> str:
    """The business identity of a cabinet transaction: `cab|<facility>|<device>|<transaction_id>`."""
    return key("cab", facility or "", device, transaction_id)


def transaction_event(
    transaction: CabinetTransaction, message: RawMessage, ref: RawRef, context: MappingContext, zone: str | None = None
) -> StockEvent:
    """The event of one transaction. A time without offset is in `zone`, else in the site's. Raises `Fault`."""
    facility = transaction.facility or None
    site = context.site((facility,) if facility else (), message.site)
    site_id = site.id if site is not None else ""
    event_key = transaction_key(facility, transaction.device, transaction.transaction_id)
    reverses = _reverses(transaction, facility, event_key)
    clock = site if zone is None else SiteFacts(id=site_id, zone=zone)
    occurred, zone_assumed = instant("occurred", transaction.occurred, clock)
    patient = transaction.patient_id
    return StockEvent(
        event_id=derived_id("event", site_id, event_key),
        event_key=event_key,
        kind=EventKind.REVERSAL if reverses else EventKind(transaction.action.value),
        feed=Feed.CABINET,
        site=site_id,
        source=message.source,
        raw=ref,
        occurred=occurred,
        received_at=message.received_at,
        codes=_codes(transaction, *(one.product_code for one in transaction.lots)),
        quantity=checked_quantity("quantity", transaction.quantity),
        unit=transaction.unit,
        location_codes=(transaction.device,),
        pocket=transaction.pocket,
        lot=transaction.lot or None,
        found=_found(transaction),
        expiry=checked_expiry(transaction.expiry),
        serial=transaction.serial or None,
        container=transaction.container or None,
        device_sequence=transaction.device_sequence,
        transaction_id=transaction.transaction_id,
        order_id=transaction.order_id or None,
        patient=context.patient_hash(patient, transaction.patient_authority or "") if patient else None,
        actor=transaction.user or None,
        witness=transaction.witness or None,
        override=transaction.override,
        begin_count=checked_quantity("begin_count", transaction.begin_count),
        begin_count_verified=transaction.begin_count_verified,
        reverses=reverses,
        test=transaction.test,
        no_effect=None if reverses else _no_effect(transaction),
        zone_assumed=zone_assumed,
        facility=facility,
        facility_matched=bool(facility) and context.knows_facility((facility,) if facility else ()),
    )


def _codes(transaction: CabinetTransaction, *others: str | None) -> tuple[Code, ...]:
    """The transaction's product code, and others in the same system."""
    system = transaction.code_system.strip().lower()
    return tuple(Code(system=system, value=code) for code in dict.fromkeys((transaction.product_code, *filter(None, others))))


def _found(transaction: CabinetTransaction) -> tuple[FoundLot, ...]:
    """What a count of a whole pocket found of each lot. Raises `Fault` where lots are told of anything else, or don't add up."""
    lots = transaction.lots
    if not lots:
        return ()
    if transaction.action is not CabinetAction.COUNT or transaction.lot:
        raise Fault("invalid_fields", "lots: only a count names every lot of a pocket, and then `lot` is left out.")
    total = sum(one.quantity for one in lots)
    if total != transaction.quantity:
        reason = f"lots: add up to {total}, but quantity is {transaction.quantity}; state every lot of the pocket."
        raise Fault("invalid_fields", reason)
    system = transaction.code_system.strip().lower()
    return tuple(
        FoundLot(
            codes=(Code(system=system, value=one.product_code or transaction.product_code),),
            quantity=one.quantity, lot=one.lot or None, expiry=checked_expiry(one.expiry),
        )
        for one in lots
    )  # fmt: skip


def _reverses(transaction: CabinetTransaction, facility: str | None, event_key: str) -> str | None:
    """The key of the transaction that this one cancels. Raises `Fault` when it names itself."""
    if not transaction.reverses:
        return None
    reverses = transaction_key(facility, transaction.device, transaction.reverses)
    if reverses == event_key:
        raise Fault("reverses_itself", "reverses: names its own transaction_id; it must name the transaction to cancel.")
    return reverses


def _no_effect(transaction: CabinetTransaction) -> str | None:
    if transaction.action is CabinetAction.NULL:
        return "The cabinet marked the transaction as null."
    if transaction.action in _AMOUNTS and not transaction.quantity:
        return f"The cabinet reported a {transaction.action.value} of 0."
    return None
