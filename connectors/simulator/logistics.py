"""What pharmacy technicians do: first stock, refills, ward restocks, deliveries, counts, expired stock.

Owns stock that moves without a patient. The simulated hospital runs itself: a low place is refilled hours later whether or not
anybody asks for it. Expired store stock goes to the quarantine shelf by put-away and is destroyed there.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from connectors.simulator.catalogue import Box, Drug
from connectors.simulator.clock import DAY, HOUR
from connectors.simulator.feeds import Part, as_one
from connectors.simulator.hospital import Hospital
from connectors.simulator.knobs import Knobs
from connectors.simulator.plan import CLINIC, MAIN, POCKETS_PER_DRAWER, QUARANTINE, RETURNS, TRANSIT, Unit
from connectors.simulator.truth import SUPPLIER, WASTE, Card, Lot

REFILL_HOURS: Final = (1, 9)
PARTIAL_REFILL: Final = 0.15
RETRY_HOURS: Final = 6
LEAD_DAYS: Final = (1, 3)
REASSIGNED: Final = 0.05
"""Chance that a counted pocket is emptied and loaded anew."""
DAYS_A_CYCLE: Final = 7
SCANNED_SINGLY_MAX: Final = 3
"""Most packages of a lot that somebody scans one by one."""


class _Filled(NamedTuple):
    """What is told of a fill: what came, the pocket's total before, and whether without lot."""

    part: Part
    before: int
    lotless: bool


