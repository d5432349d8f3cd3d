"""Normalise: every item of every raw message becomes a canonical event, or ends here with an outcome and a reason.

It is handed the mappers as functions and knows no wire format. Items of a facility that no site record names are kept and tried
again when one arrives. Patient identifiers are replaced by a keyed hash before anything leaves `raw`.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec
from pydantic import ValidationError

from schemas import events
from schemas.codec import encode
from schemas.events import Decision, ItemOutcome, OrderAnswer, ReferenceChange, StockEvent, Watermark
from schemas.keys import encode_key
from schemas.kinds import STOCK_KINDS, Feed, Outcome
from schemas.log import LogRecord, Output
from schemas.mapping import Mapped, Mapper, NoEffect, Refused, SiteFacts
from schemas.notices import NOTICE, Notice
from schemas.profile import Profile
from schemas.raw import OPENING_JSON, RawMessage, RawRef, from_headers
from schemas.records import Hold, Quarantined
from schemas.topics import HOLDS, OUTCOMES, QUARANTINE, RAW, SITE_LOG
from streams.catalog import CATALOG_TABLES, Catalog
from streams.contract import raw_key
from streams.state import State, Table, TableSpec
from streams.times import MINUTE_US, to_us

K = TypeVar("K")
V = TypeVar("V")

WATERMARK_EVERY_US: Final = 15 * MINUTE_US
FACILITIES_KEPT_MAX: Final = 1_000
PATIENTS_KEPT_MAX: Final = 20_000
"""Facilities and patients remembered between messages; a full memory is dropped and filled again."""
KEPT_CHARS_MAX: Final = 300
"""What has a longer name is looked up anew each time, so that what is remembered stays small."""
KEPT_AGAIN_BYTES_MAX: Final = 16 * 1024
"""A message up to this size is kept whole with each of its refused items; a larger one with the first of them alone, so that a
report of thousands of rows is not kept thousands of times."""
UNPLACED_RETRIES_MAX: Final = 10_000
"""Held items tried again for one new site record; the rest wait for the next one."""


class Unplaced(msgspec.Struct, frozen=True):
    """A message with items whose site is not known yet, whole."""

    value: bytes
    headers: tuple[tuple[str, str], ...]
    indexes: tuple[int, ...]


UNPLACED: Final = TableSpec("unplaced", Unplaced)
PROGRESS: Final = TableSpec("progress", int)


class Context:
    """What mappers are lent: sites by facility code, and the keyed patient hash."""

    def __init__(self, catalog: Catalog, patient_key: bytes) -> None:
        """`patient_key` is the hub's secret, at most 64 bytes."""
        self._catalog = catalog
        self._key = patient_key
        self._facts: dict[tuple[tuple[str, ...], str | None], tuple[SiteFacts | None, bool]] = {}
        self._profiles: dict[str, Profile | None] = {}
        self._hashes: dict[tuple[str, str], str] = {}

    def forget(self) -> None:
        """Drop what was remembered of sites and profiles: reference data has changed."""
        self._facts.clear()
        self._profiles.clear()

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        """The site that one of the facility codes names; else the default when it is known."""
        return self._of(facility_codes, default)[0]

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        """Whether one of the facility codes names a site."""
        return self._of(facility_codes, None)[1]

    def profile(self, name: str) -> Profile | None:
        """The profile of this id in the reference data: the same object until it changes."""
        if name not in self._profiles:
            _keep(self._profiles, name, self._catalog.profile(name), FACILITIES_KEPT_MAX)
        return self._profiles[name]

    def patient_hash(self, identifier: str, authority: str) -> str:
        """Keyed BLAKE2b (RFC 7693) of authority and identifier, 128 bits."""
        patient = (authority, identifier)
        found = self._hashes.get(patient)
        if found is None:
            text = f"{authority}\x1f{identifier}".encode("utf-8", "surrogatepass")
            found = blake2b(text, key=self._key, digest_size=16).hexdigest()
            if len(identifier) + len(authority) <= KEPT_CHARS_MAX:
                _keep(self._hashes, patient, found, PATIENTS_KEPT_MAX)
        return found

    def _of(self, facility_codes: Sequence[str], default: str | None) -> tuple[SiteFacts | None, bool]:
        """What `site` and `knows_facility` answer, remembered until reference data changes."""
        asked = (tuple(facility_codes), default)
        answer = self._facts.get(asked)
        if answer is None:
            found = next(filter(None, (self._catalog.site_of_facility(code) for code in facility_codes if code)), None)
            site = found or (self._catalog.site(default) if default else None)
            answer = (None if site is None else SiteFacts(id=site.id, zone=site.zone), found is not None)
            if sum(map(len, asked[0])) <= KEPT_CHARS_MAX:
                _keep(self._facts, asked, answer, FACILITIES_KEPT_MAX)
        return answer


