"""Lots of the sites of one partition: which product a lot is of, when it expires, what blocks it.

What an event says of a lot is learned when it is read. Whether a lot may be given at an instant is a function of all that was
learned in the end; nothing here remembers when it became known, except of recalls, which count from the tick in force.
"""

from __future__ import annotations

from collections.abc import Callable
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


LotName = tuple[str, str, str, str]
"""Site, item, product, number."""


class Facts:
    """What is known of one lot at one site, wherever it lies. Blocks are [from, until, notice]; until None is still."""

    __slots__ = ("beyond", "blocks", "expires", "expiry")

    def __init__(self) -> None:
        """Nothing is known but that there is such a lot."""
        self.expiry: date | None = None
        self.expires: int | None = None
        self.beyond: int | None = None
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

    def last_day(self, zone: str) -> date | None:
        """The last day on which the lot may be used: its expiry date, or the day before which what was opened or made ends."""
        if self.expires is None or self.beyond is None or self.expires < self.beyond:
            return self.expiry
        return day_of(self.beyond - 1, zone)

    def copy(self) -> Facts:
        """The same facts for another lot, or for what was opened of it."""
        other = Facts()
        other.expiry, other.expires, other.blocks = self.expiry, self.expires, list(self.blocks)
        return other


class Lot:
    """A lot as entries name it. What product one means that was told without it is set anew whenever that changes."""

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


class Number:
    """What was said of a lot number of an item at a site."""

    __slots__ = ("dates", "guess", "products", "unstated")

    def __init__(self, guess: str) -> None:
        """`guess` is the item's only product, empty where it has several."""
        self.guess = guess
        self.products: set[str] = set()
        self.unstated: dict[str, Lot] = {}
        """Told without a product, by container."""
        self.dates: set[date] = set()
        """Expiry dates told without a product."""

    @property
    def meant(self) -> str:
        """The product of who names none: the only one that was named, else the item's only one, else nobody can tell."""
        if self.products:
            return next(iter(self.products)) if len(self.products) == 1 else ""
        return self.guess


class Lots:
    """The lots of one partition."""

    def __init__(self, known: Known, named: Callable[[str, str, str], None]) -> None:
        """`known` is the reference data in force; `named` is told of site, item and number of new lots and new names."""
        self._told = named
        self._known = known
        self._numbers: dict[tuple[str, str, str], Number] = {}
        self._lots: dict[tuple[str, str, str, str, str], Lot] = {}
        self._facts: dict[tuple[str, str, str, str], Facts] = {}

    def names(self) -> list[LotName]:
        """Every lot that was heard of."""
        return list(self._facts)

    def product_now(self, site: str, item: str, number: str) -> str:
        """The product of a lot that nobody stated, by what is known now."""
        said = self._numbers.get((site, item, number))
        if said is not None:
            return said.meant
        possible = self._known.products_of(item)
        return next(iter(possible)) if len(possible) == 1 else ""

    def facts(self, site: str, item: str, product: str, number: str) -> Facts | None:
        """What is known of a lot; None of the unknown lot."""
        return self._facts.get((site, item, product, number))

    def named(self, event: Told, item: str, product: str, now: int) -> Lot:
        """The lot an event speaks of, with what the event says of it taken in. `product` is empty where no code names it."""
        container = event.container or ""
        if not event.lot:
            return self._lot((event.site, item, product if container else "", UNKNOWN, container))
        key = (event.site, item, normalise_lot(event.lot))
        if product:
            self._name(key, product, now)
            self._learn(key, now, product, event.expiry)
            return self._lot((event.site, item, product, key[2], container))
        said = self._number(key)
        if event.expiry is not None:
            said.dates.add(event.expiry)
        found = said.unstated.setdefault(container, Lot("", key[2], container))
        found.product = said.meant
        for one in {said.meant, *said.products}:
            self._learn(key, now, one, event.expiry)
        return found

    def _lot(self, key: tuple[str, str, str, str, str]) -> Lot:
        return self._lots.setdefault(key, Lot(*key[2:]))

    # ---- products ----------------------------------------------------------------------------------------------------

    def _number(self, key: tuple[str, str, str]) -> Number:
        found = self._numbers.get(key)
        if found is None:
            only = self._known.products_of(key[1])
            found = self._numbers[key] = Number(next(iter(only)) if len(only) == 1 else "")
        return found

    def _name(self, key: tuple[str, str, str], product: str, now: int) -> None:
        """A product is named for a number. What was told without one moves, if it means another product now.

        A recall that covered it because it could be of a recalled product ends where it is of another.
        """
        said = self._number(key)
        if product in said.products:
            return
        before = said.meant
        said.products.add(product)
        self._told(*key)
        if not said.unstated:
            return
        after = said.meant
        for lot in said.unstated.values():
            lot.product = after
        site, item, number = key
        old, new = (site, item, before, number), (site, item, after, number)
        held = self._facts.get(old)
        if held is not None and before != after and new not in self._facts and after:
            learned = self._facts[new] = held.copy()
            covering = {notice.id for notice in self._known.notices() if self.covers(notice, new)}
            learned.blocks = [
                (start, now if end is None and name not in covering else end, name) for start, end, name in learned.blocks
            ]
        if before not in said.products and before != after:
            self._facts.pop(old, None)
        for one in {after, product}:
            self._learn(key, now, one, None)

    # ---- facts -------------------------------------------------------------------------------------------------------

    def _learn(self, number: tuple[str, str, str], now: int, product: str, expiry: date | None) -> None:
        """Of several expiry dates the earliest counts. A recall in force covers a lot from when it is first heard of.

        A date told without a product holds for every product that has the number; of a number whose product nobody can tell, the
        earliest of all dates holds.
        """
        site, item, text = number
        key = (site, item, product, text)
        facts = self._facts.get(key)
        said = self._numbers.get(number)
        dates = {expiry} if expiry is not None else set()
        if facts is None:
            facts = self._facts[key] = Facts()
            facts.blocks = [(now, None, notice.id) for notice in self._known.notices() if self.covers(notice, key)]
            self._told(site, item, text)
            dates |= said.dates if said is not None else set()
        self._expire(site, facts, dates)
        open_facts = self._facts.get((site, item, "", text))
        if open_facts is not None and said is not None:
            told = [self._facts[site, item, one, text] for one in said.products if (site, item, one, text) in self._facts]
            self._expire(site, open_facts, {*said.dates, *(one.expiry for one in told if one.expiry is not None)})

    def _expire(self, site_id: str, facts: Facts, dates: set[date]) -> None:
        if not dates or (facts.expiry is not None and facts.expiry <= min(dates)):
            return
        facts.expiry = min(dates)
        site = self._known.site(site_id)
        facts.expires = None if facts.expiry >= _NEVER else end_of_day(facts.expiry, "UTC" if site is None else site.zone)

    def block(self, name: LotName, notice: str, now: int, *, wanted: bool) -> None:
        """Have a notice block a lot from now on, or no longer."""
        facts = self._facts[name]
        is_open = any(end is None and one == notice for _, end, one in facts.blocks)
        if wanted and not is_open:
            facts.blocks.append((now, None, notice))
        elif is_open and not wanted:
            facts.blocks = [(start, now if end is None and one == notice else end, one) for start, end, one in facts.blocks]

    def covers(self, notice: RecallNotice, key: LotName) -> bool:
        """Whether a notice names a lot."""
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


def day_of(us: int, zone: str) -> date:
    """The day of an instant at a site."""
    try:
        at = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        at = ZoneInfo("UTC")
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(at).date()
