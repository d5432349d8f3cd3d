"""Stage controlled, end-of-shift counts: at each shift end the controlled stock of a place is counted by two people.

Judged by event times when the shift's grace and the site's time for late events have passed: what stood in each pocket at the
shift's end, and who counted it from shortly before until shortly after. What is missing is an alert and a case; the counts close
it, whenever they come. A late entry has the ends behind it judged again, so the order of arrival decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Final

import msgspec

from schemas.controlled import ShiftCount
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.ledger.model import CardKey, Entry, EntryKind, LotId, OrderKey
from streams.site import controlled
from streams.site.desk import Desk
from streams.site.policies import zone_of
from streams.site.tables import CONTROLLED_CARDS, COUNTED, SHIFTS, ShiftChain, Timer
from streams.state import Table
from streams.times import MINUTE_US, from_us, local_date, to_us, zone

KIND: Final = "shift_count_missing"
BY_COUNTS: Final = "the counts of the shift"
"""Who closed a case that its counts closed: one of these opens again when a count is taken back."""
RELOOK_ENDS_MAX: Final = 1_000
"""Shift ends of a place that one late entry has judged again: over a year at two a day."""
NAMED_MAX: Final = 20
"""Pockets that a case names; the rest are counted."""
_START: Final = "start"


def _cards(desk: Desk) -> Table[int]:
    """Cards of controlled items, so that no other card is looked at."""
    return desk.state.table(CONTROLLED_CARDS)


def _counters(desk: Desk) -> Table[tuple[str, str]]:
    """Who counted and who witnessed, under the place of the count in the ledger."""
    return desk.state.table(COUNTED)


def _chains(desk: Desk) -> Table[ShiftChain]:
    """The shift ends that are watched."""
    return desk.state.table(SHIFTS)


def changed(desk: Desk, site: str, location: str) -> None:
    """A place's shift ends were set, changed or withdrawn: they count from now on, or from the first tick."""
    rule: ShiftCount | None = desk.catalog.held("shift_count", site, location)
    if rule is None:
        _chains(desk).delete((site, location))
    elif desk.now_us:
        _start(desk, rule)
    else:
        desk.schedule(1, Timer("shift", (site, location, _START)))


def _start(desk: Desk, rule: ShiftCount) -> None:
    first = next(_ends(desk, rule, desk.now_us + 1), None)
    if first is None:
        _chains(desk).delete((rule.site, rule.location))
        return
    _chains(desk).put((rule.site, rule.location), ShiftChain(desk.now_us, first))
    _due(desk, rule, first)


def note(desk: Desk, card: CardKey, order: OrderKey, item: Item, event: StockEvent | None = None) -> None:
    """An entry of a card was written, or (without an event) taken back."""
    if item.schedule is None:
        return
    if _cards(desk).get(card) is None:
        _cards(desk).put(card, 1)
    if event is not None and event.kind is EventKind.COUNT:
        _counters(desk).put((*card, *order), (event.actor or "", event.witness or ""))
    rule = _rule_of(desk, card[0], card[1])
    chain = _chains(desk).get((rule.site, rule.location)) if rule is not None else None
    if rule is None or chain is None:
        return
    last = desk.now_us - _wait_us(desk, rule)
    first = max(order[0] - rule.grace_minutes * MINUTE_US, chain.since_us + 1)
    if first > last:
        return
    last = min(last, _next_count(desk, card, order[0]))
    for number, end in enumerate(_ends(desk, rule, first)):
        if end > last or number == RELOOK_ENDS_MAX:
            break
        _due(desk, rule, end)


def fire(desk: Desk, site: str, location: str, about: str) -> None:
    """A shift end is judged, or the first tick came."""
    rule: ShiftCount | None = desk.catalog.held("shift_count", site, location)
    if rule is None:
        return
    if about == _START:
        _start(desk, rule)
        return
    end = int(about)
    chain = _chains(desk).get((site, location))
    if chain is None or next(_ends(desk, rule, end), None) != end:
        return
    _judge(desk, rule, end)
    if end == chain.next_us:
        following = next(_ends(desk, rule, end + 1))
        _chains(desk).put((site, location), msgspec.structs.replace(chain, next_us=following))
        _due(desk, rule, following)


def _due(desk: Desk, rule: ShiftCount, end: int) -> None:
    desk.schedule(end + _wait_us(desk, rule), Timer("shift", (rule.site, rule.location, str(end))))


def _wait_us(desk: Desk, rule: ShiftCount) -> int:
    """How long after a shift's end it is judged: its grace, and the site's time for late events."""
    record = desk.catalog.site(rule.site)
    return MINUTE_US * (rule.grace_minutes + (record.lateness_minutes if record is not None else 60))


