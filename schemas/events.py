"""Canonical events: what the site log holds and the site processor folds.

A mapper turns one item of a raw message into one `StockEvent`. It states what the sender said, in the sender's codes and units;
which item that is, how many base units, and whether it moves stock at all is decided by the site processor's stages.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field

from schemas.codec import Codec, contract
from schemas.codes import Code
from schemas.kinds import EventKind, Feed, Outcome
from schemas.raw import RawRef

QUANTITY_MAX: Final = Decimal(10_000_000)
"""Larger quantities are refused as absurd by every mapper."""
Sequence = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]
"""A number of the sender's that is no quantity; at most what a key and a table hold (`schemas.keys`)."""


@contract
class PatientMerge:
    """Two identifiers of one patient, as keyed hashes: `merged` is not used any more, `into` stands for both."""

    merged: str
    into: str


@contract
class TransformPart:
    """One line of a transform: what went in, or what came out (`made`). Without a place it is where the transform happened."""

    made: Annotated[bool, Field(description="an output; else an input")]
    codes: tuple[Code, ...]
    quantity: Decimal
    unit: str
    location_codes: tuple[str, ...] = ()
    lot: str | None = None
    expiry: date | None = None
    container: str | None = None
    beyond_use: datetime | None = None


@contract
class FoundLot:
    """What was found of one lot in a count of a whole place, in the event's `unit`. The cost is of one base unit, as stated."""

    codes: tuple[Code, ...]
    quantity: Decimal
    lot: str | None = None
    expiry: date | None = None
    unit_cost: Decimal | None = None


@contract
class StockEvent:
    """One item of one message, in the sender's words. Instants are UTC; quantities are as stated, never converted.

    `event_key` is the sender's business identity of the fact (design: identity): the same fact resent has the same key,
    whatever its control id or time of sending. `event_id` is derived from site and key.
    """

    event_id: str
    event_key: Annotated[str, Field(min_length=1)]
    kind: EventKind
    feed: Feed
    site: Annotated[str, Field(description="site id; empty when the sending facility is not known")]
    source: str
    raw: RawRef
    occurred: datetime
    received_at: datetime
    codes: tuple[Code, ...] = ()
    quantity: Annotated[Decimal | None, Field(description="amount in `unit`; for a count the counted amount")] = None
    unit: str | None = None
    quantity_is_dose: Annotated[bool, Field(description="the quantity is a dose, to be turned into base units")] = False
    location_codes: Annotated[
        tuple[str, ...], Field(description="codes of the place the fact happened at, most specific first")
    ] = ()
    pocket: Annotated[str | None, Field(description="path below the place, e.g. d3/p07")] = None
    to_location_codes: Annotated[tuple[str, ...], Field(description="where it went")] = ()
    to_pocket: str | None = None
    lot: str | None = None
    expiry: date | None = None
    serial: str | None = None
    container: str | None = None
    device_sequence: Annotated[Sequence, Field(description="the device's own order of its events; 0 when none")] = 0
    transaction_id: str | None = None
    control_id: Annotated[str | None, Field(description="the message's own id (MSH-10, Bundle.id)")] = None
    order_id: str | None = None
    patient: Annotated[str | None, Field(description="keyed hash of the patient identifier")] = None
    merges: Annotated[tuple[PatientMerge, ...], Field(description="patients that are one from now on")] = ()
    actor: str | None = None
    witness: str | None = None
    override: Annotated[bool, Field(description="taken before a pharmacist had verified the order")] = False
    begin_count: Annotated[Decimal | None, Field(description="what the pocket held before, in `unit`")] = None
    begin_count_verified: Annotated[bool, Field(description="a person counted it; else the device expected it")] = False
    reverses: Annotated[str | None, Field(description="event_key of the fact this one takes back")] = None
    replaces: Annotated[str | None, Field(description="event_key of the fact this one stands in for")] = None
    alias: Annotated[str | None, Field(description="another key under which the fact may be taken back")] = None
    version: Annotated[
        Sequence, Field(description="the sender's order of versions of the fact in `replaces`; 0: time decides")
    ] = 0
    part_of: Annotated[
        str | None, Field(description="event_key of the first line of the same resource: lines of another version of it conflict")
    ] = None
    lines: Annotated[Sequence, Field(description="how many lines the resource has, where it may have several")] = 0
    condition: Annotated[str | None, Field(description="of goods received, where they are unfit: damaged, temperature")] = None
    beyond_use: Annotated[datetime | None, Field(description="of a container opened: the instant its label gives")] = None
    parts: Annotated[tuple[TransformPart, ...], Field(description="of a transform: what went in and what came out")] = ()
    recipe: Annotated[str | None, Field(description="of a transform: the recipe it is checked against")] = None
    partner: Annotated[
        str | None, Field(description="who is on the other side: the other site of a transfer, a supplier, a reverse distributor")
    ] = None
    shipment: Annotated[str | None, Field(description="number of the transfer or return, alike at both ends")] = None
    amount: Annotated[Decimal | None, Field(description="credit expected of a return, in the currency of the costs")] = None
    document: Annotated[str | None, Field(description="paper that governs it: order form, return authorisation")] = None
    found: Annotated[
        tuple[FoundLot, ...], Field(description="of a count of a whole place: every lot that lies there, `quantity` their sum")
    ] = ()
    test: Annotated[bool, Field(description="test or training traffic: never posts")] = False
    no_effect: Annotated[str | None, Field(description="why this item moves nothing, in the sender's terms")] = None
    zone_assumed: Annotated[bool, Field(description="the time stamp had no offset; the site's zone was used")] = False
    facility: Annotated[str | None, Field(description="the sending facility as the message gives it")] = None
    facility_matched: Annotated[bool, Field(description="the facility named the site; else the feed's default did")] = False


