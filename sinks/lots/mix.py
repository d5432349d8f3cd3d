"""The lots of one item at one site: what each place may hold, and what each removal may have taken. Pure.

Each place is a chain of its own. What passes between places without a lot carries along what it may have been by all that is
known of the place it left, and by what the two fills before it were: of two fills a count of the store may say that one was of
the other lot, whichever. That far the places are known together, no further (Boyen and Koller, Tractable inference for complex
stochastic processes, 1998). What is learnt at the place it came to does not flow back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sinks.lots.acts import Act, LotName, Story, What
from sinks.lots.chain import Chain, Edge, Given, Mix
from sinks.lots.drawing import UNNAMED, Drawing, Lot, Number

DrawingOf = Callable[[str], Drawing]
"""The drawing rule of a place."""
_PASSES_MAX: Final = 3
"""What is known of a store reaches the places behind it with the second reading, the ones behind those with the third."""
_FILLS_BEFORE: Final = 2
"""Fills between two places on which the next one depends. With five, four lots and 60 fills take 30 times as long."""
_SURE: Final = 0.999
"""A fill that was of one lot with this probability depends on no other and no other on it."""
_STEPS_MAX: Final = 2_000
"""Steps of a store between two fills beyond which they are taken as independent: what lay there then is long gone."""


@dataclass(frozen=True, slots=True)
class _Fill:
    """What a move between places without a lot may have been; by what the fills `earlier` were, where it depends on some.

    `done`: those of them that no later fill depends on. `kept`: a later one depends on this.
    """

    mix: Mix
    earlier: tuple[str, ...] = ()
    given: Given = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What may lie somewhere of one lot: at least `sure`, on average `expected`; `any_` is how likely any of it is there."""

    lot: LotName
    sure: int
    expected: Number
    any_: Number
    quantities: Mapping[int, Number]


