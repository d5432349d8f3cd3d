"""Stage closure: of a controlled substance, what was removed for a patient is administered, wasted or returned (21 CFR 1304.21).

Counted in dose units: stock leaves in containers, doses are parts of them. A vial of 100 mcg used for a dose of 50 mcg leaves
50 mcg to be wasted before a witness. What is open when the site's window has passed is a case, and so is a dose without a
removal. These cases never close themselves; what comes later is written into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Final

import msgspec

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.keys import Key
from schemas.kinds import EventKind
from schemas.reference import Item
from schemas.units import canonical_unit
from streams.site import controlled
from streams.site.desk import Desk, no_exponent
from streams.site.doses import Amount, exact, matched
from streams.site.resolve import Resolved, unit_factor
from streams.site.tables import Dose, Timer
from streams.times import MINUTE_US, to_us

REMOVED: Final = "removed"
_SHOWN: Final = Decimal("0.001")
_REMOVES: Final = frozenset({EventKind.VEND, EventKind.ADMINISTER})
_ENDS: Final = {EventKind.ADMINISTER: "administered", EventKind.WASTE: "wasted", EventKind.RETURN: "returned"}

Entry = tuple[Key, Dose]


def note(desk: Desk, event: StockEvent, resolved: Resolved, place: str, *, left: int = 0) -> None:
    """Note a controlled dose that was removed or ended. `left`: base units that left the place by this event."""
    item = resolved.item
    ended = _ENDS.get(event.kind)
    if item.schedule is None or (ended is None and not (left and event.kind in _REMOVES)):
        return
    who = event.patient or f"event|{event.event_key}"
    if event.kind in _REMOVES:
        _put(desk, event, item, who, place, REMOVED, _dose(item, exact(left)))
    if ended is not None:
        amount = _stated(desk, event, resolved)
        if amount is None:
            _unknown(desk, event, item, place, ended)
        else:
            _put(desk, event, item, who, place, ended, amount)
    due = to_us(event.occurred) + _patience_us(desk, event.site)
    if due > desk.now_us:
        desk.schedule(due, Timer("closure", (event.site, item.id, who)))
    else:
        look(desk, event.site, item.id, who)


def _put(desk: Desk, event: StockEvent, item: Item, who: str, place: str, what: str, amount: Amount) -> None:
    if not amount:
        return
    key = (event.site, item.id, who, to_us(event.occurred), event.device_sequence, event.event_key, what)
    dose = Dose(what, str(amount), event.event_id, place, event.actor or "", event.replaces or "")
    desk.doses.put(key, dose)
    account = (event.site, item.id, who)
    if key[3] <= (desk.closed_to.get(account) or -1):
        desk.closed_to.delete(account)
    desk.dosed.put((event.site, event.event_key), (item.id, who))


def _dose(item: Item, base: Amount) -> Amount:
    """Base units as an amount of drug, where the strength is known."""
    return base if item.strength_amount is None else base * exact(item.strength_amount)


def dose_unit(item: Item) -> str:
    """What doses of an item are counted in."""
    return item.base_unit if item.strength_amount is None or item.strength_unit is None else item.strength_unit


def _stated(desk: Desk, event: StockEvent, resolved: Resolved) -> Amount | None:
    """The stated amount as a dose, exact; None when it does not convert."""
    if event.quantity is None or not event.unit:
        return None
    product = desk.catalog.product(resolved.product) if resolved.product else None
    factor = unit_factor(desk.catalog, resolved.item, product, canonical_unit(event.unit), event.codes)
    return None if factor is None else _dose(resolved.item, Fraction(event.quantity) * factor)


def _unknown(desk: Desk, event: StockEvent, item: Item, place: str, ended: str) -> None:
    stated = f"{event.quantity} {event.unit or 'without a unit'}"
    text = f"{item.name}: how much was {ended} at {place} can't be told in {dose_unit(item)} ({stated})"
    case_id = derived_id("case", "dose_unknown", event.site, event.event_key)
    desk.case_open(
        case_id, event.site, "dose_unknown", text, location=place, item=item.id, event_id=event.event_id, raw=event.raw
    )


def _patience_us(desk: Desk, site: str) -> int:
    """How long after a removal or a dose the rest may be missing: the site's window, and its time for late events."""
    record = desk.catalog.site(site)
    return MINUTE_US * (record.closure_minutes + record.lateness_minutes) if record is not None else MINUTE_US * 540


def taken_back(desk: Desk, site: str, event_key: str) -> None:
    """A fact counts no longer: what it was matched with is looked at again."""
    named = desk.dosed.get((site, event_key))
    if named is not None:
        desk.closed_to.delete((site, *named))
        look(desk, site, *named)
        _say_gone(desk, site, event_key, *named)


def forgotten(desk: Desk, site: str, event_key: str) -> None:
    """The key of a fact that was taken back is known no longer: its doses go with it, so that they don't stand again."""
    named = desk.dosed.get((site, event_key))
    for key, _ in list(desk.doses.scan((site, *named))) if named is not None else ():
        if key[5] == event_key:
            desk.doses.delete(key)
    desk.dosed.delete((site, event_key))


