"""Rows of a count list as counted pockets. Pure. A pocket is taken whole or not at all: a row left out would say 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from connectors.field_faults import sentence
from schemas.codec import Codec
from schemas.golive import LOTS_MAX, CountedLot
from schemas.reference import Item
from topology.downtime.entry import CLOCK, written_quantity, written_time
from topology.downtime.known import UnclearError
from topology.golive.words import Line, Words

COLUMNS: Final = (
    "location", "pocket", "code", "lot", "expiry", "quantity", "unit", "unit_cost", "date", "time", "counted_by", "witness",
)  # fmt: skip
NEEDED: Final = ("location", "code", "quantity")
OLDEST: Final = timedelta(days=365)
"""An opening count that is older says little of what is there; the hub takes facts of 400 days."""
_LOT: Final = Codec(CountedLot)
FIRST_LINE: Final = 2
"""Of a file, the line of row 0: the names of the columns stand above it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a whole list says where its rows don't."""

    at: datetime | None = None
    counted_by: str = ""
    witness: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """One row that can be taken."""

    line: Line
    lot: CountedLot | None
    """None: the row says that nothing is there."""
    at: datetime
    counted_by: str
    witness: str | None


@dataclass(slots=True)
class Pocket:
    """All rows of one place and item."""

    location: str
    item: Item
    rows: list[Counted] = field(default_factory=list)

    @property
    def lots(self) -> tuple[CountedLot, ...]:
        """What was found of each lot, as listed."""
        return tuple(one.lot for one in self.rows if one.lot is not None)


def read_list(rows: Sequence[Mapping[str, str]], words: Words, said: Said, now: datetime) -> tuple[list[Pocket], dict[int, str]]:
    """The pockets of a list that can be taken, and why each of the other rows can't, by its number from 0."""
    refused: dict[int, str] = {}
    doubtful: dict[str, int] = {}
    pockets: dict[tuple[str, str], Pocket] = {}
    for number, cells in enumerate(rows):
        try:
            row = _row(cells, number, words, said, now)
        except UnclearError as error:
            refused[number] = str(error)
            doubtful.setdefault(_written_place(cells), number)
            continue
        key = (row.line.location, row.line.item.id)
        pockets.setdefault(key, Pocket(row.line.location, row.line.item)).rows.append(row)
    taken = []
    for pocket in pockets.values():
        why = _unfit(pocket, rows, doubtful)
        if why is None:
            taken.append(pocket)
        else:
            refused.update((one.line.row, why) for one in pocket.rows)
    return taken, refused


def _written_place(cells: Mapping[str, str]) -> str:
    return f"{cells.get('location') or ''}/{cells.get('pocket') or ''}".strip().strip("/").upper()


def _unfit(pocket: Pocket, rows: Sequence[Mapping[str, str]], doubtful: Mapping[str, int]) -> str | None:
    """Why a pocket can't be taken although each of its rows could."""
    beside = [doubtful[place] for one in pocket.rows if (place := _written_place(rows[one.line.row])) in doubtful]
    if beside:
        return f"another row of {pocket.location} is refused (line {beside[0] + FIRST_LINE}): a place is taken whole"
    first = pocket.rows[0]
    seen: dict[str, list[Line]] = {}
    for one in pocket.rows:
        if (one.at, one.counted_by, one.witness) != (first.at, first.counted_by, first.witness):
            return f"{pocket.location} has {pocket.item.id} counted at two times or by two people: count all lots of it at once"
        if one.lot is None:
            continue
        before = seen.setdefault(one.line.key, [])
        same = next((line for line in before if "" in (line.product, one.line.product) or line.product == one.line.product), None)
        if same is not None:
            lot = f"lot {one.line.lot}" if one.line.lot else "stock without a lot"
            where = f"{pocket.item.id} at {pocket.location}"
            lines = f"{same.row + FIRST_LINE} and {one.line.row + FIRST_LINE}"
            return f"{lot} of {where} stands in lines {lines}: write the sum in one"
        before.append(one.line)
    if len(pocket.lots) > LOTS_MAX:
        return f"{pocket.location} has {len(pocket.lots)} lots of {pocket.item.id}: at most {LOTS_MAX} in one place"
    if pocket.item.schedule is not None and not first.witness:
        return f"{pocket.item.id} is controlled: a count of it needs a witness"
    return None


def _row(cells: Mapping[str, str], number: int, words: Words, said: Said, now: datetime) -> Counted:
    """One row. Raises `UnclearError` with what is wrong and what to write."""
    given = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    for name, cell in given.items():
        if not cell.isprintable():
            msg = f"{name}: {cell!a} holds a control character: write it without"
            raise UnclearError(msg)
    at = _time(given, words, said, now)
    counted_by = given["counted_by"] or said.counted_by
    witness = given["witness"] or said.witness or None
    if not counted_by:
        msg = "counted_by: is missing; write who counted, or say it for the whole list"
        raise UnclearError(msg)
    if witness is not None and witness.casefold() == counted_by.casefold():
        msg = f"witness: {witness} counted it; a witness is somebody else"
        raise UnclearError(msg)
    line = words.line(given, number, words.day(at))
    return Counted(line, _lot(line, given["unit_cost"]), at, counted_by, witness)


def _time(given: Mapping[str, str], words: Words, said: Said, now: datetime) -> datetime:
    """When it was counted, by the row or else by the whole list."""
    if given["date"] or given["time"]:
        at = written_time(given["date"], given["time"], words.zone)
    elif said.at is not None:
        at = said.at.astimezone(UTC)
    else:
        msg = "date, time: are missing; write when it was counted, or say it for the whole list"
        raise UnclearError(msg)
    if at > now + CLOCK:
        msg = f"date, time: {at.isoformat()} has not been yet"
        raise UnclearError(msg)
    if at < now - OLDEST:
        msg = f"date, time: {at.isoformat()} is more than {OLDEST.days} days ago: count it anew"
        raise UnclearError(msg)
    return at


def _lot(line: Line, cost: str) -> CountedLot | None:
    """What was found of a lot; None for a row that says that nothing is there."""
    if not line.quantity and line.lot is None:
        return None
    try:
        unit_cost = written_quantity(cost) if cost else None
    except UnclearError as error:
        raise UnclearError(str(error).replace("quantity:", "unit_cost:", 1)) from None
    try:
        return _LOT.validate(
            CountedLot(
                quantity=Decimal(line.quantity), product=line.product, lot=line.lot, expiry=line.expiry, unit_cost=unit_cost
            )
        )
    except ValidationError as error:
        raise UnclearError("; ".join(": ".join(sentence(one)) for one in error.errors(include_url=False))) from None
