"""Where stock of a recalled lot could have lain, and since when: the reasons, place by place. Pure.

A place could hold it from the moment something brings it there until somebody verifies the place empty. What brings it: a covered
lot that came in; stock of an unknown lot from outside; stock of an unknown lot from a place that could hold it. What proves it
afterwards counts from the last time the place was empty: a count that found stock nobody had reported, and more taken from a
place than was known to be there. A balance that runs out proves nothing: unlabelled stock may be left.

Empty is what the ledger says so: a pocket that is loaded or unloaded, and a count of nothing at all. At one instant nobody knows
what came first, so an emptying ends nothing that came at the same instant and spares nothing that left at it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from sinks.recalls.scope import UNKNOWN_LOT, Move, Names, Scope

BEGINNING: Final = ""
"""Before every instant."""
STOCK: Final = "stock:"
STAYS: Final = frozenset({"identify", "open", "puncture", "thaw", "out_of_fridge"})
"""Entries of stock that was there before, under less of a name or unopened."""
VARIANCE: Final = "variance"
Place = tuple[str, str, str]
"""Site, item, account."""
Lot = tuple[str, str]
"""Product and lot number as compared."""


@dataclass(frozen=True, slots=True)
class Source:
    """Why a place could hold a recalled lot from an instant on. `lot` is the lot it is known to be; none when that is unknown."""

    since: str
    reason: str
    names: Names
    lot: Lot | None = None


@dataclass(slots=True)
class Pocket:
    """One item at one place: its balance by lot, when it was empty, and why it could hold a recalled lot.

    Reasons and emptyings stand in order of time: only those since the place was last empty are looked at, however many there are.
    """

    lots: defaultdict[Lot, int] = field(default_factory=lambda: defaultdict(int))
    emptied: list[str] = field(default_factory=list)
    """When it was empty of everything."""
    emptied_of: defaultdict[Lot, list[str]] = field(default_factory=lambda: defaultdict(list))
    """When it was empty of one lot."""
    sources: list[Source] = field(default_factory=list)

    def could_hold(self, at: str) -> Source | None:
        """The best reason to fear a recalled lot here at an instant; None when there is none."""
        live = (one for one in self._between(self.last_emptied(at), at) if not _any_between(self._of_lot(one), one.since, at))
        return max(live, key=lambda one: (one.names, _reversed(one.since)), default=None)

    def add(self, source: Source) -> bool:
        """Take a reason in; False when an earlier one of its kind still holds."""
        place = bisect_right(self.emptied, source.since)
        since = self.emptied[place - 1] if place else BEGINNING
        if any(self._stands_for(one, source) for one in self._between(since, source.since)):
            return False
        insort(self.sources, source, key=_since)
        return True

    def add_emptied(self, at: str, lot: Lot | None) -> None:
        """It is verified empty of a lot, or of everything (None). Later than what was before."""
        (self.emptied if lot is None else self.emptied_of[lot]).append(at)

    def first_emptied(self, since: str) -> str:
        """When it was next empty of anything after an instant."""
        found = (times[bisect_right(times, since) :][:1] for times in (self.emptied, *self.emptied_of.values()))
        return min((at for one in found for at in one), default=BEGINNING)

    def last_emptied(self, before: str) -> str:
        """When it was last empty of everything before an instant."""
        place = bisect_left(self.emptied, before)
        return self.emptied[place - 1] if place else BEGINNING

    def since(self, at: str) -> list[Source]:
        """The reasons that hold from exactly an instant on."""
        return self._between(at, at)

    def _between(self, first: str, last: str) -> list[Source]:
        """Reasons from one instant to another, both included."""
        return self.sources[bisect_left(self.sources, first, key=_since) : bisect_right(self.sources, last, key=_since)]

    def _stands_for(self, known: Source, new: Source) -> bool:
        alike = (known.names, known.lot) == (new.names, new.lot)
        times = self._of_lot(known)
        return alike and bisect_right(times, new.since) == bisect_right(times, known.since)

    def _of_lot(self, source: Source) -> list[str]:
        return self.emptied_of.get(source.lot, []) if source.lot is not None else []


def _since(source: Source) -> str:
    return source.since


def _any_between(times: list[str], first: str, last: str) -> bool:
    """Whether any instant lies between two, neither included."""
    return bisect_left(times, last) > bisect_right(times, first)


def _reversed(since: str) -> tuple[int, ...]:
    """Text in reverse order: of equal reasons the earliest one is told."""
    return tuple(-ord(character) for character in since)


class Places:
    """All pockets of a notice's items, told by their entries."""

    def __init__(self, scope: Scope, moves: list[Move]) -> None:
        """`moves` as `standing` gives them."""
        self._scope = scope
        self.pockets: defaultdict[Place, Pocket] = defaultdict(Pocket)
        instants = [(at, list(group)) for at, group in groupby(moves, key=lambda move: move.occurred)]
        for at, group in instants:
            self._look_back(at, group)
        for at, group in instants:
            self._arrive(at, group)

    def could_hold(self, move: Move) -> Source | None:
        """Why what left with an entry could have been of a recalled lot."""
        pocket = self.pockets.get((move.site, move.item, move.source))
        return None if pocket is None else pocket.could_hold(move.occurred)

    # ---- what is known of the past of a place afterwards -----------------------------------------------------------------

    def _look_back(self, at: str, group: list[Move]) -> None:
        """Balances after an instant, and what they prove."""
        touched: dict[Place, list[Move]] = {}
        for move in group:
            for account in (move.source, move.target):
                if account != VARIANCE:
                    touched.setdefault((move.site, move.item, account), []).append(move)
        for place, here in touched.items():
            emptied = self._balance(place, here)
            if not place[2].startswith(STOCK):
                continue
            for lot in emptied:
                self.pockets[place].add_emptied(at, lot)
            if None not in emptied or any(_is_free(move) for move in here):
                self._found(place, at, here)

    def _balance(self, place: Place, here: list[Move]) -> list[Lot | None]:
        """Take one instant of a place in; returns what it verifies the place empty of: a lot, or everything (None)."""
        lots = self.pockets[place].lots
        counts = [move for move in here if _is_count(move)]
        for move in counts:
            lots[move.product, move.lot_key] += _sign(move, place[2]) * move.quantity
        # A verified begin count stands before the rest of its event.
        empty_first = not any(lots.values()) and len({move.event_id for move in here}) == 1
        for move in here:
            if not _is_count(move):
                lots[move.product, move.lot_key] += _sign(move, place[2]) * move.quantity
        if any(_empties(move, place[2]) for move in here):
            return [None]
        changed = _counted(here, place[2])
        # A count of one lot writes that lot (and what of it moved without lot), one of the whole place the unknown lot; only a
        # count of nothing writes several.
        whole = any(_writes_all(counts, event, place[2]) for event in {move.event_id for move in counts})
        if whole and (empty_first or not any(lots.values())):
            return [None]
        return [lot for lot, change in changed.items() if change < 0 and lot[1] != UNKNOWN_LOT and not lots[lot]]

    def _found(self, place: Place, at: str, here: list[Move]) -> None:
        """What must have come before an instant, whoever failed to report it."""
        pocket = self.pockets[place]
        counted = _counted(here, place[2])
        since = pocket.last_emptied(at)
        for move in here:
            lot = (move.product, move.lot_key)
            names = self._scope.names(move)
            if names is Names.OTHER:
                continue
            if counted.get(lot, 0) > 0:
                reason = f"a count on {_day(at)} found {counted[lot]} of {_lot(move)} here that nobody had reported"
                pocket.add(Source(since, reason, names, _known(move)))
            elif names is not Names.UNKNOWN and pocket.lots[lot] < 0:
                reason = f"{_lot(move)} was taken from here on {_day(at)}, more than is known to have come"
                pocket.add(Source(since, reason, names, lot))
        total = sum(pocket.lots.values())
        if total < 0 and not any(one.reason.startswith(_SHORT) for one in pocket.since(since)):
            reason = f"{_SHORT} {_day(at)} ({total}): what was not reported may be of any lot"
            pocket.add(Source(since, reason, Names.UNKNOWN))

    # ---- what comes in ---------------------------------------------------------------------------------------------------

    def _arrive(self, at: str, group: list[Move]) -> None:
        """Reasons that come with the entries of one instant. What is passed on at the same instant is passed on."""
        arriving = [move for move in group if move.target.startswith(STOCK) and not _is_count(move)]
        while sum(self._came(move, at) for move in arriving):
            pass

    def _came(self, move: Move, at: str) -> bool:
        names = self._scope.names(move)
        origin = move.source.removeprefix(STOCK)
        if names is Names.OTHER or move.kind in STAYS:
            return False
        reason = f"{move.quantity} of {_lot(move)} came in on {_day(at)} from {origin}"
        if names is Names.UNKNOWN and move.source.startswith(STOCK):
            behind = self.could_hold(move)
            if behind is None:
                return False
            reason = f"{reason}, where it could be: {behind.reason.split(', where it could be: ')[-1]}"
        return self.pockets[move.site, move.item, move.target].add(Source(at, reason, names, _known(move)))


