"""The data of DEA Forms 41 (destruction) and 106 (theft or loss), as far as the ledger knows it; the rest is named as open.

Form 41 is about inventory that a registrant destroys (21 CFR 1304.21(e), 1317.95). What is left of a dose and wasted before a
witness at the bedside is no inventory any more and does not stand on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sinks.controlled.model import REVERSAL, WASTE, Master, Move, ProductFacts, Row, original_kinds

FORM_41_OPEN: Final = ("method_of_destruction", "place_of_destruction", "signatures_of_both_witnesses")
FORM_106_OPEN: Final = (
    "type_of_theft_or_loss", "reported_to_police", "police_department", "injuries", "security_measures_taken", "signature",
)  # fmt: skip
"""Fields that nobody but a person can fill in."""


@dataclass(slots=True)
class _Destroyed:
    first: Move
    quantity: int = 0


def destroyed(
    moves: Iterable[Move], master: Master, window: tuple[str, str], day_of: Callable[[str], str]
) -> list[Row]:  # fmt: skip
    """Lines of section B(1) of Form 41: stock destroyed with start ≤ occurred < end, by day, product, lot and the two people.

    `day_of` gives the date of an instant at the site. Expired stock that was taken out of its place is listed to be confirmed: a
    reverse distributor may destroy it, and then files the form.
    """
    start, end = window
    ordered = sorted(moves, key=lambda one: (one.occurred, one.movement_id))
    kinds = original_kinds(ordered)
    found: dict[tuple[str, ...], _Destroyed] = {}
    for move in ordered:
        sign = 1 if move.to_account == WASTE and move.left is not None else -1
        undone = sign < 0 and move.kind == REVERSAL and move.from_account == WASTE and kinds.get(move.corrects or "")
        if move.item not in master.items or not start <= move.occurred < end or (sign < 0 and not undone):
            continue
        event = move.corrects or "" if sign < 0 else move.event_id
        line = found.setdefault((event, move.item, move.product, move.lot), _Destroyed(move))
        line.quantity += sign * move.quantity
    grouped: dict[tuple[str, ...], _Destroyed] = {}
    for one in found.values():
        move = one.first
        key = (day_of(move.occurred), move.kind, move.item, move.product, move.lot, move.actor or "", move.witness or "")
        grouped.setdefault(key, _Destroyed(move)).quantity += one.quantity
    return [_form_41_line(one, master) for _, one in sorted(grouped.items()) if one.quantity]


def _form_41_line(one: _Destroyed, master: Master) -> Row:
    move, item = one.first, master.items[one.first.item]
    product = master.products.get(move.product)
    full, partial = _packages(product, one.quantity)
    people = [person for person in (move.actor, move.witness) if person]
    return {
        "schedule": item.schedule, "ndc": product.ndc if product else "", "batch_number": move.lot, "name": item.name,
        "strength": item.strength, "form": item.form or item.unit,
        "package_quantity": product.package_quantity if product else None,
        "full_packages": full, "partial_package_count": partial, "total_destroyed": one.quantity, "unit": item.unit,
        "kind": move.kind, "to_confirm": move.kind == "expire", "date_of_destruction": move.occurred,
        "place": move.left, "witness_1": move.actor, "witness_2": move.witness,
        "two_witnesses": len(set(people)) == 2, "event_id": move.event_id, "source": move.source,
    }  # fmt: skip


def _packages(product: ProductFacts | None, quantity: int) -> tuple[int | None, int | None]:
    return (None, None) if product is None else divmod(quantity, product.package_quantity)


def lost(item_id: str, quantity: Decimal | None, master: Master, product_id: str) -> Row:
    """The line of a substance on Form 106; quantities in base units where they are known."""
    item = master.items[item_id]
    product = master.products.get(product_id)
    if product is None:
        ours = [one for one in master.products.values() if one.item == item_id]
        product = ours[0] if len(ours) == 1 else None
    cost = None if product is None or product.cost is None or quantity is None else product.cost * quantity
    return {
        "ndc": product.ndc if product else "", "name": item.name, "schedule": item.schedule, "strength": item.strength,
        "form": item.form or item.unit, "quantity": None if quantity is None else f"{quantity.normalize():f}", "unit": item.unit,
        "purchase_value": None if cost is None else f"{cost:.2f}",
    }  # fmt: skip
