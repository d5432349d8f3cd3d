"""What one place may hold of an item, lot by lot, step by step: a hidden Markov chain, filtered and smoothed. Pure.

A state is what lies there, and what was taken and is known to come back. Each step maps states to states with a probability;
what is told about lots weighs them (Bayes). Steps are kept, so that what is learnt later also says what was taken before
(forward-backward: Rabiner, A tutorial on hidden Markov models, 1989, III.B). States are exact but for those below `STATE_LEAST`,
as long as there are at most `STATES_MAX`; beyond, the least likely are dropped and the others weighed up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sinks.lots.drawing import UNNAMED, Drawing, Lot, Lots, Number, Purpose, minus, plus, quantity_of

STATES_MAX: Final = 400
STATE_LEAST: Final = 1e-7
STATES_MIN: Final = 50
EDGES_MAX: Final = 1_000_000
"""A chain with so many edges keeps `STATES_MIN` states from then on: a long history without scan or count must find room."""
Hands = tuple[tuple[str, Lots], ...]
"""What was taken and comes back, by the removal; and what a fill was of which a later one depends on, by the fill."""
State = tuple[Lots, Hands]
Edge = tuple[State, State, Number, Lots]
"""From, to, probability, and what was taken or came."""
Mix = Sequence[tuple[Number, Lots]]
"""What may have been moved, with probabilities."""
Given = Mapping[tuple[Lots, ...], Mix]
"""What may have been moved, by what earlier moves were."""
NOTHING: Final[State] = ((), ())


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its edges, the states before it, and the sum that the states after it were divided by."""

    key: str
    before: dict[State, Number]
    edges: list[Edge]
    norm: Number


