"""Random histories of one item at one site, as events for the hub and as facts for the reference ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st

from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from tests.support.facts import BY_PRODUCT, START, day, reversal, told
from tests.support.hub import SiteHub
from tests.support.reference_ledger import Fact, Levels, ReferenceLedger
from tests.support.world import BIN, OTHER_POCKET, POCKET, STORE, WARD, ZONE, policy

SPAN_MINUTES: Final = 6 * 24 * 60
END: Final = START + timedelta(days=30)
"""Later than every event, every lateness and every expiry of a history."""

EXPIRY_DAYS: Final = {"L1": None, "L2": 2, "L3": 4, "A-0 7": 400}
"""Day after the start that a lot is dated; none: it has no expiry."""

PLACES: Final = (POCKET, OTHER_POCKET, STORE, WARD, BIN)
POCKETS: Final = (POCKET, OTHER_POCKET)
LEVELS: Final = {POCKET: Levels(4, 12), OTHER_POCKET: Levels(0, 3), WARD: Levels(6, 7)}
POLICIES: Final = (
    policy(POCKET),
    policy(OTHER_POCKET, minimum=0, par=5),
    policy(WARD, minimum=6, par=20, satisfied_at=7, critical=2),
)

_AT_POCKETS: Final = ("vend", "return", "waste", "refill", "load", "unload", "expire", "count")
_AT_STORE: Final = ("dispense", "receive", "put_away", "pick", "discard", "count", "return")
_AT_WARD: Final = ("administer", "put_away", "count", "return")
_BY_PLACE: Final = {POCKET: _AT_POCKETS, OTHER_POCKET: _AT_POCKETS, STORE: _AT_STORE, WARD: _AT_WARD, BIN: ("put_away", "discard")}
_SOURCED: Final = ("refill", "load", "unload")


@st.composite
def facts(draw: st.DrawFn, number: int, kinds: frozenset[str] | None = None) -> Fact:
    """One fact of a place of the hospital."""
    place = draw(st.sampled_from(PLACES))
    kind = draw(st.sampled_from([kind for kind in _BY_PLACE[place] if kinds is None or kind in kinds] or ["put_away"]))
    other: str | None = STORE if kind in _SOURCED else None
    if kind in {"put_away", "pick"}:
        targets = [target for target in PLACES if target != place]
        other = draw(st.sampled_from([*targets, None] if kind == "pick" else targets))
    lot = draw(st.sampled_from(["L1", "L2", "L2", "L3", "A-0 7", None]))
    days = EXPIRY_DAYS[lot] if lot else None
    return Fact(
        key=f"fact|{number:03}",
        kind=kind,
        occurred=START + timedelta(minutes=draw(st.integers(0, SPAN_MINUTES // 30)) * 30),
        place=place,
        quantity=draw(st.sampled_from([0, 1, 2, 3, 5, 8, 13])),
        lot=lot,
        expiry=None if days is None else day(days),
        other=other,
        sequence=draw(st.integers(0, 2)),
    )


@st.composite
def histories(draw: st.DrawFn, *, size: int = 14, kinds: frozenset[str] | None = None, undone: bool = True) -> list[Fact]:
    """Facts and the reversals of some of them, in the order they happened to be drawn."""
    drawn = [draw(facts(number, kinds)) for number in range(draw(st.integers(1, size)))]
    if not undone:
        return drawn
    for victim in draw(st.lists(st.sampled_from(drawn), max_size=3, unique_by=lambda fact: fact.key)):
        later = victim.occurred + timedelta(minutes=draw(st.integers(1, 3_000)))
        drawn.append(Fact(f"undo|{victim.key}", "reversal", later, undoes=victim.key))
    return drawn


def event_of(fact: Fact) -> StockEvent:
    """What a mapper would make of the message that says it."""
    if fact.kind == "reversal":
        return reversal(fact.undoes or "", at=fact.occurred, key=fact.key)
    stated_target = fact.other if fact.kind in {"put_away", "pick"} else None
    feed = Feed.SCAN if fact.place == STORE and fact.kind in {"count", "return"} else None
    return told(
        EventKind(fact.kind), fact.quantity, place=fact.place, at=fact.occurred, key=fact.key, to=stated_target, lot=fact.lot,
        expiry=fact.expiry, device_sequence=fact.sequence, codes=BY_PRODUCT, **({"feed": feed} if feed else {}),
    )  # fmt: skip


def truth(history: list[Fact]) -> ReferenceLedger:
    """The reference ledger of a history."""
    return ReferenceLedger(ZONE, [_normalised(fact) for fact in history])


def _normalised(fact: Fact) -> Fact:
    """The lot as it is compared (upper case, no blanks, no hyphens): `A-0 7` is `A07`."""
    return replace(fact, lot="A07" if fact.lot == "A-0 7" else fact.lot)


def assert_same_stock(hub: SiteHub, ledger: ReferenceLedger) -> None:
    """Balances, movements and accounts of the hub against the reference ledger."""
    for place in (*PLACES, "transit"):
        assert hub.lots(place) == ledger.lots(place), place
    assert hub.accounts_total() == 0
    stock = {account: quantity for account, quantity in hub.moved().items() if account[0].startswith("stock:")}
    assert stock == hub.balanced()


def assert_same_usable(hub: SiteHub, ledger: ReferenceLedger) -> None:
    """Usable stock, once everything that was due has been done; what is below zero is nothing usable."""
    for place in PLACES:
        assert hub.usable(place) == max(ledger.usable(place, END), 0), place


def assert_same_needs(hub: SiteHub, ledger: ReferenceLedger) -> None:
    """Needs that stand at the end."""
    expected = {place for place, levels in LEVELS.items() for need in ledger.needs(place, levels, END) if need.closed is None}
    assert {command.location for command in hub.open_commands()} == expected
