"""Transaction reports as stock events: one result a row, the events those of the cabinet mapper.

A row with a transaction id is identified by it, like a transaction that a cabinet sends itself. A row without one is identified
by the columns that the profile's `key` names and by how many rows with the same texts stand above it in the report: two equal
rows are two transactions, and the same two when the report, or another one that covers their time, comes again. What an
incomplete minute can hide is told by `edges`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Final

from connectors.cabinet.mapper import transaction_event
from connectors.hl7.profiles.compile import Compiled, ProfileError
from connectors.hl7.profiles.shipped import Profiles
from connectors.json_items import Fault
from connectors.report.edges import marked
from connectors.report.reader import rows_of
from connectors.report.row import Read, read_row
from schemas.events import StockEvent
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef

_PROFILES: Final = Profiles()


def map_report(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """One result a row; at least one. A report that can't be read as a whole is one refusal. Never raises."""
    try:
        compiled = _PROFILES.find(message.profile, context)
    except ProfileError as error:
        return [Refused(code="bad_profile", reason=f"{error}: load it corrected, then replay")]
    if compiled is None:
        reason = f"the feed names profile {message.profile[:64]}, which is not loaded: load it, then replay"
        return [Refused(code="unknown_profile", reason=reason)]
    return map_by(compiled, message, ref, context)


def map_by(compiled: Compiled, message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a report by a profile."""
    report = compiled.report
    if report is None:
        reason = f"profile {compiled.id} describes no report: name one that has a `report` (--profile, or the feed's profile)"
        return [Refused(code="no_report", reason=reason)]
    try:
        rows = rows_of(message.body, report)
    except Fault as fault:
        return [Refused(code=fault.code, reason=f"{fault.reason} (profile {compiled.id})")]
    if not rows:
        return [NoEffect(code="empty_report", reason="The report holds no row.")]
    reading = _Reading(compiled, message, context)
    results: list[Mapped] = []
    nameless: set[int] = set()
    for index, row in enumerate(rows):
        try:
            found = read_row(row, report, compiled.units)
            if isinstance(found, Read):
                if found.identity is not None:
                    nameless.add(index)
                results.append(reading.event(found, dataclasses.replace(ref, index=index)))
            else:
                results.append(found)
        except Fault as fault:
            where = "" if fault.reason.startswith("line ") else f"line {row.line}: "
            results.append(Refused(code=fault.code, reason=f"{where}{fault.reason.rstrip('.')} (profile {compiled.id})"))
    return marked(results, nameless, message.sha256)


class _Reading:
    """What the rows of one report share: above all how often each identity has come."""

    def __init__(self, compiled: Compiled, message: RawMessage, context: MappingContext) -> None:
        self._compiled = compiled
        self._message = message
        self._context = context
        self._times: Counter[tuple[str | None, str, str]] = Counter()

    def event(self, row: Read, ref: RawRef) -> StockEvent:
        """The event of a row; of one without an id of its own the event states none. Raises `Fault`."""
        transaction, zone = row.transaction, self._compiled.profile.zone
        if row.identity is None:
            return transaction_event(transaction, self._message, ref, self._context, zone)
        same = (transaction.facility, transaction.device, row.identity)
        self._times[same] += 1
        named = dataclasses.replace(transaction, transaction_id=f"row {row.identity} {self._times[same]}")
        event = transaction_event(named, self._message, ref, self._context, zone)
        return dataclasses.replace(event, transaction_id=None)
