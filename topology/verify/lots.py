"""Lots of the sites of one partition: which product a lot is of, when it expires, what blocks it.

What an event says of a lot is learned when it is read. Whether a lot may be given at an instant is a function of all that was
learned in the end; nothing here remembers when it became known, except of recalls, which count from the tick in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.codes import normalise_lot
from schemas.reference import RecallNotice
from topology.verify.known import Known
from topology.verify.words import Told, microseconds

UNKNOWN: Final = "unknown"
_NEVER: Final = date(9999, 12, 31)


class Facts:
    """What is known of one lot at one site, wherever it lies. Blocks are [from, until, notice]; until None is still."""

    __slots__ = ("blocks", "expires", "expiry")

    def __init__(self) -> None:
        """Nothing is known but that there is such a lot."""
        self.expiry: date | None = None
        self.expires: int | None = None
        self.blocks: list[tuple[int, int | None, str]] = []

    def usable(self, us: int) -> bool:
        """Whether stock of the lot may be given to a patient at an instant."""
        return self.status(us) == "available"

    def status(self, us: int) -> str:
        """`recalled` before `expired` before `available`."""
        if any(start <= us and (end is None or us < end) for start, end, _ in self.blocks):
            return "recalled"
        return "expired" if self.expires is not None and self.expires <= us else "available"

    def turns(self) -> set[int]:
        """Instants at which the lot may become usable or unusable."""
        found = {instant for block in self.blocks for instant in block[:2] if instant is not None}
        return found if self.expires is None else {*found, self.expires}

    def copy(self) -> Facts:
        """The same facts for another lot."""
        other = Facts()
        other.expiry, other.expires, other.blocks = self.expiry, self.expires, list(self.blocks)
        return other


class Lot:
    """A lot as entries name it. The product of one whose product nobody had stated may be filled in later, for all of them."""

    __slots__ = ("container", "number", "product")

    def __init__(self, product: str, number: str, container: str) -> None:
        """`number` is in its normal form, or `unknown`."""
        self.product = product
        self.number = number
        self.container = container

    @property
    def key(self) -> tuple[str, str, str]:
        """Product, number and container as they are known now."""
        return self.product, self.number, self.container


class Lots:
    """The lots of one partition."""

    def __init__(self, known: Known) -> None:
        """`known` is the reference data in force."""
        self._known = known
        self._products: dict[tuple[str, str, str], set[str]] = {}
        self._lots: dict[tuple[str, str, str, str, str], Lot] = {}
        self._unnamed: dict[tuple[str, str, str], list[Lot]] = {}
        self._facts: dict[tuple[str, str, str, str], Facts] = {}

    def everywhere(self) -> Iterator[tuple[str, Facts]]:
        """Every lot's site and facts."""
        for (site, _, _, _), facts in self._facts.items():
            yield site, facts

    def facts(self, site: str, item: str, product: str, number: str) -> Facts | None:
        """What is known of a lot; None of the unknown lot."""
        return self._facts.get((site, item, product, number))

    def named(self, event: Told, item: str, product: str, now: int) -> Lot:
        """The lot an event speaks of, with what the event says of it taken in. `product` is empty where no code names it."""
        container = event.container or ""
        if not event.lot:
            return self._lot(event.site, item, (product if container else "", UNKNOWN, container))
        number = normalise_lot(event.lot)
        product = self._product(event.site, item, product, number)
        self._learn(event, (event.site, item, product, number), now)
        return self._lot(event.site, item, (product, number, container))

    def _lot(self, site: str, item: str, name: tuple[str, str, str]) -> Lot:
        key = (site, item, *name)
        found = self._lots.get(key)
        if found is None:
            found = self._lots[key] = Lot(*name)
            if not name[0]:
                self._unnamed.setdefault((site, item, name[1]), []).append(found)
        return found

    # ---- products ----------------------------------------------------------------------------------------------------

    def _product(self, site: str, item: str, product: str, number: str) -> str:
        """The product of a lot: as stated; else the only one that has such a lot, else the item's only product."""
        key = (site, item, number)
        held = self._products.get(key)
        if product:
            if held is None:
                self._first_named(site, item, product, number)
            self._products.setdefault(key, set()).add(product)
            return product
        if held:
            return next(iter(held)) if len(held) == 1 else ""
        only = self._known.products_of(item)
        if len(only) != 1:
            return ""
        product = next(iter(only))
        self._products[key] = {product}
        return product

    def _first_named(self, site: str, item: str, product: str, number: str) -> None:
        """The first event that names the product of a lot speaks for all that was said of the lot before."""
        for lot in self._unnamed.pop((site, item, number), ()):
            del self._lots[site, item, "", number, lot.container]
            lot.product = product
            self._lots[site, item, product, number, lot.container] = lot
        said = self._facts.get((site, item, "", number))
        if said is not None:
            self._facts.setdefault((site, item, product, number), said.copy())

    # ---- facts -------------------------------------------------------------------------------------------------------

    def _learn(self, event: Told, key: tuple[str, str, str, str], now: int) -> None:
        """Of several expiry dates the earliest counts. A recall in force covers a lot from when it is first heard of."""
        facts = self._facts.get(key)
        if facts is None:
            facts = self._facts[key] = Facts()
            covering = [notice for notice in self._known.notices() if self._covers(notice, key)]
            facts.blocks = [(now, None, notice.id) for notice in covering]
        if event.expiry is None or (facts.expiry is not None and facts.expiry <= event.expiry):
            return
        facts.expiry = event.expiry
        site = self._known.site(event.site)
        facts.expires = None if event.expiry >= _NEVER else end_of_day(event.expiry, "UTC" if site is None else site.zone)

    def recall(self, notice: RecallNotice, now: int) -> None:
        """A notice was read: its lots are blocked from now on, those it no longer names (or it is released) no longer."""
        for key, facts in self._facts.items():
            wanted = notice.released is None and self._covers(notice, key)
            is_open = any(end is None and name == notice.id for _, end, name in facts.blocks)
            if wanted and not is_open:
                facts.blocks.append((now, None, notice.id))
            elif is_open and not wanted:
                facts.blocks = [
                    (start, now if end is None and name == notice.id else end, name) for start, end, name in facts.blocks
                ]

    def _covers(self, notice: RecallNotice, key: tuple[str, str, str, str]) -> bool:
        _, item, product, number = key
        possible = {product} if product else self._known.products_of(item)
        is_named = not possible.isdisjoint(notice.products)
        return is_named and (notice.all_lots or number in {normalise_lot(text) for text in notice.lots})


@lru_cache(maxsize=65_536)
def end_of_day(day: date, zone: str) -> int:
    """The instant at which a day is over at a site: the next midnight of its zone."""
    try:
        at = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        at = ZoneInfo("UTC")
    return microseconds(datetime.combine(day + timedelta(days=1), time(), at).astimezone(UTC))
