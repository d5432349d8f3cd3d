"""Building the stock event of one item from what its resource type's module read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from connectors.fhir.bundle import Item, is_test
from connectors.fhir.context import facility_codes, patient_of, people_of, place_codes
from connectors.fhir.datatypes import identifiers_of, instant_of
from connectors.fhir.identity import event_key, id_key, key_of, order_key, reversal_key, version_of
from connectors.fhir.medication import Medication, medication_of
from connectors.fhir.nodes import Fault, Node, text
from schemas.codec import contract
from schemas.events import StockEvent
from schemas.ids import derived_id, fingerprint
from schemas.kinds import STOCK_KINDS, EventKind, Feed
from schemas.mapping import MappingContext, SiteFacts
from schemas.raw import RawMessage, RawRef

MISTAKE: Final = "the newest version says it was entered in error"
EVENT_CHARACTERS_MAX: Final = 16_384
"""Most characters of codes and names in one event; a resource with more is refused rather than carried through every log."""


class Origin(NamedTuple):
    """The message an item came in, and what the hub lends to read it."""

    message: RawMessage
    context: MappingContext
    release: str | None = None
    """The FHIR release the message states it is written in; None when it does not."""


@contract
class Facts:
    """What a resource type's module says of one resource. `times` are (path, value) in order of preference."""

    kind: EventKind
    feed: Feed
    times: Sequence[tuple[str, str]]
    quantity: Decimal | None = None
    unit: str | None = None
    quantity_is_dose: bool = False
    places: Sequence[Node] = ()
    destinations: Sequence[Node] = ()
    order_id: str = ""
    no_effect: str | None = None
    key_suffix: str = ""
    """Set while nothing has moved yet: the state before the fact is no version of the fact."""
    takes_back: bool = False
    product: Medication | None = None
    """What it is about, where that does not stand under `medication`."""
    senders: Sequence[str] = ()
    """Names of who sent it: a site of the network makes a receipt the arrival of a transfer."""
    line: int = 1
    lines: int = 0
    """Line of the resource, from 1, and how many it has; 0 when its type never has several. A type with lines has no versions
    that replace each other: another version of it conflicts, and a person decides."""


def event_of(item: Item, facts: Facts, ref: RawRef, origin: Origin) -> StockEvent:
    """The stock event. Raises `Fault` when a fact that moves stock has no usable time."""
    where = _site(item, facts.places, origin)
    medication = facts.product or medication_of(item)
    moves = facts.no_effect is None and not facts.takes_back and facts.kind in STOCK_KINDS
    occurred, zone_assumed = _occurred(facts.times, where.site, origin.message.received_at, required=moves)
    location_codes = place_codes(item, facts.places)
    patient = patient_of(item, origin.context)

    def content() -> str:
        return fingerprint(
            facts.kind, facts.quantity, facts.unit, occurred.isoformat(), patient, facts.order_id,
            medication.lot, medication.expiry, *medication.codes, *location_codes,
        )  # fmt: skip

    identifiers = identifiers_of(item.resource)
    resource_key = (order_key if facts.kind is EventKind.ORDER else event_key)(item, identifiers, content)
    named = _named(facts, resource_key, item, origin.message.received_at)
    actor, witness = people_of(item)
    destination_codes = place_codes(item, facts.destinations)
    _check_size(named.key, *location_codes, *destination_codes, *_texts(medication), medication.lot)
    own_name = (identifiers[0][1] if identifiers else text(item.resource, "id")) or None
    partner = _other_site(facts, where.id, origin)
    return StockEvent(
        event_id=derived_id("event", where.id, named.key),
        event_key=named.key,
        kind=EventKind.REVERSAL if named.reverses else EventKind.TRANSFER_IN if partner else facts.kind,
        feed=facts.feed,
        site=where.id,
        source=origin.message.source,
        raw=ref,
        occurred=occurred,
        received_at=origin.message.received_at,
        codes=medication.codes,
        quantity=facts.quantity,
        unit=facts.unit,
        quantity_is_dose=facts.quantity_is_dose,
        location_codes=location_codes,
        to_location_codes=destination_codes,
        lot=medication.lot,
        expiry=medication.expiry,
        serial=medication.serial,
        transaction_id=own_name,
        control_id=item.scope.control_id,
        order_id=facts.order_id or None,
        partner=partner,
        shipment=(facts.order_id or own_name) if partner else None,
        patient=patient, actor=actor, witness=witness,
        reverses=named.reverses,
        replaces=named.replaces,
        alias=named.alias,
        version=named.version,
        part_of=named.part_of,
        lines=facts.lines,
        test=item.scope.test or is_test(item.resource),
        no_effect=MISTAKE if named.replaces and facts.takes_back else facts.no_effect,
        zone_assumed=zone_assumed,
        facility=where.facility,
        facility_matched=where.facility_matched,
    )


