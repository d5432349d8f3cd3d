"""What stands in a pack, taken from a hub's tables. Pure but for its questions; names no patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from schemas.codes import normalise_lot
from schemas.downtime import Downtime
from schemas.kinds import CommandKind, LocationKind
from schemas.reference import Item, Location, Product, RecallNotice, Site
from topology.errors import UnknownNameError
from topology.reference_files.model import ReferenceRecord

T = TypeVar("T")
SILENT: Final = timedelta(days=1)
PAPER_SOURCES: Final = "paper:"
Row = Mapping[str, Any]
KINDS: Final = ("site", "location", "item", "product", "recall", "downtime")
NOT_ON_PAPER: Final = frozenset(
    {"ambiguous_duplicate", "conflicting_duplicate", "handler_fault", "code_conflict", "reversal_of_reversal", "recall"}
)
"""Cases that nobody needs at a bedside: those of interfaces, and recalls, which have a list of their own."""
_AWAY: Final = frozenset({str(LocationKind.TRANSIT), str(LocationKind.RETURN_BIN), str(LocationKind.QUARANTINE)})
"""Kinds of places from which nothing is taken for a patient."""
_ORDER: Final = (LocationKind.CABINET, LocationKind.WARD, LocationKind.STORE)


class Reads(Protocol):
    """What a pack asks of a hub, running or not."""

    def query(self, view: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Rows of a named view."""

    def held(self, *kinds: str) -> list[ReferenceRecord]:
        """The reference records of some kinds."""


@dataclass(frozen=True, slots=True)
class StockLine:
    """A lot at a place, or an item that should be there and is not (`quantity` 0)."""

    location: str
    item: str
    name: str
    code: str
    marks: tuple[str, ...]
    """What to mind: controlled schedule, high alert, fridge."""
    product: str
    lot: str
    expiry: str
    status: str
    quantity: int
    unit: str
    stale_since: str


@dataclass(frozen=True, slots=True)
class Place:
    """A registered place and everything at or below it."""

    path: str
    name: str
    kind: str
    lines: tuple[StockLine, ...]

    @property
    def gives(self) -> bool:
        """Whether stock is taken from here for patients."""
        return self.kind not in _AWAY


@dataclass(frozen=True, slots=True)
class RecallLine:
    """A recall, and one of the places where its stock lies; none (`location` empty) when nothing is on hand."""

    id: str
    classification: str
    products: str
    lots: str
    reason: str
    location: str = ""
    item: str = ""
    lot: str = ""
    quantity: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """Everything of one site at one moment. Instants are UTC."""

    site: Site
    made_at: datetime
    fresh_until: datetime | None
    """When a newer one stands in its place while the hub runs; none for one that was asked for once."""
    newest_event: datetime | None
    clock: datetime | None
    feeds: tuple[tuple[str, datetime], ...]
    """Feeds, and when each was last heard by the hub's clock: the watermark of each."""
    backlog: int
    period: Downtime | None
    places: tuple[Place, ...]
    needs: tuple[Row, ...]
    recalls: tuple[RecallLine, ...]
    cases: tuple[Row, ...]
    names: Mapping[str, str]
    """Names of items by id."""

    @property
    def lines(self) -> list[StockLine]:
        """Every line of stock."""
        return [line for place in self.places for line in place.lines]

    @property
    def watermark(self) -> datetime | None:
        """Up to when every feed of the last day was heard. One that is silent for longer is listed, and holds nothing back."""
        return min((at for source, at in self.feeds if not self.silent(source, at)), default=None)

    def silent(self, source: str, last_heard: datetime) -> bool:
        """Whether a feed tells nothing any more: silent for a day before the newest one, or a downtime that is over."""
        newest = max(at for _, at in self.feeds)
        return source.startswith(PAPER_SOURCES) or newest - last_heard > SILENT


def gather(hub: Reads, site: str, now: datetime, *, minutes: int | None = None, backlog: int = 0) -> Pack:
    """The pack of a site now; it is replaced within `minutes`. Raises `UnknownNameError` for an unknown site."""
    records = hub.held(*KINDS)
    own = next((one for one in _all(records, Site) if one.id == site), None)
    if own is None:
        msg = f"there is no site {site}"
        raise UnknownNameError(msg)
    items = {one.id: one for one in _all(records, Item)}
    positions = {(row["location"], row["item"]): row for row in hub.query("positions", site=site)}
    lines = _lines(hub.query("stock", site=site), positions.values(), items)
    (heard,) = hub.query("heard", site=site)
    periods = [one for one in _all(records, Downtime) if one.site == site and one.ended_at is None]
    return Pack(
        site=own, made_at=now, fresh_until=None if minutes is None else now + timedelta(minutes=minutes),
        newest_event=_instant(heard["newest_event"]), clock=_instant(heard["clock"]),
        feeds=tuple((row["source"], at) for row in heard["feeds"] if (at := _instant(row["last_heard"])) is not None),
        backlog=backlog, period=periods[0] if periods else None,
        places=_places(lines, [one for one in _all(records, Location) if one.site == site]),
        needs=tuple(
            _need(row, positions, items, lines)
            for row in hub.query("commands", site=site, state="open")
            if row["kind"] != CommandKind.DESTROY  # answers no need of a place
        ),
        recalls=tuple(_recalls(_all(records, RecallNotice), lines, {one.id: one for one in _all(records, Product)})),
        cases=tuple(row for row in hub.query("cases", site=site, state="open") if row["kind"] not in NOT_ON_PAPER),
        names={id_: one.name for id_, one in items.items()},
    )  # fmt: skip


