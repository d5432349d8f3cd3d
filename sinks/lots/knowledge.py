"""All that is known of unknown lots, item by item as it is asked for; and how probabilities are told. Pure.

A probability is never told as 0 or 1: what can be reached is possible (`sinks.recalls`), however unlikely.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from sinks.lots.acts import NO_LOT, LotName, Story, story_of
from sinks.lots.drawing import Drawing, Number
from sinks.lots.mix import LotMix
from sinks.lots.settings import Rule, Settings
from sinks.recalls.places import STOCK
from sinks.recalls.scope import Move, Names, Scope

LEAST: Final = Decimal("0.001")
"""The smallest probability that is told, and the step between two of them; the greatest is as far from 1."""


class Knowledge:
    """Lots of the items whose entries it is given."""

    def __init__(self, moves: Iterable[Move], settings: Settings) -> None:
        """Nothing is worked out yet."""
        self._settings = settings
        self._moves: dict[tuple[str, str], list[Move]] = {}
        for move in moves:
            self._moves.setdefault((move.site, move.item), []).append(move)
        self._mixes: dict[tuple[str, str], LotMix] = {}

    @property
    def cards(self) -> list[tuple[str, str]]:
        """Sites and items there are entries of."""
        return sorted(self._moves)

    def mix(self, site: str, item: str) -> LotMix:
        """The lots of an item at a site."""
        found = self._mixes.get((site, item))
        if found is None:
            found = self._mixes[site, item] = mix_of(self._moves.get((site, item), []), self._settings, site, item)
        return found

    # ---- what a recall asks --------------------------------------------------------------------------------------------

    def given(self, moves: Iterable[Move], scope: Scope) -> Decimal | None:
        """How likely any of these removals of one item at a site took of a covered lot."""
        given = list(moves)
        site, item = given[0].site, given[0].item
        mix = self.mix(site, item)
        keys = [mix.story.keys[move] for move in given if move in mix.story.keys]
        covered = self._covered(site, item, scope)
        return told(mix.any_taken(keys, covered)) if keys and covered else None

    def lay(self, site: str, item: str, account: str, scope: Scope) -> Decimal | None:
        """How likely a covered lot ever lay at a place."""
        covered = self._covered(site, item, scope)
        return told(self.mix(site, item).ever(account.removeprefix(STOCK), covered)) if covered else None

    def _covered(self, site: str, item: str, scope: Scope) -> Collection[LotName]:
        """Lots that a notice covers; stock of which nobody ever named the lot may be of any, and counts as if it were."""
        names = self.mix(site, item).story.names
        covered = {name for name in names if name != NO_LOT and _covers(scope, item, site, name)}
        return covered | {NO_LOT}


def _stated(move: Move) -> LotName:
    return move.product, move.lot_key


def _covers(scope: Scope, item: str, site: str, name: LotName) -> bool:
    product, lot = name
    entry = Move(site, item, product, lot, lot, 1, "", "", "", "", "", "")
    return scope.names(entry) in (Names.COVERED, Names.NUMBER)


def mix_of(moves: Collection[Move], settings: Settings, site: str, item: str) -> LotMix:
    """The lots of one item at one site, from its entries and the settings."""
    expires: dict[LotName, str] = {}
    for move in moves:
        if move.expiry:
            end = settings.end_of(site, move.expiry)
            expires[_stated(move)] = min(end, expires.get(_stated(move), end))
    accounts = {account for move in moves for account in (move.source, move.target)}
    places = {account.removeprefix(STOCK) for account in accounts if account.startswith(STOCK)}
    story = story_of(moves, expires, {place for place in places if settings.isolates(site, place)})
    drawings = _drawings(story, settings, site, item, places)
    return LotMix(story, drawings.__getitem__)


def _drawings(story: Story, settings: Settings, site: str, item: str, places: Iterable[str]) -> Mapping[str, Drawing]:
    """One drawing for all places with the same rule: what it has worked out is shared."""
    made: dict[Rule, Drawing] = {}
    found: dict[str, Drawing] = {}
    for place in sorted(places):
        rule = settings.rule(site, place, item)
        if rule not in made:
            name, compliance, expired_hours = rule
            made[rule] = Drawing(name, compliance, story.expires, expired_hours=expired_hours)
        found[place] = made[rule]
    return found


def told(chance: Number) -> Decimal:
    """A probability as it is shown: three places, never 0 and never 1."""
    rounded = Decimal(str(round(float(chance), 3))).quantize(LEAST)
    return min(max(rounded, LEAST), 1 - LEAST)


def lines_of(mix: LotMix, site: str, item: str, place: str) -> list[dict[str, Any]]:
    """What may lie at a place, by lot: `sure` to `most`, on average `expected`; `probability` that there is any (null: sure)."""
    lines = []
    for held in mix.held(place):
        product, lot = held.lot
        surely = held.sure > 0
        lines.append({
            "site": site, "location": place, "item": item, "product": product,
            "lot": "unknown" if held.lot == NO_LOT else lot, "sure": held.sure,
            "expected": Decimal(str(round(float(held.expected), 2))).quantize(Decimal("0.01")),
            "most": max(held.quantities), "probability": None if surely else told(held.any_),
        })  # fmt: skip
    return lines
