"""A plain reader of the simulator's wire formats: what do the messages alone say about stock?

Written from the formats' definitions and the ledger's rules, without the simulator's and the hub's code. It keeps every distinct
fact once, sorts by time, and adds up: that must give the truth, or the messages do not tell it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from schemas.codes import lookup_key
from schemas.raw import CABINET_JSON, FHIR_JSON, SCAN_JSON, RawMessage
from schemas.units import canonical_unit
from tests.unit.simulator.runs import Run, hl7_time, rows, segments, zones

Balance = dict[tuple[str, str, str, str], int]
"""Quantity by site, location, item, lot."""

ELEMENTS = re.compile(r"\]d201(?P<gtin>\d{14})(?:17(?P<first>\d{6})10(?P<lot1>\w+)|10(?P<lot2>\w+)\x1d17(?P<last>\d{6}))")


class Reader:
    """Reads the messages of one run with its reference records."""

    def __init__(self, made: Run) -> None:
        self.run = made
        self.zones = zones(made.network)
        reference = made.network.reference
        self.products = {}
        for product in reference["product"]:
            for system, value in (("ndc", product.ndc), ("gtin", product.gtin), *((c.system, c.value) for c in product.codes)):
                self.products[lookup_key(system, value)] = product
        self.items = {item.id: item for item in reference["item"]}
        self.factors = {(factor.item, factor.unit): Decimal(factor.numerator) for factor in reference["unit_factor"]}
        self.places = {}
        self.locations = {}
        for location in reference["location"]:
            self.locations[(location.site, location.path)] = location
            for code in (location.path, *location.codes):
                self.places[(location.site, code)] = location.path
        self.facilities = {code: site.id for site in reference["site"] for code in site.facility_codes}

    # ---- units and codes ------------------------------------------------------------------------------------------

    def base(self, product: Any, amount: Decimal, unit: str | None) -> int:
        """Base units of an amount; a unit that is neither base, factor nor strength is a fault of the test's subject."""
        item = self.items[product.item]
        if unit is None:
            return int(amount * product.package_quantity)
        name = canonical_unit(unit)
        if name == item.base_unit:
            value = amount
        elif (item.id, name) in self.factors:
            value = amount * self.factors[(item.id, name)]
        else:
            assert item.strength_amount is not None, (item.id, unit)
            assert name == canonical_unit(item.strength_unit), (item.id, unit)
            value = amount / item.strength_amount
        assert value == int(value), f"{amount} {unit} of {item.id} is not whole"
        return int(value)

    def place(self, site: str, code: str) -> str:
        return self.places[(site, code)]

    # ---- facts ----------------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, tuple[datetime, str, str, Any]]:
        """Every distinct fact by identity: instant, site, kind, and what it moves."""
        found: dict[str, tuple[datetime, str, str, Any]] = {}
        for message in self.run.messages:
            for key, fact in self._facts_of(message):
                assert found.setdefault(key, fact) == fact, f"two facts share the identity {key}"
        return found

    def _facts_of(self, message: RawMessage) -> Iterator[tuple[str, tuple[datetime, str, str, Any]]]:
        if message.content_type == CABINET_JSON:
            yield from (self._cabinet(row) for row in rows(message))
        elif message.content_type == SCAN_JSON:
            yield from (self._scan(row) for row in rows(message))
        elif message.content_type == FHIR_JSON:
            yield from self._fhir(message)
        else:
            yield from self._hl7(message)

    def _cabinet(self, row: dict[str, Any]) -> tuple[str, tuple[datetime, str, str, Any]]:
        site = self.facilities[row["facility"]]
        cabinet = self.place(site, row["device"])
        product = self.products[lookup_key(row["code_system"], row["product_code"])]
        quantity = self.base(product, Decimal(row["quantity"]), row["unit"])
        store = self.locations[(site, cabinet)].refill_from
        what = (f"{cabinet}/{row['pocket']}", store, product.item, row.get("lot"), quantity)
        key = f"{row['facility']}|{row['device']}|{row['transaction_id']}"
        return key, (datetime.fromisoformat(row["occurred"]), site, row["action"], what)

    def _scan(self, row: dict[str, Any]) -> tuple[str, tuple[datetime, str, str, Any]]:
        site = self.facilities[row["facility"]]
        match = ELEMENTS.fullmatch(row["barcode"])
        assert match, row["barcode"]
        product = self.products[lookup_key("gtin", match["gtin"])]
        quantity = self.base(product, Decimal(row.get("quantity", 1)), row.get("unit"))
        target = self.place(site, row["to_location"]) if "to_location" in row else "transit"
        what = (self.place(site, row["location"]), target, product.item, match["lot1"] or match["lot2"], quantity)
        return f"{row['session']}|{row['event_id']}", (
            datetime.fromisoformat(row["occurred"]),
            site,
            f"scan {row['activity']}",
            what,
        )

    def _hl7(self, message: RawMessage) -> Iterator[tuple[str, tuple[datetime, str, str, Any]]]:
        header = message.body.decode().split("\r")[0].split("|")
        site = self.facilities[header[3]]
        orders = segments(message, "ORC")
        unit = segments(message, "PV1")[0][3].split("^")[0]
        for rxa in segments(message, "RXA"):
            location = self.place(site, unit)
            key = "|".join((header[2], header[3], orders[0][3], rxa[1], rxa[2], rxa[3], rxa[5].split("^")[0]))
            product = self.products[lookup_key("ndc", rxa[5].split("^")[0])]
            if rxa[20] == "CP" and self.locations[(site, location)].authority == "administration":
                what = (location, None, product.item, rxa[15], self.base(product, Decimal(rxa[6]), rxa[7]))
                yield key, (hl7_time(rxa[3], self.zones[site]), site, "out", what)
            else:
                yield key, (hl7_time(rxa[3], self.zones[site]), site, "nothing", (rxa[6], rxa[7], rxa[15], rxa[20]))
        for order, rxd in zip(orders, segments(message, "RXD"), strict=False):
            product = self.products[lookup_key("ndc", rxd[2].split("^")[0])]
            location = self.place(site, rxd[26].split("^")[0])
            key = "|".join((header[2], header[3], order[3], rxd[7], rxd[1], rxd[3], rxd[2].split("^")[0]))
            what = (location, None, product.item, rxd[18], self.base(product, Decimal(rxd[4]), rxd[5]))
            yield key, (hl7_time(rxd[3], self.zones[site]), site, "out", what)

    def _fhir(self, message: RawMessage) -> Iterator[tuple[str, tuple[datetime, str, str, Any]]]:
        resource = json.loads(message.body, parse_float=Decimal)
        kind = resource["resourceType"]
        if kind == "MedicationRequest":
            return
        medication, context = resource["contained"]
        product = self.products[lookup_key("ndc", medication["code"]["coding"][0]["code"])]
        if kind == "MedicationDispense":
            amount, time, place = resource["quantity"], resource["whenHandedOver"], context["identifier"][0]["value"]
        else:
            amount, time = resource["dosage"]["dose"], resource["effectiveDateTime"]
            place = context["location"][0]["location"]["identifier"]["value"]
        site = message.site or ""
        quantity = self.base(product, Decimal(amount["value"]), amount["unit"])
        what = (self.place(site, place), None, product.item, medication["batch"]["lotNumber"], quantity)
        yield f"{kind}|{resource['identifier'][0]['value']}", (datetime.fromisoformat(time), site, "out", what)

    # ---- the ledger -----------------------------------------------------------------------------------------------

    def balances(self) -> Balance:
        """All facts applied in order of time."""
        stock: Balance = defaultdict(int)
        for _, site, kind, what in sorted(self.facts().values(), key=lambda fact: (fact[0], fact[1], fact[2])):
            if kind not in {"null", "nothing", "waste"}:
                self._apply(stock, site, kind, what)
        return {key: quantity for key, quantity in stock.items() if quantity}

    def _apply(self, stock: Balance, site: str, kind: str, what: Any) -> None:
        place, other, item, lot, quantity = what
        here, there = (site, place, item, lot), (site, other, item, lot)
        if kind in {"vend", "expire", "out", "scan waste"}:
            stock[here] -= quantity
        elif kind in {"return", "scan return", "scan receive"}:
            stock[here] += quantity
        elif kind in {"scan put_away", "scan pick", "unload"}:
            stock[here] -= quantity
            stock[there] += quantity
        elif kind in {"refill", "load"}:
            stock[here] += quantity
            stock[there] -= quantity
        elif kind in {"count", "scan count"}:
            assert stock[here] == quantity, f"a count of {here} found {quantity}, not {stock[here]}"
        else:
            raise AssertionError(kind)
        if kind in {"load", "unload"}:
            total = sum(amount for key, amount in stock.items() if key[:3] == here[:3])
            assert total == (quantity if kind == "load" else 0), f"{kind} at {here}: the pocket holds {total}"
        assert stock[here] >= 0, f"{kind} at {here}: below zero"
        assert other is None or stock[there] >= 0, f"{kind} from {there}: below zero"
