"""Stage identity: one business key posts once.

The same key with the same stock-bearing fields is a duplicate; with others it opens a correction case and posts nothing.
A reused control id with another key is another event. Facts older than the horizon (`memory`) can't be told from duplicates any
more: they are quarantined.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from schemas.codec import encode
from schemas.events import FoundLot, StockEvent, TransformPart
from schemas.ids import derived_id
from schemas.kinds import STOCK_KINDS, EventKind, Outcome
from schemas.raw import RawRef
from schemas.records import Quarantined
from schemas.report import REPORT_EDGE
from schemas.topics import QUARANTINE
from streams.contract import raw_key
from streams.site import ledger, memory
from streams.site.desk import Desk, no_exponent
from streams.site.tables import Seen

_STATED: Final = msgspec.msgpack.Encoder()


def facts_of(event: StockEvent) -> str:
    """Fingerprint of the stock-bearing fields: what moved, how much, from where, when."""
    stated = (
        event.kind, event.occurred, [(code.system, code.value) for code in event.codes], no_exponent(event.quantity), event.unit,
        event.location_codes, event.pocket, event.to_location_codes, event.to_pocket, event.lot, event.expiry, event.serial,
        event.container, no_exponent(event.begin_count), event.no_effect, event.test, event.reverses, event.replaces,
        *((event.lines,) if event.lines else ()), *((event.condition,) if event.condition else ()),
        *((("shipment", event.partner, event.shipment, no_exponent(event.amount)),) if event.partner or event.shipment else ()),
        *(_found(one) for one in event.found),
        *((event.beyond_use,) if event.beyond_use else ()), *map(_part, event.parts),
    )  # fmt: skip
    return blake2b(_STATED.encode(stated), digest_size=16).hexdigest()


def _part(part: TransformPart) -> tuple[object, ...]:
    """What a line of a transform states, equal amounts as equal text."""
    codes = [(code.system, code.value) for code in part.codes]
    return (
        part.made, codes, no_exponent(part.quantity), part.unit, part.location_codes, part.lot, part.expiry, part.container,
        part.beyond_use,
    )  # fmt: skip


def _found(one: FoundLot) -> tuple[object, ...]:
    """What a count of a whole place says of one lot, equal amounts as equal text."""
    codes = [(code.system, code.value) for code in one.codes]
    return codes, no_exponent(one.quantity), one.lot, one.expiry, no_exponent(one.unit_cost)


class Admission(StrEnum):
    """What becomes of an event: it is applied, it ended here, or it ended here because it had been taken back before it came."""

    NEW = "new"
    ENDED = "ended"
    TAKEN_BACK = "taken_back"


def admit(desk: Desk, event: StockEvent) -> Admission:
    """Remember the event's key, and say how an event ended that is not new (duplicate, conflict, too old, taken back)."""
    key = (event.site, event.event_key)
    known = desk.seen.get(key)
    late = memory.too_old(desk, event, known)
    if late is not None:
        _too_old(desk, event, late)
        return Admission.ENDED
    facts = facts_of(event)
    kept = memory.kept_us(desk, event)
    raw = (event.raw.partition, event.raw.offset, event.raw.index)
    if known is None and _of_another_version(desk, event):
        _conflict(desk, event, Seen("", "", raw, event.kind, "new"), facts)
        return Admission.ENDED
    if known is None and event.alias is not None:
        early = desk.seen.get((event.site, event.alias))
        if early is not None and early.status == "reversed_early":
            known = early
        else:
            desk.aliases.put((event.site, event.alias), event.replaces or event.event_key)
    if known is None:
        is_long = event.kind is EventKind.REVERSAL
        control = _only_told_by(event)
        desk.seen.put(key, Seen(facts, event.event_id, raw, event.kind, "new", control=control, kept_us=kept, controlled=is_long))
        return Admission.NEW
    if known.status == "reversed_early" and not known.fingerprint and event.kind is EventKind.REVERSAL:
        # Somebody tried to take this reversal back before it came; only facts can be taken back, so it counts.
        if known.taken_back_by:
            raw_of_other = RawRef(partition=known.raw[0], offset=known.raw[1], index=known.raw[2])
            ledger.not_a_fact(desk, event.site, known.taken_back_by, known.event_id, raw_of_other)
        desk.seen.put(key, Seen(facts, event.event_id, raw, event.kind, "new", kept_us=kept, controlled=True))
        return Admission.NEW
    if known.status == "reversed_early" and not known.fingerprint:
        desk.seen.put(key, Seen(facts, event.event_id, raw, event.kind, "reversed", kept_us=kept, controlled=True))
        desk.outcome(
            event, Outcome.ACCEPTED, "reversed_before_arrival", "a reversal of this event had already arrived: nothing moves",
            event_ids=(event.event_id,), kinds=(event.kind,), was=desk.was,
        )  # fmt: skip
        return Admission.TAKEN_BACK
    if known.fingerprint == facts:
        if known.control and event.control_id not in (None, "", known.control):
            _ambiguous(desk, event, known)
        reason = f"the same event was received before as {known.event_id}"
        ids, kinds = (event.event_id,), (event.kind,)
        desk.outcome(event, Outcome.DUPLICATE, "duplicate", reason, event_ids=ids, kinds=kinds, was=desk.was)
        return Admission.ENDED
    _conflict(desk, event, known, facts)
    return Admission.ENDED


