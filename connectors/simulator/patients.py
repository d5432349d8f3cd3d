"""What happens at the bedside: admissions, transfers, discharges, orders, vends, doses, refusals, returns, waste.

Owns nurses and patients. It takes stock only where it is and never more than is there; who refills is not its business.
"""

from __future__ import annotations

from typing import Final

from connectors.simulator.clock import DAY, HOUR
from connectors.simulator.feeds import Part, as_one
from connectors.simulator.hospital import Hospital
from connectors.simulator.people import Order, Patient
from connectors.simulator.plan import CENTRAL_SHARE, RETURNS, Unit
from connectors.simulator.truth import PATIENT, Lot

OCCUPIED_AT_START: Final = 0.85
STAY_DAYS: Final = 4.0
ORDERS: Final = (6, 10)
REFUSED: Final = 0.03
MORE_THAN_NEEDED: Final = 0.01
TRANSFERRED: Final = 0.12
EXTRA_BED: Final = "X"
RETURNED_TO_PHARMACY: Final = 0.25
_FAMILIES: Final = ("GARCIA", "NGUYEN", "SMITH", "OKAFOR", "PATEL", "JOHNSON", "KOWALSKI", "TANAKA", "BROWN", "HADDAD", "LOPEZ")
_GIVEN: Final = ("ANA", "JAMES", "MINH", "CHIDI", "PRIYA", "MARY", "JAN", "YUKI", "OMAR", "ROSA", "DAVID", "GRACE", "PETER")


