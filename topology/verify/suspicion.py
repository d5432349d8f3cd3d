"""Recalls of class I: stock of an unknown lot of a named item may not be given until its place was inspected.

Inspected is a place when somebody closes the case that asks for it. What comes in without a lot afterwards is suspected again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest

from schemas.reference import RecallNotice
from topology.verify.ids import name_based_id
from topology.verify.words import Card

Span = list[int | None]
"""From, until; until None is still."""


class Suspicions:
    """Of one partition, as far as it was read."""

    def __init__(self) -> None:
        """Nothing is suspected."""
        self._notices: dict[str, list[tuple[frozenset[str], Span]]] = defaultdict(list)
        self._cleared: dict[tuple[Card, str], list[Span]] = defaultdict(list)

    def recall(self, notice: RecallNotice, items: Iterable[str], now: int) -> None:
        """A notice was read."""
        named = frozenset(items if notice.classification == "I" and notice.released is None else ())
        spans = self._notices[notice.id]
        if spans and spans[-1][1][1] is None:
            if spans[-1][0] == named:
                return
            spans[-1][1][1] = now
        if named:
            spans.append((named, [now, None]))

    def came(self, card: Card, us: int) -> None:
        """Stock of an unknown lot came to a place."""
        for notice in self._open(card[2]):
            clear = self._clear(card, notice)
            if clear is not None and us >= (clear[0] or 0):
                clear[1] = us

    def closed(self, site: str, case: str, cards: Iterable[Card], now: int) -> None:
        """A person closed a case: when it asked to inspect a suspect place, that is done."""
        for card in cards:
            for notice in self._open(card[2]) if card[0] == site else ():
                wanted = name_based_id("case", "recall_inspect", site, notice, card[1], card[2])
                if wanted == case and self._clear(card, notice) is None:
                    self._cleared[card, notice].append([now, None])
                    return

    def _clear(self, card: Card, notice: str) -> Span | None:
        """The span by which a place is clear of a notice now."""
        begun = self._notices[notice][-1][1][0] or 0
        spans = self._cleared[card, notice]
        return spans[-1] if spans and spans[-1][1] is None and (spans[-1][0] or 0) >= begun else None

    def _open(self, item: str) -> list[str]:
        return [name for name, spans in self._notices.items() if spans and spans[-1][1][1] is None and item in spans[-1][0]]

    def blocks(self, card: Card) -> list[tuple[int, int | None, str]]:
        """When the unknown lot at a place may not be given."""
        found: list[tuple[int, int | None, str]] = []
        for notice, spans in self._notices.items():
            for items, (start, end) in spans:
                if card[2] not in items:
                    continue
                edges: list[int | None] = [start]
                for span in self._cleared[card, notice]:
                    if (span[0] or 0) >= (start or 0) and (end is None or (span[0] or 0) < end):
                        edges += span
                for begin, until in zip_longest(edges[::2], edges[1::2], fillvalue=end):
                    if begin is not None and (until is None or begin < until):
                        found.append((begin, until, notice))
        return found