class Logistics:
    """The pharmacy's own work at one site."""

    def __init__(self, hospital: Hospital, knobs: Knobs) -> None:
        """Plans the first stock and the daily rounds, and watches every card for low stock."""
        self.h = hospital
        self._miscounts = knobs.miscounts
        self._rng = hospital.chance("logistics")
        self._faults = hospital.chance("miscounts")
        self._units = {path: unit for unit in hospital.plan.units for path in unit.pockets.values()}
        hospital.low = self.check
        start = hospital.start
        for number, drug in enumerate(hospital.plan.drugs):
            hospital.at(start + 600 + number * 20, self._first_stock, drug)
        for number, unit in enumerate(hospital.plan.units):
            for drawer in range(0, len(unit.drugs), POCKETS_PER_DRAWER):
                drugs = unit.drugs[drawer : drawer + POCKETS_PER_DRAWER]
                hospital.at(start + 2 * HOUR + number * 600 + drawer * 15, self._first_load, unit, drugs)
        for number, drug in enumerate(hospital.plan.clinic):
            hospital.at(start + 4 * HOUR + number * 30, self._put_away, hospital.pocket(CLINIC, drug), drug)
        hospital.at(start + 5 * HOUR + 1800, self._morning)
        hospital.at(hospital.next_day_at(start, 2 * HOUR), self._night)

    # ---- watching -------------------------------------------------------------------------------------------------

    def check(self, t: int, card: Card) -> None:
        """Arrange for more when a card is at or below its minimum and nobody has yet."""
        if card.policy is None or card.busy or card.usable(t) > card.policy.minimum:
            return
        card.busy = True
        drug = self.h.drugs[card.item]
        if card.location == MAIN:
            days = self._rng.randint(*LEAD_DAYS)
            self.h.at(self.h.next_day_at(t + (days - 1) * DAY, self._rng.randint(7 * HOUR, 11 * HOUR)), self._deliver, card, drug)
            return
        unit = self._units.get(card.location)
        refill: Any = self._restock if unit is None or unit.is_ward else self._refill
        self.h.at(t + self._rng.randint(REFILL_HOURS[0] * HOUR, REFILL_HOURS[1] * HOUR), refill, card, drug)

    def _wanted(self, t: int, card: Card) -> int:
        """Up to par; sometimes the technician brings less."""
        if card.policy is None:
            return 0
        missing = card.policy.par - card.usable(t)
        if missing > 1 and self._rng.random() < PARTIAL_REFILL:
            return max(1, missing * self._rng.randint(3, 8) // 10)
        return missing

    def _again(self, t: int, card: Card, drug: Drug, action: Any, *, nothing: bool) -> None:
        """After a refill: come back when there was nothing to bring, else look whether it was enough."""
        if nothing:
            self.h.at(t + RETRY_HOURS * HOUR, action, card, drug)
            return
        card.busy = False
        self.check(t, card)

    def _technician(self) -> str:
        return self._rng.choice(self.h.technicians)

    # ---- the store ------------------------------------------------------------------------------------------------

    def _first_stock(self, t: int, drug: Drug) -> None:
        """The store's opening stock: enough for its own par and for filling every place below it."""
        h = self.h
        below = sum(policy.par for (place, item), policy in h.plan.policies.items() if item == drug.item and place != MAIN)
        self._receive(t, drug, h.plan.policies[(MAIN, drug.item)].par + below, "OPENING")

    def _deliver(self, t: int, card: Card, drug: Drug) -> None:
        card.busy = False
        if card.policy is not None:
            missing = card.policy.par - card.usable(t)
            if missing > 0:
                self._receive(t, drug, missing, f"PO-{self.h.plan.id.upper()}-{self.h.feeds.number('purchase'):06d}")
        self.check(t, card)

    def _receive(self, t: int, drug: Drug, quantity: int, order: str) -> None:
        """Whole packages of one or two lots; when the item has two products each may come."""
        first = self._rng.choice(drug.boxes)
        boxes: list[Box] = [first]
        if quantity > 2 * first.package and self._rng.random() < 0.4:
            boxes.append(self._rng.choice(drug.boxes))
        share = math.ceil(quantity / len(boxes))
        for box in boxes:
            packages = math.ceil(share / box.package)
            self._receive_lot(t, drug, self.h.new_lot(box, t), packages, order)

    def _receive_lot(self, t: int, drug: Drug, lot: Lot, packages: int, order: str) -> None:
        """A few packages may be scanned one by one; more are scanned once, and the number is typed in."""
        h = self.h
        one_by_one = packages <= SCANNED_SINGLY_MAX and self._rng.random() < 0.5
        for count in [1] * packages if one_by_one else [packages]:
            quantity = count * lot.box.package
            t = h.add("receive", t, lot, quantity, SUPPLIER, h.main[drug.item], h.feeds.scanner)
            h.feeds.scan("receive", t, lot, MAIN, self._technician(), order_id=order, **self._amount(drug, lot, count, quantity))

    def _amount(self, drug: Drug, lot: Lot, packages: int, quantity: int) -> dict[str, Any]:
        """How a scan states an amount: not at all for one package, else in packages, boxes or base units."""
        if packages == 1:
            return {}
        if lot.box is drug.boxes[0] and self._rng.random() < 0.3:
            return {"quantity": packages, "unit": "box"}
        return {"quantity": packages} if self._rng.random() < 0.5 else {"quantity": quantity, "unit": drug.base_unit}

    # ---- cabinets -------------------------------------------------------------------------------------------------

    def _first_load(self, t: int, unit: Unit, drugs: tuple[Drug, ...]) -> None:
        """A whole drawer of a cabinet, told in one body; a ward's shelf item by item."""
        rows: list[dict[str, Any]] = []
        for drug in drugs:
            card = self.h.pocket(unit.pockets[drug.item], drug)
            if unit.is_ward:
                self._put_away(t, card, drug)
            else:
                t = self._load(t, unit, card, drug, rows)
        if rows:
            self.h.feeds.cabinet(t, rows)

    def _load(self, t: int, unit: Unit, card: Card, drug: Drug, rows: list[dict[str, Any]]) -> int:
        """Assign a pocket: into an empty one the first lot is loaded, whatever else comes is a refill.

        Adds the transactions to `rows`; returns the instant of the last one.
        """
        h = self.h
        policy = h.plan.policies[(card.location, card.item)]
        user = self._technician()
        lots = h.take(h.main[drug.item], policy.par, t)
        for filled in self._fill(t, unit, card, drug, lots):
            t, lot, quantity = filled.part
            action = "refill" if filled.before else "load"
            row = h.feeds.transaction(action, t, unit, drug, quantity, user=user)
            rows.append(h.feeds.with_lot(row, lot, lotless=filled.lotless))
        self._again(t, card, drug, self._load_later, nothing=not lots)
        return t

    def _fill(
        self, t: int, unit: Unit, card: Card, drug: Drug, lots: list[tuple[Lot, int]], into_empty: str = "load"
    ) -> list[_Filled]:
        """Fill a pocket lot by lot; returns what is to be told of it."""
        lotless = self.h.feeds.is_unscanned()
        told: list[_Filled] = []
        for lot in lots:
            before, kind = card.total, "refill" if card.total else into_empty
            done = self.h.remove(kind, t, self.h.main[drug.item], [lot], card, self.h.feeds.cabinets[unit.place])
            told += [_Filled(part, before, lotless) for part in done]
        if lotless and told:
            [whole] = as_one([one.part for one in told])
            return [_Filled(whole, told[0].before, lotless)]
        return told

    def _load_later(self, t: int, card: Card, drug: Drug) -> None:
        rows: list[dict[str, Any]] = []
        t = self._load(t, self._units[card.location], card, drug, rows)
        if rows:
            self.h.feeds.cabinet(t, rows)

    def _refill(self, t: int, card: Card, drug: Drug) -> None:
        h = self.h
        unit = self._units[card.location]
        user = self._technician()
        lots = h.take(h.main[drug.item], self._wanted(t, card), t)
        for filled in self._fill(t, unit, card, drug, lots, "refill"):
            t, lot, quantity = filled.part
            row = h.feeds.transaction("refill", t, unit, drug, quantity, user=user, begin_count=filled.before)
            h.feeds.cabinet(t, [h.feeds.with_lot(row, lot, lotless=filled.lotless)])
        self._again(t, card, drug, self._refill, nothing=not lots and card.usable(t) <= card.minimum)

    # ---- wards ----------------------------------------------------------------------------------------------------

    def _put_away(self, t: int, card: Card, drug: Drug) -> None:
        """Straight from the store to its place, one scan a lot."""
        h = self.h
        user = self._technician()
        lots = h.take(h.main[drug.item], self._wanted(t, card), t)
        for at, lot, quantity in h.remove("put_away", t, h.main[drug.item], lots, card, h.feeds.scanner):
            h.feeds.scan("put_away", at, lot, MAIN, user, to_location=card.location, quantity=quantity, unit=drug.base_unit)
            t = at
        self._again(t, card, drug, self._put_away, nothing=not lots and card.usable(t) <= card.minimum)

    def _restock(self, t: int, card: Card, drug: Drug) -> None:
        """Half of the restocks go straight; the others are picked into transit and put away within the hour."""
        if self._rng.random() < 0.5:
            self._put_away(t, card, drug)
            return
        h = self.h
        user = self._technician()
        cart = h.truth.card(TRANSIT, drug.item)
        lots = h.take(h.main[drug.item], self._wanted(t, card), t)
        for at, lot, quantity in h.remove("pick", t, h.main[drug.item], lots, cart, h.feeds.scanner):
            h.feeds.scan("pick", at, lot, MAIN, user, quantity=quantity, unit=drug.base_unit)
            h.at(at + self._rng.randint(600, HOUR), self._arrive, card, drug, lot, quantity, user)
        if not lots:
            self._again(t, card, drug, self._restock, nothing=card.usable(t) <= card.minimum)

    def _arrive(self, t: int, card: Card, drug: Drug, lot: Lot, quantity: int, user: str) -> None:
        h = self.h
        cart = h.truth.card(TRANSIT, drug.item)
        [(at, _, _)] = h.remove("put_away", t, cart, [(lot, quantity)], card, h.feeds.scanner)
        h.feeds.scan("put_away", at, lot, TRANSIT, user, to_location=card.location, quantity=quantity, unit=drug.base_unit)
        self._again(at, card, drug, self._restock, nothing=False)

    # ---- rounds ---------------------------------------------------------------------------------------------------

    def _morning(self, t: int) -> None:
        """Expired stock out of its places; once a week the return bin and the quarantine shelf are destroyed."""
        h = self.h
        for card in list(h.truth.cards.values()):
            expired = card.expired(t)
            if expired and card.location not in {QUARANTINE, RETURNS, TRANSIT}:
                h.at(t + self._rng.randint(0, 2 * HOUR), self._remove_expired, card)
        if h.clock.weekday(t) == 4:
            for card in list(h.truth.cards.values()):
                if card.location in {QUARANTINE, RETURNS} and card.total:
                    h.at(t + self._rng.randint(2 * HOUR, 4 * HOUR), self._destroy, card)
        h.at(h.next_day_at(t, 5 * HOUR + 1800), self._morning)

    def _remove_expired(self, t: int, card: Card) -> None:
        h = self.h
        unit = self._units.get(card.location)
        drug = h.drugs[card.item]
        user = self._technician()
        for lot in card.expired(t):
            quantity, before = card.lots[lot], card.total
            if unit is None or unit.is_ward:
                shelf = h.truth.card(QUARANTINE, card.item)
                [(t, _, _)] = h.remove("put_away", t, card, [(lot, quantity)], shelf, h.feeds.scanner)
                h.feeds.scan(
                    "put_away", t, lot, card.location, user, to_location=QUARANTINE, quantity=quantity, unit=drug.base_unit
                )
                continue
            [(t, _, _)] = h.remove("expire", t, card, [(lot, quantity)], WASTE, h.feeds.cabinets[unit.place])
            row = h.feeds.transaction("expire", t, unit, drug, quantity, user=user, begin_count=before)
            if drug.controlled:
                row["witness"] = h.pharmacists[0]
            h.feeds.cabinet(t, [h.feeds.with_lot(row, lot, lotless=h.feeds.is_unscanned())])

    def _destroy(self, t: int, card: Card) -> None:
        h = self.h
        unit = h.drugs[card.item].base_unit
        for at, lot, quantity in h.remove("discard", t, card, list(card.lots.items()), WASTE, h.feeds.scanner):
            h.feeds.scan(
                "waste", at, lot, card.location, h.technicians[0], quantity=quantity, unit=unit, witness=h.pharmacists[0]
            )

    def _night(self, t: int) -> None:
        """Cycle counts: each cabinet, and a seventh of the store, once a week."""
        h = self.h
        today = h.clock.weekday(t)
        for number, unit in enumerate(h.plan.units):
            if number % DAYS_A_CYCLE == today and not unit.is_ward:
                for place, drug in enumerate(unit.drugs):
                    h.at(t + place * 40, self._count_pocket, unit, drug)
        for place, drug in enumerate(h.plan.drugs):
            if drug.number % DAYS_A_CYCLE == today:
                h.at(t + HOUR + place * 30, self._count_shelf, drug)
        h.at(h.next_day_at(t, 2 * HOUR), self._night)

    def _counted(self, quantity: int) -> int:
        """What the counter writes down: exact, unless miscounts are turned on."""
        if self._miscounts and self._faults.random() < self._miscounts:
            return max(0, quantity + self._faults.choice((-2, -1, 1, 2)))
        return quantity

    def _count_pocket(self, t: int, unit: Unit, drug: Drug) -> None:
        h = self.h
        card = h.pocket(unit.pockets[drug.item], drug)
        user = self._technician()
        rows = []
        lotless = h.feeds.count_is_lotless(scanned=False)
        counted = [
            (h.stamp(t, card, h.feeds.cabinets[unit.place]), lot, self._counted(quantity)) for lot, quantity in card.lots.items()
        ]
        for at, lot, quantity in counted:
            h.truth.counted(at, card, lot, quantity)
        whole = h.feeds.whole_counts and not lotless
        for at, lot, quantity in as_one(counted) if counted and (lotless or whole) else counted:
            t = at
            row = h.feeds.transaction("count", t, unit, drug, quantity, user=user)
            rows.append(h.feeds.with_lots(row, counted) if whole else h.feeds.with_lot(row, lot, lotless=lotless, counted=True))
        if not rows:
            return
        h.feeds.cabinet(t, rows)
        if len(card.lots) == 1 and not card.busy and card.usable(t) and self._rng.random() < REASSIGNED:
            card.busy = True
            h.at(t + self._rng.randint(60, 600), self._unload, unit, card, drug)

    def _unload(self, t: int, unit: Unit, card: Card, drug: Drug) -> None:
        """Empty a pocket of one lot back into the store; it is loaded anew within hours."""
        h = self.h
        if len(card.lots) != 1:
            self._again(t, card, drug, self._load_later, nothing=False)
            return
        [(lot, quantity)] = card.lots.items()
        [(t, _, _)] = h.remove("unload", t, card, [(lot, quantity)], h.main[drug.item], h.feeds.cabinets[unit.place])
        row = h.feeds.transaction("unload", t, unit, drug, quantity, user=self._technician(), begin_count=quantity)
        h.feeds.cabinet(t, [h.feeds.with_lot(row, lot, lotless=h.feeds.is_unscanned())])
        h.at(t + self._rng.randint(HOUR, 4 * HOUR), self._load_later, card, drug)

    def _count_shelf(self, t: int, drug: Drug) -> None:
        h = self.h
        card = h.main[drug.item]
        lotless = h.feeds.count_is_lotless(scanned=True)
        counted = [
            (h.stamp(t, card, h.feeds.scanner), lot, self._technician(), self._counted(quantity))
            for lot, quantity in card.lots.items()
        ]
        for at, lot, _, quantity in counted:
            h.truth.counted(at, card, lot, quantity)
        if counted and h.feeds.whole_counts and not lotless:
            parts = [(at, lot, quantity) for at, lot, _, quantity in counted]
            h.feeds.scan_all(parts, MAIN, counted[-1][2], drug.base_unit)
            return
        total = sum(quantity for *_, quantity in counted)
        for at, lot, user, quantity in counted[-1:] if lotless else counted:
            amount = {"quantity": total if lotless else quantity, "unit": drug.base_unit}
            h.feeds.scan("count", at, lot, MAIN, user, lotless=lotless, **amount)