class Patients:
    """Patients, their orders and doses at one site."""

    def __init__(self, hospital: Hospital) -> None:
        """Fills the beds of the first morning."""
        self.h = hospital
        self._beds = hospital.chance("beds")
        self._orders = hospital.chance("orders")
        self._doses = hospital.chance("doses")
        morning = hospital.start + 6 * HOUR
        for unit in hospital.plan.units:
            for bed in unit.beds:
                full = self._beds.random() < OCCUPIED_AT_START
                delay = self._beds.randint(0, 3 * HOUR) if full else self._beds.randint(4 * HOUR, 30 * HOUR)
                hospital.at(morning + delay, self.admit, unit, bed)

    # ---- beds -----------------------------------------------------------------------------------------------------

    def admit(self, t: int, unit: Unit, bed: tuple[str, str]) -> None:
        """Somebody comes into a free bed."""
        rng = self._beds
        number = self.h.feeds.number("patient")
        name = f"{_FAMILIES[number % len(_FAMILIES)]}^{_GIVEN[number % len(_GIVEN)]}"
        born = f"{rng.randint(1935, 2008)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        patient = Patient(number, unit, bed, name, born, rng.choice("FM"))
        self.h.feeds.census("A01", t, patient)
        stay = int(max(12 * HOUR, rng.expovariate(1 / (STAY_DAYS * DAY))))
        self.h.at(t + stay, self.discharge, patient)
        if not unit.is_ward and rng.random() < TRANSFERRED:
            self.h.at(t + stay // 2, self.transfer, patient)
        for _ in range(self._orders.randint(*ORDERS)):
            self._order(t + self._orders.randint(300, 2 * HOUR), patient)

    def discharge(self, t: int, patient: Patient) -> None:
        """The patient leaves; unused doses of the pharmacy may come back to the return bin."""
        patient.gone = True
        self.h.feeds.census("A03", t, patient)
        for order in patient.orders:
            if order.central and order.supply and order.left > 0 and not order.drug.container:
                if self._beds.random() < RETURNED_TO_PHARMACY:
                    self.h.at(t + self._beds.randint(900, 3 * HOUR), self._bring_back, order.supply, order.left)
                order.left = 0
        self._next_patient(t, patient.unit, patient.bed)

    def _next_patient(self, t: int, unit: Unit, bed: tuple[str, str]) -> None:
        """The next patient of a bed; one put up for a transfer is not used again."""
        if bed[1] == EXTRA_BED:
            return
        wait = HOUR + int(self._beds.expovariate(1 / (9 * HOUR)))
        self.h.at(t + wait, self.admit, unit, bed)

    def transfer(self, t: int, patient: Patient) -> None:
        """To another unit with a cabinet, if one has a bed that somebody just left; its nurses vend from its own cabinet."""
        if patient.gone:
            return
        others = [unit for unit in self.h.plan.units if not unit.is_ward and unit is not patient.unit]
        if not others:
            return
        unit = self._beds.choice(others)
        self._next_patient(t, patient.unit, patient.bed)
        room = f"{unit.beds[0][0][:-2]}{90 + self._beds.randrange(10)}"
        patient.unit, patient.bed = unit, (room, EXTRA_BED)
        self.h.feeds.census("A02", t, patient)
        for order in list(patient.orders):
            if not order.central and order.drug.item not in unit.pockets:
                order.stopped = True
                self._order(t + self._orders.randint(300, HOUR), patient)

    def _bring_back(self, t: int, lot: Lot, quantity: int) -> None:
        h = self.h
        card = h.truth.card(RETURNS, lot.box.item)
        t = h.add("return", t, lot, quantity, PATIENT, card, h.feeds.scanner)
        drug = h.drugs[lot.box.item]
        h.feeds.scan("return", t, lot, RETURNS, self._beds.choice(h.technicians), quantity=quantity, unit=drug.base_unit)

    # ---- orders ---------------------------------------------------------------------------------------------------

    def _order(self, t: int, patient: Patient) -> None:
        rng = self._orders
        unit = patient.unit
        central = not unit.is_ward and rng.random() < CENTRAL_SHARE
        drug = rng.choice(self.h.plan.central if central else unit.drugs)
        by_strength = rng.random() < 0.5 and drug.strength_amount is not None and not drug.container
        order = Order(self.h.feeds.number("order"), patient, drug, central=central, by_strength=by_strength)
        patient.orders.append(order)
        self.h.at(t, self._written, order)

    def _written(self, t: int, order: Order) -> None:
        if order.patient.gone:
            return
        self.h.feeds.ordered(t, order)
        if order.central:
            self.h.at(t + self._orders.randint(600, HOUR), self._fill, order)
        self.h.at(t + self._orders.randint(HOUR, HOUR + 24 * HOUR // order.drug.per_day), self._due, order)

    def _over(self, order: Order) -> bool:
        return order.patient.gone or order.stopped

    # ---- central pharmacy -----------------------------------------------------------------------------------------

    def _fill(self, t: int, order: Order) -> None:
        """The pharmacy dispenses a day's doses, or one whole container, from the store."""
        if self._over(order):
            return
        h, drug = self.h, order.drug
        wanted = drug.boxes[0].package if drug.container else drug.dose * drug.per_day
        card = h.main[drug.item]
        lots = h.take(card, wanted, t)
        if drug.container and sum(quantity for _, quantity in lots) < wanted:
            lots = []
        if lots:
            parts = h.remove("dispense", t, card, lots, PATIENT)
            h.feeds.dispensed(order, parts, self._doses.choice(h.pharmacists))
            _, order.supply, _ = parts[-1]
            order.left += sum(quantity for _, _, quantity in parts)
        if not drug.container or not lots:
            h.at(t + DAY, self._fill, order)

    # ---- doses ----------------------------------------------------------------------------------------------------

    def _due(self, t: int, order: Order) -> None:
        """A dose is due: take it from where it is, give it, and come back for the next one."""
        if self._over(order):
            return
        every = DAY // order.drug.per_day
        self.h.at(t + every + self._doses.randint(-1200, 1200), self._due, order)
        if order.central:
            self._from_supply(t, order)
        elif order.patient.unit.is_ward:
            self._from_ward(t, order)
        else:
            self._from_cabinet(t, order)

    def _nurse(self) -> str:
        return self._doses.choice(self.h.nurses)

    def _from_supply(self, t: int, order: Order) -> None:
        dose = order.drug.dose
        if order.supply is None or order.left < dose:
            self.h.feeds.unavailable(t, order, self._nurse())
            return
        order.left -= dose
        self.h.feeds.administered(order, [(t, order.supply, dose)], "CP", self._nurse())

    def _from_ward(self, t: int, order: Order) -> None:
        """No cabinet: what the nurse charts is what leaves the shelf; a refused dose stays there."""
        h, drug = self.h, order.drug
        card = h.pocket(order.patient.unit.place, drug)
        lots = h.take(card, drug.dose, t)
        if sum(quantity for _, quantity in lots) < drug.dose:
            h.feeds.unavailable(t, order, self._nurse())
        elif self._doses.random() < REFUSED:
            h.feeds.administered(order, [(t, lots[0][0], drug.dose)], "RE", self._nurse())
        else:
            parts = h.remove("administer", t, card, lots, PATIENT)
            h.feeds.administered(order, parts, "CP", self._nurse())

    def _from_cabinet(self, t: int, order: Order) -> None:
        h, drug, unit = self.h, order.drug, order.patient.unit
        card = h.pocket(unit.pockets[drug.item], drug)
        extra = drug.dose if self._doses.random() < MORE_THAN_NEEDED else 0
        lots = h.take(card, drug.dose + extra, t)
        had = sum(quantity for _, quantity in lots)
        if had < drug.dose:
            h.feeds.unavailable(t, order, self._nurse())
            return
        nurse = self._nurse()
        parts: list[Part] = []
        lotless, begin = h.feeds.is_unscanned(), card.total
        for part in lots:
            before = card.total
            done = h.remove("vend", t, card, [part], PATIENT, h.feeds.cabinets[unit.place])
            parts += done
            counted = {"begin_count": begin if lotless else before, "begin_count_verified": drug.controlled}
            if not lotless or len(parts) == len(lots):
                self._tell(parts if lotless else done, "vend", unit, order, nurse, lotless=lotless, **counted)
        if had > drug.dose:
            back = t + self._doses.randint(300, 1800)
            for _, lot, quantity in _first(parts[::-1], had - drug.dose)[::-1]:
                h.at(back, self._return, order, unit, lot, quantity, nurse)
            parts = _first(parts, drug.dose)
        h.at(parts[-1][0] + self._doses.randint(120, 900), self._outcome, order, unit, parts, nurse)

    def _tell(
        self, parts: list[Part], action: str, unit: Unit, order: Order, user: str, *, lotless: bool, **more: object
    ) -> None:
        feeds = self.h.feeds
        for t, lot, quantity in as_one(parts) if lotless else parts:
            row = feeds.transaction(action, t, unit, order.drug, quantity, user=user, **more)
            row["patient_id"] = order.patient.mrn
            row["patient_authority"] = self.h.plan.facility
            row["order_id"] = order.placer
            feeds.cabinet(t, [feeds.with_lot(row, lot, lotless=lotless)])

    def _outcome(self, t: int, order: Order, unit: Unit, parts: list[Part], nurse: str) -> None:
        """Most doses are given; a refused one goes back into the pocket or, if it was opened, to waste before a witness."""
        drug = order.drug
        given = [(t + number, lot, quantity) for number, (_, lot, quantity) in enumerate(parts)]
        if self._doses.random() >= REFUSED:
            self.h.feeds.administered(order, given, "CP", nurse)
            return
        self.h.feeds.administered(order, given, "RE", nurse)
        opened = drug.controlled and self._doses.random() < 0.5
        for _, lot, quantity in parts:
            action = self._waste if opened else self._return
            self.h.at(t + self._doses.randint(300, 1800), action, order, unit, lot, quantity, nurse)

    def _return(self, t: int, order: Order, unit: Unit, lot: Lot, quantity: int, nurse: str) -> None:
        h = self.h
        card = h.pocket(unit.pockets[order.drug.item], order.drug)
        before = card.total
        t = h.add("return", t, lot, quantity, PATIENT, card, h.feeds.cabinets[unit.place])
        self._tell([(t, lot, quantity)], "return", unit, order, nurse, lotless=h.feeds.is_unscanned(), begin_count=before)

    def _waste(self, t: int, order: Order, unit: Unit, lot: Lot, quantity: int, nurse: str) -> None:
        """Waste of a removed dose: from the patient to the waste account, so no card changes; a second nurse witnesses."""
        h = self.h
        t = h.stamp(t, h.pocket(unit.pockets[order.drug.item], order.drug), h.feeds.cabinets[unit.place])
        witness = h.nurses[(h.nurses.index(nurse) + 1 + self._doses.randrange(len(h.nurses) - 1)) % len(h.nurses)]
        self._tell([(t, lot, quantity)], "waste", unit, order, nurse, lotless=h.feeds.is_unscanned(), witness=witness)


def _first(parts: list[Part], quantity: int) -> list[Part]:
    """The parts that make up the first `quantity` units."""
    kept: list[Part] = []
    for t, lot, amount in parts:
        share = min(amount, quantity)
        if share > 0:
            kept.append((t, lot, share))
        quantity -= share
    return kept