def _keep(kept: dict[K, V], key: K, value: V, entries_max: int) -> None:
    """Remember a value; a full memory is dropped and filled again."""
    if len(kept) >= entries_max:
        kept.clear()
    kept[key] = value


class NormaliseProcessor:
    """Folds `raw` into `site.log`."""

    name = "normalise"
    input_topic = RAW
    tables = (*CATALOG_TABLES, UNPLACED, PROGRESS)

    def __init__(self, mappers: Mapping[str, Mapper], patient_key: bytes) -> None:
        """`mappers` by content type."""
        self._mappers = mappers
        self._patient_key = patient_key
        self._state: State | None = None

    def forget(self) -> None:
        """Bind anew with the next record."""
        self._state = None

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        """Fold one record of the raw log: a message, or a reference change (of which only sites and profiles matter here)."""
        if self._state is not state:
            self._state = state
            self._catalog = Catalog(state)
            self._context = Context(self._catalog, self._patient_key)
            self._unplaced: Table[Unplaced] = state.table(UNPLACED)
            self._progress: Table[int] = state.table(PROGRESS)
        headers = dict(record.headers)
        match headers.get("ce_type"):
            case "RawMessage":
                return self._message(record, headers)
            case "ReferenceChange":
                return self._reference(events.REFERENCE_CHANGE.decode(record.value or b""))
            case _:
                return ()

    def _message(self, record: LogRecord, headers: dict[str, str]) -> list[Output]:
        message = from_headers(headers, record.value or b"")
        ref = RawRef(partition=record.partition, offset=record.offset)
        mapped = self._map(message, ref)
        out: list[Output] = []
        unplaced: list[int] = []
        kept_whole = message
        for index, item in enumerate(mapped):
            place = ref if index == ref.index else RawRef(partition=ref.partition, offset=ref.offset, index=index)
            if self._waits_for_site(item):
                unplaced.append(index)
                out.extend(self._hold(message, place, item, len(mapped)))
            else:
                ended = self._end_or_forward(kept_whole, place, item, len(mapped), was=None)
                kept_whole = _kept_once(kept_whole, ended)
                out.extend(ended)
        if unplaced:
            kept = Unplaced(record.value or b"", record.headers, tuple(unplaced))
            self._unplaced.put((record.partition, record.offset), kept)
        out.extend(self._watermark(message, mapped))
        return out

    def _map(self, message: RawMessage, ref: RawRef) -> Sequence[Mapped]:
        mapper = self._mappers.get(message.content_type.partition(";")[0].rstrip())
        if mapper is None:
            reason = (
                f"the format of this message is not known (content type {message.content_type}): "
                "it is no HL7 v2, FHIR, cabinet, scan, EPCIS, ERP answer or decision; ask its sender, or leave its file out"
            )
            return (Refused(code="unknown_format", reason=reason),)
        return mapper(message, ref, self._context) or (Refused(code="empty", reason="the message holds no item"),)

    @staticmethod
    def _waits_for_site(item: Mapped) -> bool:
        """Whether an item could move stock if only its site were known."""
        if isinstance(item, Notice):
            return not item.site
        if not isinstance(item, StockEvent) or item.site:
            return False
        return item.kind in STOCK_KINDS and not item.no_effect and not item.test

    def _end_or_forward(
        self, message: RawMessage, ref: RawRef, item: Mapped, items: int, was: Outcome | None
    ) -> list[Output]:
        """One item's way out: to its site, or to its end here."""
        match item:
            case StockEvent() if item.site:
                return self._forward(message, ref, item, items, was)
            case StockEvent():
                reason = f"{item.kind} messages move no stock (no site is known for facility {item.facility or 'not stated'})"
                key = _scan_key(item)
                return [_outcome(message, ref, items, Outcome.ACCEPTED, "no_movement", reason, was, event_key=key)]
            case NoEffect():
                return [_outcome(message, ref, items, Outcome.ACCEPTED, item.code, item.reason, was)]
            case Notice():
                return self._notice(message, ref, item, items, was)
            case Decision() | OrderAnswer():
                if self._catalog.site(item.site) is None:
                    reason = f"site {item.site} is not known: load its site record and replay"
                    return _quarantine(message, ref, items, Refused(code="unknown_site", reason=reason), was)
                return [_to_site(message, item.site, encode(item), type(item).__name__, items)]
            case Refused():
                return _quarantine(message, ref, items, item, was)

    def _notice(
        self, message: RawMessage, ref: RawRef, notice: Notice, items: int, was: Outcome | None
    ) -> list[Output]:
        """A notice goes to the site it is meant for."""
        try:
            NOTICE.check(notice)
        except ValidationError as error:
            fields = ", ".join(".".join(str(part) for part in fault["loc"]) for fault in error.errors(include_input=False))
            refused = Refused(code="invalid_event", reason=f"the message gives a notice with unusable fields: {fields}")
            return _quarantine(message, ref, items, refused, was)
        return [_to_site(message, notice.site, encode(notice), "Notice", items, was)]

    def _forward(
        self, message: RawMessage, ref: RawRef, event: StockEvent, items: int, was: Outcome | None
    ) -> list[Output]:
        """Validate once, at the boundary, then hand the event to its site."""
        data = encode(event)
        try:
            events.STOCK_EVENT.check(event)
        except ValidationError as error:
            fields = ", ".join(".".join(str(part) for part in fault["loc"]) for fault in error.errors(include_input=False))
            refused = Refused(
                code="invalid_event", reason=f"the message gives an event with unusable fields: {fields}",
                event_key=_scan_key(event),
            )  # fmt: skip
            return _quarantine(message, ref, items, refused, was)
        return [_to_site(message, event.site, data, "StockEvent", items, was)]

    def _hold(self, message: RawMessage, ref: RawRef, item: Mapped, items: int) -> list[Output]:
        event_id = item.event_id if isinstance(item, StockEvent) else ""
        kind = item.kind if isinstance(item, StockEvent) else "notice"
        facility = item.facility if isinstance(item, (StockEvent, Notice)) else None
        reason = _why_unplaced(facility, message.site)
        waits_for = f"site {facility or message.site or 'of the feed'}"
        hold = Hold(
            event_id=f"raw-{ref.partition}-{ref.offset}-{ref.index}", site="", waits_for=waits_for,
            reason=reason, since=message.received_at, raw=ref, source=message.source, kind=kind,
        )  # fmt: skip
        ids, kinds = (event_id,) if event_id else (), (kind,) if kind else ()
        outcome = _outcome(
            message, ref, items, Outcome.HELD, "unknown_site", reason, event_ids=ids, kinds=kinds, event_key=_scan_key(item)
        )
        return [Output(HOLDS, _hold_key(ref), encode(hold), "Hold", partition=ref.partition), outcome]

    def _reference(self, change: ReferenceChange) -> list[Output]:
        """Only sites and profiles matter here; a new or changed site may place what is held."""
        if change.kind not in ("site", "profile") or not self._catalog.apply(change):
            return []
        self._context.forget()
        if change.kind == "profile":
            return []
        out: list[Output] = []
        waiting = []
        for key, kept in self._unplaced.scan(()):
            waiting.append((key, kept))
            if len(waiting) == UNPLACED_RETRIES_MAX:
                break
        for key, kept in waiting:
            out.extend(self._retry(int(key[0]), int(key[1]), kept))
        return out

    def _retry(self, partition: int, offset: int, kept: Unplaced) -> list[Output]:
        """Map a kept message again; items that have a site now go on."""
        message = from_headers(dict(kept.headers), kept.value)
        mapped = self._map(message, RawRef(partition=partition, offset=offset))
        out: list[Output] = []
        left: list[int] = []
        kept_whole = message
        for index in kept.indexes:
            item = mapped[index]
            ref = RawRef(partition=partition, offset=offset, index=index)
            if self._waits_for_site(item):
                left.append(index)
                continue
            out.append(Output(HOLDS, _hold_key(ref), None, "Hold", partition=partition))
            ended = self._end_or_forward(kept_whole, ref, item, len(mapped), was=Outcome.HELD)
            kept_whole = _kept_once(kept_whole, ended)
            out.extend(ended)
        if len(left) == len(kept.indexes):
            return out
        if left:
            self._unplaced.put((partition, offset), msgspec.structs.replace(kept, indexes=tuple(left)))
        else:
            self._unplaced.delete((partition, offset))
        return out

    def _watermark(self, message: RawMessage, mapped: Sequence[Mapped]) -> list[Output]:
        """Say how far a source is complete, at most every quarter of an hour of its own messages. A count list is no feed."""
        if message.content_type == OPENING_JSON:
            return []
        site = next((item.site for item in mapped if isinstance(item, StockEvent) and item.site), None)
        if site is None:
            return []
        key = (message.source,)
        at = to_us(message.received_at)
        if at - (self._progress.get(key) or 0) < WATERMARK_EVERY_US:
            return []
        self._progress.put(key, at)
        mark = Watermark(source=message.source, site=site, complete_to=message.received_at)
        return [_to_site(message, site, encode(mark), "Watermark", 1)]


