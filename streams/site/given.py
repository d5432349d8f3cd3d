"""Stage ledger, for what patients got: of a lot that was not usable at that moment is a case, whenever that became known.

The fact stands. A recall counts from when it was read, so that what was given before it was no fault; an expiry date was true all
along, so what had been given after it is said when the date arrives.
"""

from __future__ import annotations

from typing import Final

from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.raw import RawRef
from schemas.reference import Item
from streams.ledger.model import ISOLATED, CardKey, EntryKind, LotFacts, LotId, usable_at
from streams.site.desk import Desk
from streams.site.work import Work
from streams.times import from_us, to_us

GIVEN: Final = frozenset({EventKind.VEND, EventKind.DISPENSE, EventKind.ADMINISTER})


def check(desk: Desk, work: Work, lot: LotId) -> None:
    """A fact that gave stock of a lot: was the lot usable?"""
    event = work.event
    card: CardKey = (event.site, work.location, work.item.id)
    facts = desk.book.facts_of(card, lot)
    us = to_us(event.occurred)
    if not usable_at(facts, us):
        reasons = why(facts, us)
        used = event.kind is EventKind.TRANSFORM
        _say(desk, card, work.item.name, _label(facts, lot), (event.event_key, event.event_id), event.raw, reasons, used=used)


def since_expiry(desk: Desk, card: CardKey, lot: LotId, facts: LotFacts, item: Item) -> None:
    """The lot's expiry, or when it is beyond use, became known: what the place had given, or made other stock of, after it."""
    if facts.expires is None:
        return
    for key, entry in desk.book.history.scan(card, start=(*card, facts.expires)):
        used = entry.movement_kind == EventKind.TRANSFORM and entry.amount < 0
        if entry.kind is EntryKind.DELTA and (used or entry.movement_kind in GIVEN) and entry.lot == lot:
            event_key = str(key[6])
            seen = desk.seen.get((card[0], event_key))
            raw = None if seen is None else RawRef(partition=seen.raw[0], offset=seen.raw[1], index=seen.raw[2])
            reasons = why(desk.book.facts_of(card, lot), int(key[3]))
            _say(desk, card, item.name, _label(facts, lot), (event_key, entry.event_id), raw, reasons, used=used)


def why(facts: LotFacts, us: int) -> list[dict[str, str | None]]:
    """Why stock of a lot could not be given at an instant: each reason, and since when (UTC; none from the beginning)."""
    found: list[dict[str, str | None]] = []
    beyond = facts.beyond is not None and facts.beyond <= us
    if beyond and facts.beyond is not None:
        found.append({"reason": "beyond_use", "since": _instant(facts.beyond)})
    if facts.expires is not None and facts.expires <= us and not (beyond and facts.beyond == facts.expires):
        found.append({"reason": "expired", "expiry": facts.expiry, "since": _instant(facts.expires)})
    for start, end, notice in facts.blocks:
        if start <= us and (end is None or us < end):
            reason = {"reason": "quarantine"} if notice == ISOLATED else {"reason": "recalled", "notice": notice}
            found.append({**reason, "since": _instant(start) if start else None})
    return found


def _label(facts: LotFacts, lot: LotId) -> str:
    return f"lot {facts.lot_text or lot.lot}" + (f", container {lot.container}," if lot.container else "")


def _instant(us: int) -> str:
    return from_us(us).isoformat(timespec="minutes").replace("+00:00", "Z")


def _in_words(one: dict[str, str | None]) -> str:
    since = f"since {one['since']}" if one["since"] else "from the beginning"
    match one["reason"]:
        case "expired":
            return f"had expired ({one['expiry']}, over {since})"
        case "beyond_use":
            return f"was beyond its use-by time {since}"
        case "recalled":
            return f"was blocked by recall {one['notice']} {since}"
        case _:
            return "lay in quarantine"


def _say(
    desk: Desk, card: CardKey, item_name: str, lot: str, event: tuple[str, str], raw: RawRef | None,
    reasons: list[dict[str, str | None]], *, used: bool,
) -> None:  # fmt: skip
    """Open the case, or write into the open one what is known now: whatever was heard first, it says the same in the end."""
    site, location, item = card
    kind, deed = ("unusable_used", "used to make other stock") if used else ("unusable_given", "given")
    case_id = derived_id("case", kind, site, event[0], *((item, lot) if used else ()))
    text = f"{item_name}: {lot} was {deed} although it {' and '.join(map(_in_words, reasons))}"
    facts = {"unusable": reasons}
    desk.case_open(case_id, site, kind, text, location=location, item=item, event_id=event[1], raw=raw, facts=facts)
    desk.case_note(case_id, site, text, facts)
