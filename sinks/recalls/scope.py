"""What a recall notice covers: how a ledger entry's product and lot stand to it. Pure.

Stock that is made from other stock widens the scope: what a transform made of a covered lot is covered as well (`making`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from schemas.codes import normalise_lot
from schemas.reference import RecallNotice

UNKNOWN_LOT: Final = normalise_lot("unknown")
"""The lot of stock whose lot no feed has told, as lots are compared."""


class Names(IntEnum):
    """How product and lot of an entry stand to a notice."""

    OTHER = 0  # surely not covered
    UNKNOWN = 1  # of a recalled item, and nobody knows which lot
    MADE = 2  # made of something that may be of a recalled lot
    NUMBER = 3  # lot number fits, the product was not stated and the item has others
    COVERED = 4  # product and lot are those of the notice, or it was made of such a lot


@dataclass(frozen=True, slots=True)
class Move:
    """One ledger entry as the look-back reads it: `lot_key` is the lot as lots are compared, `occurred` text that sorts."""

    site: str
    item: str
    product: str
    lot: str
    lot_key: str
    quantity: int
    unit: str
    source: str
    target: str
    occurred: str
    kind: str
    event_id: str
    corrects: str | None = None
    actor: str | None = None
    patient: str | None = None
    order_id: str | None = None
    cause: str = ""
    expiry: str | None = None
    movement_id: str = ""
    sequence: int = 0
    container: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Made:
    """That a lot was made of a recalled one, surely or possibly, and of which."""

    sure: bool
    origin: str


Lots = Mapping[tuple[str, str, str], Mapping[str, Made]]
"""By site, item and lot number; then by product, which may be unstated."""


def move_of(row: Mapping[str, Any]) -> Move:
    """An entry from a row of the table of movements."""
    return Move(
        row["site"], row["item"], row["product"], row["lot"], row["lot_key"], row["quantity"], row["unit"], row["from_account"],
        row["to_account"], row["occurred"], row["kind"], row["event_id"], row["corrects"], row["actor"], row["patient"],
        row["order_id"], row["cause"], row["expiry"], row["movement_id"], row["device_sequence"] or 0, row["container"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """A notice with what is known of its products: `products_of` names all products of each of its items.

    `identified` names the products a lot number of an item was reported with at a site; `made` what was made of covered lots, and
    `made_items` of which items, by site.
    """

    notice: RecallNotice
    products_of: Mapping[str, frozenset[str]]
    identified: Mapping[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)
    recalled: frozenset[str] = frozenset()
    """Products of the notice."""
    lots: frozenset[str] = frozenset()
    """Lots of the notice, as lots are compared."""
    made: Lots = field(default_factory=dict)
    made_items: frozenset[tuple[str, str]] = frozenset()

    def names(self, move: Move) -> Names:
        """How an entry stands to the notice. Lot numbers: upper case, without blanks and hyphens, leading zeros count."""
        made = self.made_of(move)
        if made is not None:
            return max(self._named(move), Names.COVERED if made.sure else Names.MADE)
        unknown = move.lot_key == UNKNOWN_LOT and (move.site, move.item) in self.made_items
        return max(self._named(move), Names.UNKNOWN if unknown else Names.OTHER)

    def made_of(self, move: Move) -> Made | None:
        """What an entry's lot was made of that the notice covers."""
        found = self.made.get((move.site, move.item, move.lot_key), {}) if move.lot_key != UNKNOWN_LOT else {}
        same = (made for product, made in found.items() if "" in (product, move.product) or product == move.product)
        return max(same, default=None)

    def _named(self, move: Move) -> Names:
        recalled = self.recalled
        if move.product and move.product not in recalled:
            return Names.OTHER
        if not move.product and not self.products_of.get(move.item, frozenset()) & recalled:
            return Names.OTHER
        known = move.lot_key != UNKNOWN_LOT
        if not self.notice.all_lots:
            if not known:
                return Names.UNKNOWN
            if move.lot_key not in self.lots:
                return Names.OTHER
        if move.product or self._one_product(move, recalled):
            return Names.COVERED
        return Names.NUMBER if known else Names.UNKNOWN

    def _one_product(self, move: Move, recalled: frozenset[str]) -> bool:
        """Whether an unstated product can only be a recalled one."""
        if self.products_of.get(move.item, frozenset()) <= recalled:
            return True
        stated = self.identified.get((move.site, move.item, move.lot_key), frozenset())
        return bool(stated) and stated <= recalled


def scope_of(notice: RecallNotice, products_of: Mapping[str, frozenset[str]], moves: Iterable[Move]) -> Scope:
    """The scope of a notice, with what the entries tell of the products of its lots."""
    identified: dict[tuple[str, str, str], frozenset[str]] = {}
    for move in moves:
        if move.product and move.lot_key != UNKNOWN_LOT:
            key = (move.site, move.item, move.lot_key)
            identified[key] = identified.get(key, frozenset()) | {move.product}
    return Scope(notice, products_of, identified, frozenset(notice.products), frozenset(map(normalise_lot, notice.lots)))


def standing(moves: Iterable[Move]) -> list[Move]:
    """The entries that count, in order of time: those of events that were taken back, and what took them back, are left out."""
    given = list(moves)
    taken_back = {(move.site, move.corrects) for move in given if move.kind == "reversal"}
    left = [move for move in given if move.kind != "reversal" and (move.site, move.event_id) not in taken_back]
    return sorted(left, key=lambda move: (move.occurred, move.site))