def _scan_key(item: Mapped) -> str | None:
    """The event key of a scan; none for anything else."""
    return item.event_key if isinstance(item, StockEvent) and item.feed is Feed.SCAN else None


def _why_unplaced(facility: str | None, site: str | None) -> str:
    """Why no site is known, and what to do. `facility` is what the message names, `site` what its feed does."""
    give = "give the feed a site that is known (--site, ?site=, default_site)"
    if site and facility:
        return (
            f"no site is known for facility {facility}, and the feed's site {site!r} is not known either: "
            f"load a site record that names the facility, or {give}"
        )
    if facility:
        return f"no site is known for facility {facility}: load a site record that names it"
    if site:
        return f"the feed's site {site!r} is not known: load a site record with this id, or {give}"
    return f"the message names no facility and its feed has no default site: {give}"


def _hold_key(ref: RawRef) -> bytes:
    return encode_key(("", f"raw-{ref.partition}-{ref.offset}-{ref.index}"))


def _to_site(
    message: RawMessage, site: str, value: bytes, type_: str, items: int, was: Outcome | None = None
) -> Output:
    """A record for the site's partition of the site log."""
    return Output(
        SITE_LOG, encode_key((site,)), value, type_, site, subject=site, source=message.source, time=message.received_at,
        items=items, was=was or "",
    )  # fmt: skip


