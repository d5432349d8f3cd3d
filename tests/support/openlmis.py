"""OpenLMIS stock cards as facts of the hub: the reader of their demo data, and what each of their terms means here.

One stock card is a facility's stock of one orderable in one lot (or without a lot) for one programme. A facility is a site, a
programme a store in it, an orderable an item. What each line item becomes is in docs/openlmis.md.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed, LocationKind
from schemas.reference import Item, Location, Site
from tests.support.facts import told

DEMO: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "stock" / "openlmis_stockmanagement"
"""Demo data of OpenLMIS stockmanagement (AGPL-3.0), read only where it lies beside the project."""

NO_LOT: Final = "NO-LOT"
"""Lot name of a card without lot, where the same programme has cards of the same orderable with one: OpenLMIS counts it alone."""

IN, OUT, SET = "in", "out", "set"

DIRECTIONS: Final = {"313f2f5f-0c22-4626-8c49-3554ef763de3": IN, "b5c27da7-bdda-4790-925a-9484c5dfb594": OUT}
"""Two reasons that the demo data uses and describes nowhere: of the four ways to read them only this one gives its stock on hand."""

_REASONS: Final = {
    "Facility return": EventKind.RETURN, "Expired": EventKind.EXPIRE, "Damage": EventKind.DISCARD,
    "Cold chain failure": EventKind.DISCARD, "Passed open-vial time limit": EventKind.DISCARD,
}  # fmt: skip
_TRANSFERS: Final = {IN: EventKind.RECEIVE, OUT: EventKind.PICK}
_ADJUSTMENTS: Final = {IN: EventKind.ADJUST_IN, OUT: EventKind.ADJUST_OUT}


class Card(NamedTuple):
    """A stock card; `lot` is empty where it has none."""

    id: str
    facility: str
    programme: str
    orderable: str
    lot: str


@dataclass(frozen=True)
class Line:
    """One line item of a stock card. `effect` is in, out or (a physical inventory) set; `order` ranks lines of a facility's day."""

    id: str
    card: Card
    day: date
    processed: datetime
    quantity: int
    effect: str
    kind: EventKind
    order: int = 0


class StockCards:
    """The stock cards of a folder of OpenLMIS tables."""

    def __init__(self, folder: Path, directions: Mapping[str, str] = DIRECTIONS) -> None:
        """`directions` says in or out for reasons without a row. Raises `KeyError` for a reason that nothing says it of."""
        self._folder = folder
        self._directions = directions

    def _rows(self, table: str) -> list[dict[str, str]]:
        with (self._folder / f"stockmanagement.{table}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Cards by id."""
        rows = self._rows("stock_cards")
        return {row["id"]: Card(row["id"], row["facilityId"], row["programId"], row["orderableId"], row["lotId"]) for row in rows}

    @cached_property
    def on_hand(self) -> dict[tuple[str, date], int]:
        """What OpenLMIS calculated: stock on hand by card and day."""
        rows = self._rows("calculated_stocks_on_hand")
        return {(row["stockcardid"], date.fromisoformat(row["occurreddate"])): int(row["stockonhand"]) for row in rows}

    @cached_property
    def lines(self) -> list[Line]:
        """Line items in OpenLMIS' order: day, then time of processing; lines of one facility's day are numbered by it."""
        found = sorted(self._lines(), key=lambda line: (line.day, line.processed, line.id))
        times: dict[tuple[str, date], list[datetime]] = defaultdict(list)
        for line in found:
            known = times[line.card.facility, line.day]
            if line.processed not in known:
                known.append(line.processed)
        return [replace(line, order=1 + times[line.card.facility, line.day].index(line.processed)) for line in found]

    def _lines(self) -> Iterator[Line]:
        reasons = self._effects()
        for row in self._rows("stock_card_line_items"):
            day, processed = date.fromisoformat(row["occurredDate"]), datetime.fromisoformat(row["processedDate"])
            if row["reasonId"]:
                effect, kind = reasons[row["reasonId"]]
            elif row["sourceId"]:
                effect, kind = IN, EventKind.RECEIVE
            elif row["destinationId"]:
                effect, kind = OUT, EventKind.PICK
            else:
                effect, kind = SET, EventKind.COUNT
            card = self.cards[row["stockCardId"]]
            yield Line(row["id"], card, day, processed.replace(tzinfo=UTC), int(row["quantity"]), effect, kind)

    def _effects(self) -> dict[str, tuple[str, EventKind]]:
        """Direction and kind of each reason: its own type decides, its tags only where it has no row."""
        tags: dict[str, set[str]] = defaultdict(set)
        for row in self._rows("stock_card_line_item_reason_tags"):
            tags[row["reasonId"]].add(row["tag"])
        rows = {row["id"]: row for row in self._rows("stock_card_line_item_reasons")}
        effects = {}
        for id_ in {*tags, *rows}:
            row = rows.get(id_, {})
            way = {"CREDIT": IN, "DEBIT": OUT}.get(row.get("reasontype", ""))
            way = way or (IN if "credit" in tags[id_] else OUT if "debit" in tags[id_] else self._directions[id_])
            by_way = _TRANSFERS if "transfer" in tags[id_] else _ADJUSTMENTS
            effects[id_] = way, _REASONS.get(row.get("name", ""), by_way[way])
        return effects

    # ---- in the hub's terms ------------------------------------------------------------------------------------

    def reference(self) -> Iterator[Site | Location | Item]:
        """Facilities as sites, programmes as their stores, orderables as items."""
        for facility in dict.fromkeys(card.facility for card in self.cards.values()):
            yield Site(id=facility, name=facility, zone="UTC")
        for facility, programme in dict.fromkeys((card.facility, card.programme) for card in self.cards.values()):
            yield Location(site=facility, path=programme, kind=LocationKind.STORE, codes=(programme,), authority=Feed.SUPPLY)
        for orderable in dict.fromkeys(card.orderable for card in self.cards.values()):
            yield Item(id=orderable, name=orderable, base_unit="each", codes=(Code(system="local", value=orderable),))

    @cached_property
    def _with_lots(self) -> set[tuple[str, str, str]]:
        return {(card.facility, card.programme, card.orderable) for card in self.cards.values() if card.lot}

    def lot_of(self, card: Card) -> str | None:
        """The lot a card's facts name. A card alone at its place needs none: a count of the place is then a count of the card."""
        alone = (card.facility, card.programme, card.orderable) not in self._with_lots
        return card.lot or (None if alone else NO_LOT)

    def event(self, line: Line, *, received: datetime | None = None) -> StockEvent:
        """A line item as a fact, at noon of its day in the order of processing; received an hour later unless said otherwise."""
        at = datetime.combine(line.day, time(12), UTC)
        return told(
            line.kind, line.quantity, place=line.card.programme, at=at, key=line.id, site=line.card.facility, feed=Feed.SUPPLY,
            codes=(Code(system="local", value=line.card.orderable),), unit="each", lot=self.lot_of(line.card),
            device_sequence=line.order, received_at=received or at + timedelta(hours=1), source="openlmis",
        )  # fmt: skip


def recomputed(lines: Iterable[Line]) -> dict[tuple[str, date], int]:
    """Stock on hand by OpenLMIS' rule: lines in order, an inventory sets, anything else adds to what was before."""
    held: dict[str, int] = {}
    found = {}
    for line in lines:
        signed = {IN: line.quantity, OUT: -line.quantity, SET: line.quantity - held.get(line.card.id, 0)}[line.effect]
        held[line.card.id] = held.get(line.card.id, 0) + signed
        found[line.card.id, line.day] = held[line.card.id]
    return found
