"""Reads one partition of the site log once, in order, and notes what it means: entries of cards, lots, reference in force.

Order of reading decides only what it must: which reference data an event met, what was said first under one key, from which tick
a recall or a new policy counts. Quantities are added up afterwards (`cards`), in ledger order.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any, Final

from schemas.kinds import STOCK_KINDS
from schemas.log import LogRecord
from schemas.reference import ParPolicy
from topology.verify.cards import CardLog, Entry, Fact, Levels, Order
from topology.verify.effects import RANKS, effects
from topology.verify.known import Known, stated
from topology.verify.lots import Lots
from topology.verify.resolving import Meant, OnlyDetailError, WaitsError, meaning
from topology.verify.words import TICK, TOLD, Card, Change, Told, microseconds

_HORIZON: Final = timedelta(days=400)
_MAY_RELEASE: Final = frozenset({"item", "product", "unit_factor", "consumption_rule"})
_DEFAULT_LATENESS_MINUTES: Final = 60
_Key = tuple[str, str]
"""Site and event key."""


class Derivation:
    """One partition of the site log, as far as it was read."""

    def __init__(self, site: str | None = None) -> None:
        """With a site, events of all others are passed over."""
        self._only = site
        self.known = Known()
        self.lots = Lots(self.known)
        self.cards: defaultdict[Card, CardLog] = defaultdict(CardLog)
        self.facts: dict[_Key, Fact] = {}
        self.lateness: defaultdict[str, int] = defaultdict(lambda: _DEFAULT_LATENESS_MINUTES)
        self.ticks: list[tuple[int, int]] = []
        """Offset and time of every tick that moved the clock."""
        self.now = 0
        self.events = 0
        self._versions: dict[_Key, tuple[int, str] | None] = {}
        self._aliases: dict[_Key, str] = {}
        self._serials: dict[tuple[str, str, str], str] = {}
        self._reports: dict[tuple[str, str, str, str], tuple[int, int, int]] = {}
        self._waiting: dict[tuple[bool, str], dict[_Key, Told]] = {(False, ""): {}}

    def read(self, record: LogRecord, type_: str) -> Told | None:
        """Take in one record; returns the stock event where it was one."""
        value = record.value or b""
        if type_ == "StockEvent":
            event = TOLD.decode(value)
            if self._only is None or event.site == self._only:
                self.events += 1
                self._hear(event)
            return event
        if type_ == "Tick":
            at = microseconds(TICK.decode(value).at)
            if at > self.now:
                self.now = at
                self.ticks.append((record.offset, at))
        elif type_ == "ReferenceChange":
            self._learn(*stated(value))
        return None

    # ---- stock events ------------------------------------------------------------------------------------------------

    def _hear(self, event: Told) -> None:
        """Identity: one business key counts once, and not at all when it was taken back before it came."""
        if event.test:
            return
        if event.kind in STOCK_KINDS and event.received_at - event.occurred > _HORIZON:
            return
        key = (event.site, event.event_key)
        message = (event.raw.partition, event.raw.offset)
        known = self.facts.get(key)
        is_reversal = event.kind == "reversal"
        if known is not None and not (known.announced and is_reversal):
            if known.announced:
                known.announced, known.message = False, message
            return
        first = self.facts.get((event.site, event.part_of)) if event.part_of and known is None else None
        if first is not None and first.message != message:
            return
        if event.alias is not None and known is None:
            early = self.facts.get((event.site, event.alias))
            if early is not None and early.announced:
                self.facts[key] = Fact(gone=True, message=message)
                return
            self._aliases[event.site, event.alias] = event.replaces or event.event_key
        fact = self.facts[key] = Fact(is_reversal=is_reversal, message=message)
        self._apply(event, fact)

    def _apply(self, event: Told, fact: Fact) -> None:
        """What an event that counts does."""
        if event.no_effect or event.kind not in STOCK_KINDS:
            if event.replaces:
                self._replace(event)
        elif event.kind == "reversal":
            self._take_back(event)
        else:
            self._post(event, fact)

    def _post(self, event: Told, fact: Fact) -> None:
        try:
            meant = meaning(self.known, event)
        except OnlyDetailError:
            return
        except WaitsError as waits:
            where = (True, event.site) if waits.place else (False, "")
            self._waiting.setdefault(where, {})[event.site, event.event_key] = event
            return
        if event.kind == "receive" and event.serial and not event.replaces and not self._is_first(event, meant):
            return
        if event.replaces and not self._replace(event):
            return
        self._enter(event, fact, meant)

    def _is_first(self, event: Told, meant: Meant) -> bool:
        """Whether no other receipt of the serial number stands."""
        package = (event.site, meant.product or meant.item.id, event.serial or "")
        before = self._serials.get(package)
        if before is not None and not self.facts[event.site, before].gone:
            return False
        self._serials[package] = event.event_key
        return True

    def _enter(self, event: Told, fact: Fact, meant: Meant) -> None:
        """Write the entries of an event on its cards."""
        lot = self.lots.named(event, meant.item.id, meant.product, self.now)
        fact.item = meant.item.id
        if event.kind == "waste":
            fact.outside = meant.quantity
        at = (microseconds(event.occurred), event.device_sequence, RANKS[event.kind], event.event_key, 0)
        if event.kind == "count" and event.lines > 1 and not event.lot:
            at = self._total(event, meant, at)
        last: dict[str, Entry] = {}
        for number, (place, does, amount, of, account) in enumerate(
            effects(event.kind, meant, lot, lot_stated=bool(event.lot))
        ):
            entry = Entry((*at[:4], at[4] + number), does, amount, of, account, fact)
            if place in last:
                last[place].partial = True
            last[place] = entry
            self.cards[event.site, place, meant.item.id].entries.append(entry)

    def _total(self, event: Told, meant: Meant, at: Order) -> Order:
        """Lines of one report that count one card add up; each stands behind the one before it."""
        report = event.part_of or event.event_key
        key = (event.site, report, meant.place, meant.item.id)
        quantity, number, us = self._reports.get(key, (0, 0, 0))
        now = self._reports[key] = (quantity + meant.quantity, number + 1, max(us, at[0]))
        meant.quantity = now[0]
        return now[2], at[1], at[2], report, now[1]

    # ---- versions and reversals ----------------------------------------------------------------------------------------

    def _replace(self, event: Told) -> bool:
        """Make room for a version of a fact; False where a later version, or the end of the fact, stands."""
        original = (event.site, event.replaces or "")
        mine = (event.version or microseconds(event.occurred), event.event_key)
        if original in self._versions:
            newest = self._versions[original]
            if newest is None or newest > mine:
                return False
            self._void((event.site, newest[1]))
        if event.replaces != event.event_key:
            self._void(original)
        self._versions[original] = mine
        return True

    def _take_back(self, event: Told) -> None:
        """A fact ends in whatever version stands."""
        named = event.reverses or ""
        original = (event.site, self._aliases.get((event.site, named), named))
        self._void(original)
        newest = self._versions.get(original)
        if newest is not None:
            self._void((event.site, newest[1]))
        self._versions[original] = None

    def _void(self, key: _Key) -> None:
        """A key counts no longer; one that never came will not count when it does. Reversals are no facts."""
        fact = self.facts.get(key)
        if fact is None:
            fact = self.facts[key] = Fact(gone=True)
            fact.announced = True
        elif not fact.is_reversal:
            fact.gone = True

    # ---- reference data ------------------------------------------------------------------------------------------------

    def _learn(self, change: Change, now: Any) -> None:
        """Take reference data in; what it may release is tried again."""
        counted, before = self.known.take(change, now)
        if not counted:
            return
        if change.kind == "recall" and now is not None:
            self.lots.recall(now, self.now)
        elif change.kind == "par_policy":
            self._policy_changed(change, before)
        elif change.kind == "site" and now is not None:
            self.lateness[now.id] = max(now.lateness_minutes, self.lateness[now.id] if before else 0)
        elif change.kind == "location":
            self._try_again((True, (now or before).site))
        elif change.kind in _MAY_RELEASE:
            self._try_again((False, ""))

    def _policy_changed(self, change: Change, before: Any) -> None:
        site, location, item = change.id.split("|")
        log = self.cards.get((site, location, item))
        if log is not None and self.known.item(item) is not None:
            log.changes.append((self.now, change.revision, levels_of(before)))

    def _try_again(self, where: tuple[bool, str]) -> None:
        waiting = self._waiting.get(where)
        if not waiting:
            return
        self._waiting[where] = {}
        for event in sorted(waiting.values(), key=lambda one: (one.occurred, one.event_id)):
            fact = self.facts[event.site, event.event_key]
            if not fact.gone:
                self._apply(event, fact)


def levels_of(policy: ParPolicy | None) -> Levels | None:
    """The trigger of a policy: at or below its minimum; satisfied as stated, else halfway to par, rounded up."""
    if policy is None:
        return None
    halfway = policy.minimum + max(1, (policy.par - policy.minimum + 1) // 2)
    return policy.minimum, halfway if policy.satisfied_at is None else policy.satisfied_at
