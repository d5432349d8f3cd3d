"""Opening counts through the desk: a list keyed in pocket by pocket, pockets declared empty, a count taken back.

The first count of a pocket is its opening balance. A later one compares: the ledger before it is told beside what was found, and
it is a count as any other. The record comes first, then the entry; one that is lost in between is sent when it is keyed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from schemas.codec import encode
from schemas.golive import POCKETS_MAX, CountedLot, OpeningEntry, PocketCount, SiteMode, opening_event_id, opening_source
from schemas.raw import OPENING_JSON, RawMessage
from schemas.reference import Item
from sinks.sql import golive as asked
from topology.downtime.known import UnclearError
from topology.errors import InputRefusedError, UnknownNameError
from topology.golive.counting import Pocket, Said, read_list
from topology.golive.desk import GoLiveDesk
from topology.reference_known import records_of


@dataclass(frozen=True, slots=True)
class _Count:
    """A pocket's count with the item that was counted."""

    record: PocketCount
    item: Item
    new: bool


def count(
    desk: GoLiveDesk, *, site: str, by: str, rows: Sequence[Mapping[str, str]], said: Said, now: datetime
) -> list[dict[str, Any]]:
    """Key a count list in: per row what became of it. A pocket that is unclear is refused by row, the others are taken."""
    with desk.one:
        _may_count(desk, site)
        desk.roles(site, by)
        pockets, refused = read_list(rows, desk.words(site), said, now)
        answers: list[dict[str, Any]] = [{"row": number + 1} for number in range(len(rows))]
        for number, why in refused.items():
            answers[number].update(outcome="refused", code="refused", reason=why)
        numbers = _Numbers(desk, site)
        counts: list[tuple[_Count, list[int]]] = []
        for pocket in pockets:
            first = pocket.rows[0]
            made = numbers.count(
                pocket, counted_at=first.at, counted_by=first.counted_by, witness=first.witness, keyed_by=by, keyed_at=now
            )
            of = [one.line.row for one in pocket.rows]
            if isinstance(made, str):
                for number in of:
                    answers[number].update(outcome="refused", code="refused", reason=made)
            else:
                counts.append((made, of))
        for (made, of), told in zip(counts, _keyed(desk, site, [one for one, _ in counts], now), strict=True):
            for number in of:
                answers[number].update(told, location=made.record.location, item=made.record.item)
        return answers


def empty(
    desk: GoLiveDesk, *, site: str, by: str, location: str, said: Said, now: datetime, item: str | None = None
) -> list[dict[str, Any]]:
    """Declare that nothing lies in the pockets at or below a place that were not counted: one answer a pocket."""
    with desk.one:
        _may_count(desk, site)
        desk.roles(site, by)
        words = desk.words(site)
        try:
            place = words.place(location, "", None)
        except UnclearError as error:
            raise UnknownNameError(str(error)) from None
        open_ones = [
            one for one in desk.standing(site, now).uncounted
            if (one[0] == place or one[0].startswith(f"{place}/")) and item in (None, one[1])
        ]  # fmt: skip
        if not open_ones:
            msg = f"no pocket at or below {place} is without a count" + (f" of {item}" if item else "")
            raise UnknownNameError(msg)
        rows = [{"location": path, "code": of, "quantity": "0"} for path, of in open_ones]
        return count(desk, site=site, by=by, rows=rows, said=said, now=now)


def take_back(desk: GoLiveDesk, *, site: str, by: str, number: int, reason: str, now: datetime) -> PocketCount:
    """Take a pocket's count back that was keyed wrong: it can be counted anew."""
    with desk.one:
        _may_count(desk, site)
        desk.roles(site, by)
        held = next((one for one in desk.counts(site, all_of_them=True) if one.number == number), None)
        if held is None:
            msg = f"site {site} has no count {number}: `wardstock golive counts --site {site}` lists them"
            raise UnknownNameError(msg)
        later = [one.number for one in desk.counts(site) if _place(one) == _place(held) and one.number > held.number]
        if later:
            msg = f"{held.location} was counted again ({', '.join(map(str, later))}): take the last one back first"
            raise InputRefusedError(msg)
        item = _items(desk)[held.item]
        entry = replace(_entry(_Count(held, item, new=False)), takes_back=True)
        ((ended,),) = desk.hub.ingest([_message(site, [entry], now)])
        if ended["outcome"] not in ("accepted", "duplicate"):
            msg = f"count {number} could not be taken back: {ended['reason']}"
            raise InputRefusedError(msg)
        if held.taken_back_by is not None:
            return held
        done = replace(held, taken_back_by=by, taken_back_at=now, reason=reason.strip())
        desk.hub.load_reference([_record(done)])
        return done


