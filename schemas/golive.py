"""Going live as records: the mode of a site with every decision that changed it, each pocket of an opening count, each comparison
with the system that is to be replaced.

They are reference records that only the go-live desk writes, so that they stand in the log for ever. A site without a `GoLive`
record is live.
"""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, contract, inbound_contract
from schemas.events import QUANTITY_MAX
from schemas.ids import derived_id

LOTS_MAX: Final = 99
"""Lots in one pocket: each is a movement with a number below 100."""
POCKETS_MAX: Final = 1_000
"""Pockets in one message."""
Share = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
Whole = Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX)]


class SiteMode(StrEnum):
    """What a site's replenishment commands are worth. Only `live` publishes commands that may be executed."""

    PREPARING = "preparing"
    SHADOW = "shadow"
    LIVE = "live"


@contract
class ModeChange:
    """A person's decision that changed the mode, with what stood in its way when it was taken."""

    number: Annotated[int, Field(ge=1)]
    mode: SiteMode
    by: str
    role: str
    at: datetime
    reason: str
    override: Annotated[str | None, Field(description="why it was decided although something stood in its way")] = None
    uncounted: Annotated[int, Field(ge=0, description="pockets without an opening count")] = 0
    stuck: Annotated[int, Field(ge=0, description="items held or in quarantine for longer than `stuck_hours`")] = 0
    agreement: Annotated[Decimal | None, Field(description="share of lines of the last comparison that agreed, %")] = None


@contract
class GoLive:
    """The mode of a site, and how it came to it. `accept_percent` is shown beside each comparison; nothing is refused by it."""

    site: str
    mode: SiteMode
    changes: tuple[ModeChange, ...]
    accept_percent: Share = Decimal(98)
    stuck_hours: Annotated[int, Field(ge=0, le=8_760)] = 24


@contract
class CountedLot:
    """What was found of one lot in a pocket, in base units of the item. Without `lot` it is of an unknown one."""

    quantity: Whole
    product: str = ""
    lot: Annotated[str | None, Field(max_length=50)] = None
    expiry: date | None = None
    unit_cost: Annotated[Decimal | None, Field(ge=0, max_digits=24, decimal_places=12, description="per base unit")] = None


@contract
class PocketCount:
    """One pocket as it was counted, lot by lot; no lots: it was declared empty.

    The first count of a pocket is its opening balance; a later one (`check`) is an ordinary count, and `expected` is what the
    ledger said before it.
    """

    site: str
    number: Annotated[int, Field(ge=1)]
    location: str
    item: str
    counted_at: datetime
    counted_by: str
    witness: str | None
    keyed_by: str
    keyed_at: datetime
    event_id: str
    lots: tuple[CountedLot, ...] = ()
    check: bool = False
    expected: Annotated[int | None, Field(description="base units in the ledger before a check")] = None
    taken_back_by: str | None = None
    taken_back_at: datetime | None = None
    reason: str | None = None


@contract
class Comparison:
    """One comparison with the other system's stock list, as it was made: lines, how many agreed, and why the others did not."""

    site: str
    number: Annotated[int, Field(ge=1)]
    as_of: datetime
    made_at: datetime
    by: str
    list_name: str
    lines: int
    agree: int
    reasons: dict[str, int] = field(default_factory=dict)
    needs_both: int = 0
    needs_hub_only: int = 0
    needs_list_only: int = 0


@inbound_contract
class OpeningEntry:
    """One pocket as it goes through the intake. `number` is its identity at the site."""

    number: Annotated[int, Field(ge=1)]
    location: Annotated[str, Field(min_length=1, max_length=200)]
    item: Annotated[str, Field(min_length=1, max_length=100)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    occurred: datetime
    user: Annotated[str, Field(min_length=1, max_length=200)]
    witness: Annotated[str | None, Field(max_length=200)] = None
    lots: Annotated[tuple[CountedLot, ...], Field(max_length=LOTS_MAX)] = ()
    check: bool = False
    takes_back: bool = False


OPENING_ENTRY: Final = Codec(OpeningEntry)


def opening_key(number: int, *, takes_back: bool = False) -> str:
    """The event key of a pocket's count, or of taking it back."""
    return f"opening|{number}|back" if takes_back else f"opening|{number}"


def opening_event_id(site: str, number: int) -> str:
    """The id of a pocket's count."""
    return derived_id("event", site, opening_key(number))


def opening_source(site: str) -> str:
    """The source under which a site's opening counts come in."""
    return f"opening:{site}"
