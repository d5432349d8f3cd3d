"""The reference data of one site as the indicator rules take it: costs, classes, places, levels, and what codes name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.codes import GTIN, ITEM, NDC, PRODUCT, SUPPLIER, lookup_key
from sinks.indicators.model import Reference
from sinks.indicators.periods import local_day
from sinks.sql.tables import REFERENCE

_KINDS: Final = ("site", "location", "item", "product", "code", "par_policy", "supplier_item")
Document = dict[str, Any]


class Resolver:
    """Which place and item a counted code names; None or empty where it names none or several."""

    def __init__(self, site: str, zone: str, records: dict[str, list[Document]]) -> None:
        """`records` are reference documents by kind; those of other sites are left out by the lookups."""
        self._zone = zone
        self._paths: set[str] = set()
        self._places: dict[str, set[str]] = defaultdict(set)
        for place in records["location"]:
            if place["site"] == site:
                self._paths.add(place["path"])
                for code in (place["path"], *place.get("codes", ())):
                    self._places[code.strip().upper()].add(place["path"])
        self._items: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        for system, value, item, first, last in _codes(site, records):
            self._items[lookup_key(system, value)].add((item, first, last))

    def place(self, codes: Iterable[str], pocket: str | None) -> str | None:
        """The path of the first code that names a place, with the pocket below it."""
        for code in codes:
            paths = self._places.get(code.strip().upper(), set())
            if len(paths) == 1:
                path = next(iter(paths))
                return f"{path}/{pocket.strip('/')}" if pocket else path
            if not paths and not pocket and any(code.startswith(f"{path}/") for path in self._paths):
                return code
        return None

    def item(self, codes: Iterable[tuple[str, str]], at: datetime) -> str:
        """The one item that all known codes agree on."""
        day = local_day(at, self._zone).isoformat()
        named = {
            item
            for system, value in codes
            for item, first, last in self._items.get(lookup_key(system, value), ())
            if (not first or first <= day) and (not last or day <= last)
        }
        return named.pop() if len(named) == 1 else ""


def _codes(site: str, records: dict[str, list[Document]]) -> Iterator[tuple[str, str, str, str, str]]:
    """System, value, item, first and last day of every code."""
    for item in records["item"]:
        yield ITEM, item["id"], item["id"], "", ""
        for code in item.get("codes", ()):
            yield code["system"], code["value"], item["id"], "", ""
    for product in records["product"]:
        of = product["item"]
        own = [(PRODUCT, product["id"]), (NDC, product.get("ndc")), (GTIN, product.get("gtin"))]
        own += [(GTIN, level["gtin"]) for level in product.get("levels", ())]
        own += [(code["system"], code["value"]) for code in product.get("codes", ())]
        yield from ((system, value, of, "", "") for system, value in own if value)
    for link in records["code"]:
        if link.get("site", "") in ("", site):
            yield link["system"], link["value"], link["item"], link.get("valid_from") or "", link.get("valid_to") or ""
    for offer in records["supplier_item"]:
        if offer.get("sku"):
            yield SUPPLIER, offer["sku"], offer["item"], "", ""


def read_reference(connection: Connection, site: str) -> tuple[Reference, Resolver]:
    """What is in force now."""
    records: dict[str, list[Document]] = {kind: [] for kind in _KINDS}
    here = (REFERENCE.c.kind.in_(_KINDS), REFERENCE.c.document.is_not(None))
    for kind, text in connection.execute(sa.select(REFERENCE.c.kind, REFERENCE.c.document).where(*here)):
        records[kind].append(msgspec.json.decode(text))
    zones = {one["id"]: one.get("zone", "UTC") for one in records["site"]}
    product_costs = {one["id"]: Fraction(one["unit_cost"]) for one in records["product"] if one.get("unit_cost") is not None}
    reference = Reference(
        zones=zones,
        place_kinds={(one["site"], one["path"]): one["kind"] for one in records["location"]},
        policies=frozenset((one["site"], one["location"], one["item"]) for one in records["par_policy"]),
        product_costs=product_costs,
        item_costs=_item_costs(records, product_costs),
        schedules={one["id"]: one["schedule"] for one in records["item"] if one.get("schedule")},
        storages={one["id"]: one.get("storage", "room") for one in records["item"]},
        vens={one["id"]: one["ven"] for one in records["item"] if one.get("ven")},
        lead_times={(one["supplier"], one["item"]): one.get("lead_time_days", 1) for one in records["supplier_item"]},
    )
    return reference, Resolver(site, zones.get(site, "UTC"), records)


def _item_costs(records: dict[str, list[Document]], product_costs: dict[str, Fraction]) -> dict[str, Fraction]:
    """Where an entry's product has no cost: the lowest of the item's products, else the lowest price offered."""
    prices: dict[str, Fraction] = {}
    for offer in records["supplier_item"]:
        price = Fraction(offer["price"])
        prices[offer["item"]] = min(price, prices.get(offer["item"], price))
    costs: dict[str, Fraction] = {}
    for product in records["product"]:
        cost = product_costs.get(product["id"])
        if cost is not None:
            costs[product["item"]] = min(cost, costs.get(product["item"], cost))
    return {**prices, **costs}
