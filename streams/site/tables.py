"""What the site processor remembers, as named typed tables, and the small immutable types stored in them."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.events import StockEvent
from schemas.records import Case, Command
from streams.catalog import CATALOG_TABLES
from streams.ledger.book import LEDGER_TABLES
from streams.ledger.model import OrderKey
from streams.state import TableSpec


class SeenEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where one entry of a posted event stands."""

    location: str
    item: str
    order: OrderKey


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a business key: the facts it stated, where it came from, what it posted.

    `control` is the message's own id, where only that tells a fact sent twice from two facts that look the same.
    """

    fingerprint: str
    event_id: str
    raw: tuple[int, int, int]
    kind: str
    status: str
    entries: tuple[SeenEntry, ...] = ()
    outside: tuple[tuple[str, str, str, str, str, int], ...] = ()
    conflicts: int = 0
    control: str = ""


class Held(msgspec.Struct, frozen=True):
    """An event that waits, and the facts it waits for."""

    event: StockEvent
    items: int
    waits_for: tuple[str, ...]
    since_us: int


class Timer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something due at an instant: its kind and what it is about."""

    kind: str
    subject: tuple[str, ...]
    order: OrderKey | None = None


class Need(msgspec.Struct, frozen=True):
    """The one open need of a card and the command it became."""

    command_id: str
    opened: OrderKey


class Demand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """O(1) forecast state: the day being summed, its total, and the smoothed level in thousandths of a base unit a day."""

    day: int = 0
    today: int = 0
    level: int = 0
    days: int = 0


class Version(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The version of a fact that counts: its place among the versions (the sender's number, else when it happened, in
    microseconds) and its key; none once the fact was deleted."""

    order: int
    key: str
    deleted: bool = False


class ReportTotal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the lines of one stock report said of one card so far: their total, how many there were, and when it stands.

    A line with a lot is no part of it and stands before the first.
    """

    quantity: int
    lines: int
    order_us: int


class SourceState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a source is complete."""

    complete_to_us: int


class FeedState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When a watched feed was last heard (µs; 0: never), and whether it is silent."""

    heard_us: int
    silent: bool = False


SEEN: Final = TableSpec("seen", Seen)
HELD: Final = TableSpec("held", Held)
WAITING: Final = TableSpec("waiting", int)
TIMERS: Final = TableSpec("timers", Timer)
NEEDS: Final = TableSpec("needs", Need)
COMMANDS_TABLE: Final = TableSpec("commands", Command)
CASES_TABLE: Final = TableSpec("cases", Case)
LOT_PLACES: Final = TableSpec("lot_places", int)
LOT_PRODUCTS: Final = TableSpec("lot_products", tuple[str, ...])
DEMAND: Final = TableSpec("demand", Demand)
COUNTERS: Final = TableSpec("counters", int)
ACCOUNTS: Final = TableSpec("accounts", int)
CLOCK: Final = TableSpec("clock", int)
SOURCES: Final = TableSpec("sources", SourceState)
FEEDS: Final = TableSpec("feeds", FeedState)
CHANGED: Final = TableSpec("changed", int)
ALIASES: Final = TableSpec("aliases", str)
SERIALS: Final = TableSpec("serials", str)
REPORTS: Final = TableSpec("reports", ReportTotal)
VERSIONS: Final = TableSpec("versions", Version)
CORRECTIONS: Final = TableSpec("corrections", int)

SITE_TABLES: Final = (
    *CATALOG_TABLES, *LEDGER_TABLES, SEEN, HELD, WAITING, TIMERS, NEEDS, COMMANDS_TABLE, CASES_TABLE, LOT_PLACES, LOT_PRODUCTS,
    DEMAND, COUNTERS, ACCOUNTS, CLOCK, SOURCES, FEEDS, CHANGED, CORRECTIONS, VERSIONS, REPORTS, ALIASES, SERIALS,
)  # fmt: skip