class LotMix:
    """What is known of the lots of one item at one site, from its story."""

    def __init__(self, story: Story, drawing_of: DrawingOf, chain_of: Callable[[Drawing], Chain] = Chain) -> None:
        """Reads the story; again, as far as it reaches, where stock passed between places without a lot."""
        self.story = story
        self._drawing_of = drawing_of
        self._chain_of = chain_of
        self._number = {name: number for number, name in enumerate(story.names)}
        passed: dict[str, _Fill] = {}
        passes = min(_PASSES_MAX, 1 + _links(story.acts))
        for number in range(passes):
            self.chains: dict[str, Chain] = {}
            self._left: dict[str, tuple[Chain, int]] = {}
            for act in story.acts:
                self._happen(act, passed)
            for chain in self.chains.values():
                chain.look_for_expired(story.acts[-1].at)
            if number + 1 < passes:
                passed = self._passed()

    def _passed(self) -> dict[str, _Fill]:
        """What moved between places without a lot, each by what the ones before it between the same places were."""
        found: dict[str, _Fill] = {}
        before: dict[tuple[str, str], tuple[str, ...]] = {}
        for act in self.story.acts:
            if act.lot is not None or not act.source or not act.target:
                continue
            fill = _Fill(self.smoothed(act.key))
            if max(chance for chance, _ in fill.mix) < _SURE:
                chain, number = self._left[act.key]
                lately = before.get((act.source, act.target), ())
                earlier = tuple(one for one in lately if number - self._left[one][1] <= _STEPS_MAX)
                if earlier:
                    fill = replace(fill, earlier=earlier, given=chain.given([*(self._left[one][1] for one in earlier), number]))
                before[act.source, act.target] = (*earlier, act.key)[-_FILLS_BEFORE:]
            found[act.key] = fill
        return _kept_as_long_as_needed(found)

    def _chain(self, place: str) -> Chain:
        chain = self.chains.get(place)
        if chain is None:
            chain = self.chains[place] = self._chain_of(self._drawing_of(place))
        return chain

    def _happen(self, act: Act, passed: Mapping[str, _Fill]) -> None:
        for place in filter(None, (act.source, act.target)):
            self._chain(place).look_for_expired(act.at)
        chain = self._chain(act.source or act.target or "")
        match act.what:
            case What.EMPTIED:
                chain.empty(act.key)
            case What.COUNTED:
                chain.count_all(act.key, act.quantity, act.at)
            case What.COUNTED_REST:
                chain.count_rest(act.key, act.listed, act.booked)
            case What.COUNTED_LOT:
                chain.count_lot(act.key, act.lot or UNNAMED, act.quantity)
            case What.MOVED:
                self._move(act, passed)

    def _move(self, act: Act, passed: Mapping[str, _Fill]) -> None:
        one = self._drawing_of(act.source or act.target or "").one
        labels = act.may_be or ((act.lot or UNNAMED, 1),)
        whole = sum(weight for _, weight in labels)
        moved: Mix = [(one * weight / whole, ((lot, act.quantity),)) for lot, weight in labels]
        fill = passed.get(act.key)
        if act.source is not None:
            chain = self._chain(act.source)
            if act.lot is None:
                moved = chain.leave(act.key, act.quantity, act.purpose, act.at, back=act.back)
            else:
                chain.leave_lot(act.key, act.lot, act.quantity, act.purpose, act.at, back=act.back, ran_out=act.ran_out)
            self._left[act.key] = (chain, len(chain.steps) - 1)
        if act.target is not None:
            chain = self._chain(act.target)
            if act.brings_back is not None:
                chain.bring_back(act.key, act.brings_back, act.quantity, act.lot, last=act.last)
            elif fill is None:
                chain.arrive(act.key, moved)
            else:
                chain.arrive(act.key, fill.mix, after=(fill.earlier, fill.given), done=fill.done, kept=fill.kept)

    # ---- what is known -----------------------------------------------------------------------------------------------

    def smoothed(self, key: str) -> Mix:
        """What a removal may have taken, by all that is known of the place it took it from."""
        chain, number = self._left[key]
        return chain.smoothed(number)

    def taken(self, key: str) -> dict[LotName, Number]:
        """How likely a removal took at least one of each lot."""
        found: dict[LotName, Number] = {}
        for chance, lots in self.smoothed(key):
            for lot, _ in lots:
                name = self.story.names[lot]
                found[name] = found.get(name, 0) + chance
        return found

    def any_taken(self, keys: Iterable[str], covered: Collection[LotName]) -> Number:
        """How likely at least one of these removals took of a covered lot; those of one place are looked at together."""
        lots = self._numbers(covered)
        places: dict[int, tuple[Chain, list[int]]] = {}
        for key in keys:
            chain, number = self._left[key]
            places.setdefault(id(chain), (chain, []))[1].append(number)
        none: Number = 1
        for chain, numbers in places.values():
            none *= chain.none(sorted(numbers), lambda edge: any(lot in lots for lot, _ in edge[3]))
        return 1 - none

    def ever(self, place: str, covered: Collection[LotName]) -> Number:
        """How likely a covered lot ever lay at a place."""
        chain = self.chains.get(place)
        if chain is None:
            return 0
        lots = self._numbers(covered)

        def there(edge: Edge) -> bool:
            return any(lot in lots for lot, _ in (*edge[1][0], *edge[3]))

        return 1 - chain.none(range(len(chain.steps)), there)

    def held(self, place: str) -> list[Held]:
        """What a place may hold now, lot by lot."""
        chain = self.chains.get(place)
        amounts: dict[Lot, dict[int, Number]] = {}
        for state, chance in (chain.now.items() if chain else ()):
            for lot, quantity in state[0]:
                one = amounts.setdefault(lot, {})
                one[quantity] = one.get(quantity, 0) + chance
        found = []
        for lot, quantities in sorted(amounts.items()):
            there = sum(quantities.values())
            expected = sum(quantity * chance for quantity, chance in quantities.items())
            sure = min(quantities) if len(quantities) and self._always(place, lot) else 0
            found.append(Held(self.story.names[lot], sure, expected, there, quantities))
        return found

    def _always(self, place: str, lot: Lot) -> bool:
        return all(any(one == lot for one, _ in state[0]) for state in self.chains[place].now)

    def _numbers(self, covered: Collection[LotName]) -> frozenset[Lot]:
        return frozenset(self._number[name] for name in covered if name in self._number)


def _kept_as_long_as_needed(fills: Mapping[str, _Fill]) -> dict[str, _Fill]:
    """The same fills (in order), each kept until the last one that depends on it has come."""
    last = {one: key for key, fill in fills.items() for one in fill.earlier}
    return {
        key: replace(fill, done=frozenset(one for one in fill.earlier if last[one] == key), kept=key in last)
        for key, fill in fills.items()
    }


def _links(acts: Iterable[Act]) -> int:
    """Over how many places stock without a lot passed on, one after the other, at most."""
    reached: dict[str, int] = {}
    for act in acts:
        if act.lot is None and act.source and act.target:
            reached[act.target] = max(reached.get(act.target, 0), reached.get(act.source, 0) + 1)
    return max(reached.values(), default=0)
