"""Stage ledger, for stock that becomes other stock: compounding, repackaging, kits, trays.

All lines of a transform post in one event, or none while a fact is missing of one of them: inputs leave to the account
`transform`, outputs come from it, each item balanced by itself (what went in and what came out need not be the same in number).
Taking the event back takes all of its lines back. Outputs have a lot of their own, a beyond-use clock, and a genealogy.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.events import StockEvent, TransformPart
from streams.ledger.model import CardKey, LotId, OrderKey
from streams.ledger.postings import KIND_RANK, part
from streams.site import beyond_use, clockfold, clocks, genealogy, given, ledger, lots, recipes
from streams.site.desk import Desk
from streams.site.preparation_tables import Line
from streams.site.resolve import Missing, resolve_place
from streams.site.tables import SeenEntry
from streams.site.work import Work, WorkOf
from streams.times import to_us

Parts = list[tuple[TransformPart, Work]]


def understood(desk: Desk, event: StockEvent, place: str, work_of: WorkOf) -> Parts | Missing:
    """The lines in the hub's terms; the first fact that is missing for one of them."""
    found: Parts = []
    for one in event.parts:
        line = replace(
            event, codes=one.codes, quantity=one.quantity, unit=one.unit, lot=one.lot, expiry=one.expiry, container=one.container,
            beyond_use=one.beyond_use, parts=(),
        )  # fmt: skip
        where: str | Missing = place
        if one.location_codes:
            line = replace(line, location_codes=one.location_codes, pocket=None)
            where = resolve_place(desk.catalog, line, line.location_codes, None)
        work = where if isinstance(where, Missing) else work_of(desk, line, where)
        if isinstance(work, Missing):
            return work
        found.append((one, work))
    return found


def post(desk: Desk, event: StockEvent, parts: Parts) -> tuple[list[CardKey], str]:
    """Post all lines; returns the cards they touched, and what it was in words."""
    touched: list[CardKey] = hear_of_lots(desk, parts)
    lines = [(one, work, lots.identify(desk, work)) for one, work in parts]
    entries: list[SeenEntry] = []
    cards: list[CardKey] = [(event.site, work.location, work.item.id) for _, work, _ in lines]
    for number, (one, work, lot) in enumerate(lines):
        if not work.quantity:
            continue
        order: OrderKey = (to_us(event.occurred), event.device_sequence, KIND_RANK[event.kind], event.event_key, number)
        posting = part(work.location, work.quantity, lot, made=one.made)
        ledger.write(desk, work, cards[number], order, posting, partial=cards[number] in cards[number + 1 :])
        entries.append(SeenEntry(work.location, work.item.id, order))
    ledger.remember(desk, event, [work.item for _, work in parts], tuple(entries))
    for one, work, lot in lines:
        if one.made:
            touched += beyond_use.start(desk, work, lot)
        else:
            given.check(desk, work, lot)
        clockfold.check(desk, event, work.item, work.location)
    inputs, outputs = _side(lines, made=False), _side(lines, made=True)
    genealogy.note(desk, event.site, event.event_key, map(_line, inputs), map(_line, outputs))
    recipes.check(desk, event, [work for work, _ in inputs], [work for work, _ in outputs])
    clocks.check(desk, event)
    desk.count(event.site, "posted")
    text = f"transform of {_words(inputs)} into {_words(outputs)}"
    return list(dict.fromkeys((*touched, *cards))), text


def hear_of_lots(desk: Desk, parts: Parts) -> list[CardKey]:
    """Take in what the lines say of their lots; the cards on which a lot got its product."""
    return [card for _, work in parts for card in ledger.hear_of_lot(desk, work)[1]]


def _side(lines: list[tuple[TransformPart, Work, LotId]], *, made: bool) -> list[tuple[Work, LotId]]:
    return [(work, lot) for one, work, lot in lines if one.made is made]


def _line(one: tuple[Work, LotId]) -> Line:
    """A line as its lot is found by later: with the product it stated."""
    work, lot = one
    return work.item.id, work.product, lot.lot


def _words(side: list[tuple[Work, LotId]]) -> str:
    return ", ".join(f"{work.quantity} {work.item.base_unit} {work.item.id} at {work.location}" for work, _ in side)
