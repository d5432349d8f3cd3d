"""What a base unit cost at an instant: the versions of product costs and supplier prices, and which of them was in force.

The order of sources is a rule, never a guess: the product's cost in force; the preferred supplier's price in force (lowest rank,
then supplier); the first cost, then price, stated *later* (it settles what came in before anybody stated one); otherwise the cost
is unknown, which is not 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class CostVersion(msgspec.Struct, frozen=True, gc=False):
    """One version of a product's cost, or of a supplier's price of an item. `cost` None: withdrawn, or none stated.

    `since` is the instant (text, UTC) from which it is in force, empty for one that was there before the hub knew the time.
    """

    kind: str
    id: str
    revision: int
    item: str
    cost: int | None
    since: str = ""
    rank: int = 0


class Costs:
    """All versions, looked up by product and item."""

    def __init__(self, versions: Iterable[CostVersion]) -> None:
        """Versions in any order."""
        self._products: dict[str, list[CostVersion]] = {}
        self._suppliers: dict[str, dict[str, list[CostVersion]]] = {}
        self._changes: dict[str, set[str]] = {}
        for one in sorted(versions, key=lambda version: version.revision):
            self._changes.setdefault(one.item, set()).add(one.since)
            if one.kind == "product":
                self._products.setdefault(one.id, []).append(one)
            else:
                self._suppliers.setdefault(one.item, {}).setdefault(one.id, []).append(one)

    def at(self, item: str, product: str, instant: str, visible: str | None = None) -> int | None:
        """Cost of one base unit at an instant, in 10⁻¹² of the currency; None when it is unknown.

        With `visible`, as it was known then: versions that came later are not looked at.
        """
        own = [one for one in self._products.get(product, ()) if visible is None or one.since <= visible]
        prices = [
            [one for one in versions if visible is None or one.since <= visible]
            for versions in self._suppliers.get(item, {}).values()
        ]
        in_force = _in_force(own, instant)
        if in_force is not None and in_force.cost is not None:
            return in_force.cost
        offers = [offer for offer in (_in_force(versions, instant) for versions in prices) if offer and offer.cost is not None]
        if offers:
            return min(offers, key=lambda offer: (offer.rank, offer.id)).cost
        later = _first_later(own, instant)
        return _first_later([one for versions in prices for one in versions], instant) if later is None else later

    def changes(self, item: str) -> list[str]:
        """The instants at which a cost or price of an item came into force after the beginning, in order."""
        return sorted(self._changes.get(item, set()) - {""})

    def items(self) -> Iterable[str]:
        """Items of which any cost or price is known."""
        return self._changes.keys()


def _in_force(versions: list[CostVersion], instant: str) -> CostVersion | None:
    """The newest revision that had begun."""
    return next((one for one in reversed(versions) if one.since <= instant), None)


def _first_later(versions: list[CostVersion], instant: str) -> int | None:
    later = [one for one in versions if one.since > instant and one.cost is not None]
    return min(later, key=lambda one: (one.since, one.rank, one.id, one.revision)).cost if later else None