def _outcome(
    message: RawMessage,
    ref: RawRef,
    items: int,
    outcome: Outcome,
    code: str,
    reason: str,
    was: Outcome | None = None,
    *,
    event_ids: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    event_key: str | None = None,
) -> Output:
    """How an item ended here."""
    record = ItemOutcome(
        source=message.source, raw=ref, items=items, outcome=outcome, code=code, reason=reason, at=message.received_at,
        site=message.site, name=message.name, was=was, event_ids=event_ids, kinds=kinds,
        event_key=event_key,
    )  # fmt: skip
    return Output(OUTCOMES, raw_key(ref), encode(record), "ItemOutcome", partition=ref.partition)


def _kept_once(message: RawMessage, ended: list[Output]) -> RawMessage:
    """The message for its further items: without its body once a refused item has it, when it is large."""
    if len(message.body) <= KEPT_AGAIN_BYTES_MAX or not any(output.topic == QUARANTINE for output in ended):
        return message
    return dataclasses.replace(message, body=b"")


def _quarantine(message: RawMessage, ref: RawRef, items: int, refused: Refused, was: Outcome | None) -> list[Output]:
    """Keep an item that can't be understood, with its message, and the reason."""
    record = Quarantined(
        raw=ref, source=message.source, code=refused.code, reason=refused.reason, at=message.received_at,
        content_type=message.content_type, profile=message.profile, site=message.site, name=message.name,
        body_base64=base64.b64encode(message.body).decode("ascii"),
    )  # fmt: skip
    kept = Output(QUARANTINE, raw_key(ref), encode(record), "Quarantined", partition=ref.partition)
    outcome = _outcome(
        message, ref, items, Outcome.QUARANTINED, refused.code, refused.reason, was, event_key=refused.event_key
    )
    return [kept, outcome]