def _say_gone(desk: Desk, site: str, event_key: str, item_id: str, who: str) -> None:
    """The case of what was taken back says so: nothing is left to account for, and a person closes it."""
    item = desk.catalog.item(item_id)
    for key, dose in list(desk.doses.scan((site, item_id, who))) if item is not None else ():
        if key[5] != event_key or _stands(desk, site, key, dose):
            continue
        kind = "unaccounted_removal" if dose.what == REMOVED else "dose_without_removal"
        case_id = derived_id("case", kind, site, event_key)
        if item is not None and desk.cases.get((site, case_id)) is not None:
            what = f"{_text(exact(dose.amount))} {dose_unit(item)} of {item.name} {dose.what} at {dose.location}"
            facts = {"unit": dose_unit(item), dose.what: _text(exact(dose.amount)), "open": "0", "actor": dose.actor}
            text = f"{what} was taken back: confirm, and close the case"
            controlled.case(desk, site, case_id, kind, text, facts=facts)
            desk.doses.put(key, msgspec.structs.replace(dose, judged=""))


def look(desk: Desk, site: str, item_id: str, who: str) -> None:
    """Match what was removed with what became of it, and say what is open where patience has ended.

    What was balanced before and is past all patience is not looked at again, until something is told about that time.
    """
    item = desk.catalog.item(item_id)
    if item is None or item.schedule is None:
        return
    account = (site, item_id, who)
    patience = _patience_us(desk, site)
    since = (desk.closed_to.get(account) or -1) + 1
    standing = [entry for entry in desk.doses.scan(account, start=(*account, since)) if _stands(desk, site, *entry)]
    removals = [entry for entry in standing if entry[1].what == REMOVED]
    ends = [entry for entry in standing if entry[1].what != REMOVED]
    left = dict(zip((*_keys(removals), *_keys(ends)), chain(*matched(_amounts(removals), _amounts(ends), patience)), strict=True))
    total: Amount = 0
    balanced, is_closed = -1, True
    for number, (key, dose) in enumerate(standing):
        at, amount = int(key[3]), left[key]
        is_due = at + patience <= desk.now_us
        if is_due:
            _judge(desk, item, key, dose, amount, ends)
        total += exact(dose.amount) if dose.what == REMOVED else -exact(dose.amount)
        is_closed = is_closed and is_due and not amount
        following = int(standing[number + 1][0][3]) if number + 1 < len(standing) else None
        if is_closed and not total and at != following:
            balanced = at
    if balanced >= 0:
        desk.closed_to.put(account, balanced)


def _keys(entries: Sequence[Entry]) -> list[Key]:
    return [key for key, _ in entries]


def _amounts(entries: Sequence[Entry]) -> list[tuple[int, Amount]]:
    return [(int(key[3]), exact(dose.amount)) for key, dose in entries]


def _stands(desk: Desk, site: str, key: Key, dose: Dose) -> bool:
    """Whether what an event says counts: not taken back, and the version of its fact that does."""
    event_key = str(key[5])
    seen = desk.seen.get((site, event_key))
    if seen is not None and seen.status.startswith("reversed"):  # one that is not known any more stands
        return False
    version = desk.versions.get((site, dose.fact)) if dose.fact else None
    return version is None or (not version.deleted and version.key == event_key)


def _judge(desk: Desk, item: Item, key: Key, dose: Dose, amount: Amount, ends: Sequence[Entry]) -> None:
    """Open the case of what is open, or write into it what has changed."""
    site, event_key = str(key[0]), str(key[5])
    is_removal = dose.what == REMOVED
    if dose.judged == str(amount):
        return
    desk.doses.put(key, msgspec.structs.replace(dose, judged=str(amount)))
    if is_removal and not dose.judged:
        desk.count(site, "removals_judged")
        desk.count(site, "removals_closed", int(not amount))
    kind = "unaccounted_removal" if is_removal else "dose_without_removal"
    case_id = derived_id("case", kind, site, event_key)
    if not amount and desk.cases.get((site, case_id)) is None:
        return
    unit = dose_unit(item)
    found: dict[str, Amount] = dict.fromkeys(_ENDS.values(), 0)
    for _, end in ends:
        found[end.what] += exact(end.amount)
    facts = {"unit": unit, dose.what: _text(exact(dose.amount)), "open": _text(amount), "actor": dose.actor}
    facts |= {f"patient_{what}": _text(total) for what, total in found.items()}
    text = _removal_text(item, dose, amount) if is_removal else _dose_text(item, dose, amount)
    controlled.case(
        desk, site, case_id, kind, text, location=dose.location, item=item.id, event_id=dose.event_id, facts=facts
    )


def _removal_text(item: Item, dose: Dose, amount: Amount) -> str:
    unit, by = dose_unit(item), f" by {dose.actor}" if dose.actor else ""
    what = f"{_text(exact(dose.amount))} {unit} of {item.name} (schedule {item.schedule}) removed at {dose.location}{by}"
    if not amount:
        return f"{what} are accounted for now, later than they should be: confirm, and close the case"
    return f"of {what}, {_text(amount)} {unit} are not accounted for: document them as given, returned or wasted (witnessed)"


def _dose_text(item: Item, dose: Dose, amount: Amount) -> str:
    unit, by = dose_unit(item), f" by {dose.actor}" if dose.actor else ""
    what = f"{_text(exact(dose.amount))} {unit} of {item.name} (schedule {item.schedule}) {dose.what}{by}"
    if not amount:
        return f"{what}: a removal for it is known now, later than it should be: confirm, and close the case"
    return f"of {what}, {_text(amount)} {unit} were never removed for this patient, as far as the hub knows: ask whence"


def _text(amount: Amount) -> str:
    """An amount as people write it; three decimals where it has no end."""
    return no_exponent((Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(_SHOWN))
