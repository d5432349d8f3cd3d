"""What the site processor remembers, as named typed tables, and the small immutable types stored in them."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.events import StockEvent
from schemas.records import Case, Command
from streams.catalog import CATALOG_TABLES
from streams.ledger.book import LEDGER_TABLES
from streams.ledger.model import Demand, OrderKey
from streams.site.preparation_tables import PREPARATION_TABLES
from streams.site.shelf_tables import SHELF_TABLES
from streams.state import TableSpec


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """What a notice says of one package, lot or container: when, by which notice, which step, lot, expiry, container, number."""

    at_us: int
    key: str
    step: str
    lot: str = ""
    expiry: str = ""
    container: str = ""
    quantity: int = 1


class Doubt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A suspect receipt that a late notice may explain."""

    case_id: str
    lot: str
    expiry: str
    controlled: bool = False


class LotUnstated(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was said of a lot number without its product: its expiry dates, and the product it was taken for."""

    expiries: tuple[str, ...] = ()
    product: str = ""


class SeenEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where one entry of a posted event stands."""

    location: str
    item: str
    order: OrderKey


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a business key: the facts it stated, where it came from, what it posted.

    `control` is the message's own id, where only that tells a fact sent twice from two facts that look the same. Of a key that
    was taken back before it came, `taken_back_by` is the reversal's key, and `event_id` and `raw` are the reversal's. It is
    remembered for a horizon from `kept_us` on (0: for ever), that of controlled substances where it is one's (`memory`).
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
    taken_back_by: str = ""
    kept_us: int = 0
    controlled: bool = False


class Memory(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far keys were forgotten: when they are looked through next, from when their horizons counted the last time, how often
    they are still to be looked through for that, and from which key on."""

    next_us: int
    forgotten_us: int = 0
    rounds: int = 0
    cursor: tuple[str, ...] = ()


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


class Dose(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A controlled dose that was removed, administered, wasted or returned: an exact fraction of the item's dose unit.

    `fact` is the fact whose version it is, empty where there are no versions; `judged` what was last said open of it.
    """

    what: str
    amount: str
    event_id: str
    location: str
    actor: str
    fact: str = ""
    judged: str = ""


class TransferLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a transfer as it is known here, by the site's own fact or the other site's notice: its newest version.

    `quantity` is 0 once it was taken back; `lot` is in the form in which lots compare.
    """

    version: int
    quantity: int
    lot: str
    at_us: int


class ReturnedLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Stock that was sent back under a number: how much, and the credit that is expected (decimal as text, or empty)."""

    item: str
    quantity: int
    expected: str


class ShiftChain(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Since when the shift ends of a place are watched, and the next one to look at (µs)."""

    since_us: int
    next_us: int


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
NEEDS: Final = TableSpec("needs", Need, sparse=True)
COMMANDS_TABLE: Final = TableSpec("commands", Command)
CASES_TABLE: Final = TableSpec("cases", Case)
LOT_PLACES: Final = TableSpec("lot_places", int)
LOT_PRODUCTS: Final = TableSpec("lot_products", tuple[str, ...])
LOT_UNSTATED: Final = TableSpec("lot_unstated", LotUnstated)
DEMAND: Final = TableSpec("demand", Demand, sparse=True)
"""Of places where nothing was posted yet, and of cards from before cards had it themselves."""
COUNTERS: Final = TableSpec("counters", int)
CLOCK: Final = TableSpec("clock", int)
SOURCES: Final = TableSpec("sources", SourceState)
FEEDS: Final = TableSpec("feeds", FeedState)
CHANGED: Final = TableSpec("changed", int)
ALIASES: Final = TableSpec("aliases", str)
SERIALS: Final = TableSpec("serials", str)
NOTICES: Final = TableSpec("notices", str)
MENTIONS: Final = TableSpec("mentions", tuple[Mention, ...])
ANNOUNCED_GTINS: Final = TableSpec("announced_gtins", int)
CONTENTS: Final = TableSpec("contents", tuple[str, ...])
SHIPPED: Final = TableSpec("shipped", tuple[str, ...])
DOUBTS: Final = TableSpec("doubts", tuple[Doubt, ...])
ARRIVALS: Final = TableSpec("arrivals", str)
DELIVERIES: Final = TableSpec("deliveries", int)
CLOCKS_AHEAD: Final = TableSpec("clocks_ahead", int, sparse=True)
REQUESTED: Final = TableSpec("requested", str, sparse=True)
SERIAL_MOVES: Final = TableSpec("serial_moves", tuple[tuple[str, str], ...])
REPORTS: Final = TableSpec("reports", ReportTotal)
CLOSED_TO: Final = TableSpec("closed_to", int)
INSPECTIONS: Final = TableSpec("inspections", tuple[str, str, str])
RECEIPTS: Final = TableSpec("receipts", tuple[tuple[str, int], ...])
DOSES: Final = TableSpec("doses", Dose, group=3)
DOSED: Final = TableSpec("dosed", tuple[str, str])
VERSIONS: Final = TableSpec("versions", Version)
CONTROLLED_CARDS: Final = TableSpec("controlled_cards", int)
COUNTED: Final = TableSpec("counted", tuple[str, str])
SHIFTS: Final = TableSpec("shifts", ShiftChain)
CORRECTIONS: Final = TableSpec("corrections", int)
TRANSFER_LINES: Final = TableSpec("transfer_lines", TransferLine)
"""By site, from, to, shipment, item, `sent` or `received`, event key."""
TRANSFER_FACTS: Final = TableSpec("transfer_facts", tuple[str, ...])
"""By site and event key of an own line: from, to, shipment, item, way; of a return "", partner, shipment, item, `returned`."""
TRANSFER_CASES: Final = TableSpec("transfer_cases", tuple[str, str, str, str])
"""By site and case: from, to, shipment, item."""
RETURNED: Final = TableSpec("returned", ReturnedLine)
"""By site, shipment, event key."""
CREDITS: Final = TableSpec("credits", str)
"""By site, shipment, answer id: the amount as decimal text."""
MEMORY: Final = TableSpec("memory", Memory)

SITE_TABLES: Final = (
    *CATALOG_TABLES, *LEDGER_TABLES, *SHELF_TABLES, SEEN, HELD, WAITING, TIMERS, NEEDS, COMMANDS_TABLE, CASES_TABLE,
    LOT_PLACES, LOT_PRODUCTS, LOT_UNSTATED,
    DEMAND, COUNTERS, CLOCK, SOURCES, FEEDS, CHANGED, CORRECTIONS, VERSIONS, REPORTS, ALIASES, SERIALS,
    SERIAL_MOVES, NOTICES, MENTIONS, ANNOUNCED_GTINS, CONTENTS, SHIPPED, DOUBTS, ARRIVALS, DELIVERIES,
    REQUESTED, CLOCKS_AHEAD, DOSES, DOSED, CLOSED_TO, INSPECTIONS, RECEIPTS, MEMORY, TRANSFER_LINES, TRANSFER_FACTS,
    TRANSFER_CASES, RETURNED, CREDITS, CONTROLLED_CARDS, COUNTED, SHIFTS,
    *PREPARATION_TABLES,
)  # fmt: skip
