"""OpenLMIS' demo data through the site processor: stock on hand of every stock card on every date is what OpenLMIS calculated.

Method: each line item of a stock card becomes one fact (tests/support/openlmis.py), told once in the order it happened and once in
a shuffled order. The first is compared day by day with the published balances, the second with the published movements added up to
each day, and at the end with the balances. The sample in tests/data/openlmis is ours: its stock on hand was added up by hand by
OpenLMIS' rule (an inventory sets, anything else adds or takes, in the order of day and processing).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby, product
from pathlib import Path
from random import Random
from typing import Final

import pytest

from schemas import records
from schemas.codes import normalise_lot
from schemas.events import StockEvent
from schemas.kinds import EventKind
from schemas.topics import BALANCES, MOVEMENTS, QUARANTINE
from tests.support.hub import SiteHub
from tests.support.openlmis import DEMO, DIRECTIONS, IN, NO_LOT, OUT, Card, StockCards, recomputed

SAMPLE: Final = Path(__file__).resolve().parents[2] / "data" / "openlmis"
HORIZON: Final = timedelta(days=400)
"""How long after it happened a fact is still taken (docs/operations.md, HORIZON_DAYS)."""

demo_only = pytest.mark.skipif(
    not DEMO.is_dir(), reason="THE OPENLMIS DEMO DATA (../shared/data/stock) IS NOT HERE: ONLY THE HANDMADE SAMPLE WAS TESTED"
)

OnHand = dict[tuple[str, date], int]


@pytest.fixture(scope="module", params=["sample", pytest.param("demo", marks=demo_only)])
def cards(request: pytest.FixtureRequest) -> StockCards:
    """The handmade sample, and the demo data where it is."""
    return StockCards(SAMPLE if request.param == "sample" else DEMO)


@pytest.fixture(scope="module")
def demo() -> StockCards:
    return StockCards(DEMO)


def comparable(lot: str) -> str:
    """A lot's name as lots are compared; the unknown lot has a name of its own."""
    return lot if lot == "unknown" else normalise_lot(lot)


class Shelves:
    """A hub with the cards' reference data, and what it published as the stock of each card."""

    def __init__(self, cards: StockCards) -> None:
        self.cards = cards
        self.hub = SiteHub(reference=cards.reference())
        self._held: dict[bytes, tuple[tuple[str, ...], int]] = {}

    def tell(self, event: StockEvent) -> None:
        """One fact arrives, and the balances it changed."""
        for output in self.hub.tell(event):
            if output.topic == BALANCES:
                self._held.pop(output.key, None)
                if output.value is not None:
                    one = records.BALANCE.decode(output.value)
                    self._held[output.key] = ((one.site, one.location, one.item, comparable(one.lot)), one.quantity)

    def on_hand(self, card: Card) -> int:
        """What the published balances say of a card."""
        return sum(quantity for where, quantity in self._held.values() if where == self.place_of(card))

    def place_of(self, card: Card) -> tuple[str, str, str, str]:
        """Site, location, item and lot of a card."""
        return card.facility, card.programme, card.orderable, comparable(self.cards.lot_of(card) or "unknown")

    def by_movements(self, dates: Iterable[tuple[str, date]]) -> OnHand:
        """Stock on hand of cards at the end of days: movements in and out of the place that had occurred by then."""
        moved: dict[tuple[str, ...], Counter[date]] = defaultdict(Counter)
        for one in self.hub.all(MOVEMENTS):
            for account, signed in ((one.from_account, -one.quantity), (one.to_account, one.quantity)):
                if account.startswith("stock:"):
                    moved[one.site, account.removeprefix("stock:"), one.item, comparable(one.lot)][one.occurred.date()] += signed
        return {
            (id_, day): sum(n for at, n in moved[self.place_of(self.cards.cards[id_])].items() if at <= day) for id_, day in dates
        }


def test_openlmis_own_rule_gives_its_own_stock_on_hand(cards: StockCards) -> None:
    """The reader reads the tables as they were meant: the plain rule, without the hub, gives every row."""
    assert recomputed(cards.lines) == cards.on_hand