def _other_site(facts: Facts, site: str, origin: Origin) -> str | None:
    """The site of the network that sent it, where it is another one."""
    found = origin.context.site(facts.senders, None) if facts.senders else None
    return found.id if found is not None and found.id != site else None


class _Named(NamedTuple):
    """The identity of an event: its key, and the facts it stands for, takes back or belongs to."""

    key: str
    reverses: str | None = None
    replaces: str | None = None
    version: int = 0
    part_of: str | None = None
    alias: str | None = None


def _named(facts: Facts, resource_key: str, item: Item, received_at: datetime) -> _Named:
    """A resource that bears a version (meta) is one of the versions of the fact; the highest counts, in any order of arrival.

    One without is the fact itself: sent again with other content it conflicts.
    """
    key = resource_key if facts.line == 1 else f"{resource_key}|{facts.line}"
    version, alias = None, None
    if facts.kind in STOCK_KINDS and not facts.lines:
        version = version_of(item, received_at)
        own_id = text(item.resource, "id")
        own_key = id_key(item.resource_type, own_id) if own_id else key
        alias = own_key if own_key != key else None
    if version is not None:
        return _Named(f"{key}|{key_of(f'v{version.label}')}", replaces=key, version=version.order, alias=alias)
    first = None if facts.line == 1 else resource_key
    if facts.takes_back:
        return _Named(reversal_key(key), reverses=key, part_of=first and reversal_key(first))
    return _Named(key + facts.key_suffix, alias=None if facts.key_suffix else alias, part_of=first and first + facts.key_suffix)


def deletion_of(item: Item, feed: Feed, key: str, ref: RawRef, origin: Origin) -> StockEvent:
    """The event of a DELETE: the fact under `key` is taken back. Its time is the Bundle's, else when it was received."""
    where = _site(item, (), origin)
    timestamp = (("Bundle.timestamp", item.scope.timestamp),)
    occurred, zone_assumed = _occurred(timestamp, where.site, origin.message.received_at, required=False)
    own_key = reversal_key(key)
    return StockEvent(
        event_id=derived_id("event", where.id, own_key),
        event_key=own_key,
        kind=EventKind.REVERSAL,
        feed=feed,
        site=where.id,
        source=origin.message.source,
        raw=ref,
        occurred=occurred,
        received_at=origin.message.received_at,
        control_id=item.scope.control_id,
        reverses=key,
        test=item.scope.test,
        zone_assumed=zone_assumed,
        facility=where.facility,
        facility_matched=where.facility_matched,
    )


def _texts(medication: Medication) -> list[str | None]:
    return [stated for code in medication.codes for stated in (code.value, code.text)]


def _check_size(*texts: str | None) -> None:
    """Raises `Fault` when the codes and names of an event are absurdly long together."""
    size = sum(map(len, filter(None, texts)))
    if size > EVENT_CHARACTERS_MAX:
        reason = f"Its codes and names have {size} characters together, more than {EVENT_CHARACTERS_MAX}."
        raise Fault("too_long", reason)


class _Where(NamedTuple):
    """The site's facts and id when it is known, and what the message says of it."""

    site: SiteFacts | None
    id: str
    facility: str | None
    facility_matched: bool


def _site(item: Item, places: Sequence[Node], origin: Origin) -> _Where:
    codes = facility_codes(item, places)
    site = origin.context.site(codes, origin.message.site)
    matched = bool(codes) and origin.context.knows_facility(codes)
    return _Where(site, site.id if site else "", codes[0] if codes else None, matched)


def _occurred(
    times: Sequence[tuple[str, str]], site: SiteFacts | None, received_at: datetime, *, required: bool
) -> tuple[datetime, bool]:
    """The first stated time. What moves nothing may go without a usable one: then it is when it was received."""
    for path, stated in times:
        if stated:
            try:
                return instant_of(stated, path, site)
            except Fault:
                if required:
                    raise
                return received_at, False
    if required:
        paths = ", ".join(path for path, _ in times)
        raise Fault("no_time", f"The resource does not say when it happened: none of {paths} is given.")
    return received_at, False
