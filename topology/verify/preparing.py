"""What was opened or made: until when it may be used, and what a recall of its ingredients means for it.

Clocks and makings count as long as the fact that told them does. The end of a clock is derived anew whenever it is asked for;
blocks are noted when they were read, as those of other recalls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.codes import normalise_lot
from schemas.preparation import BeyondUsePolicy
from schemas.reference import Item, RecallNotice
from topology.verify.cards import Fact
from topology.verify.ids import name_based_id
from topology.verify.known import Known
from topology.verify.lots import UNKNOWN, Facts, Lot, LotName, Lots
from topology.verify.words import Given, Told, microseconds

OPENINGS: Final = frozenset({"open", "puncture", "thaw", "out_of_fridge"})
Line = tuple[str, str, str]
"""Item, product as stated, number."""
_Trace = tuple[str, str, str, str, str]
"""Site, notice, item, product, number."""
_MAYBE, _SURELY = 1, 2


@dataclass(slots=True)
class _Clock:
    fact: Fact
    event: str
    item: str
    product: str
    started: int
    until: int | None


@dataclass(slots=True)
class _Making:
    fact: Fact
    used: tuple[Line, ...]
    made: tuple[Line, ...]


class Preparing:
    """Of one partition, as far as it was read."""

    def __init__(self, known: Known) -> None:
        """Nothing was opened or made yet."""
        self._known = known
        self.lots = Lots(known, self._named)
        self._clocks: defaultdict[tuple[str, ...], list[_Clock]] = defaultdict(list)
        self._makings: defaultdict[str, list[_Making]] = defaultdict(list)
        self._carried: dict[tuple[str, str, str], tuple[Fact, int]] = {}
        """What other sites said of their lines, and in which version."""
        self._open: dict[str, _Trace] = {}
        self._traced: set[_Trace] = set()
        self._news: set[tuple[str, str, str]] = set()
        self._has_made = False
        """Whether anything was ever made: what becomes known of a lot is of interest from then on."""

    # ---- until when it may be used ---------------------------------------------------------------------------------------

    def start(self, event: Told, fact: Fact, item: Item, product: str, lot: Lot) -> None:
        """An event started the clock of a container, or of a lot it made."""
        started = microseconds(event.occurred)
        until = None if event.beyond_use is None else microseconds(event.beyond_use)
        clock = _Clock(fact, event.kind, item.id, product, started, until)
        self._end(event.site, clock)
        self._clocks[_subject(event.site, item.id, product, lot.number, lot.container)].append(clock)

    def carried(self, notice: Given) -> None:
        """A line that another site sends of what it opened or made: the newest version of the line counts."""
        key = (notice.from_site, notice.to_site, notice.line)
        fact, version = self._carried.get(key, (Fact(), 0))
        if notice.step != "sent" or notice.version <= version:
            return
        fact.gone = True
        now = Fact(gone=not notice.quantity)
        self._carried[key] = now, notice.version
        number = normalise_lot(notice.lot) if notice.lot else UNKNOWN
        if notice.beyond_use is not None and (number != UNKNOWN or notice.container):
            until = microseconds(notice.beyond_use)
            clock = _Clock(now, "transfer_out", notice.item, notice.product, microseconds(notice.at), until)
            self._clocks[_subject(notice.to_site, notice.item, notice.product, number, notice.container or "")].append(clock)

    def policy_changed(self, site: str, event: str) -> None:
        """Clocks without an end may have one now."""
        for subject, clocks in self._clocks.items():
            for clock in clocks:
                if subject[0] == site and clock.event == event:
                    self._end(site, clock)

    def _end(self, site: str, clock: _Clock) -> None:
        item = self._known.item(clock.item)
        if clock.until is None and item is not None:
            policy = self._policy(site, clock.event, clock.product, item)
            clock.until = None if policy is None else clock.started + policy.duration_us()

    def _policy(self, site: str, event: str, product: str, item: Item) -> BeyondUsePolicy | None:
        """The row that says most: of the product, the item, its form, the site."""
        rows = self._known.records["beyond_use_policy"]
        scopes = ([f"{product}||"] if product else []) + [f"|{item.id}|", f"||{item.form or ''}", "||"]
        found = (rows.get(f"{site}|{event}|{scope}") for scope in scopes)
        return next((row for row in found if row is not None), None)

    def limited(self, site: str, item: str, name: tuple[str, str, str], facts: Facts | None) -> Facts | None:
        """The facts of a lot as they are of what was opened or made: the earliest end counts."""
        product, number, container = name
        subjects = [_subject(site, item, product, number, container)] if container else []
        if number != UNKNOWN:
            subjects += [_subject(site, item, one, number, "") for one in {product, ""}]
        ends = [
            clock.until for subject in subjects for clock in self._clocks.get(subject, ())
            if clock.until is not None and not clock.fact.gone
        ]  # fmt: skip
        if not ends:
            return facts
        found = facts.copy() if facts is not None else Facts()
        found.beyond = min(ends)
        found.expires = found.beyond if found.expires is None else min(found.expires, found.beyond)
        return found

    # ---- what it is made of ------------------------------------------------------------------------------------------------

    def make(self, site: str, fact: Fact, used: Iterable[Line], made: Iterable[Line]) -> None:
        """Stock was made of other stock."""
        one = _Making(fact, tuple(used), tuple(made))
        self._has_made = True
        self._makings[site].append(one)
        names = {(item, number) for item, _, number in one.made}
        self._traced = {trace for trace in self._traced if trace[0] != site or (trace[2], trace[4]) not in names}
        self._news |= {(site, *name) for name in names}

    def ended(self, site: str, fact: Fact) -> None:
        """A fact counts no longer."""
        makings = [one for one in self._makings[site] if one.fact is fact]
        self._news |= {(site, item, number) for one in makings for item, _, number in one.made}

    def _named(self, site: str, item: str, number: str) -> None:
        if self._has_made:
            self._news.add((site, item, number))

    def settle(self, now: int) -> None:
        """Bring the blocks of lots of which something became known, and of what was made of them, up to it."""
        for site in sorted({site for site, _, _ in self._news}):
            reached = {(item, number) for where, item, number in self._news if where == site}
            ahead = list(reached)
            while ahead:
                name = ahead.pop()
                for one in self._standing(site):
                    if any((item, number) == name for item, _, number in one.used):
                        new = {(item, number) for item, _, number in one.made} - reached
                        reached |= new
                        ahead += new
            for row in [row for row in self.lots.names() if row[0] == site and (row[1], row[3]) in reached]:
                for notice in self._known.notices():
                    self._sync(notice, row, now)
        self._news.clear()

    def recall(self, notice: RecallNotice, now: int) -> None:
        """A notice was read."""
        for row in list(self.lots.names()):
            self._sync(notice, row, now)

    def closed(self, site: str, case: str, now: int) -> None:
        """A person closed a case: when it asked what a lot was made of, that is known."""
        trace = self._open.get(case)
        if trace is None or trace[0] != site:
            return
        del self._open[case]
        self._traced.add(trace)
        notice = self._known.records["recall"].get(trace[1])
        if notice is not None:
            self._sync(notice, (site, *trace[2:]), now)

    def _sync(self, notice: RecallNotice, row: LotName, now: int) -> None:
        wanted = False
        if notice.released is None:
            covered = self.lots.covers(notice, row)
            taint = 0 if covered else self._taint(notice, row)
            trace: _Trace = (row[0], notice.id, *row[1:])
            asks = taint == _MAYBE and trace not in self._traced
            if asks:
                self._open[name_based_id("case", "recall_trace", *trace)] = trace
            wanted = covered or taint == _SURELY or (asks and notice.classification == "I")
        self.lots.block(row, notice.id, now, wanted=wanted)

    def _taint(self, notice: RecallNotice, row: LotName) -> int:
        site, item, product, number = row
        found = 0
        seen: set[tuple[str, str, str]] = set()
        ahead = [(item, product, number)]
        while ahead:
            for source, stated, origin in self._used_for(site, *ahead.pop()):
                of = stated or ("" if origin == UNKNOWN else self.lots.product_now(site, source, origin))
                if origin == UNKNOWN:
                    possible = {of} if of else self._known.products_of(source)
                    recalled = possible & set(notice.products)
                    sure = notice.all_lots and recalled == possible
                    found = max(found, (_SURELY if sure else _MAYBE) if recalled else 0)
                elif self.lots.covers(notice, (site, source, of, origin)):
                    return _SURELY
                elif (source, of, origin) not in seen:
                    seen.add((source, of, origin))
                    ahead.append((source, of, origin))
        return found

    def _used_for(self, site: str, item: str, product: str, number: str) -> Iterator[Line]:
        for one in self._standing(site):
            for made_item, stated, made_number in one.made:
                if (made_item, made_number) != (item, number):
                    continue
                made = stated or ("" if number == UNKNOWN else self.lots.product_now(site, item, number))
                if not made or not product or made == product:
                    yield from one.used

    def _standing(self, site: str) -> list[_Making]:
        return [one for one in self._makings[site] if not one.fact.gone]


def _subject(site: str, item: str, product: str, number: str, container: str) -> tuple[str, ...]:
    return (site, item, container) if container else (site, item, product, number)