class Chain:
    """One item at one place."""

    def __init__(self, drawing: Drawing, states_max: int = STATES_MAX, least: Number = STATE_LEAST) -> None:
        """It begins with nothing."""
        self._drawing = drawing
        self._states_max = states_max
        self._least = least
        self.now: dict[State, Number] = {NOTHING: drawing.one}
        self.steps: list[Step] = []
        self.dropped: Number = 0 * drawing.one
        """Probability of all states that were dropped, added up."""
        self._edges = 0
        self._looked_for: frozenset[Lot] = frozenset()
        self._after: list[dict[State, Number]] | None = None

    # ---- what happens ------------------------------------------------------------------------------------------------

    def arrive(
        self,
        key: str,
        mix: Mix,
        *,
        after: tuple[Sequence[str], Given] = ((), {}),
        done: Collection[str] = (),
        kept: bool = False,
    ) -> None:
        """Stock came, of lots as likely as the mix says.

        `after`: earlier fills that were kept, and what came by what those were. `done`: those that no later one depends on.
        `kept`: a later one depends on this.
        """
        in_turn = self._drawing.in_turn
        earlier, given = after
        edges: list[Edge] = []
        for state in self.now:
            out = dict(state[1])
            hands = tuple(one for one in state[1] if one[0] not in done)
            known = given.get(tuple(out.get(one, ()) for one in earlier), mix) if earlier else mix
            for chance, came in known:
                then = tuple(sorted((*hands, (key, came)))) if kept else hands
                edges.append((state, (plus(state[0], came, in_turn=in_turn), then), chance, came))
        self._step(key, edges)

    def leave(self, key: str, quantity: int, purpose: Purpose, at: str, *, back: bool = False) -> Mix:
        """Stock of an unknown lot left; returns what it was by what is known so far. `back`: some of it is to come back."""
        gone = self._drawing.expired(at)
        self._step(key, (
            (state, _without(state, taken, key if back else None), chance, taken)
            for state in self.now for chance, taken in self._drawing.draws(state[0], quantity, purpose, gone)
        ))  # fmt: skip
        return self.filtered(len(self.steps) - 1)

    def leave_lot(
        self, key: str, lot: Lot, quantity: int, purpose: Purpose, at: str, *, back: bool = False, ran_out: bool = False
    ) -> None:
        """Stock of a stated lot left. Where too little of it lay it was unnamed stock, or came unreported.

        `ran_out`: the hand went on with another lot, as it does when nothing is left of this one.
        """
        gone = self._drawing.expired(at)
        stated: Lots = ((lot, quantity),)
        edges = []
        for state in self.now:
            held, slip = state[0], self._drawing.slip
            missing = quantity - quantity_of(held, lot)
            if missing > 0:
                named = plus(held, ((lot, missing),), in_turn=self._drawing.in_turn)
                held, chance = minus(named, ((UNNAMED, missing),)), slip * slip
            else:
                fitting = (one for one, taken in self._drawing.draws(held, quantity, purpose, gone) if taken == stated)
                chance = next(fitting, slip)
            if ran_out and missing < 0:
                chance *= self._drawing.went_on
            edges.append((state, _without((held, state[1]), stated, key if back else None), chance, stated))
        self._step(key, edges)

    def bring_back(self, key: str, removal: str, quantity: int, lot: Lot | None, *, last: bool) -> None:
        """Some of what a removal took came back, of a stated or unknown lot; after the last of it the rest is forgotten.

        Of several lots in one hand any may be given back, by its share.
        """
        drawing, edges = self._drawing, []
        for state in self.now:
            out = dict(state[1]).get(removal, ())
            options = drawing.at_hand(out, quantity) if lot is None else self._stated(out, lot, quantity)
            for chance, came in options:
                rest = () if last else minus(out, came)
                hands = tuple(sorted((*(one for one in state[1] if one[0] != removal), *(((removal, rest),) if rest else ()))))
                edges.append((state, (plus(state[0], came, in_turn=drawing.in_turn), hands), chance, came))
        self._step(key, edges)

    def _stated(self, out: Lots, lot: Lot, quantity: int) -> Mix:
        found = [one for one in self._drawing.at_hand(out, quantity) if one[1] == ((lot, quantity),)]
        return found or [(self._drawing.slip, ((lot, quantity),))]

    def count_lot(self, key: str, lot: Lot, quantity: int) -> None:
        """A count of one lot."""
        edges: list[Edge] = []
        for state in self.now:
            held = state[0]
            fits = quantity_of(held, lot) == quantity
            others = tuple(one for one in held if one[0] != lot)
            new = held if fits else plus(others, ((lot, quantity),) if quantity else (), in_turn=self._drawing.in_turn)
            edges.append((state, (new, state[1]), self._drawing.one if fits else self._drawing.slip, ()))
        self._step(key, edges)

    def count_rest(self, key: str, listed: Collection[Lot], booked: Mapping[Lot, int]) -> None:
        """Lots were counted one by one. A lot that no count changed is as booked, or was not there to be counted."""
        one, slip = self._drawing.one, self._drawing.alone
        edges: list[Edge] = []
        for state in self.now:
            others = (lot for lot in state[0] if lot[0] not in listed and lot[0] != UNNAMED)
            fits = all(booked.get(lot) == quantity for lot, quantity in others)
            edges.append((state, state, one if fits else slip, ()))
        self._step(key, edges)

    def count_all(self, key: str, quantity: int, at: str) -> None:
        """A count of the whole place, of no stated lots."""
        drawing, gone = self._drawing, self._drawing.expired(at)
        edges: list[Edge] = []
        for state in self.now:
            held, hands = state
            total = sum(amount for _, amount in held)
            if total == quantity:
                edges.append((state, state, drawing.one, ()))
            elif total < quantity:
                found = plus(held, ((UNNAMED, quantity - total),), in_turn=drawing.in_turn)
                edges.append((state, (found, hands), drawing.slip, ()))
            else:
                for chance, taken in drawing.draws(held, total - quantity, Purpose.USE, gone):
                    edges.append((state, (minus(held, taken), hands), drawing.slip * chance, ()))
        self._step(key, edges)

    def look_for_expired(self, at: str) -> None:
        """By now expired lots should have been taken away: where one lies still, it was left lying. Once for each lot."""
        lots = self._drawing.taken_away(at) - self._looked_for
        if not lots:
            return
        self._looked_for |= lots
        lying = {state for state in self.now if any(lot in lots for lot, _ in state[0])}
        if lying:
            one, left = self._drawing.one, self._drawing.left_lying
            edges = [(state, state, left if state in lying else one, ()) for state in self.now]
            self._step(f"expired#{len(self.steps)}", edges)

    def empty(self, key: str) -> None:
        """The place was verified empty."""
        self._step(key, ((state, ((), state[1]), self._drawing.one, ()) for state in self.now))

    def _step(self, key: str, edges: Iterable[Edge]) -> None:
        edges = list(edges)
        after: dict[State, Number] = {}
        for source, target, chance, _ in edges:
            after[target] = after.get(target, 0) + self.now[source] * chance
        norm = sum(after.values())
        least = norm * self._least
        room = self._states_max if self._edges < EDGES_MAX else min(self._states_max, STATES_MIN)
        if len(after) > room or any(weight < least for weight in after.values()):
            likely = sorted(after, key=lambda state: (-after[state], state))[:room]
            after = {state: after[state] for state in likely if after[state] >= least}
            edges = [edge for edge in edges if edge[1] in after]
            kept = sum(after.values())
            self.dropped += 1 - kept / norm
            norm = kept
        self._edges += len(edges)
        self.steps.append(Step(key, self.now, edges, norm))
        self.now = {state: weight / norm for state, weight in after.items()}
        self._after = None

    # ---- what is known -----------------------------------------------------------------------------------------------

    def filtered(self, number: int) -> Mix:
        """What a step moved, by what was known then."""
        step = self.steps[number]
        found: dict[Lots, Number] = {}
        for source, _, chance, moved in step.edges:
            found[moved] = found.get(moved, 0) + step.before[source] * chance / step.norm
        return [(chance, moved) for moved, chance in found.items()]

    def smoothed(self, number: int) -> Mix:
        """What a step moved, by all that is known of the place."""
        step, after = self.steps[number], self._later()[number + 1]
        found: dict[Lots, Number] = {}
        for source, target, chance, moved in step.edges:
            weight = step.before[source] * chance * after[target] / step.norm
            if weight:
                found[moved] = found.get(moved, 0) + weight
        return [(chance, moved) for moved, chance in found.items()]

    def given(self, numbers: Sequence[int]) -> Given:
        """What the last of these steps (in order) moved by what the others moved, by all that is known of the place."""
        weights: dict[tuple[Lots, ...], Mapping[State, Number]] = {(): self.steps[numbers[0]].before}
        for first, second in pairwise(numbers):
            weights = self._by_moved(first, weights)
            for number in range(first + 1, second):
                weights = {moved: self._on(number, here) for moved, here in weights.items()}
        last, after = self.steps[numbers[-1]], self._later()[numbers[-1] + 1]
        found: dict[tuple[Lots, ...], Mix] = {}
        for moved, here in weights.items():
            then: dict[Lots, Number] = {}
            for source, target, chance, further in last.edges:
                weight = here.get(source, 0) * chance * after[target]
                if weight:
                    then[further] = then.get(further, 0) + weight
            whole = sum(then.values())
            if whole:
                found[moved] = [(weight / whole, further) for further, weight in then.items()]
        return found

    def _by_moved(
        self, number: int, weights: Mapping[tuple[Lots, ...], Mapping[State, Number]]
    ) -> dict[tuple[Lots, ...], Mapping[State, Number]]:
        """Weights of the states before a step, by what was moved earlier, brought to those after it, also by what it moved."""
        step = self.steps[number]
        found: dict[tuple[Lots, ...], dict[State, Number]] = {}
        for earlier, here in weights.items():
            for source, target, chance, moved in step.edges:
                weight = here.get(source)
                if weight:
                    then = found.setdefault((*earlier, moved), {})
                    then[target] = then.get(target, 0) + weight * chance / step.norm
        return dict(found)

    def _on(self, number: int, weights: Mapping[State, Number]) -> dict[State, Number]:
        """Weights of the states before a step, brought to those after it."""
        step = self.steps[number]
        then: dict[State, Number] = {}
        for source, target, chance, _ in step.edges:
            weight = weights.get(source)
            if weight:
                then[target] = then.get(target, 0) + weight * chance / step.norm
        return then

    def none(self, numbers: Sequence[int], forbidden: Callable[[Edge], bool]) -> Number:
        """How likely it is that at none of these steps (in order) something happened that is forbidden, by all that is known."""
        if not numbers:
            return self._drawing.one
        after = self._later()
        asked = frozenset(numbers)
        weights = self.steps[numbers[0]].before
        for number in range(numbers[0], numbers[-1] + 1):
            step = self.steps[number]
            then: dict[State, Number] = {}
            for edge in step.edges:
                source, target, chance, _ = edge
                weight = weights.get(source)
                if weight and not (number in asked and forbidden(edge)):
                    then[target] = then.get(target, 0) + weight * chance / step.norm
            weights = then
        last = after[numbers[-1] + 1]
        return sum((weight * last[state] for state, weight in weights.items()), 0 * self._drawing.one)

    def _later(self) -> list[dict[State, Number]]:
        """For each step, and the end, how much more likely later steps make each state."""
        if self._after is None:
            found: list[dict[State, Number]] = [dict.fromkeys(self.now, self._drawing.one)]
            for step in reversed(self.steps):
                later, here = found[-1], dict.fromkeys(step.before, 0 * self._drawing.one)
                for source, target, chance, _ in step.edges:
                    here[source] += chance * later[target] / step.norm
                found.append(here)
            self._after = found[::-1]
        return self._after


def _without(state: State, taken: Lots, back: str | None) -> State:
    hands = state[1] if back is None else tuple(sorted((*state[1], (back, taken))))
    return minus(state[0], taken), hands