def _ends(desk: Desk, rule: ShiftCount, start_us: int) -> Iterator[int]:
    """Shift ends from an instant on, without end; none where the rule names none."""
    name = zone_of(desk, rule.site)
    times = sorted({time.fromisoformat(one) for one in rule.ends})
    day = local_date(start_us, name) - timedelta(days=1)
    while times:
        for at in sorted(to_us(datetime.combine(day, one, zone(name))) for one in times):
            if at >= start_us:
                yield at
        day += timedelta(days=1)


def _rule_of(desk: Desk, site: str, location: str) -> ShiftCount | None:
    """The rule of the nearest place at or above one that has any."""
    rule: ShiftCount | None = desk.catalog.nearest("shift_count", site, location)
    return rule


def _next_count(desk: Desk, card: CardKey, us: int) -> int:
    """When a card was counted whole after an instant, which absorbs what was before; far away when it was not."""
    for key, entry in desk.book.history.scan(card, start=(*card, us + 1)):
        if _is_whole(entry):
            return int(key[3])
    return 1 << 62


def _is_whole(entry: Entry) -> bool:
    return entry.kind in (EntryKind.ZERO, EntryKind.SET) or (entry.kind is EntryKind.COUNT and entry.whole_card)


def _judge(desk: Desk, rule: ShiftCount, end: int) -> None:
    """Who counted what at a shift's end; a case where anything is missing, closed where nothing is any more."""
    missing: list[str] = []
    alone: list[str] = []
    done = 0
    for key in [key for key, _ in _cards(desk).scan((rule.site,))]:
        card: CardKey = (str(key[0]), str(key[1]), str(key[2]))
        if _rule_of(desk, card[0], card[1]) != rule:
            continue
        on_hand = next((one.on_hand for _, one in desk.book.history.scan(card, start=(*card, end + 1), reverse=True)), 0)
        if not on_hand:
            continue
        found, who = _counted(desk, rule, card, end)
        item = desk.catalog.item(card[2])
        name = f"{item.name if item is not None else card[2]} at {card[1]}"
        if found:
            done += 1
        elif who:
            alone.append(f"{name} (by {who} alone)")
        else:
            missing.append(name)
    _say(desk, rule, end, missing, alone, done)


def _counted(desk: Desk, rule: ShiftCount, card: CardKey, end: int) -> tuple[bool, str]:
    """Whether two people counted a card at a shift's end, all of it; and who counted without a second person."""
    start, until = end - rule.before_minutes * MINUTE_US, end + rule.grace_minutes * MINUTE_US
    lots: set[LotId] = set()
    alone = ""
    for key, entry in desk.book.history.scan(card, start=(*card, start)):
        if int(key[3]) > until:
            break
        if entry.kind not in (EntryKind.COUNT, EntryKind.ZERO, EntryKind.SET) or entry.movement_kind != EventKind.COUNT:
            continue
        actor, witness = _counters(desk).get(key) or ("", "")
        if not actor or not witness or actor == witness:
            alone = alone or actor or "somebody who is not named"
        elif _is_whole(entry):
            return True, ""
        elif entry.lot is not None:
            lots.add(entry.lot)
    return bool(lots) and _lots_at(desk, card, end) <= lots, alone


def _lots_at(desk: Desk, card: CardKey, end: int) -> set[LotId]:
    """Lots that lay there at an instant."""
    held: dict[LotId, int] = {}
    for key, entry in desk.book.history.scan(card):
        if int(key[3]) > end:
            break
        for lot, delta in entry.deltas:
            held[lot] = held.get(lot, 0) + delta
    return {lot for lot, quantity in held.items() if quantity}


def _say(desk: Desk, rule: ShiftCount, end: int, missing: list[str], alone: list[str], done: int) -> None:
    site, place = rule.site, rule.location
    case_id = derived_id("case", KIND, site, place, end)
    held = desk.cases.get((site, case_id))
    if not missing and not alone:
        if held is not None:
            desk.case_close(case_id, site, BY_COUNTS)
        return
    local = from_us(end).astimezone(zone(zone_of(desk, site)))
    parts = [f"not counted: {_named(missing)}"] if missing else []
    parts += [f"counted without a second person: {_named(alone)}"] if alone else []
    text = f"end of shift {local:%Y-%m-%d %H:%M} at {place}: {'; '.join(parts)}; have two people count"
    facts = {"shift_end": from_us(end).isoformat(), "missing": missing, "unwitnessed": alone, "counted": done}
    if held is not None and held.state == "closed" and held.closed_by == BY_COUNTS:
        desk.case_open(case_id, site, KIND, text, reopen=True, location=place, facts=facts)
        return
    if held is None:
        desk.alert(site, KIND, text, place, str(end), location=place)
        desk.count(site, "shift_counts_missing")
    controlled.case(desk, site, case_id, KIND, text, location=place, facts=facts)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
