"""A small hospital as reference data: one site, a store, a cabinet, a ward without a cabinet, a bin; items and products.

Every record can be made anew with changes (`item(schedule=2)`), so that a test states only what it is about.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.codes import Code
from schemas.kinds import CommandKind, Feed, LocationKind
from schemas.reference import Item, Location, ParPolicy, Product, Site

SITE: Final = "north"
ZONE: Final = "America/New_York"
ZONE_INFO: Final = ZoneInfo(ZONE)
ITEM: Final = "amox"
POCKET: Final = "icu/cab1/d1/p1"
OTHER_POCKET: Final = "icu/cab1/d1/p2"
STORE: Final = "main"
WARD: Final = "ward4"
BIN: Final = "main/returns"
GTIN: Final = "00304094713021"
NDC: Final = "0409-4713-02"


def site(**changes: Any) -> Site:
    """The site: its calendar is New York's."""
    fields = {"id": SITE, "name": "North General", "zone": ZONE, "facility_codes": ("NGH",), "lateness_minutes": 60}
    return Site(**{**fields, **changes})


def location(path: str, kind: LocationKind = LocationKind.STORE, **changes: Any) -> Location:
    """A place of the site."""
    return Location(**{"site": SITE, "path": path, "kind": kind, **changes})


def places() -> tuple[Location, ...]:
    """A store that dispenses, a cabinet filled from it, a ward that stock leaves by administration, a bin."""
    return (
        location(STORE, codes=("MAIN",), authority=Feed.DISPENSE),
        location(BIN, LocationKind.RETURN_BIN, codes=("RETURNS",), authority=Feed.SCAN),
        location("icu/cab1", LocationKind.CABINET, codes=("ICU-CAB1",), authority=Feed.CABINET, refill_from=STORE),
        location(WARD, LocationKind.WARD, codes=("W4",), authority=Feed.ADMINISTRATION),
    )


def item(id_: str = ITEM, **changes: Any) -> Item:
    """An item counted in tablets of 250 mg."""
    fields = {
        "id": id_, "name": f"{id_} 250 mg tablet", "base_unit": "tablet", "strength_amount": Decimal(250),
        "strength_unit": "mg", "codes": (Code(system="local", value=f"{id_}-1"),),
    }  # fmt: skip
    return Item(**{**fields, **changes})


def product(id_: str = "amox-hospira", **changes: Any) -> Product:
    """A box of 25 of the item."""
    fields = {"id": id_, "item": ITEM, "labeler": "Hospira", "package_quantity": 25, "ndc": NDC, "gtin": GTIN}
    return Product(**{**fields, **changes})


def policy(place: str = POCKET, **changes: Any) -> ParPolicy:
    """Levels 4 / 20 / 30 in a pocket, satisfied at 12 (halfway from minimum to par)."""
    fields = {"site": SITE, "location": place, "item": ITEM, "minimum": 4, "par": 20, "maximum": 30}
    return ParPolicy(**{**fields, **changes})


def purchase_policy(**changes: Any) -> ParPolicy:
    """Levels 50 / 200 / 400 in the store, bought from a supplier."""
    levels = {"minimum": 50, "par": 200, "maximum": 400, "kind": CommandKind.PURCHASE}
    return policy(STORE, **{**levels, **changes})


def hospital(*more: Any) -> tuple[Any, ...]:
    """The whole small hospital, and whatever a test adds."""
    return (site(), *places(), item(), product(), *more)
