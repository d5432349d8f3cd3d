"""The shape of a simulated network: sites, units, places, policies.

Owns the plan's types and the paths of the places every site has. It decides nothing (see `network`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from connectors.simulator.catalogue import Drug, load_catalogue
from schemas.reference import ParPolicy

MAIN: Final = "main"
TRANSIT: Final = "transit"
RETURNS: Final = "returns"
QUARANTINE: Final = "quarantine"
CLINIC: Final = "infusion"
POCKETS_PER_DRAWER: Final = 8
CENTRAL_SHARE: Final = 0.15
"""Share of a cabinet unit's orders that the central pharmacy dispenses."""
ORDERS_PER_PATIENT: Final = 8
CLINIC_VISITS_PER_DAY: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A nursing unit: its code in PV1-3, the place its stock stands in, and its beds. `pockets`: item → location path."""

    code: str
    place: str
    device: str
    beds: tuple[tuple[str, str], ...]
    pockets: dict[str, str]
    drugs: tuple[Drug, ...]

    @property
    def is_ward(self) -> bool:
        """Whether stock stands openly in one place instead of in a cabinet's pockets."""
        return not self.device


@dataclass(frozen=True, slots=True, eq=False)
class SitePlan:
    """One site: identity, units, the drugs it uses, and its par policies by (location, item)."""

    id: str
    name: str
    zone: str
    facility: str
    index: int
    with_offset: bool
    cabinet_codes: str
    units: tuple[Unit, ...]
    central: tuple[Drug, ...]
    clinic: tuple[Drug, ...]
    policies: dict[tuple[str, str], ParPolicy]

    @property
    def drugs(self) -> tuple[Drug, ...]:
        """Every drug the main store keeps, in the catalogue's order."""
        kept = {item for location, item in self.policies if location == MAIN}
        return tuple(drug for drug in load_catalogue() if drug.item in kept)

    def source(self, feed: str) -> str:
        """The source id of one of the site's feeds."""
        return f"{self.id}-{feed}"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The whole network: site plans, and reference records by kind (see `schemas.reference.REFERENCE_KINDS`)."""

    sites: tuple[SitePlan, ...]
    reference: dict[str, tuple[object, ...]] = field(default_factory=dict)
