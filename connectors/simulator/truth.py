"""The truth of a simulation: what stands where, every movement, and every need, from a plain walk in event order.

An independent second implementation of the ledger's rules: it sees each physical event once, in order, and knows nothing of
messages, arrival, duplicates or outages. State is one card per (location, item); movements are written as they happen.

Needs: usable stock is what has not expired. At each instant of a card (events and expiries): usable ≥ satisfied closes an open
need; otherwise usable ≤ minimum opens one; in between nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from connectors.simulator.catalogue import Box
from connectors.simulator.clock import utc_text
from schemas.reference import ParPolicy

SUPPLIER: Final = "supplier"
PATIENT: Final = "patient"
WASTE: Final = "waste"
_ENCODE: Final = msgspec.json.Encoder().encode

TruthSink = Callable[[bytes], None]
"""Receives one JSON line, without line end."""


class TruthError(RuntimeError):
    """The simulated hospital did something no hospital can, such as taking more than is there: a fault of the simulator."""


class Lot:
    """One lot of one product at one site. `expires_at`: the instant it leaves usable stock, seconds since 1970."""

    __slots__ = ("box", "expires_at", "expiry", "number")

    def __init__(self, number: str, box: Box, expiry: str, expires_at: int) -> None:
        """`expiry` is the ISO date."""
        self.number = number
        self.box = box
        self.expiry = expiry
        self.expires_at = expires_at

    @property
    def expiry_digits(self) -> str:
        """YYYYMMDD, as HL7 writes dates."""
        return self.expiry.replace("-", "")


class Card:
    """Stock of one item at one location: lots, the last second anything happened, and its need."""

    __slots__ = ("busy", "item", "judged", "last", "location", "lots", "minimum", "opened", "policy", "satisfied", "total")

    def __init__(self, location: str, item: str, policy: ParPolicy | None) -> None:
        """A card without policy never has a need."""
        self.location = location
        self.item = item
        self.policy = policy
        self.lots: dict[Lot, int] = {}
        self.total = 0
        self.last = 0
        self.judged = 0
        self.opened: int | None = None
        self.busy = False
        self.minimum = -1
        self.satisfied = 0
        if policy is not None:
            self.minimum = policy.minimum
            half = -(-(policy.par - policy.minimum) // 2)
            self.satisfied = policy.minimum + half if policy.satisfied_at is None else policy.satisfied_at

    def usable(self, t: int) -> int:
        """Quantity whose lot has not expired at `t`."""
        return sum(quantity for lot, quantity in self.lots.items() if lot.expires_at > t)

    def fefo(self, t: int) -> list[Lot]:
        """Usable lots, first expiry first."""
        return sorted((lot for lot in self.lots if lot.expires_at > t), key=lambda lot: (lot.expires_at, lot.number))

    def take(self, quantity: int, t: int) -> list[tuple[Lot, int]]:
        """Which lots give up to `quantity`, first expiry first. Takes nothing yet; fewer when there is less."""
        parts = []
        for lot in self.fefo(t):
            if quantity <= 0:
                break
            amount = min(quantity, self.lots[lot])
            parts.append((lot, amount))
            quantity -= amount
        return parts

    def expired(self, t: int) -> list[Lot]:
        """Lots on hand that have expired at `t`."""
        return [lot for lot in self.lots if lot.expires_at <= t]


class Truth:
    """Cards of one site, and the lines of its truth."""

    def __init__(self, site: str, policies: dict[tuple[str, str], ParPolicy], sink: TruthSink | None) -> None:
        """Without a sink nothing is written, only balances are kept."""
        self.site = site
        self.cards: dict[tuple[str, str], Card] = {}
        self.movements = 0
        self.needs = 0
        self._policies = policies
        self._sink = sink

    def card(self, location: str, item: str) -> Card:
        """The card of an item at a location, made empty on first use."""
        key = (location, item)
        card = self.cards.get(key)
        if card is None:
            card = self.cards[key] = Card(location, item, self._policies.get(key))
        return card

    def move(self, kind: str, t: int, lot: Lot, quantity: int, source: Card | str, target: Card | str) -> None:
        """Move `quantity` of a lot at `t` between cards, or an account outside (`supplier`, `patient`, `waste`).

        Raises `TruthError` when a card would go below zero or time would go backwards on it.
        """
        if quantity <= 0:
            msg = f"{kind}: quantity {quantity} is not positive"
            raise TruthError(msg)
        for card, other, signed in ((source, target, -quantity), (target, source, quantity)):
            if isinstance(card, Card):
                self._post(kind, t, lot, signed, card, other if isinstance(other, str) else other.location)

    def _post(self, kind: str, t: int, lot: Lot, signed: int, card: Card, counterpart: str) -> None:
        if t <= card.judged:
            msg = f"{kind} at {card.location} {card.item}: {utc_text(t)} is not after the event before"
            raise TruthError(msg)
        self._judge_expiries(card, t)
        left = card.lots.get(lot, 0) + signed
        if left < 0:
            msg = f"{kind} at {card.location} {card.item}: lot {lot.number} would hold {left}"
            raise TruthError(msg)
        if left:
            card.lots[lot] = left
        else:
            del card.lots[lot]
        card.total += signed
        self.movements += 1
        if self._sink is not None:
            self._write_movement(kind, t, lot, signed, card, counterpart)
        if card.policy is not None:
            self._judge(card, t)
        card.judged = t

    def _write_movement(self, kind: str, t: int, lot: Lot, signed: int, card: Card, counterpart: str) -> None:
        line: dict[str, Any] = {
            "type": "movement",
            "site": self.site,
            "location": card.location,
            "item": card.item,
            "product": lot.box.id,
            "lot": lot.number,
            "expiry": lot.expiry,
            "quantity": signed,
            "kind": kind,
            "counterpart": counterpart,
            "occurred": utc_text(t),
        }
        self._write(line)

    def counted(self, t: int, card: Card, lot: Lot, quantity: int) -> None:
        """A lot was counted: what was written down, and what lay there. It moves nothing."""
        line: dict[str, Any] = {
            "type": "count",
            "site": self.site,
            "location": card.location,
            "item": card.item,
            "lot": lot.number,
            "quantity": quantity,
            "was": card.lots.get(lot, 0),
            "occurred": utc_text(t),
        }
        self._write(line)

    def _judge_expiries(self, card: Card, until: int) -> None:
        """Judge the card at each instant after the last event and before `until` at which one of its lots expires."""
        if card.policy is None or not card.judged:
            return
        instants = {lot.expires_at for lot in card.lots if card.judged < lot.expires_at < until}
        for t in sorted(instants):
            self._judge(card, t)

    def _judge(self, card: Card, t: int) -> None:
        usable = card.usable(t)
        if usable >= card.satisfied:
            if card.opened is not None:
                self._write_need(card, t)
                card.opened = None
        elif usable <= card.minimum and card.opened is None:
            card.opened = t

    def _write_need(self, card: Card, closed: int | None) -> None:
        self.needs += 1
        if self._sink is None or card.opened is None or card.policy is None:
            return
        line: dict[str, Any] = {
            "type": "need",
            "site": self.site,
            "location": card.location,
            "item": card.item,
            "kind": card.policy.kind.value,
            "opened_at": utc_text(card.opened),
            "closed_at": None if closed is None else utc_text(closed),
        }
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        if self._sink is not None:
            self._sink(_ENCODE(line))

    def close(self, until: int) -> None:
        """Judge every card's expiries up to `until`, the last instant anybody looks, and write the needs still open."""
        for card in self.cards.values():
            self._judge_expiries(card, until + 1)
            card.judged = max(card.judged, until)
            if card.opened is not None:
                self._write_need(card, None)

    def balances(self) -> list[dict[str, Any]]:
        """Quantity by location, item and lot, without zeros, sorted."""
        rows: dict[tuple[str, str, str], int] = {}
        for card in self.cards.values():
            for lot, quantity in card.lots.items():
                key = (card.location, card.item, lot.number)
                rows[key] = rows.get(key, 0) + quantity
        return [
            {"site": self.site, "location": location, "item": item, "lot": lot, "quantity": quantity}
            for (location, item, lot), quantity in sorted(rows.items())
        ]