def _all(records: Iterable[ReferenceRecord], type_: type[T]) -> list[T]:
    return [record for _, _, record in records if isinstance(record, type_)]


def _lines(stock: Iterable[Row], positions: Iterable[Row], items: Mapping[str, Item]) -> list[StockLine]:
    rows = [dict(row) for row in stock if row["quantity"]]
    there = {(row["location"], row["item"]) for row in rows}
    rows += [
        {**row, "quantity": 0, "lot": "", "product": "", "expiry": None, "status": "none left"}
        for row in positions if (row["location"], row["item"]) not in there
    ]  # fmt: skip
    made = [_line(row, items.get(row["item"])) for row in rows]
    return sorted(made, key=lambda line: (line.location, line.name.casefold(), line.item, line.expiry or "9999", line.lot))


def _line(row: Row, item: Item | None) -> StockLine:
    code = next((code.value for code in item.codes), "") if item is not None else ""
    lot = str(row["lot"])
    return StockLine(
        location=str(row["location"]), item=str(row["item"]), name=item.name if item is not None else str(row["item"]), code=code,
        marks=_marks(item), product=str(row["product"]), lot="" if lot == "unknown" else lot,
        expiry=str(row["expiry"] or ""), status=str(row["status"]), quantity=int(row["quantity"]),
        unit=str(row["unit"]), stale_since=str(row.get("stale_since", "")),
    )  # fmt: skip


def _marks(item: Item | None) -> tuple[str, ...]:
    if item is None:
        return ()
    schedule = (f"C-{('I', 'II', 'III', 'IV', 'V')[item.schedule - 1]}",) if item.schedule else ()
    storage = () if item.storage == "room" else (item.storage,)
    return (*schedule, *(("HIGH ALERT",) if item.high_alert else ()), *storage)


def _places(lines: Sequence[StockLine], locations: Sequence[Location]) -> tuple[Place, ...]:
    """Registered places with their lines, cabinets and wards first; a place without a line is left out."""
    by_path = {one.path: one for one in locations}
    found: dict[str, list[StockLine]] = {}
    for line in lines:
        parts = line.location.split("/")
        paths = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
        found.setdefault(next((path for path in paths if path in by_path), parts[0]), []).append(line)
    made = [
        Place(path, (one.name if one else None) or path, str(one.kind) if one else "", tuple(held))
        for path, held in found.items()
        for one in (by_path.get(path),)
    ]
    rank = {str(kind): place for place, kind in enumerate(_ORDER)}
    return tuple(sorted(made, key=lambda place: (rank.get(place.kind, len(rank)), place.path)))


def _placed(path: str, place: Location | None, lines: Sequence[StockLine]) -> Place:
    if place is None:
        return Place(path, path, "", tuple(lines))
    return Place(path, place.name or path, str(place.kind), tuple(lines))


def _need(
    row: Row, positions: Mapping[tuple[str, str], Row], items: Mapping[str, Item], lines: Sequence[StockLine]
) -> Row:  # fmt: skip
    """An open need. A lot that it says to take, and that may not be used any more, says so."""
    position = positions.get((row["location"], row["item"]), {})
    item = items.get(row["item"])
    bad = {(line.location, line.item, line.lot): line.status for line in lines if line.status != "available"}
    lots = []
    for lot in row.get("lots") or ():
        status = bad.get((lot["location"], row["item"], lot["lot"]))
        at = "" if lot["location"] == row.get("source_location") else f"{lot['location']} "
        lots.append(f"{at}lot {lot['lot']}: {lot['quantity']}" + (f" DO NOT USE ({status})" if status else ""))
    return {
        "urgency": row["urgency"], "location": row["location"], "item": row["item"],
        "name": item.name if item is not None else row["item"], "quantity": row["quantity"], "unit": row["unit"],
        "usable": position.get("usable"), "par": position.get("par"), "kind": row["kind"],
        "state": f"{row['state']} (shadow: the other system orders)" if row.get("shadow") else row["state"],
        "take_from": row.get("source_location") or row.get("supplier") or "", "lots": "; ".join(lots),
        "opened_at": row["opened_at"],
        "command_id": row["command_id"],
    }  # fmt: skip


def _recalls(
    notices: Iterable[RecallNotice], lines: Sequence[StockLine], products: Mapping[str, Product]
) -> Iterable[RecallLine]:  # fmt: skip
    """Recalls in force, most dangerous first, each with where its stock lies here."""
    for notice in sorted(notices, key=lambda one: (one.classification, one.id)):
        if notice.released is not None:
            continue
        named = ", ".join(products[one].name or one if one in products else one for one in notice.products)
        lots = "all lots" if notice.all_lots else ", ".join(notice.lots)
        whole = (notice.id, notice.classification, named, lots, notice.reason or "")
        here = [line for line in lines if line.quantity > 0 and _covers(notice, line, products)]
        yield from (RecallLine(*whole, line.location, line.item, line.lot, line.quantity, line.unit) for line in here)
        if not here:
            yield RecallLine(*whole)


def _covers(notice: RecallNotice, line: StockLine, products: Mapping[str, Product]) -> bool:
    """Whether stock may be of a recall: its lot, or a lot or product that nobody knows of an item with such a product."""
    items = {products[one].item for one in notice.products if one in products}
    if line.product not in notice.products and not (not line.product and line.item in items):
        return False
    return notice.all_lots or not line.lot or normalise_lot(line.lot) in {normalise_lot(lot) for lot in notice.lots}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
