"""Reads one partition of the site log once, in order, and notes what it means: entries of cards, lots, reference in force.

Order of reading decides only what it must: which reference data an event met, what was said first under one key, from which tick
a recall or a new policy counts. Quantities are added up afterwards (`cards`), in ledger order.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.kinds import STOCK_KINDS
from schemas.log import LogRecord
from schemas.reference import ParPolicy
from topology.verify.announced import Announced
from topology.verify.cards import CardLog, Entry, Fact, Levels, LotKey, Order
from topology.verify.effects import RANKS, Does, effects
from topology.verify.horizon import Horizon
from topology.verify.known import Known, stated
from topology.verify.lots import UNKNOWN, Facts
from topology.verify.preparing import OPENINGS, Line, Preparing
from topology.verify.resolving import Meant, OnlyDetailError, WaitsError, item_of, meaning, place_of
from topology.verify.suspicion import Suspicions
from topology.verify.telling import event_of, is_unfit, lines_of, lots_of
from topology.verify.transfers import AFTER_DEVICES, KINDS, Transfers, way
from topology.verify.words import (
    ANNOUNCEMENT,
    DECIDED,
    GIVEN,
    TICK,
    TOLD,
    Card,
    Change,
    Decided,
    Given,
    Stated,
    Told,
    microseconds,
)

_MAY_RELEASE: Final = frozenset({"item", "product", "code", "supplier_item", "unit_factor", "consumption_rule"})
_ARRIVES: Final = frozenset({"receive", "transfer_in"})
_DEFAULT_LATENESS_MINUTES: Final = 60
_Key = tuple[str, str]
"""Site and event key."""


class Derivation:
    """One partition of the site log, as far as it was read."""

    def __init__(self, site: str | None = None) -> None:
        """With a site, events of all others are passed over."""
        self._only = site
        self.known = Known()
        self.preparing = Preparing(self.known)
        self.lots = self.preparing.lots
        self._horizon = Horizon(self.known)
        self.cards: defaultdict[Card, CardLog] = defaultdict(CardLog)
        self.facts: dict[_Key, Fact] = {}
        self.lateness: defaultdict[str, int] = defaultdict(lambda: _DEFAULT_LATENESS_MINUTES)
        self.ticks: list[tuple[int, int]] = []
        """Offset and time of every tick that moved the clock."""
        self.now = 0
        self.events = 0
        self.suspicions = Suspicions()
        self.transfers = Transfers()
        self.modes: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
        """By site: from which record on it was live, or not. One that nobody decided on is live."""
        self._announced = Announced()
        self._decided: set[tuple[str, str]] = set()
        self.requests: defaultdict[Card, set[str]] = defaultdict(set)
        """Keys of the requests for supply of each card."""
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
                self.preparing.settle(self.now)
            return event
        if type_ == "Tick":
            at = microseconds(TICK.decode(value).at)
            if at > self.now:
                self.now = at
                self.ticks.append((record.offset, at))
                self._horizon.tick(at)
        elif type_ == "Notice":
            notice = ANNOUNCEMENT.decode(value)
            if self._only is None or notice.site == self._only:
                self._announced.take(notice)
                self._try_again((False, ""))
        elif type_ == "Decision":
            self._decide(DECIDED.decode(value))
        elif type_ == "TransferNotice":
            self._told(GIVEN.decode(value))
        elif type_ == "ReferenceChange":
            change, now = stated(value)
            if change.kind == "go_live":
                self.modes[change.id].append((record.offset, now is None or now.mode == "live"))
            self._learn(change, now)
        return None

    def _decide(self, said: Decided) -> None:
        """A decision counts once, and only of somebody who may: a pharmacist of the site, where the hub knows of any role."""
        if (said.site, said.decision_id) in self._decided:
            return
        self._decided.add((said.site, said.decision_id))
        roles = self.known.records["role"].values()
        own = [role for role in roles if (role.person, role.role) == (said.actor, "pharmacist")]
        may = not roles or any(not role.sites or said.site in role.sites for role in own)
        if said.action == "write_off":
            self._give_up(said)
        elif said.action == "close" and may:
            self.suspicions.closed(said.site, said.target, list(self.cards), self.now)
            self.preparing.closed(said.site, said.target, self.now)

    # ---- stock events ------------------------------------------------------------------------------------------------

    def _hear(self, event: Told) -> None:
        """Identity: one business key counts once, and not at all when it was taken back before it came."""
        if event.test:
            return
        key = (event.site, event.event_key)
        if self._horizon.is_past(event, is_known=key in self.facts):
            return
        message = (event.raw.partition, event.raw.offset)
        known = self.facts.get(key)
        is_reversal = event.kind == "reversal"
        if known is not None and not (known.announced and is_reversal):
            if known.announced:
                known.announced, known.message = False, message
                self._say_of_lot(event)
            return
        first = self.facts.get((event.site, event.part_of)) if event.part_of and known is None else None
        if first is not None and first.message != message:
            return
        if event.alias is not None and known is None:
            early = self.facts.get((event.site, event.alias))
            if early is not None and early.announced:
                self.facts[key] = Fact(gone=True, message=message)
                self._say_of_lot(event)
                return
            self._aliases[event.site, event.alias] = event.replaces or event.event_key
        fact = self.facts[key] = Fact(is_reversal=is_reversal, message=message)
        self._apply(event, fact)

    def _apply(self, event: Told, fact: Fact) -> None:
        """What an event that counts does."""
        if event.kind == "request" and not event.no_effect:
            self._ask(event)
        elif event.no_effect or event.kind not in STOCK_KINDS:
            if event.replaces:
                self._replace(event)
        elif event.kind == "reversal":
            self._take_back(event)
        else:
            self._post(event, fact)

    def _open(self, event: Told, sscc: str, fact: Fact) -> None:
        """Receive what notices say is in a container: each package once, all of them or none."""
        receipts = [
            msgspec.structs.replace(
                event, event_key=f"container|{sscc}|{one.gtin}|{one.which}", codes=(Stated("gtin", one.gtin),),
                serial=one.serial or None, lot=one.lot or None, expiry=date.fromisoformat(one.expiry) if one.expiry else None,
                quantity=Decimal(one.quantity),
            )
            for one in self._announced.packed_in(event.site, sscc)
        ]  # fmt: skip
        if not receipts or not all(one.lot and one.expiry for one in receipts):
            self._wait_in_whole(event)
            return
        fresh = [one for one in receipts if (held := self.facts.get((one.site, one.event_key))) is None or held.gone]
        try:
            understood = [(one, meaning(self.known, one)) for one in fresh]
        except OnlyDetailError:
            return
        except WaitsError as waits:
            self._wait(event, place=waits.place)
            return
        for one, meant in understood:
            if one.serial and not self._is_first(one, meant):
                continue
            if self._is_aside(one):
                meant.place, meant.begin = self.known.quarantine(one.site) or meant.place, None
            own = self.facts[one.site, one.event_key] = Fact(message=fact.message)
            self._enter(one, own, meant)

    def _parts(self, event: Told) -> list[tuple[bool, Told, Meant]]:
        """The lines of a transform: whether made, as an event of its own, and what it means. Raises `WaitsError`."""
        place_of(self.known, event, event.location_codes, event.pocket)
        return [(made, line, meaning(self.known, line)) for made, line in lines_of(event)]

    def _transform(self, event: Told, fact: Fact) -> None:
        """All lines of a transform, or none while one of them is not understood."""
        try:
            parts = self._parts(event)
        except WaitsError as waits:
            self._wait(event, place=waits.place)
            return
        self._say_of_parts(parts)
        used: list[Line] = []
        made: list[Line] = []
        last: dict[Card, Entry] = {}
        for number, (is_made, line, meant) in enumerate(parts):
            lot = self.lots.named(line, meant.item.id, meant.product, self.now)
            (made if is_made else used).append((meant.item.id, meant.product, lot.number))
            if meant.quantity:
                at = (microseconds(event.occurred), event.device_sequence, RANKS[event.kind], event.event_key, number)
                amount = meant.quantity if is_made else -meant.quantity
                card = (event.site, meant.place, meant.item.id)
                self._write(card, Entry(at, Does.ADD, amount, lot, "transform", fact), last)
            if is_made:
                self.preparing.start(line, fact, meant.item, meant.product, lot)
        self.preparing.make(event.site, fact, used, made)

    def _say_of_parts(self, parts: list[tuple[bool, Told, Meant]]) -> None:
        for _, line, meant in parts:
            self.lots.named(line, meant.item.id, meant.product, self.now)

    def _write(self, card: Card, entry: Entry, last: dict[Card, Entry]) -> None:
        """One line of a card; the one before it of the same event is part of it."""
        if card in last:
            last[card].partial = True
        last[card] = entry
        self.cards[card].entries.append(entry)
        lot = entry.lot
        if entry.does is Does.ADD and entry.amount > 0 and lot is not None and lot.number == UNKNOWN:
            self.suspicions.came(card, entry.order[0])

    def _is_aside(self, event: Told) -> bool:
        """Whether a receipt goes to the quarantine place: other than announced, or unfit when it arrived."""
        return self._announced.is_suspect(event) or (event.kind in _ARRIVES and is_unfit(event, self.known.site(event.site)))

    def _wait_in_whole(self, event: Told) -> None:
        """What is in a container is not known: it names no item, and perhaps no known place."""
        try:
            meaning(self.known, event)
        except WaitsError as waits:
            self._wait(event, place=waits.place)

    def _post(self, event: Told, fact: Fact) -> None:
        if event.kind == "receive" and len(event.codes) == 1 and event.codes[0].system == "sscc":
            self._open(event, event.codes[0].value, fact)
            return
        if event.kind == "transform":
            self._transform(event, fact)
            return
        if event.kind == "opening" or event.found:
            self._count_whole(event, fact)
            return
        try:
            meant = meaning(self.known, event)
        except OnlyDetailError:
            if event.replaces:
                self._replace(event)
            return
        except WaitsError as waits:
            self._wait(event, place=waits.place)
            return
        if event.kind == "receive" and event.serial and not event.replaces and not self._is_first(event, meant):
            return
        if self._is_aside(event):
            meant.place, meant.begin = self.known.quarantine(event.site) or meant.place, None
        if event.replaces and not self._replace(event):
            self.lots.named(event, meant.item.id, meant.product, self.now)
            return
        self._enter(event, fact, meant)

    def _count_whole(self, event: Told, fact: Fact) -> None:
        """A count of a whole place, lot by lot: none of it while a product is not known."""
        try:
            lots = [(one, meaning(self.known, one)) for one in lots_of(event)]
            # The codes of all products name the item; what packages hold is a matter of each lot.
            place, item = place_of(self.known, event, event.location_codes, event.pocket), item_of(self.known, event)[0].id
        except OnlyDetailError:
            return
        except WaitsError as waits:
            self._wait(event, place=waits.place)
            return
        fact.item = item
        account = "opening" if event.kind == "opening" else "variance"
        at = (microseconds(event.occurred), event.device_sequence, RANKS[event.kind], event.event_key, 0)
        entry = Entry(at, Does.COUNT_LOTS, sum(own.quantity for _, own in lots), None, account, fact)
        entry.found = [(self.lots.named(one, item, own.product, self.now), own.quantity) for one, own in lots]
        self.cards[event.site, place, item].entries.append(entry)

    def _say_of_lot(self, event: Told) -> None:
        """What an event that was taken back before it came says of its lot stands, as of one that was taken back after."""
        if event.no_effect or event.kind not in STOCK_KINDS:
            return
        if event.kind == "transform":
            with suppress(WaitsError):
                self._say_of_parts(self._parts(event))
            return
        for one in lots_of(event) or [event]:
            try:
                meant = meaning(self.known, one)
            except (OnlyDetailError, WaitsError):
                continue
            self.lots.named(one, meant.item.id, meant.product, self.now)

    def _ask(self, event: Told) -> None:
        """A request for supply, at the card it is for."""
        if event.replaces:
            self._replace(event)
        if event.quantity is None:
            return
        where = {"location_codes": event.to_location_codes, "pocket": event.to_pocket} if event.to_location_codes else {}
        try:
            meant = meaning(self.known, msgspec.structs.replace(event, **where))
        except WaitsError as waits:
            self._wait(event, place=waits.place)
            return
        self.requests[event.site, meant.place, meant.item.id].add(event.event_key)

    def _wait(self, event: Told, *, place: bool) -> None:
        """Keep an event until a fact of the kind that is missing arrives."""
        where = (True, event.site) if place else (False, "")
        self._waiting.setdefault(where, {})[event.site, event.event_key] = event

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
        if event.kind in KINDS and meant.quantity:
            self.transfers.own(event, meant.item.id, fact, meant.quantity)
        at = (microseconds(event.occurred), event.device_sequence, RANKS[event.kind], event.event_key, 0)
        if event.kind == "count" and event.lines > 1 and not event.lot:
            at = self._total(event, meant, at)
        last: dict[Card, Entry] = {}
        for number, (place, does, amount, of, account) in enumerate(
            effects(event.kind, meant, lot, lot_stated=bool(event.lot or event.container))
        ):
            entry = Entry((*at[:4], at[4] + number), does, amount, of, account, fact)
            self._write((event.site, place, meant.item.id), entry, last)
        if event.kind in OPENINGS and lot.container:
            self.preparing.start(event, fact, meant.item, meant.product, lot)

    # ---- transfers -----------------------------------------------------------------------------------------------------

    def _told(self, notice: Given) -> None:
        """What another site tells of a transfer: what it received is on its way no longer."""
        site = notice.from_site if notice.step == "received" else notice.to_site
        item = self.known.item(notice.item)
        if notice.step not in KINDS.values() or item is None or (self._only is not None and site != self._only):
            return
        if not self.transfers.hear(notice) or notice.step != "received":
            self.preparing.carried(notice)
            return
        key = (site, f"transfer|{notice.to_site}|{notice.line}")
        if not notice.quantity:
            if key in self.facts:
                self.facts[key].gone = True
            return
        event = event_of(site, key[1], "transfer_received", notice.at)
        event.lot, event.expiry, event.container = notice.lot, notice.expiry, notice.container
        meant = Meant(way(notice.to_site, notice.shipment), item, notice.product, notice.quantity)
        meant.other = notice.to_site
        fact = self.facts[key] = Fact()
        self._enter(event, fact, meant)

    def _give_up(self, decided: Decided) -> None:
        """A pharmacist of the sender gives up what is on its way."""
        if self._only is not None and decided.site != self._only:
            return
        transfer = self.transfers.given_up(decided.site, decided.target, decided.decision_id)
        item = self.known.item(transfer[3]) if transfer is not None else None
        if transfer is None or item is None or not self.known.may(decided.actor, "pharmacist", decided.site):
            return
        event = event_of(decided.site, f"write_off|{decided.decision_id}", "transfer_loss", decided.at)
        event.device_sequence = AFTER_DEVICES
        fact = self.facts[decided.site, event.event_key] = Fact()
        self._enter(event, fact, Meant(way(transfer[1], transfer[2]), item, "", 0))

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
            self.preparing.ended(key[0], fact)

    # ---- reference data ------------------------------------------------------------------------------------------------

    def lot_facts(self, card: Card, name: LotKey) -> Facts | None:
        """What is known of a lot, or a container of it, as it lies at a place."""
        site, _, item = card
        product, number, _ = name
        if number != UNKNOWN:
            return self.preparing.limited(site, item, name, self.lots.facts(site, item, product, number))
        facts = Facts()
        facts.blocks = self.suspicions.blocks(card)
        return self.preparing.limited(site, item, name, facts if facts.blocks else None)

    def _learn(self, change: Change, now: Any) -> None:
        """Take reference data in; what it may release is tried again."""
        counted, before = self.known.take(change, now)
        if not counted:
            return
        if change.kind == "item":
            self._horizon.item(before, now, self.now)
        if change.kind == "recall" and now is not None:
            self.preparing.recall(now, self.now)
            self.suspicions.recall(now, self.known.items_of(now.products), self.now)
        elif change.kind == "par_policy":
            self._policy_changed(change, before)
        elif change.kind == "beyond_use_policy" and now is not None:
            self.preparing.policy_changed(now.site, now.event)
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
                self.preparing.settle(self.now)


def levels_of(policy: ParPolicy | None) -> Levels | None:
    """The trigger of a policy: at or below its minimum; satisfied as stated, else halfway to par, rounded up."""
    if policy is None:
        return None
    halfway = policy.minimum + max(1, (policy.par - policy.minimum + 1) // 2)
    return policy.minimum, halfway if policy.satisfied_at is None else policy.satisfied_at