@contract
class Tick:
    """What time it is, as an event. Now is the highest tick seen; older ticks do nothing."""

    at: datetime


@contract
class Watermark:
    """A source is complete up to `complete_to`."""

    source: str
    site: str
    complete_to: datetime


@contract
class ReferenceChange:
    """One version of one reference record. Receivers ignore a revision that is not newer than the one they hold."""

    revision: Annotated[int, Field(ge=1)]
    kind: str
    id: str
    record: dict[str, Any] | None = None


@contract
class Decision:
    """A person's decision on a command (approve, reject, cancel, document) or a case (close, note, loss, notified, filed).

    `transfer` has a purchase need met by the site in `option`; `write_off` gives up what a transfer's case says is on its way;
    `return` has the stock of a case sent back to the supplier or reverse distributor in `option`.
    """

    decision_id: str
    site: str
    target: Annotated[str, Field(description="command id or case id")]
    action: Annotated[
        str,
        Field(pattern="^(approve|reject|cancel|close|transfer|write_off|return|document|note|loss|notified|filed)$"),
    ]
    actor: Annotated[str, Field(min_length=1)]
    at: datetime
    option: Annotated[str | None, Field(description="the site to transfer from, or whom to return to")] = None
    reason: str | None = None
    raw: RawRef | None = None
    document: Annotated[str | None, Field(description="number of the document that the decision names")] = None


@contract
class OrderAnswer:
    """An ERP's answer to a command: acknowledged (ordered), shipped, rejected; or credited, of a return, with the amount."""

    answer_id: str
    site: str
    command_id: str
    status: Annotated[str, Field(pattern="^(acknowledged|shipped|rejected|credited)$")]
    at: datetime
    quantity: Decimal | None = None
    amount: Annotated[Decimal | None, Field(description="credit received, in the currency of the costs")] = None
    expected_at: datetime | None = None
    document: Annotated[str | None, Field(description="purchase order or delivery number")] = None
    reason: str | None = None
    raw: RawRef | None = None


@contract
class Proposal:
    """What the network suggests for a site's need: a supplier, and the options it weighed."""

    site: str
    command_id: str
    location: str
    item: str
    supplier: str | None
    options: tuple[dict[str, Any], ...]
    at: datetime


@contract
class ItemOutcome:
    """How one item of a raw message ended, and why. A later record for the same item replaces the earlier one."""

    source: str
    raw: RawRef
    items: Annotated[int, Field(ge=1, description="how many items the message declared")]
    outcome: Outcome
    code: Annotated[str, Field(description="stable name of the reason")]
    reason: Annotated[str, Field(description="what a person can act on")]
    at: datetime
    site: str | None = None
    name: str | None = None
    event_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    was: Annotated[Outcome | None, Field(description="the outcome this one replaces")] = None
    event_key: Annotated[str | None, Field(description="identity of a scan, by which the person who scanned asks for it")] = None


STOCK_EVENT: Final = Codec(StockEvent)
TICK: Final = Codec(Tick)
WATERMARK: Final = Codec(Watermark)
REFERENCE_CHANGE: Final = Codec(ReferenceChange)
DECISION: Final = Codec(Decision)
ORDER_ANSWER: Final = Codec(OrderAnswer)
PROPOSAL: Final = Codec(Proposal)
ITEM_OUTCOME: Final = Codec(ItemOutcome)
