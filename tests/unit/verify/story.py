"""A site log written by hand, and what verify derives from it: no hub takes part."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from schemas.codec import encode
from schemas.events import ReferenceChange, StockEvent, Tick
from schemas.log import LogRecord
from schemas.reference import REFERENCE_KINDS
from schemas.topics import SITE_LOG
from tests.support.facts import minutes
from tests.support.world import ITEM, POCKET, SITE, hospital
from topology.verify.cards import Total
from topology.verify.compare import Ledger, outside_of
from topology.verify.derive import Derivation

BEFORE: Final = minutes(-120)


class Story:
    """The small hospital, and what is told of it."""

    def __init__(self, *more: Any, reference: tuple[Any, ...] | None = None) -> None:
        self.derivation = Derivation()
        self._offset = 0
        self._revision = 0
        for record in hospital(*more) if reference is None else reference:
            self.learn(record)
        self.tick(BEFORE)

    def learn(self, record: Any, *, revision: int | None = None) -> None:
        kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
        self._revision = self._revision + 1 if revision is None else revision
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        self._read(ReferenceChange(revision=self._revision, kind=kind.name, id=kind.id_of(record), record=fields))

    def tick(self, at: datetime) -> None:
        self._read(Tick(at=at))

    def hear(self, *told: StockEvent) -> None:
        for event in told:
            self._read(event)

    def _read(self, message: Any) -> None:
        self._offset += 1
        self.derivation.read(LogRecord(SITE_LOG, 0, self._offset, b"", encode(message)), type(message).__name__)

    # ---- what is derived ---------------------------------------------------------------------------------------------

    def card(self, place: str = POCKET, item: str = ITEM) -> Total:
        return Ledger(self.derivation).totals.get((SITE, place, item), Total())

    def on_hand(self, place: str = POCKET) -> int:
        return sum(self.card(place).lots.values())

    def lots(self, place: str = POCKET) -> dict[str, int]:
        """Base units per lot number, over products and containers, without zeros."""
        found: Counter[str] = Counter()
        for (_, number, _), quantity in self.card(place).lots.items():
            found[number] += quantity
        return {number: quantity for number, quantity in found.items() if quantity}

    def products(self, place: str = POCKET) -> dict[tuple[str, str], int]:
        """Base units per product and lot number, without zeros."""
        return {(product, number): quantity for (product, number, _), quantity in self.card(place).lots.items() if quantity}

    def usable(self, place: str = POCKET) -> int:
        return self.card(place).usable

    def armed_at(self, place: str = POCKET) -> int | None:
        return self.card(place).armed_at

    def outside(self, account: str) -> int:
        return outside_of(Ledger(self.derivation)).get((SITE, ITEM, account), 0)