def _of_another_version(desk: Desk, event: StockEvent) -> bool:
    """Whether a line is new although its resource was told before: the resource has changed, and its first version stands."""
    first = desk.seen.get((event.site, event.part_of)) if event.part_of else None
    return first is not None and first.raw[:2] != (event.raw.partition, event.raw.offset)


def _only_told_by(event: StockEvent) -> str:
    """The control id of a fact that nothing else tells from another one like it; "" for facts that a sender numbers or counts.

    At the edge of a report an order tells nothing: two removals for one order can look alike.
    """
    ordered = event.order_id and not (event.control_id or "").startswith(REPORT_EDGE)
    numbered = event.transaction_id or ordered or event.serial or event.device_sequence or event.begin_count is not None
    return "" if numbered or event.kind not in STOCK_KINDS else event.control_id or ""


def _ambiguous(desk: Desk, event: StockEvent, known: Seen) -> None:
    """The same facts in another message: a queue that was replayed with new ids, or the same thing done twice in one minute.

    It counts once, as a resend does; a person says if it was two.
    """
    text = (
        f"{event.kind} of {no_exponent(event.quantity)} {event.unit or ''} at {event.occurred.isoformat()} came in two messages, "
        f"{known.control} and {event.control_id}, with no transaction number, order or count to tell them apart: counted once; "
        "if it happened twice, count the place"
    )
    desk.case_open(
        derived_id("case", "ambiguous_duplicate", event.site, event.event_key), event.site, "ambiguous_duplicate", text,
        event_id=event.event_id, raw=event.raw,
        facts={"first_raw": list(known.raw), "second_raw": [event.raw.partition, event.raw.offset, event.raw.index]},
    )  # fmt: skip


def _conflict(desk: Desk, event: StockEvent, known: Seen, facts: str) -> None:
    """The same key with other facts: nothing posts, a person decides."""
    case_id = derived_id("case", "conflicting_duplicate", event.site, event.event_key, facts)
    text = (
        f"{event.kind} {event.event_key} arrived again with other facts (quantity {no_exponent(event.quantity)} "
        f"{event.unit or ''}, lot {event.lot or 'not stated'}): the first version stands, correct it if the second is right"
    )
    desk.case_open(
        case_id, event.site, "conflicting_duplicate", text, event_id=event.event_id, raw=event.raw,
        facts={"first_raw": list(known.raw), "second_raw": [event.raw.partition, event.raw.offset, event.raw.index]},
    )  # fmt: skip
    desk.outcome(
        event, Outcome.DUPLICATE, "conflicting_duplicate", text, event_ids=(event.event_id,), kinds=(event.kind,), was=desk.was
    )  # fmt: skip


def _too_old(desk: Desk, event: StockEvent, why: str) -> None:
    """Too old to tell from a duplicate."""
    reason = f"{why}: too old to tell from a duplicate; enter it as a count or a correction if it is real"
    record = Quarantined(
        raw=event.raw, source=event.source, code="too_old", reason=reason, at=desk.at,
        content_type="application/json; type=StockEvent", profile="", site=event.site,
        body_base64=base64.b64encode(encode(event)).decode("ascii"),
    )  # fmt: skip
    desk.emit(QUARANTINE, raw_key(event.raw), encode(record), "Quarantined", event.site)
    desk.outcome(event, Outcome.QUARANTINED, "too_old", reason, event_ids=(event.event_id,), kinds=(event.kind,), was=desk.was)
