"""InventoryReport (R5): what a stock system holds (`snapshot`: absolute) or how it changed (`difference`: a delta).

A snapshot's line is a count of an item at a place, of one lot when the InventoryItem names it. A difference says in
`operationType` whether it adds or subtracts, and not where the stock came from or went: the other side is suspense.
Source: FHIR R5, InventoryReport; what it means for stock: `domain` §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.context import place_codes
from connectors.fhir.datatypes import quantity_of
from connectors.fhir.events import Facts
from connectors.fhir.medication import Medication, product_of
from connectors.fhir.nodes import Fault, Node, child, children, shown, text
from connectors.fhir.status import POSTS, TAKES_BACK, Status, before
from schemas.codes import lookup_key, normalise_lot
from schemas.kinds import EventKind, Feed

STATUSES: Final[dict[str, Status]] = {
    "active": POSTS,
    "draft": before("draft", "the report is a draft"),
    "requested": before("requested", "the report is only asked for"),
    "entered-in-error": TAKES_BACK,
}
"""Source: FHIR value set inventoryreport-status."""

_OPERATIONS: Final = {"addition": EventKind.ADJUST_IN, "subtraction": EventKind.ADJUST_OUT}


@dataclass(frozen=True, slots=True)
class _Line:
    """One counted item: its listing, itself, the path, and the product."""

    listing: Node
    counted: Node
    path: str
    product: Medication


def report_facts(item: Item, status: Status) -> Sequence[Facts]:
    """Every counted item. Raises `Fault` for a report that counts one thing twice, or does not say what its amounts mean."""
    kind = _kind(item.resource)
    lines = list(_lines(item))
    if not lines:
        nothing = _Line({}, {}, "InventoryReport", Medication(codes=()))
        return [_facts(item, status, kind, nothing, (1, 1), nothing="it lists no items")]
    if kind is EventKind.COUNT:
        _check_once(item, lines)
    return [_facts(item, status, kind, line, (number, len(lines))) for number, line in enumerate(lines, start=1)]


def _kind(resource: Node) -> EventKind:
    """What the amounts are. Raises `Fault`."""
    count_type = text(resource, "countType")
    if count_type == "snapshot":
        return EventKind.COUNT
    if count_type != "difference":
        reason = f"InventoryReport.countType is {shown(count_type)}; known are snapshot, difference."
        raise Fault("unknown_count_type", reason)
    codes = [text(coding, "code").lower() for coding in children(child(resource, "operationType"), "coding")]
    kinds = {_OPERATIONS[code] for code in codes if code in _OPERATIONS}
    if len(kinds) != 1:
        stated = ", ".join(shown(code) for code in codes) or "missing"
        reason = f"InventoryReport.operationType is {stated}; a difference must say addition or subtraction."
        raise Fault("unknown_operation", reason)
    return kinds.pop()


def _lines(item: Item) -> list[_Line]:
    found = []
    for number, listing in enumerate(children(item.resource, "inventoryListing")):
        for place, counted in enumerate(children(listing, "item")):
            path = f"InventoryReport.inventoryListing[{number}].item[{place}]"
            both = child(counted, "item")
            found.append(_Line(listing, counted, path, product_of(item, child(both, "concept"), child(both, "reference"))))
    return found


def _check_once(item: Item, lines: list[_Line]) -> None:
    """Raises `Fault` when a snapshot counts an item twice at one place: as a whole and by lot, or one lot twice."""
    lots: dict[tuple[object, ...], set[str]] = {}
    for line in lines:
        codes = frozenset(lookup_key(code.system, code.value) for code in line.product.codes)
        known = lots.setdefault((place_codes(item, _places(line)), codes), set())
        lot = normalise_lot(line.product.lot or "")
        if lot in known or (known and ("" in known or not lot)):
            reason = f"{line.path} counts an item that another line counts at the same place; send one total, or one line a lot."
            raise Fault("counted_twice", reason)
        known.add(lot)


def _places(line: _Line) -> Sequence[Node]:
    location = child(line.listing, "location")
    return [location] if location else ()


def _facts(item: Item, status: Status, kind: EventKind, line: _Line, place: tuple[int, int], nothing: str | None = None) -> Facts:
    resource = item.resource
    quantity, unit = quantity_of(child(line.counted, "quantity"), f"{line.path}.quantity")
    moves_zero = quantity is not None and quantity == 0 and kind is not EventKind.COUNT
    return Facts(
        kind=kind,
        feed=Feed.SUPPLY,
        times=[
            ("InventoryReport.inventoryListing.countingDateTime", text(line.listing, "countingDateTime")),
            ("InventoryReport.reportedDateTime", text(resource, "reportedDateTime")),
            ("InventoryReport.reportingPeriod.end", text(child(resource, "reportingPeriod"), "end")),
        ],
        quantity=quantity,
        unit=unit,
        places=_places(line),
        no_effect=status.no_effect
        or (nothing if not status.is_error else None)
        or ("the amount is 0" if moves_zero and not status.is_error else None),
        key_suffix=status.key_suffix,
        takes_back=status.is_error,
        product=line.product,
        line=place[0],
        lines=place[1],
    )
