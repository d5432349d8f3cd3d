"""What a processor is, and how a batch of its input is folded.

A processor has exactly one input topic. `handle(record, state)` is a pure function of the record and the state: no clock, no
random, no I/O. The fold keeps one failing event from stopping a partition: its writes and outputs are taken back, and it leaves
as a quarantine record and a case in the same batch.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from schemas.codec import encode
from schemas.events import ItemOutcome
from schemas.ids import derived_id
from schemas.keys import encode_integers, encode_key
from schemas.kinds import Outcome
from schemas.log import LogRecord, Output
from schemas.raw import RawRef
from schemas.records import Case, Quarantined
from schemas.topics import CASES, OUTCOMES, QUARANTINE
from streams.state import Change, State, TableSpec
from streams.times import from_us

BATCH_EVENTS_MAX: Final = 2_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024


class Processor(Protocol):
    """A pure processor."""

    @property
    def name(self) -> str:
        """Name of the processor; its state and position stand under it."""

    @property
    def input_topic(self) -> str:
        """The one topic it folds."""

    @property
    def tables(self) -> Sequence[TableSpec]:
        """Declarations of its tables."""

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        """Fold one record: write state, return outputs."""

    def forget(self) -> None:
        """Drop everything remembered outside the state: called when writes are taken back and when state was replaced."""


class HandlerFault(msgspec.Struct, frozen=True):
    """An event whose handling raised: for counters and logs, never with its content."""

    processor: str
    topic: str
    partition: int
    offset: int
    error: str


def fold(
    processor: Processor,
    records: Iterable[LogRecord],
    state: State,
    refuse: Callable[[Output], None] | None = None,
    inspect: Callable[[Change], None] | None = None,
) -> tuple[list[tuple[LogRecord, list[Output]]], list[HandlerFault]]:
    """Fold records in order; a raising event becomes quarantine + case, the others go on.

    `refuse` looks at every output and raises for one that the runtime can't carry: its event is taken back as a raising one is.
    `inspect` does the same for every write of an event, encoded. Encoding each write, not only the last of a key in a batch,
    is slow: it is for a batch whose writes could not be encoded or carried, after `State.discard`, to find the event at fault.
    """
    folded: list[tuple[LogRecord, list[Output]]] = []
    faults: list[HandlerFault] = []
    handle = processor.handle
    for record in records:
        state.begin_event()
        try:
            outputs = list(handle(record, state))
            if refuse is not None:
                for output in outputs:
                    refuse(output)
            if inspect is not None:
                for change in state.event_changes():
                    inspect(change)
        except Exception as error:  # noqa: BLE001  # the stated rule: one bad event must not stop a site
            state.rollback_event()
            processor.forget()
            fault = HandlerFault(processor.name, record.topic, record.partition, record.offset, describe(error))
            faults.append(fault)
            outputs = _fault_outputs(record, fault)
        folded.append((record, outputs))
    return folded, faults


def describe(error: BaseException) -> str:
    """Type and place of an error, without its text: a text could quote a patient."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def headers_of(record: LogRecord) -> dict[str, str]:
    """The record's headers by name."""
    return dict(record.headers)


def _fault_outputs(record: LogRecord, fault: HandlerFault) -> list[Output]:
    """Quarantine, outcome and case of an event whose handling raised."""
    headers = headers_of(record)
    fields = _event_fields(record)
    stated = fields.get("raw")
    raw = RawRef(**stated) if isinstance(stated, dict) else RawRef(partition=record.partition, offset=record.offset)
    site = str(fields.get("site") or headers.get("site") or "")
    source = str(fields.get("source") or headers.get("source") or record.topic)
    at = datetime.fromisoformat(headers["ce_time"]) if headers.get("ce_time") else from_us(0)
    reason = f"the hub failed on this event ({fault.error}); it is kept whole and can be replayed after a fix"
    body = base64.b64encode(record.value or b"").decode("ascii")
    quarantined = Quarantined(
        raw=raw, source=source, code="handler_fault", reason=reason, at=at, content_type=headers.get("ce_type", record.topic),
        profile="", body_base64=body, site=site or None, name=f"{record.topic}[{record.partition}]@{record.offset}",
    )  # fmt: skip
    case = Case(
        case_id=derived_id("case", "handler_fault", record.topic, record.partition, record.offset), site=site,
        kind="handler_fault", state="open", text=reason, opened_at=at, updated_at=at, raw=raw,
    )  # fmt: skip
    key = raw_key(raw)
    outputs = [
        Output(QUARANTINE, key, encode(quarantined), "Quarantined", partition=raw.partition, subject=site),
        Output(CASES, encode_key((site, case.case_id)), encode(case), "Case", site, subject=site),
    ]
    if isinstance(stated, dict) or record.topic == "raw":
        outcome = ItemOutcome(
            source=source, raw=raw, items=int(headers.get("items", "1")), outcome=Outcome.QUARANTINED, code="handler_fault",
            reason=reason, at=at, site=site or None, was=Outcome(headers["was"]) if "was" in headers else None,
            event_key=str(fields["event_key"]) if fields.get("feed") == "scan" and "event_key" in fields else None,
        )  # fmt: skip
        outputs.append(Output(OUTCOMES, key, encode(outcome), "ItemOutcome", partition=raw.partition, subject=site))
    return outputs


def _event_fields(record: LogRecord) -> dict[str, Any]:
    """The fields of a JSON event, or nothing when it has none."""
    try:
        fields = msgspec.json.decode(record.value or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return fields if isinstance(fields, dict) else {}


def raw_key(raw: RawRef) -> bytes:
    """Topic key of everything that is said about one item of one raw message."""
    return encode_integers(raw.partition, raw.offset, raw.index)