def test_facts_in_the_order_they_happened_give_the_stock_on_hand_of_every_card_on_every_date(cards: StockCards) -> None:
    shelves = Shelves(cards)
    found: OnHand = {}
    for day, lines in groupby(cards.lines, key=lambda line: line.day):
        told = list(lines)
        for line in told:
            shelves.tell(cards.event(line))
        found |= {(line.card.id, day): shelves.on_hand(line.card) for line in told}
    assert found == cards.on_hand
    assert set(shelves.hub.outcomes()) == {"posted"}
    assert shelves.by_movements(cards.on_hand) == cards.on_hand
    assert shelves.hub.open_cases() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_facts_in_any_order_give_the_stock_on_hand_of_every_card_on_every_date(cards: StockCards, seed: int) -> None:
    shelves = Shelves(cards)
    events = [cards.event(line) for line in cards.lines]
    Random(seed).shuffle(events)
    for event in events:
        shelves.tell(event)
    last = {line.card: cards.on_hand[line.card.id, line.day] for line in cards.lines}
    assert {card: shelves.on_hand(card) for card in last} == last
    assert shelves.by_movements(cards.on_hand) == cards.on_hand
    assert shelves.hub.open_cases("negative_stock") == []


# ---- the deviations of docs/openlmis.md ------------------------------------------------------------------------------


@demo_only
def test_the_two_reasons_without_a_row_can_be_read_one_way_only(demo: StockCards) -> None:
    """Each of the two takes or adds; three of the four ways give another stock on hand somewhere."""
    fits = []
    for ways in product((IN, OUT), repeat=2):
        directions = dict(zip(sorted(DIRECTIONS), ways, strict=True))
        if recomputed(StockCards(DEMO, directions).lines) == demo.on_hand:
            fits.append(directions)
    assert fits == [DIRECTIONS]


@demo_only
def test_received_when_openlmis_processed_them_61_counts_are_too_old_and_nothing_else_differs(demo: StockCards) -> None:
    """Counts processed more than 400 days after their day go to quarantine. Their cards lack them on those days, and only there."""
    shelves = Shelves(demo)
    old = [line for line in demo.lines if line.processed - demo.event(line).occurred > HORIZON]
    for line in sorted(demo.lines, key=lambda line: (line.processed, line.id)):
        shelves.tell(demo.event(line, received=line.processed))
    assert {line.kind for line in old} == {EventKind.COUNT}
    assert len(old) == 61
    assert Counter(shelves.hub.outcomes()) == {"posted": len(demo.lines) - 61, "too_old": 61}
    assert [one.code for one in shelves.hub.all(QUARANTINE)] == ["too_old"] * 61
    differ = {key for key, quantity in shelves.by_movements(demo.on_hand).items() if quantity != demo.on_hand[key]}
    assert differ <= {(line.card.id, line.day) for line in old}
    taken = recomputed(line for line in demo.lines if line not in old)
    assert differ == {key for key, quantity in demo.on_hand.items() if quantity != taken.get(key, 0)}
    assert len(differ) == 36


def told_without_names(cards: StockCards) -> Shelves:
    """A hub that heard of stock without a lot as just that, also where it lies beside lots."""
    shelves = Shelves(cards)
    for line in cards.lines:
        event = cards.event(line)
        shelves.tell(event if event.lot != NO_LOT else replace(event, lot=None))
    return shelves


def test_an_inventory_of_stock_without_a_lot_would_count_the_lots_beside_it_too() -> None:
    """On 5 March clinic A counts none without a lot: B1-77 is gone as well. Then −10 +4 −1, and +2; clinic B has its 15."""
    assert told_without_names(StockCards(SAMPLE)).hub.lots("vaccines", "bcg") == {"B177": 15 - 10 + 4 - 1, "unknown": 2}


@demo_only
def test_stock_without_a_lot_beside_lots_would_make_19_dates_of_the_lots_differ(demo: StockCards) -> None:
    beside = [card for card in demo.cards.values() if demo.lot_of(card) == NO_LOT]
    assert len(beside) == 8
    found = told_without_names(demo).by_movements(demo.on_hand)
    of_lots = [key for key in found if demo.cards[key[0]] not in beside]
    assert sum(found[key] != demo.on_hand[key] for key in of_lots) == 19


@demo_only
def test_the_sample_has_a_line_of_every_kind_the_demo_data_has(demo: StockCards) -> None:
    assert {(line.effect, line.kind) for line in demo.lines} <= {(line.effect, line.kind) for line in StockCards(SAMPLE).lines}
