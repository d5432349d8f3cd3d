"""Reference records of a simulated network: what the hub is told about it before the first message.

Owns the translation of site plans into `schemas.reference` records. Nothing here is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from connectors.simulator.catalogue import Drug, load_catalogue
from connectors.simulator.drawing import FEFO
from connectors.simulator.knobs import Knobs
from connectors.simulator.plan import CLINIC, MAIN, QUARANTINE, RETURNS, TRANSIT, SitePlan, Unit
from schemas.codes import LOCAL, Code
from schemas.kinds import CommandKind, ConsumptionRuleKind, Feed, LocationKind
from schemas.reference import (
    ApprovalRule,
    ConsumptionRule,
    DrawingRule,
    Item,
    Location,
    Product,
    Role,
    Site,
    Supplier,
    SupplierItem,
    UnitFactor,
)

SUPPLIERS: Final = (
    Supplier(id="prairie", name="Prairie Drug Wholesale", reliability=Decimal("0.97")),
    Supplier(id="coastal", name="Coastal Medical Supply", reliability=Decimal("0.93")),
    Supplier(id="direct", name="Manufacturer Direct", reliability=Decimal("0.99")),
)
PEOPLE: Final = (
    ("pharm1", "pharmacist"),
    ("pharm2", "pharmacist"),
    ("tech1", "technician"),
    ("tech2", "technician"),
    ("tech3", "technician"),
    ("buyer1", "buyer"),
    ("steward1", "steward"),
    *((f"rn{number:02d}", "nurse") for number in range(1, 13)),
)
"""Staff of every site; an id is `<site>-<name>`."""
EXPIRED_HOURS: Final = 24
"""Every morning what expired by midnight is taken away."""
NETWORK_STEWARD: Final = Role(person="network-steward1", role="steward")
"""Decides on changes that concern all sites: an item is stocked by each of them."""


def person(site: str, name: str) -> str:
    """The id of a member of a site's staff."""
    return f"{site}-{name}"


def _site(plan: SitePlan) -> Site:
    return Site(id=plan.id, name=plan.name, zone=plan.zone, facility_codes=(plan.facility,))


def _unit_location(site: str, unit: Unit) -> Location:
    if unit.is_ward:
        return Location(
            site=site,
            path=unit.place,
            kind=LocationKind.WARD,
            name="4 West, floor stock",
            codes=(unit.code,),
            authority=Feed.ADMINISTRATION,
            refill_from=MAIN,
        )
    return Location(
        site=site,
        path=unit.place,
        kind=LocationKind.CABINET,
        name=f"{unit.code} cabinet 1",
        codes=(unit.device, unit.code),
        authority=Feed.CABINET,
        refill_from=MAIN,
    )


def _locations(plan: SitePlan) -> list[Location]:
    site = plan.id
    found = [
        Location(
            site=site,
            path=MAIN,
            kind=LocationKind.STORE,
            name="Central pharmacy",
            codes=("MAIN", "CENTRAL"),
            authority=Feed.DISPENSE,
        ),
        Location(site=site, path=TRANSIT, kind=LocationKind.TRANSIT, name="On the way", codes=("TRANSIT",), authority=Feed.SCAN),
        Location(
            site=site, path=RETURNS, kind=LocationKind.RETURN_BIN, name="Return bin", codes=("RETBIN",), authority=Feed.SCAN
        ),
        Location(
            site=site,
            path=QUARANTINE,
            kind=LocationKind.QUARANTINE,
            name="Quarantine shelf",
            codes=("QUAR",),
            authority=Feed.SCAN,
        ),
        *(_unit_location(site, unit) for unit in plan.units),
    ]
    if plan.clinic:
        found.append(
            Location(
                site=site,
                path=CLINIC,
                kind=LocationKind.WARD,
                name="Infusion clinic",
                codes=("INFUSION",),
                authority=Feed.ADMINISTRATION,
                refill_from=MAIN,
            )
        )
    return found


def _item(drug: Drug) -> Item:
    return Item(
        id=drug.item,
        name=drug.name,
        base_unit=drug.base_unit,
        strength_amount=drug.strength_amount,
        strength_unit=drug.strength_unit or None,
        form=drug.form,
        consumption_rule=ConsumptionRuleKind(drug.rule),
        schedule=drug.schedule,
        formulary=drug.formulary,
        storage=drug.storage,  # type: ignore[arg-type]  # the catalogue's test proves the three values
        high_alert=drug.high_alert,
        codes=(Code(system=LOCAL, value=drug.local),),
    )


