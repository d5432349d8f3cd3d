"""Patients and orders of the simulated wards: plain records that know their own state and decide nothing."""

from __future__ import annotations

from connectors.simulator.catalogue import Drug
from connectors.simulator.plan import Unit
from connectors.simulator.truth import Lot


class Patient:
    """Somebody in a bed. `gone`: discharged."""

    __slots__ = ("bed", "born", "gone", "mrn", "name", "orders", "sex", "unit", "visit")

    def __init__(self, number: int, unit: Unit, bed: tuple[str, str], name: str, born: str, sex: str) -> None:
        """`number` is the site's running number; medical record and visit numbers follow from it."""
        self.mrn = f"M{number:07d}"
        self.visit = f"V{number:07d}"
        self.unit = unit
        self.bed = bed
        self.name = name
        self.born = born
        self.sex = sex
        self.gone = False
        self.orders: list[Order] = []


class Order:
    """A prescription for a patient. `central`: the pharmacy dispenses it; `by_strength`: doses are charted in mg and the like.

    `supply`: lot last dispensed and how many base units of it are left with the patient.
    """

    __slots__ = ("by_strength", "central", "drug", "filler", "fills", "given", "left", "patient", "placer", "stopped", "supply")

    def __init__(self, number: int, patient: Patient, drug: Drug, *, central: bool, by_strength: bool) -> None:
        """`number` is the site's running number of orders."""
        self.placer = f"P{number:08d}"
        self.filler = f"F{number:08d}"
        self.patient = patient
        self.drug = drug
        self.central = central
        self.by_strength = by_strength
        self.stopped = False
        self.given = 0
        self.fills = 0
        self.supply: Lot | None = None
        self.left = 0
