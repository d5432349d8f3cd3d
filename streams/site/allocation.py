"""Stage orders, which lots an open restock takes: first expired, first out (`domain` §3.4), each unit for one command.

What the open commands of a store take is a function of what stands now: the commands in the order in which their needs arose,
what they still lack, and the store's lots that may be given. Each takes the lots that expire first of what the ones before it
left, but none with less life than its destination wants. Stock of an unknown lot that left is drawn from the lots that expire
first (QAT). Nothing is written here but what is remembered: revisions of commands are made in `orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from schemas.codes import normalise_lot
from schemas.fefo import Batch, draw_unbatched, take
from schemas.kinds import CommandKind, CommandState, EventKind
from schemas.records import Command, SuggestedLot
from streams.catalog import ancestors
from streams.ledger.model import UNKNOWN_LOT, CardKey, EntryKind, LotId, OrderKey, effective_expiry, is_blocked, usable_at
from streams.site import levels
from streams.site.desk import Desk
from streams.site.tables import Timer
from streams.site.work import Work
from streams.times import end_of_day_us, from_us, iso_date, local_date, to_us

LOTS_MAX: Final = 10
"""Lots that one command names; a command that would need more is short by the rest."""
PASSED_OVER_MAX: Final = 10
"""Lots that were passed over which a proof names, first expiring first."""
_NOBODY_KNOWS: Final = 1 << 62
"""When a lot came of which nobody knows when: the unknown lot is taken last."""
PICKS_KEPT_MAX: Final = 64
"""Picks that name one command which are added up, the last ones."""
_BRINGS: Final = frozenset({EventKind.REFILL, EventKind.LOAD, EventKind.RECEIVE})
_BRINGS_TO_OTHER: Final = frozenset({EventKind.PUT_AWAY, EventKind.PICK})
_BRINGING: Final = frozenset(str(kind) for kind in _BRINGS | _BRINGS_TO_OTHER)
_QUANTITIES: Final = ("allocated", "supplied", "short", "minimum_life_days")
_HOLDING: Final = frozenset({CommandState.AWAITING_APPROVAL, CommandState.ISSUED, CommandState.ACKNOWLEDGED})

_Lot = tuple[str, str, str]
"""Lot number, product and container: lots of one expiry and receipt go by their number."""


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """What one command takes, and what its proof says of it."""

    lots: tuple[SuggestedLot, ...]
    told: dict[str, Any]


def holds(command: Command) -> bool:
    """Whether a command has lots of its store allocated to it: a restock that is not ended, and that nobody rejected."""
    return command.kind is CommandKind.RESTOCK and command.source_location is not None and command.state in _HOLDING


def source_of(command: Command) -> CardKey:
    """The card that a command takes from."""
    return (command.site, command.source_location or "", command.item)


def remember(desk: Desk, command: Command) -> None:
    """Note whether a command takes from its store now."""
    card = source_of(command)
    named = desk.shelf.outgoing.get(card) or ()
    if holds(command) and command.command_id not in named:
        desk.shelf.outgoing.put(card, tuple(sorted((*named, command.command_id))))
        total = _total_brought(desk, command)
        desk.shelf.supplied.put((command.site, command.command_id), (total, total))
    elif not holds(command) and command.command_id in named:
        left = tuple(one for one in named if one != command.command_id)
        desk.shelf.supplied.delete((command.site, command.command_id))
        desk.shelf.picked.delete((command.site, command.command_id))
        if left:
            desk.shelf.outgoing.put(card, left)
        else:
            desk.shelf.outgoing.delete(card)


def commands_of(desk: Desk, card: CardKey) -> list[Command]:
    """The open commands that take from a card, in the order in which their needs arose."""
    found = [desk.commands.get((card[0], one)) for one in desk.shelf.outgoing.get(card) or ()]
    return sorted((one for one in found if one is not None), key=_turn)


def _turn(command: Command) -> tuple[int, str]:
    return to_us(command.opened_at), command.command_id


def allocated(desk: Desk, card: CardKey) -> int:
    """Base units at a card that are set aside for open commands."""
    named = desk.shelf.outgoing.get(card)
    if not named:
        return 0
    commands = [desk.commands.get((card[0], one)) for one in named]
    return sum(lot.quantity for command in commands if command is not None for lot in command.lots)


def free(desk: Desk, card: CardKey) -> int:
    """Base units at a card that may be given and are promised to nobody."""
    return max(0, max(desk.book.card(card).usable, 0) - allocated(desk, card))


def brought(desk: Desk, work: Work) -> None:
    """Stock was brought to a place, or picked for a command that the pick names: that much the command lacks no more."""
    event = work.event
    place = work.location if event.kind in _BRINGS else work.other if event.kind in _BRINGS_TO_OTHER else None
    if place is not None:
        _count_again(desk, (event.site, place, work.item.id))
    command = desk.commands.get((event.site, event.order_id)) if event.order_id and event.kind in _BRINGS_TO_OTHER else None
    if command is not None and holds(command) and source_of(command) == (event.site, work.location, work.item.id):
        key = (event.site, command.command_id)
        desk.shelf.picked.put(key, (*(desk.shelf.picked.get(key) or ()), (event.event_key, work.quantity))[-PICKS_KEPT_MAX:])


def _count_again(desk: Desk, card: CardKey) -> None:
    """What came to a place for its open commands, by the ledger as it stands."""
    need = desk.needs.get(card)
    for command_id in (need.command_id if need is not None else None, desk.requested.get(card)):
        counted = desk.shelf.supplied.get((card[0], command_id)) if command_id is not None else None
        command = desk.commands.get((card[0], command_id)) if counted is not None and command_id is not None else None
        if command is not None and counted is not None:
            desk.shelf.supplied.put((card[0], command.command_id), (counted[0], _total_brought(desk, command)))


def _total_brought(desk: Desk, command: Command) -> int:
    """What was brought to the place of a command since its need arose, wherever from. What is late or taken back counts so."""
    card: CardKey = (command.site, command.location, command.item)
    return sum(
        entry.amount
        for _, entry in desk.book.history.scan(card, start=(*card, to_us(command.opened_at)))
        if entry.kind is EntryKind.DELTA and entry.amount > 0 and entry.movement_kind in _BRINGING
    )


def _picked(desk: Desk, command: Command) -> int:
    """What was picked for a command by picks that name it, and stands."""
    total = 0
    for event_key, quantity in desk.shelf.picked.get((command.site, command.command_id)) or ():
        seen = desk.seen.get((command.site, event_key))
        total += quantity if seen is not None and seen.status == "posted" else 0
    return total


def plan(desk: Desk, card: CardKey, extra: Command | None = None) -> Mapping[str, Allocation]:
    """What each open command of a card takes now, by command id; `extra` is one that is not remembered yet."""
    commands = commands_of(desk, card)
    if extra is not None:
        commands = sorted((*(one for one in commands if one.command_id != extra.command_id), extra), key=_turn)
    record = desk.catalog.site(card[0])
    zone = record.zone if record is not None else "UTC"
    today = local_date(desk.now_us, zone).isoformat()
    usable, unusable, missing = _batches(desk, card)
    left = draw_unbatched(usable, missing, today)
    there = frozenset(one.lot for one in left if one.quantity > 0)
    found: dict[str, Allocation] = {}
    for command in commands:
        life = minimum_life(desk, (command.site, command.location, command.item))
        fit = [one for one in left if life is None or _lasts(one.expiry, life, today)]
        supplied, wanted = _lacking(desk, command)
        taken, rest = take(fit, wanted, LOTS_MAX)
        after = {one.lot: one for one in rest}
        passed = [*unusable, *_too_short(left, after, life)]
        passed += [f"{_name(desk, card, one.lot)} is allocated" for one in fit if one.quantity <= 0 and one.lot in there]
        lots = tuple(_suggested(desk, card, batch, quantity) for batch, quantity in taken)
        found[command.command_id] = Allocation(lots, _told(lots, supplied, wanted, life, passed))
        left = [after.get(one.lot, one) for one in left]
        if life is not None:
            _look_when_short(desk, card, [batch.expiry for batch, _ in taken], life, zone)
    return found


def first_expiring(desk: Desk, card: CardKey, quantity: int) -> tuple[SuggestedLot, ...]:
    """Lots of a card for what is sent elsewhere: what the open commands of the card leave, first expiring first."""
    record = desk.catalog.site(card[0])
    today = local_date(desk.now_us, record.zone if record is not None else "UTC").isoformat()
    usable, _, missing = _batches(desk, card)
    left = draw_unbatched(usable, missing, today)
    for command in commands_of(desk, card):
        for lot in command.lots:
            name = (lot.lot if lot.lot == UNKNOWN_LOT else normalise_lot(lot.lot), lot.product, lot.container or "")
            left = [_less(one, lot.quantity) if one.lot == name else one for one in left]
    return tuple(_suggested(desk, card, batch, amount) for batch, amount in take(left, quantity, LOTS_MAX)[0])


def _less(batch: Batch[_Lot], quantity: int) -> Batch[_Lot]:
    return msgspec.structs.replace(batch, quantity=max(0, batch.quantity - quantity))


def _lacking(desk: Desk, command: Command) -> tuple[int, int]:
    """What was picked for a command or came since it was made, and what it lacks: at most what brings its place to par."""
    before, now = desk.shelf.supplied.get((command.site, command.command_id)) or (0, 0)
    supplied = max(0, now - before, _picked(desk, command))
    lacking = max(0, command.quantity - supplied)
    card: CardKey = (command.site, command.location, command.item)
    policy = desk.catalog.policy(*card)
    return supplied, lacking if policy is None else min(lacking, levels.order_quantity(policy, desk.book.card(card).usable, 0))


def lacks_other(desk: Desk, command: Command) -> bool:
    """Whether a command lacks another quantity now than its proof says."""
    told = command.proof.get("allocation", {})
    return holds(command) and _lacking(desk, command)[1] != told.get("allocated", 0) + told.get("short", 0)


def differs(command: Command, mine: Allocation) -> bool:
    """Whether a command takes other lots than before, or its proof would say other quantities of them."""
    told = command.proof.get("allocation", {})
    return command.lots != mine.lots or any(told.get(name) != mine.told.get(name) for name in _QUANTITIES)


def _batches(desk: Desk, card: CardKey) -> tuple[list[Batch[_Lot]], list[str], int]:
    """The lots of a card that may be given now, in words the others that are there (first expiring first), and what is missing.

    What left of a lot beyond what came of it left of another one, whether or not that lot may be given.
    """
    record = desk.catalog.site(card[0])
    zone = record.zone if record is not None else "UTC"
    usable: list[Batch[_Lot]] = []
    unusable: list[tuple[str, str]] = []
    missing = 0
    for key, quantity in desk.book.lots.scan(card):
        lot = LotId(str(key[3]), str(key[4]), str(key[5]))
        facts, named = desk.book.facts_of(card, lot), (lot.lot, lot.product, lot.container)
        missing -= min(0, quantity)
        if usable_at(facts, desk.now_us):
            received = desk.shelf.received.get((*card, lot.product, lot.lot, lot.container))
            since = _NOBODY_KNOWS if received is None else received
            usable.append(Batch(named, quantity, effective_expiry(facts, zone), since, facts.beyond))
        elif quantity > 0:
            why = "is recalled or in quarantine" if is_blocked(facts, desk.now_us) else "has expired"
            unusable.append((effective_expiry(facts, zone) or "", f"{_name(desk, card, named)} {why}"))
    return usable, [text for _, text in sorted(unusable)], missing


def _lasts(expiry: str | None, life: int, today: str) -> bool:
    return expiry is None or (iso_date(expiry) - iso_date(today)).days >= life


def _too_short(left: list[Batch[_Lot]], fit: Mapping[_Lot, Batch[_Lot]], life: int | None) -> list[str]:
    return [
        f"{one.lot[0]} ({one.expiry}) has fewer than {life} days left" for one in left if one.lot not in fit and one.quantity > 0
    ]


def _name(desk: Desk, card: CardKey, lot: _Lot) -> str:
    facts = desk.book.lot_facts(card, LotId(lot[1], lot[0], lot[2]))
    record = desk.catalog.site(card[0])
    expiry = effective_expiry(facts, record.zone if record is not None else "UTC")
    name = facts.lot_text or lot[0]
    return (f"{name}, container {lot[2]}" if lot[2] else name) + (f" ({expiry})" if expiry is not None else "")


def _suggested(desk: Desk, card: CardKey, batch: Batch[_Lot], quantity: int) -> SuggestedLot:
    number, product, container = batch.lot
    facts = desk.book.lot_facts(card, LotId(product, number, container))
    return SuggestedLot(
        location=card[1], product=product, lot=facts.lot_text or number, quantity=quantity,
        expiry=None if facts.expiry is None or facts.expires is None else iso_date(facts.expiry), container=container or None,
        beyond_use=None if facts.beyond is None else from_us(facts.beyond),
    )  # fmt: skip


def _told(lots: tuple[SuggestedLot, ...], supplied: int, wanted: int, life: int | None, passed: list[str]) -> dict[str, Any]:
    """What a proof says: how much is allocated, how much came already, what is lacking, which lots were passed over and why."""
    quantity = sum(lot.quantity for lot in lots)
    told: dict[str, Any] = {"allocated": quantity}
    if supplied:
        told["supplied"] = supplied
    if quantity < wanted:
        told["short"] = wanted - quantity
    if life is not None:
        told["minimum_life_days"] = life
    if passed:
        told["passed_over"] = passed[:PASSED_OVER_MAX]
    return told


def minimum_life(desk: Desk, card: CardKey) -> int | None:
    """Days that stock must have left when it is brought to a place: of the item there, else of the nearest place that says so."""
    site, path, _ = card
    policy = desk.catalog.policy(*card)
    if policy is not None and policy.minimum_life_days is not None:
        return policy.minimum_life_days
    for above in ancestors(path):
        record = desk.catalog.location(site, above)
        if record is not None and record.minimum_life_days is not None:
            return record.minimum_life_days
    return None


def _look_when_short(desk: Desk, card: CardKey, expiries: list[str | None], life: int, zone: str) -> None:
    """Look at the card again when a lot that is allocated has too little life left for its destination."""
    for expiry in expiries:
        if expiry is not None:
            last = iso_date(expiry) - timedelta(days=life)
            desk.schedule(end_of_day_us(last, zone), Timer("shelf", card))


def came(desk: Desk, card: CardKey, lot: LotId, us: int) -> None:
    """Stock of a lot came to a place: the first time, by the ledger, is when the place received the lot."""
    key = (*card, lot.product, lot.lot, lot.container)
    held = desk.shelf.received.get(key)
    if lot.lot != UNKNOWN_LOT and (held is None or us < held):
        desk.shelf.received.put(key, us)


def went(desk: Desk, card: CardKey, lot: LotId, order: OrderKey) -> None:
    """What had brought stock of a lot to a place was taken back: was it the first?"""
    _count_again(desk, card)
    key = (*card, lot.product, lot.lot, lot.container)
    if desk.shelf.received.get(key) != order[0]:
        return
    for found, entry in desk.book.history.scan(card, start=(*card, order[0])):
        if entry.lot == lot and entry.amount > 0 and entry.kind in (EntryKind.DELTA, EntryKind.COUNT, EntryKind.SPLIT):
            desk.shelf.received.put(key, int(found[3]))
            return
    desk.shelf.received.delete(key)


def renamed(desk: Desk, card: CardKey, old: LotId, new: LotId) -> None:
    """A lot got its product: when it came moves with it."""
    held = desk.shelf.received.get((*card, old.product, old.lot, old.container))
    if held is not None:
        desk.shelf.received.delete((*card, old.product, old.lot, old.container))
        came(desk, card, new, held)
