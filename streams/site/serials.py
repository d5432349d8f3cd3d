"""Stage serials: a package with a serial number arrives once, and is picked, brought back and wasted once each time it is there.

Two identical vials scanned one after the other are two; two scans of one serial number are one package scanned twice, or two
packages of which one is no original (DSCSA: a suspect product). It counts once, and a person looks.

Picks, returns and wastes are facts and always count, since their order of arrival says nothing. But a package can't be picked
twice without coming back in between, nor come back twice, nor be wasted twice: then a case asks, and it closes when what was
missing is told.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from streams.site import notices
from streams.site.desk import Desk
from streams.site.resolve import Resolved

MOVES_KEPT_MAX: Final = 64
"""Moves of one serial number that are looked at, the last ones."""
_MOVES: Final = frozenset({EventKind.PICK, EventKind.RETURN, EventKind.DISCARD})


def received_again(desk: Desk, event: StockEvent, resolved: Resolved) -> str | None:
    """Why a receipt does not count, when its serial number was received before and that stands; else it is noted."""
    if event.kind is not EventKind.RECEIVE or not event.serial or event.replaces:
        return None
    product = resolved.product or resolved.item.id
    key = (event.site, product, event.serial)
    before = desk.serials.get(key)
    seen = desk.seen.get((event.site, before)) if before is not None else None
    if seen is None or seen.status != "posted":
        desk.serials.put(key, event.event_key)
        if resolved.item.schedule is None:
            desk.case_close(derived_id("case", "return_unknown_serial", *key), event.site, event.event_key)
        return None
    text = (
        f"serial number {event.serial} of {product} was received twice, first as {before}: it counts once; "
        "if there are two packages, quarantine both, one is no original"
    )
    case_id = derived_id("case", "serial_again", *key)
    item = resolved.item.id
    desk.case_open(case_id, event.site, "serial_again", text, item=item, event_id=event.event_id, raw=event.raw)
    return text


def note(desk: Desk, event: StockEvent, resolved: Resolved) -> None:
    """Remember a pick, return or waste of a serial number, and ask when there were more than one package can have."""
    if event.kind not in _MOVES or not event.serial:
        return
    product = resolved.product or resolved.item.id
    key = (event.site, product, event.serial)
    if event.kind is EventKind.RETURN and desk.serials.get(key) is None and notices.is_announced(desk, event):
        _returned_unknown(desk, event, resolved, key)
    moves = (*(desk.serial_moves.get(key) or ()), (event.kind.value, event.event_key))
    standing = tuple(move for move in moves if _stands(desk, event.site, move[1]))[-MOVES_KEPT_MAX:]
    desk.serial_moves.put(key, standing)
    case_id = derived_id("case", "serial_state", *key)
    wrong = _impossible(Counter(kind for kind, _ in standing))
    if wrong is None:
        if resolved.item.schedule is None:  # a case of a controlled substance never closes itself
            desk.case_close(case_id, event.site, event.event_key)
        return
    text = f"serial number {event.serial} of {product} {wrong}: a scan is missing, or there are two packages of one number"
    item = resolved.item.id
    desk.case_open(
        case_id, event.site, "serial_state", text, reopen=True, item=item, event_id=event.event_id, raw=event.raw
    )  # fmt: skip


def _returned_unknown(desk: Desk, event: StockEvent, resolved: Resolved, key: tuple[str, str, str]) -> None:
    """A serial number came back that was never received here (DSCSA: a saleable return must match one that was)."""
    text = f"serial number {event.serial} of {key[1]} came back and was never received here: quarantine it, it may be no original"
    case_id = derived_id("case", "return_unknown_serial", *key)
    item = resolved.item.id
    desk.case_open(case_id, event.site, "return_unknown_serial", text, item=item, event_id=event.event_id, raw=event.raw)


def _stands(desk: Desk, site: str, event_key: str) -> bool:
    """Whether an event counts, and was not taken back."""
    seen = desk.seen.get((site, event_key))
    return seen is not None and seen.status == "posted"


def _impossible(count: Counter[str]) -> str | None:
    """What one package can't have had, in words. A package may have left unscanned once (a vend), or come unscanned once."""
    picked, back, wasted = count["pick"], count["return"], count["discard"]
    if picked - back > 1:
        return f"was picked {picked} times and came back {back} times"
    if back - picked > 1:
        return f"came back {back} times and was picked {picked} times"
    return f"was wasted {wasted} times" if wasted > 1 else None
