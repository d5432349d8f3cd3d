"""What the indicator rules read and write. Owns the types; holds no rule.

Every indicator is a ratio of two sums. A rule turns history into observations (a share of numerator and denominator at one
instant, place and item) and spans (a level that stood from one instant to another); any grouping adds them up, so totals over
places and periods are the site's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

Exact = int | Fraction
"""A number without rounding; whole ones stay integers, which add up faster."""
STOCK: Final = "stock:"
NO_PLACE: Final = ""
"""Stands for the place (or item) of something that was never resolved to one: it counts for the site alone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger entry (`schemas.records.Movement`), quantity in base units of the item."""

    movement_id: str
    site: str
    event_id: str
    kind: str
    item: str
    product: str
    lot: str
    quantity: int
    from_account: str
    to_account: str
    occurred: datetime
    cause: str = ""
    corrects: str | None = None
    order_id: str | None = None
    expiry: date | None = None

    @property
    def source(self) -> str | None:
        """The place it left; None when it came from outside."""
        return self.from_account[len(STOCK) :] if self.from_account.startswith(STOCK) else None

    @property
    def target(self) -> str | None:
        """The place it came to; None when it left for outside."""
        return self.to_account[len(STOCK) :] if self.to_account.startswith(STOCK) else None


@dataclass(frozen=True, slots=True)
class Count:
    """Somebody counted: a count, or a begin count that a person verified.

    `report` is the same for all lines of one report, `fact` for all versions of one count, and the highest `version` counts.
    `keys` are the names under which it may be taken back.
    """

    event_id: str
    keys: tuple[str, ...]
    report: str
    fact: str
    site: str
    location: str
    item: str
    occurred: datetime
    version: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """A command as it stands now. `opened` and `closed` are event times."""

    command_id: str
    site: str
    location: str
    item: str
    kind: str
    state: str
    quantity: int
    opened: datetime
    closed: datetime | None = None
    supplier: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """A message that takes a fact back, named by its key, whether or not the fact moved anything or has arrived."""

    key: str
    occurred: datetime


@dataclass(frozen=True, slots=True)
class Stuck:
    """An item of a message that is held or in quarantine: a transaction that did not go through by itself."""

    site: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reference:
    """What the rules take from reference data, by ids. Costs are per base unit."""

    zones: Mapping[str, str] = field(default_factory=dict)
    place_kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)
    policies: frozenset[tuple[str, str, str]] = frozenset()
    product_costs: Mapping[str, Fraction] = field(default_factory=dict)
    item_costs: Mapping[str, Fraction] = field(default_factory=dict)
    schedules: Mapping[str, int] = field(default_factory=dict)
    storages: Mapping[str, str] = field(default_factory=dict)
    vens: Mapping[str, str] = field(default_factory=dict)
    lead_times: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def place_kind(self, site: str, location: str) -> str:
        """The kind of a place: its own, or that of the nearest registered place above it."""
        path = location
        while path:
            kind = self.place_kinds.get((site, path))
            if kind is not None:
                return kind
            path = path.rpartition("/")[0]
        return "transit" if location.split("/", 1)[0] == "transit" else "store"

    def cost(self, product: str, item: str) -> Fraction | None:
        """Cost of a base unit: the product's own, else the item's; None where neither is known."""
        return self.product_costs.get(product, self.item_costs.get(item))


@dataclass(frozen=True, slots=True)
class History:
    """All a report of one site is made of. `as_of` is the highest event time taken in."""

    site: str
    entries: tuple[Entry, ...]
    as_of: datetime | None
    counts: tuple[Count, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    needs: tuple[Need, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    overridden: frozenset[str] = frozenset()
    """Event keys (movement causes) of removals on override."""
    broken: frozenset[str] = frozenset()
    """Event ids of facts that broke a rule and opened a case."""
    reference: Reference = field(default_factory=Reference)


@dataclass(frozen=True, slots=True)
class Observation:
    """A share of an indicator at an instant."""

    indicator: str
    location: str
    item: str
    at: datetime
    numerator: Exact
    denominator: Exact


@dataclass(frozen=True, slots=True)
class Span:
    """A level that stood at a place from `start` until `end`: it adds level × days to the indicator's denominator."""

    indicator: str
    location: str
    item: str
    start: datetime
    end: datetime
    level: Exact


def one(indicator: str, location: str, item: str, at: datetime, *, good: bool) -> Observation:
    """One of those counted, and whether it counts in the numerator."""
    return Observation(indicator, location, item, at, int(good), 1)


def minutes_between(start: datetime, end: datetime) -> Fraction:
    """Minutes from one instant to another, exact to the microsecond."""
    return Fraction((end - start) // timedelta(microseconds=1), 60_000_000)