class _Numbers:
    """What was counted before, and the numbers that are free."""

    def __init__(self, desk: GoLiveDesk, site: str) -> None:
        self._site = site
        every = desk.counts(site, all_of_them=True)
        self._next = max((one.number for one in every), default=0) + 1
        self._standing: dict[tuple[str, str], list[PocketCount]] = {}
        for one in every:
            if one.taken_back_by is None:
                self._standing.setdefault(_place(one), []).append(one)
        self._engine = desk.hub.views.engine
        self._ledgers: dict[datetime, dict[tuple[str, str], int]] = {}

    def count(self, pocket: Pocket, **who: Any) -> _Count | str:
        """The count of a pocket: as it was keyed before, else a new one; or why it can't be taken."""
        before = self._standing.get((pocket.location, pocket.item.id), [])
        at: datetime = who["counted_at"]
        again = next((one for one in before if one.counted_at == at), None)
        if again is not None:
            if (again.lots, again.counted_by, again.witness) == (pocket.lots, who["counted_by"], who["witness"]):
                return _Count(again, pocket.item, new=False)
            return (
                f"{pocket.location} was counted at {at.isoformat()} otherwise, as number {again.number} by {again.counted_by}: "
                f"that one stands; if it is wrong, take it back with `wardstock golive uncount {again.number}`"
            )
        if before and at < before[-1].counted_at:
            return f"{pocket.location} was counted at {before[-1].counted_at.isoformat()}: what was there before is history"
        number = self._next
        self._next += 1
        made = PocketCount(
            site=self._site, number=number, location=pocket.location, item=pocket.item.id, lots=pocket.lots, check=bool(before),
            event_id=opening_event_id(self._site, number), expected=self._expected(pocket, at) if before else None, **who,
        )  # fmt: skip
        self._standing.setdefault((pocket.location, pocket.item.id), []).append(made)
        return _Count(made, pocket.item, new=True)

    def _expected(self, pocket: Pocket, at: datetime) -> int:
        """What the ledger has at the time of a second count."""
        if at not in self._ledgers:
            held: dict[tuple[str, str], int] = {}
            for row in asked.stock_at(self._engine, self._site, at):
                key = (row["location"], row["item"])
                held[key] = held.get(key, 0) + row["quantity"]
            self._ledgers[at] = held
        return self._ledgers[at].get((pocket.location, pocket.item.id), 0)


def _keyed(desk: GoLiveDesk, site: str, counts: Sequence[_Count], now: datetime) -> list[dict[str, Any]]:
    """The records first, then the entries, and how each ended."""
    fresh = [_record(one.record) for one in counts if one.new]
    if fresh:
        desk.hub.load_reference(fresh)
    told: list[dict[str, Any]] = []
    for start in range(0, len(counts), POCKETS_MAX):
        part = counts[start : start + POCKETS_MAX]
        (ended,) = desk.hub.ingest([_message(site, [_entry(one) for one in part], now)])
        told += [_told(one.record, item) for one, item in zip(part, ended, strict=True)]
    return told


def _told(record: PocketCount, ended: Mapping[str, Any]) -> dict[str, Any]:
    """What is answered for each row of a pocket."""
    found = sum(int(lot.quantity) for lot in record.lots)
    told = {**{name: ended[name] for name in ("outcome", "code", "reason")}, "number": record.number}
    if record.check and record.expected is not None:
        difference = found - record.expected
        told.update(expected=record.expected, found=found, difference=difference)
        said = "as the ledger has it" if not difference else f"{difference:+d} against the {record.expected} of the ledger"
        told["reason"] = f"{told['reason']}: counted before, so it compares: {found}, {said}"
    return told


def _may_count(desk: GoLiveDesk, site: str) -> None:
    """Raise `InputRefusedError` for a site that is live: there a count is one of its feeds'."""
    held = desk.record(site)
    if held is None or held.mode is SiteMode.LIVE:
        then = "prepare it first" if held is None else "count it through its cabinets, scanners or paper"
        msg = f"site {site} is live: an opening count belongs to a site that prepares or runs in shadow; {then}"
        raise InputRefusedError(msg)


def _entry(one: _Count) -> OpeningEntry:
    record = one.record
    return OpeningEntry(
        number=record.number, location=record.location, item=record.item, unit=one.item.base_unit, occurred=record.counted_at,
        user=record.counted_by, witness=record.witness, lots=record.lots or _nothing(record), check=record.check,
    )  # fmt: skip


def _nothing(record: PocketCount) -> tuple[CountedLot, ...]:
    """A later count that found nothing says so of the unknown lot; an opening count says it by naming none."""
    return (CountedLot(quantity=Decimal(0)),) if record.check else ()


def _message(site: str, entries: Sequence[OpeningEntry], now: datetime) -> RawMessage:
    body = b"[" + b",".join(encode(entry) for entry in entries) + b"]"
    return RawMessage(
        body=body, source=opening_source(site), connector="opening", content_type=OPENING_JSON, received_at=now, site=site,
        name=f"opening count of {site}",
    )  # fmt: skip


def _record(record: PocketCount) -> tuple[str, str, object]:
    return "pocket_count", f"{record.site}|{record.number}", record


def _place(record: PocketCount) -> tuple[str, str]:
    return record.location, record.item


def _items(desk: GoLiveDesk) -> dict[str, Item]:
    found = [record for _, _, record in records_of("item", desk.hub.views.reference("item"))]
    return {one.id: one for one in found if isinstance(one, Item)}
