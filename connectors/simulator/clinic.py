"""The infusion clinic of one site: outpatients on weekdays, told in FHIR.

Owns the clinic's visits. Doses come from the clinic's own open stock, medicines to take home from the central pharmacy.
"""

from __future__ import annotations

from typing import Final

from connectors.simulator.catalogue import Drug
from connectors.simulator.clock import HOUR
from connectors.simulator.feeds import as_one
from connectors.simulator.hospital import Hospital
from connectors.simulator.plan import CLINIC, CLINIC_VISITS_PER_DAY, MAIN
from connectors.simulator.truth import PATIENT

DOSES: Final = (1, 3)
TAKE_HOME: Final = 0.5
SATURDAY: Final = 5


class Clinic:
    """Visits of the clinic, when the site has one."""

    def __init__(self, hospital: Hospital) -> None:
        """Plans the first day."""
        self.h = hospital
        self._rng = hospital.chance("clinic")
        if hospital.plan.clinic:
            self._home = tuple(drug for drug in hospital.plan.clinic if "R" in drug.places)
            hospital.at(hospital.start + 7 * HOUR, self._day)

    def _day(self, t: int) -> None:
        if self.h.clock.weekday(t) < SATURDAY:
            for _ in range(CLINIC_VISITS_PER_DAY):
                self.h.at(t + self._rng.randint(HOUR, 9 * HOUR), self._visit)
        self.h.at(self.h.next_day_at(t, 7 * HOUR), self._day)

    def _order(self) -> str:
        return f"MR-{self.h.plan.id}-{self.h.feeds.number('request'):08d}"

    def _visit(self, t: int) -> None:
        """A visitor gets one to three medicines, and sometimes one to take home."""
        h = self.h
        mrn = f"C{h.feeds.number('visitor'):07d}"
        for _ in range(self._rng.randint(*DOSES)):
            drug = self._rng.choice(h.plan.clinic)
            order = self._order()
            h.feeds.clinic_request(t, order, mrn, drug)
            h.at(t + self._rng.randint(300, 2400), self._give, order, mrn, drug)
        if self._home and self._rng.random() < TAKE_HOME:
            h.at(t + self._rng.randint(2400, HOUR), self._take_home, mrn)

    def _give(self, t: int, order: str, mrn: str, drug: Drug) -> None:
        h = self.h
        card = h.pocket(CLINIC, drug)
        lots = h.take(card, drug.dose, t)
        if sum(quantity for _, quantity in lots) < drug.dose:
            return
        parts, lotless = h.remove("administer", t, card, lots, PATIENT), h.feeds.is_unscanned()
        for part in as_one(parts) if lotless else parts:
            h.feeds.clinic_administration(part, order, mrn, drug, self._rng.choice(h.nurses), lotless=lotless)

    def _take_home(self, t: int, mrn: str) -> None:
        h = self.h
        drug = self._rng.choice(self._home)
        order = self._order()
        h.feeds.clinic_request(t, order, mrn, drug)
        card = h.truth.card(MAIN, drug.item)
        parts = h.remove("dispense", t + 60, card, h.take(card, drug.dose * 6, t), PATIENT)
        lotless = bool(parts) and h.feeds.is_unscanned()
        for part in as_one(parts) if lotless else parts:
            h.feeds.clinic_dispense(part, order, mrn, drug, self._rng.choice(h.pharmacists), lotless=lotless)