_SHORT: Final = "more had been taken from here than was known to have come on"


def _is_count(move: Move) -> bool:
    return VARIANCE in (move.source, move.target)


def _is_free(move: Move) -> bool:
    """Whether it is neither what a count wrote nor part of loading or unloading."""
    return not _is_count(move) and move.kind not in ("load", "unload")


def _sign(move: Move, account: str) -> int:
    return (move.target == account) - (move.source == account)


def _counted(here: Iterable[Move], account: str) -> dict[Lot, int]:
    """What counts at an instant changed, by lot; corrections of a count are part of it.

    What a count of a lot took of the unknown lot was moved before without its lot: that was neither found nor missed.
    """
    events: dict[str, dict[Lot, int]] = {}
    for move in here:
        if _is_count(move):
            changed, lot = events.setdefault(move.event_id, {}), (move.product, move.lot_key)
            changed[lot] = changed.get(lot, 0) + _sign(move, account) * move.quantity
    found: dict[Lot, int] = {}
    for changed in events.values():
        explained = _is_of_one_lot(changed)
        for lot, change in changed.items():
            if lot[1] != UNKNOWN_LOT or not explained:
                found[lot] = found.get(lot, 0) + change
    return found


def _is_of_one_lot(changed: Mapping[Lot, int]) -> bool:
    """Whether it is what a count of one lot writes that was moved without lot before: the lot, and the unknown lot against it."""
    named = [change for lot, change in changed.items() if lot[1] != UNKNOWN_LOT]
    unknown = sum(change for lot, change in changed.items() if lot[1] == UNKNOWN_LOT)
    return len(named) == 1 and named[0] * unknown < 0 and abs(unknown) <= abs(named[0])


def _writes_all(counts: list[Move], event: str, account: str) -> bool:
    changed: dict[Lot, int] = {}
    for move in counts:
        if move.event_id == event:
            lot = (move.product, move.lot_key)
            changed[lot] = changed.get(lot, 0) + _sign(move, account) * move.quantity
    return not _is_of_one_lot(changed) and (len(changed) > 1 or any(lot[1] == UNKNOWN_LOT for lot in changed))


def _empties(move: Move, account: str) -> bool:
    """Whether the entry is of an event that says that the place was empty: it was loaded anew, or unloaded."""
    if move.kind == "load":
        return move.target == account or VARIANCE in (move.source, move.target)
    return move.kind == "unload" and (move.source == account or VARIANCE in (move.source, move.target))


def _known(move: Move) -> Lot | None:
    return None if move.lot_key == UNKNOWN_LOT else (move.product, move.lot_key)


def _lot(move: Move) -> str:
    return "an unknown lot" if move.lot_key == UNKNOWN_LOT else f"lot {move.lot}"


def _day(at: str) -> str:
    return f"{at[:10]} {at[11:16]}"
