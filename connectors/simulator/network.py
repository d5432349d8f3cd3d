"""The simulated network: sites, units, cabinets, pockets, policies, and the reference records that describe them.

Owns the plan that both the reference files and the simulation are made from. It decides sizes from expected use and never
looks at what happens later. Everything is a function of the knobs `sites`, `beds` and `seed`.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

from connectors.simulator.catalogue import Drug, load_catalogue
from connectors.simulator.knobs import Knobs
from connectors.simulator.plan import (
    CENTRAL_SHARE,
    CLINIC,
    CLINIC_VISITS_PER_DAY,
    MAIN,
    ORDERS_PER_PATIENT,
    POCKETS_PER_DRAWER,
    Network,
    SitePlan,
    Unit,
)
from connectors.simulator.records import reference_of
from schemas.kinds import CommandKind
from schemas.reference import ParPolicy

UNIT_BEDS_MAX: Final = 16
CABINET_ITEMS: Final = 34
WARD_ITEMS: Final = 22
OCCUPANCY: Final = 0.85

_SITES: Final = (
    ("north", "North General Hospital", "America/New_York", "NORTHGEN"),
    ("south", "South Memorial Hospital", "America/Chicago", "SOUTHMEM"),
    ("river", "River Valley Medical Center", "America/Phoenix", "RIVERVAL"),
    ("harbor", "Harbor City Hospital", "America/Los_Angeles", "HARBORCH"),
    ("summit", "Summit Community Hospital", "America/Denver", "SUMMITCH"),
    ("lake", "Lakeside Regional Hospital", "America/Detroit", "LAKESIDE"),
)
_UNITS: Final = ("ICU", "MED", "SURG", "ONC", "CARD", "NEURO", "ORTHO", "PEDS", "ED", "OB", "RENAL", "STEP")
_CODE_SYSTEMS: Final = ("ndc", "local", "gtin")


def _identity(index: int) -> tuple[str, str, str, str]:
    if index < len(_SITES):
        return _SITES[index]
    zone = _SITES[index % len(_SITES)][2]
    return f"site{index + 1}", f"Hospital {index + 1}", zone, f"HOSP{index + 1:04d}"


def _beds(number: int, count: int) -> tuple[tuple[str, str], ...]:
    return tuple((f"{number}{bed // 2 + 1:02d}", "AB"[bed % 2]) for bed in range(count))


def _doses_a_day(drug: Drug, patients: float, choices: int, orders: float) -> float:
    """Expected base units of one drug used a day by `patients`, each with `orders` drawn from `choices` drugs."""
    return patients * orders / max(1, choices) * drug.dose * drug.per_day


def _policy(site: str, location: str, drug: Drug, daily: float) -> ParPolicy:
    """A restock policy: par is two and a half days of expected use, the minimum somewhat less than one."""
    least = drug.dose * 2
    par = max(least * 2 + 2, math.ceil(daily * 2.5))
    minimum = max(least - 1, round(par * 0.35))
    return ParPolicy(
        site=site,
        location=location,
        item=drug.item,
        minimum=minimum,
        par=par,
        maximum=par + max(drug.dose, par // 4),
        critical=minimum // 3,
        source=MAIN,
    )


def _purchase_policy(site: str, drug: Drug, daily: float, below: int) -> ParPolicy:
    """A purchase policy of the store: about six days of use, in whole packages of the item's first product."""
    package = drug.boxes[0].package
    packages = max(2, math.ceil((daily * 6 + below * 0.5) / package))
    par = packages * package
    minimum = max(1, round(par * 0.45))
    return ParPolicy(
        site=site,
        location=MAIN,
        item=drug.item,
        minimum=minimum,
        par=par,
        maximum=par * 2,
        critical=minimum // 4,
        kind=CommandKind.PURCHASE,
        satisfied_at=minimum + max(1, (par - minimum) // 3),
        multiple=package,
    )


def _pick(rng: Random, drugs: list[Drug], count: int) -> tuple[Drug, ...]:
    chosen = {drug.item for drug in rng.sample(drugs, min(count, len(drugs)))}
    return tuple(drug for drug in drugs if drug.item in chosen)


def _cabinet(rng: Random, number: int, beds: int) -> Unit:
    drugs = [drug for drug in load_catalogue() if "C" in drug.places]
    controlled = [drug for drug in drugs if drug.controlled]
    others = [drug for drug in drugs if not drug.controlled]
    kept = {drug.item for drug in (*_pick(rng, controlled, 7), *_pick(rng, others, CABINET_ITEMS - 7))}
    chosen = tuple(drug for drug in drugs if drug.item in kept)
    base = _UNITS[number % len(_UNITS)]
    code = base if number < len(_UNITS) else f"{base}{number // len(_UNITS) + 1}"
    place = f"{code.lower()}/cab1"
    pockets = {
        drug.item: f"{place}/d{slot // POCKETS_PER_DRAWER + 1}/p{slot % POCKETS_PER_DRAWER + 1:02d}"
        for slot, drug in enumerate(chosen)
    }
    return Unit(code=code, place=place, device=f"{code}-CAB1", beds=_beds(number + 1, beds), pockets=pockets, drugs=chosen)


def _ward(rng: Random, beds: int) -> Unit:
    chosen = _pick(rng, [drug for drug in load_catalogue() if "W" in drug.places], WARD_ITEMS)
    pockets = {drug.item: "4west" for drug in chosen}
    return Unit(code="4W", place="4west", device="", beds=_beds(40, beds), pockets=pockets, drugs=chosen)


def _units(rng: Random, beds: int) -> tuple[Unit, ...]:
    """One ward without cabinet with a fifth of the beds (at most one unit's), the others in units with a cabinet each."""
    ward_beds = min(UNIT_BEDS_MAX, max(1, beds // 5))
    left = beds - ward_beds
    count = max(1, math.ceil(left / UNIT_BEDS_MAX))
    sizes = [left // count + (1 if number < left % count else 0) for number in range(count)]
    return (*(_cabinet(rng, number, size) for number, size in enumerate(sizes)), _ward(rng, ward_beds))


def _site(index: int, knobs: Knobs) -> SitePlan:
    site, name, zone, facility = _identity(index)
    rng = Random(f"{knobs.seed}:{site}:network")  # noqa: S311  # a reproducible plan, nothing secret
    units = _units(rng, knobs.beds)
    central = tuple(drug for drug in load_catalogue() if "R" in drug.places)
    clinic = tuple(drug for drug in load_catalogue() if "F" in drug.places) if index == knobs.sites - 1 else ()
    policies: dict[tuple[str, str], ParPolicy] = {}
    daily: dict[str, float] = {}
    below: dict[str, int] = {}
    for unit in units:
        own = ORDERS_PER_PATIENT * (1 if unit.is_ward else 1 - CENTRAL_SHARE)
        for drug in unit.drugs:
            use = _doses_a_day(drug, len(unit.beds) * OCCUPANCY, len(unit.drugs), own)
            policy = _policy(site, unit.pockets[drug.item], drug, use)
            policies[(policy.location, drug.item)] = policy
            daily[drug.item] = daily.get(drug.item, 0.0) + use
            below[drug.item] = below.get(drug.item, 0) + policy.par
        if not unit.is_ward:
            for drug in central:
                use = _doses_a_day(drug, len(unit.beds) * OCCUPANCY, len(central), ORDERS_PER_PATIENT * CENTRAL_SHARE)
                daily[drug.item] = daily.get(drug.item, 0.0) + (drug.boxes[0].package * 0.3 if drug.container else use)
    for drug in clinic:
        use = CLINIC_VISITS_PER_DAY * 3 * drug.dose / len(clinic)
        policy = _policy(site, CLINIC, drug, use)
        policies[(CLINIC, drug.item)] = policy
        daily[drug.item] = daily.get(drug.item, 0.0) + use
        below[drug.item] = below.get(drug.item, 0) + policy.par
    for drug in load_catalogue():
        if drug.item in daily:
            policies[(MAIN, drug.item)] = _purchase_policy(site, drug, daily[drug.item], below.get(drug.item, 0))
    return SitePlan(
        id=site,
        name=name,
        zone=zone,
        facility=facility,
        index=index,
        with_offset=index % 2 == 1,
        cabinet_codes=_CODE_SYSTEMS[index % len(_CODE_SYSTEMS)],
        units=units,
        central=central,
        clinic=clinic,
        policies=policies,
    )


def build_network(knobs: Knobs) -> Network:
    """The network of these knobs (`sites`, `beds`, `seed`), with its reference records."""
    sites = tuple(_site(index, knobs) for index in range(knobs.sites))
    return Network(sites=sites, reference=reference_of(sites, knobs))