def _products(drug: Drug) -> list[Product]:
    return [
        Product(
            id=box.id,
            item=box.item,
            labeler=box.labeler,
            package_quantity=box.package,
            name=drug.name,
            ndc=box.ndc,
            gtin=box.gtin,
            codes=(Code(system=LOCAL, value=box.local),),
            unit_cost=box.cost,
        )
        for box in drug.boxes
    ]


def _factors(drug: Drug) -> list[UnitFactor]:
    """A box is a package of the item's first product; `each` is one base unit; a container is a box that goes to one patient."""
    package = drug.boxes[0].package
    units = {"each": 1, "box": package}
    if drug.container:
        units[drug.container] = package
    return [UnitFactor(item=drug.item, unit=unit, numerator=count) for unit, count in units.items()]


def _rules(plan: SitePlan) -> list[ConsumptionRule]:
    """At places without a cabinet a nurse's dose decides what is used up, so its rule is stated there for every item."""
    places = [(unit.place, unit.drugs) for unit in plan.units if unit.is_ward]
    if plan.clinic:
        places.append((CLINIC, plan.clinic))
    return [
        ConsumptionRule(site=plan.id, location=place, item=drug.item, rule=ConsumptionRuleKind(drug.rule))
        for place, drugs in places
        for drug in drugs
    ]


def _supplier_items(drug: Drug) -> list[SupplierItem]:
    """The wholesaler sells everything; a second one sells every other item; biologics also come from their maker."""
    box = drug.boxes[0]
    sold = [("prairie", Decimal("1.00"), 1)]
    if drug.number % 2 == 0:
        sold.append(("coastal", Decimal("0.97"), 2))
    if box.cost > 100:
        sold.append(("direct", Decimal("0.95"), 3))
    return [
        SupplierItem(
            supplier=supplier,
            item=drug.item,
            price=(box.cost * share).quantize(Decimal("0.0001")),
            pack=box.package,
            lead_time_days=rank,
            rank=rank,
            sku=f"{supplier[:2].upper()}{drug.number}",
        )
        for supplier, share, rank in sold
    ]


def _approval_rules() -> list[ApprovalRule]:
    purchases = (CommandKind.PURCHASE, CommandKind.EXPEDITE)
    return [
        ApprovalRule(id="controlled-purchase", role="pharmacist", kinds=(*purchases, CommandKind.TRANSFER), controlled=True),
        ApprovalRule(id="high-value", role="buyer", kinds=purchases, value_from=Decimal(5000)),
        ApprovalRule(id="non-formulary", role="pharmacist", kinds=purchases, non_formulary=True),
    ]


def _drawing_rules(sites: Sequence[SitePlan], knobs: Knobs) -> tuple[DrawingRule, ...]:
    if knobs.drawing == FEFO and not knobs.careless:
        return ()
    compliance = Decimal(str(round(1 - knobs.careless, 6)))
    rule: Any = knobs.drawing
    return tuple(DrawingRule(site=plan.id, rule=rule, compliance=compliance, expired_hours=EXPIRED_HOURS) for plan in sites)


def _staff(sites: Sequence[SitePlan]) -> list[Role]:
    return [Role(person=person(plan.id, name), role=role, sites=(plan.id,)) for plan in sites for name, role in PEOPLE]  # type: ignore[arg-type]


def reference_of(sites: Sequence[SitePlan], knobs: Knobs) -> dict[str, tuple[object, ...]]:
    """Records by kind name, in an order in which every record follows those it refers to.

    How lots are taken is stated where it is not by first expiry alone.
    """
    drugs = load_catalogue()
    drawing = _drawing_rules(sites, knobs)
    return {
        "site": tuple(_site(plan) for plan in sites),
        "location": tuple(location for plan in sites for location in _locations(plan)),
        "item": tuple(_item(drug) for drug in drugs),
        "product": tuple(product for drug in drugs for product in _products(drug)),
        "unit_factor": tuple(factor for drug in drugs for factor in _factors(drug)),
        "consumption_rule": tuple(rule for plan in sites for rule in _rules(plan)),
        "par_policy": tuple(policy for plan in sites for policy in plan.policies.values()),
        "supplier": SUPPLIERS,
        "supplier_item": tuple(sold for drug in drugs for sold in _supplier_items(drug)),
        "role": (*_staff(sites), NETWORK_STEWARD),
        "approval_rule": tuple(_approval_rules()),
        **({"drawing_rule": drawing} if drawing else {}),
    }
