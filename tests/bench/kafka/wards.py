"""Traffic for the whole hub: a few sites whose cabinets report transactions, in the hub's published cabinet schema.

Three kinds of transactions: a quiet vend from a pocket that has plenty and no level; a vend that empties a pocket, so that a critical
need opens and a command must follow; and the stocking of very many lots, for memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from schemas.codes import Code
from schemas.kinds import LocationKind
from schemas.partition import partition_of
from schemas.raw import CABINET_JSON, RawMessage
from schemas.reference import REFERENCE_KINDS, Item, Location, ParPolicy, Product, Site
from topology.reference_files import ReferenceRecord

SITES: Final = tuple(next(name for number in range(99) if partition_of(name := f"site-{number}") == at) for at in (0, 2, 4, 6))
"""Four sites in four partitions."""
STORE: Final = "main"
PAR: Final = 20
PLENTY: Final = 5_000_000
POCKETS_A_DRAWER: Final = 20

Card = tuple[str, str, str]
"""Site, pocket's location and item: where a command must appear."""


def reference(items: int, cabinets: int, watched: int) -> Iterator[ReferenceRecord]:
    """The sites, with so many items and cabinets each; the first cabinet's first `watched` items have levels."""
    for item in range(items):
        yield _record("item", Item(id=f"item-{item}", name=f"item {item}", base_unit="vial"))
        code = Code(system="local", value=f"ITEM-{item}")
        yield _record("product", Product(id=f"product-{item}", item=f"item-{item}", labeler="Labeler", package_quantity=10, codes=(code,)))
    for site in SITES:
        yield _record("site", Site(id=site, name=site, zone="America/New_York", facility_codes=(site.upper(),)))
        yield _record("location", Location(site=site, path=STORE, kind=LocationKind.STORE, codes=("MAIN",)))
        for cabinet in range(cabinets):
            yield _record("location", Location(site=site, path=f"ward/cab{cabinet}", kind=LocationKind.CABINET, codes=(f"CAB{cabinet}",)))
        for item in range(watched):
            place, levels = f"ward/cab0/{_pocket(item)}", {"minimum": 4, "par": PAR, "maximum": 30}
            yield _record("par_policy", ParPolicy(site=site, location=place, item=f"item-{item}", source=STORE, **levels))


def any_record() -> ReferenceRecord:
    """A record that changes nothing: once it is folded everywhere, every lane works."""
    return _record("item", Item(id="item-0", name="item 0", base_unit="vial"))


class Traffic:
    """Transactions in the order in which they happen, now."""

    def __init__(self, items: int, watched: int) -> None:
        self._items, self._watched = items, watched
        self._number = count(1)
        self._quiet = count()
        self._emptied = count()

    def stocked(self) -> Iterator[RawMessage]:
        """What every pocket of the first cabinets holds at the beginning."""
        for site in SITES:
            rows = [self._row(site, "load", item, PAR if item < self._watched else PLENTY) for item in range(self._items)]
            yield _message(site, rows)

    def lots(self, cabinets: int, lots: int) -> Iterator[RawMessage]:
        """Refills that make a balance each: every lot of every item in every cabinet of every site."""
        for cabinet in range(cabinets):
            for lot in range(lots):
                for site in SITES:
                    yield _message(site, [self._row(site, "refill", item, PAR, lot, cabinet) for item in range(self._items)])

    def quiet(self) -> RawMessage:
        """A vend that changes a balance and no need."""
        number = next(self._quiet)
        site, item = SITES[number % len(SITES)], self._watched + number // len(SITES) % (self._items - self._watched)
        return _message(site, [self._row(site, "vend", item, 1)])

    def emptying(self) -> tuple[Card, RawMessage]:
        """A vend that empties a pocket, and where its command must appear. Each pocket once: raises `IndexError` after the last."""
        number = next(self._emptied)
        site, item = SITES[number % len(SITES)], number // len(SITES)
        if item >= self._watched:
            message = "every pocket has been emptied"
            raise IndexError(message)
        return (site, f"ward/cab0/{_pocket(item)}", f"item-{item}"), _message(site, [self._row(site, "vend", item, PAR)])

    def _row(self, site: str, action: str, item: int, quantity: int, lot: int = 0, cabinet: int = 0) -> dict[str, Any]:
        number = next(self._number)
        return {
            "device": f"CAB{cabinet}", "transaction_id": str(number), "action": action, "facility": site.upper(),
            "occurred": datetime.now(UTC).isoformat(), "pocket": _pocket(item), "product_code": f"ITEM-{item}",
            "quantity": quantity, "unit": "vial", "lot": f"L{item}{chr(65 + lot)}", "expiry": "2031-12-31",
            "device_sequence": number, "user": "nurse1",
        }  # fmt: skip


def _pocket(item: int) -> str:
    return f"d{item // POCKETS_A_DRAWER}/p{item % POCKETS_A_DRAWER}"


def _message(site: str, rows: list[dict[str, Any]]) -> RawMessage:
    body = json.dumps(rows[0] if len(rows) == 1 else rows).encode()
    return RawMessage(
        body=body, source=f"{site}-cabinets", connector="cabinet", content_type=CABINET_JSON, received_at=datetime.now(UTC)
    )


def _record(kind: str, record: Any) -> ReferenceRecord:
    return kind, REFERENCE_KINDS[kind].id_of(record), record
