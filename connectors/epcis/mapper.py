"""EPCIS 2.0 documents and single events as notices of packages, one result an event.

Source: GS1 EPCIS 2.0.1 (JSON-LD binding), Core Business Vocabulary 2.0. Read are Object, Aggregation and Transaction events of
packages, lots and containers. Events that say nothing of what is on its way here (sensors, transformations, our own receiving)
are accepted without effect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connectors.epcis.identifiers import Epc, EpcError, read_epc, read_gln
from connectors.field_faults import quoted
from connectors.json_items import Fault, checked_expiry, instant
from connectors.json_text import DEPTH_MAX, HALF_CHARACTER, is_deeper, is_text
from schemas.events import QUANTITY_MAX
from schemas.ids import derived_id
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.notices import AnnouncedPackage, Notice, NoticeStep
from schemas.raw import RawMessage, RawRef

EVENTS_MAX: Final = 2_000
PACKAGES_MAX: Final = 20_000
"""Packages, lots and containers of one event."""
_STEPS: Final = {
    "shipping": NoticeStep.SHIP, "departing": NoticeStep.SHIP, "consigning": NoticeStep.SHIP, "void_shipping": NoticeStep.END,
    "decommissioning": NoticeStep.END, "destroying": NoticeStep.END,
}  # fmt: skip
_LISTS: Final = ("epcList", "childEPCs")
_CLASSES: Final = ("quantityList", "childQuantityList")


def map_epcis(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a document, a query result, a list of events or one event. Never raises; at least one result."""
    try:
        value = json.loads(message.body, parse_float=Decimal)
    except (ValueError, RecursionError, InvalidOperation):
        return [Refused(code="not_json", reason="The body is not JSON that can be read; EPCIS is taken as JSON-LD, not as XML.")]
    events = _events_of(value)
    if events is None:
        reason = "The body is no EPCIS document: it has no epcisBody.eventList and is no event with a type of EPCIS 2.0."
        return [Refused(code="not_epcis", reason=reason)]
    if not events:
        return [NoEffect(code="empty_list", reason="The document holds no event.")]
    if len(events) > EVENTS_MAX:
        reason = f"The document holds {len(events)} events, more than {EVENTS_MAX}; send it in several messages."
        return [Refused(code="too_many_items", reason=reason)]
    places = tuple(dict.fromkeys(gln for event in events for gln in _destinations(event, message.received_at.year)))
    return [_one(event, index, message, ref, context, places) for index, event in enumerate(events)]


def _events_of(value: object) -> list[Any] | None:
    """The events, or None when there is no list of them and it is no event itself."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    body = value.get("epcisBody")
    if isinstance(body, dict):
        results = body.get("queryResults")
        inner = results.get("resultsBody") if isinstance(results, dict) else None
        found = inner.get("eventList") if isinstance(inner, dict) else body.get("eventList")
        return found if isinstance(found, list) else [found] if isinstance(found, dict) else None
    return [value] if str(value.get("type", "")).endswith("Event") else None


def _one(
    event: object, index: int, message: RawMessage, ref: RawRef, context: MappingContext, places: tuple[str, ...]
) -> Mapped:
    if not isinstance(event, dict):
        return Refused(code="not_an_object", reason="An event must be a JSON object.")
    if is_deeper(event, DEPTH_MAX):
        return Refused(code="too_deep", reason=f"The event is nested more than {DEPTH_MAX} deep.")
    if not is_text(event):
        return Refused(code="bad_text", reason=f"A text of the event holds {HALF_CHARACTER}.")
    try:
        return _mapped(event, RawRef(partition=ref.partition, offset=ref.offset, index=index), message, context, places)
    except Fault as fault:
        return Refused(code=fault.code, reason=fault.reason)


def _mapped(
    event: dict[str, Any], ref: RawRef, message: RawMessage, context: MappingContext, places: tuple[str, ...]
) -> Mapped:
    step = _step(event)
    if isinstance(step, NoEffect):
        return step
    year = message.received_at.year
    own = _destinations(event, year)
    facilities = own or (places if len(places) == 1 else ())
    site = context.site(facilities, message.site)
    at = _time(event)
    packages, containers = _contents(event, step, year)
    parent = event.get("parentID")
    container = _epc(parent, year).sscc if isinstance(parent, str) else None
    if step in (NoticeStep.PACK, NoticeStep.UNPACK) and container is None:
        return NoEffect(code="no_container", reason="The aggregation names no SSCC as its parent: nothing is scanned by it.")
    if not packages and not containers and step is not NoticeStep.UNPACK:  # to unpack nothing by name is to unpack all
        return NoEffect(code="no_packages", reason="The event names no package, lot or container.")
    key = _key(event)
    site_id = site.id if site is not None else ""
    return Notice(
        notice_id=derived_id("notice", site_id, key), notice_key=key, site=site_id, source=message.source, raw=ref, step=step,
        at=at, received_at=message.received_at, packages=packages, container=container, containers=containers,
        documents=tuple(_documents(event)), void="errorDeclaration" in event, facility=facilities[0] if facilities else None,
    )  # fmt: skip


def _step(event: dict[str, Any]) -> NoticeStep | NoEffect:
    """What the event is about. Raises `Fault` for one that EPCIS does not know."""
    kind, action, business = str(event.get("type", "")), str(event.get("action", "")), _word(event.get("bizStep"))
    if kind in ("TransformationEvent", "AssociationEvent"):
        return NoEffect(code="no_movement", reason=f"A {kind} says nothing of packages that come here.")
    if kind not in ("ObjectEvent", "AggregationEvent", "TransactionEvent"):
        raise Fault("unknown_event", f"type: {quoted(kind)} is no event of EPCIS 2.0.")
    if action not in ("ADD", "OBSERVE", "DELETE"):
        raise Fault("invalid_fields", f"action: {quoted(action)} is not ADD, OBSERVE or DELETE.")
    if kind == "AggregationEvent":
        return NoticeStep.UNPACK if action == "DELETE" else NoticeStep.PACK
    if business in _STEPS:
        return _STEPS[business]
    if kind == "TransactionEvent":
        return NoticeStep.LINK
    if action == "ADD":
        return NoticeStep.COMMISSION
    if action == "DELETE":
        return NoticeStep.END
    reason = f"An observation ({business or 'no bizStep'}) says nothing of packages that come here."
    return NoEffect(code="no_movement", reason=reason)


def _word(value: object) -> str:
    """The last word of a vocabulary value: `urn:epcglobal:cbv:bizstep:shipping` and `cbv:BizStep-shipping` are `shipping`."""
    return str(value or "").rpartition(":")[2].rpartition("/")[2].rpartition("BizStep-")[2].strip().lower()


def _time(event: dict[str, Any]) -> datetime:
    """`eventTime`, with `eventTimeZoneOffset` where it has no offset itself."""
    text = str(event.get("eventTime", ""))
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = datetime.fromisoformat(f"{text}{event.get('eventTimeZoneOffset', '')}")
    except ValueError:
        raise Fault("invalid_fields", f"eventTime: {quoted(text)} is no date and time like 2026-05-31T14:05:00Z.") from None
    if at.tzinfo is None:
        raise Fault("invalid_fields", "eventTime has no UTC offset, and there is no eventTimeZoneOffset.")
    return instant("eventTime", at, None)[0]


def _contents(event: dict[str, Any], step: NoticeStep, year: int) -> tuple[tuple[AnnouncedPackage, ...], tuple[str, ...]]:
    """Packages and lots, and containers. Lot and expiry are those of the event's master data (ilmd)."""
    lot, expiry = _master_data(event) if step is NoticeStep.COMMISSION else (None, None)
    packages: list[AnnouncedPackage] = []
    containers: list[str] = []
    for epc, quantity in _named(event, year):
        if epc.sscc is not None:
            containers.append(epc.sscc)
        elif epc.gtin is not None:
            if epc.serial is None and epc.lot is None and lot is None:
                reason = f"GTIN {epc.gtin} is named without serial number and lot: nothing can be compared with it."
                raise Fault("no_lot", reason)
            packages.append(
                AnnouncedPackage(gtin=epc.gtin, serial=epc.serial, lot=epc.lot or lot, expiry=expiry, quantity=quantity)
            )
    return tuple(packages), tuple(containers)


