"""The data of an inventory of controlled substances (21 CFR 1304.11), and how opened containers are counted.

What the ledger says is the book value that two people compare with what they count: the ledger does not know how many containers
are open, so one at most is assumed for each product at each place. Schedules I and II are a record apart (21 CFR 1304.04).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sinks.controlled.model import ItemFacts, Master, Move, ProductFacts

ESTIMATE_UNITS_MAX: Final = 1_000
"""A container of schedules III to V that holds more tablets or capsules than this is counted exactly when it is open."""
_COUNTED_FORMS: Final = ("tablet", "capsule", "caplet", "softgel")
CountMethod = Literal["exact", "estimate"]


def count_method(schedule: int, package_quantity: int, unit: str) -> CountMethod:
    """How an opened commercial container is counted: I and II exactly; III to V estimated unless it holds over 1,000 tablets or
    capsules (21 CFR 1304.11(e)(3)(ii), formerly § 304.17)."""
    is_counted = any(word in unit.lower() for word in _COUNTED_FORMS)
    exact = schedule <= 2 or (is_counted and package_quantity > ESTIMATE_UNITS_MAX)
    return "exact" if exact else "estimate"


@dataclass(frozen=True, slots=True)
class LastCount:
    """The last count of an item at a place: when, by whom, before whom."""

    at: str
    by: str
    witness: str


@dataclass(slots=True)
class Held:
    """Base units of a product by place."""

    item: ItemFacts
    product: ProductFacts | None
    places: dict[str, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """All of it."""
        return sum(self.places.values())

    @property
    def package_quantity(self) -> int | None:
        """Units in a full commercial container; None where the product is not known."""
        return None if self.product is None else self.product.package_quantity

    def containers(self) -> tuple[int | None, int | None]:
        """Full containers, and units in opened ones. Neither where the product is not known or a place stands below zero."""
        size = self.package_quantity
        if size is None or any(quantity < 0 for quantity in self.places.values()):
            return None, None
        full = sum(quantity // size for quantity in self.places.values())
        return full, self.units - full * size

    @property
    def method(self) -> CountMethod:
        """How its opened containers are counted; a product that is not known is counted exactly."""
        size = self.package_quantity
        return "exact" if size is None else count_method(self.item.schedule, size, self.item.unit)


def held_at(moves: Iterable[Move], master: Master, moment: str) -> list[Held]:
    """What the ledger holds right before an instant, by schedule, item and product; without what is nowhere."""
    found: dict[tuple[str, str], Held] = {}
    for move in moves:
        item = master.items.get(move.item)
        if item is None or move.occurred >= moment:
            continue
        for place, change in ((move.left, -move.quantity), (move.came, move.quantity)):
            if place is not None:
                held = found.setdefault((move.item, move.product), Held(item, master.products.get(move.product)))
                held.places[place] = held.places.get(place, 0) + change
    made = [_without_zeros(one) for one in found.values()]
    kept = [one for one in made if one.places]
    return sorted(kept, key=lambda one: (one.item.schedule, one.item.name, one.item.id, one.product.id if one.product else ""))


def _without_zeros(held: Held) -> Held:
    return Held(held.item, held.product, {place: quantity for place, quantity in sorted(held.places.items()) if quantity})


def part_of(schedule: int) -> str:
    """The record an item stands in: schedules I and II apart from III to V."""
    return "I-II" if schedule <= 2 else "III-V"


def counted_since(counts: Mapping[tuple[str, str], LastCount], held: Held, since: str) -> tuple[int, int]:
    """Places of a product, and how many of them two people counted since an instant."""
    done = [counts.get((held.item.id, place)) for place in held.places]
    by_two = [one for one in done if one is not None and one.at >= since and one.witness and one.witness != one.by]
    return len(held.places), len(by_two)