def _named(event: dict[str, Any], year: int) -> Iterator[tuple[Epc, int]]:
    """Every EPC, and every class with its quantity. Raises `Fault`."""
    count = 0
    for name in (*_LISTS, *_CLASSES):
        listed = event.get(name) or []
        if not isinstance(listed, list):
            raise Fault("invalid_fields", f"{name}: is no list.")
        count += len(listed)
        if count > PACKAGES_MAX:
            raise Fault("too_many_items", f"The event names more than {PACKAGES_MAX} packages; send it in several.")
        for entry in listed:
            if name in _LISTS:
                yield _epc(entry, year), 1
            else:
                yield _class(entry, year)


def _class(entry: object, year: int) -> tuple[Epc, int]:
    if not isinstance(entry, dict):
        raise Fault("invalid_fields", "quantityList: an element is no object with epcClass and quantity.")
    quantity = entry.get("quantity", 1)
    is_number = isinstance(quantity, (int, Decimal)) and not isinstance(quantity, bool)
    if entry.get("uom") is not None or not is_number or not 1 <= quantity <= QUANTITY_MAX or quantity != int(quantity):
        raise Fault("invalid_fields", "quantityList: a quantity is no whole number of packages; measured goods are not taken.")
    return _epc(entry.get("epcClass"), year), int(quantity)


def _epc(value: object, year: int) -> Epc:
    try:
        return read_epc(str(value), year)
    except EpcError as error:
        raise Fault("unreadable_epc", f"{error}.") from None


def _master_data(event: dict[str, Any]) -> tuple[str | None, date | None]:
    """Lot and expiry of the event's `ilmd`, whatever prefix its vocabulary has there."""
    found = event.get("ilmd")
    values = {str(name).rpartition(":")[2]: value for name, value in found.items()} if isinstance(found, dict) else {}
    lot, expiry = values.get("lotNumber"), values.get("itemExpirationDate")
    if expiry is None:
        return None if lot is None else str(lot), None
    try:
        day = date.fromisoformat(str(expiry)[:10])
    except ValueError:
        raise Fault("invalid_fields", f"itemExpirationDate: {quoted(str(expiry))} is no date like 2026-05-31.") from None
    return None if lot is None else str(lot), checked_expiry(day)


def _destinations(event: object, year: int) -> tuple[str, ...]:
    """GLNs of where the goods go."""
    listed = event.get("destinationList") if isinstance(event, dict) else None
    texts = [str(one.get("destination", "")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(filter(None, (read_gln(text, year) for text in texts))))


def _documents(event: dict[str, Any]) -> Iterator[str]:
    listed: Sequence[object] = event.get("bizTransactionList") or ()
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("bizTransaction"):
            yield str(one["bizTransaction"])[:200]


def _key(event: dict[str, Any]) -> str:
    """The event's own id; without one, a digest of its content (recordTime, which the repository sets, left out)."""
    given = event.get("eventID")
    if isinstance(given, str) and given.strip():
        return f"epcis|{given.strip()[:300]}"
    stated = {name: value for name, value in event.items() if name not in ("recordTime", "errorDeclaration")}
    text = json.dumps(stated, sort_keys=True, default=str)
    return f"epcis|sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
