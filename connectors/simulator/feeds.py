"""What a simulated site tells the hub: each fact in the wire format of its feed, handed to the outbox.

Owns codes, units, identities and running numbers on the wire, and the reporting faults (wrong codes, unreported lots): the
hospital did what the truth says, only its messages may say less.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from connectors.simulator import wire_fhir
from connectors.simulator.catalogue import Box, Drug
from connectors.simulator.clock import LocalClock
from connectors.simulator.knobs import Knobs
from connectors.simulator.outbox import Outbox
from connectors.simulator.people import Order, Patient
from connectors.simulator.plan import CLINIC, SitePlan, Unit
from connectors.simulator.truth import Lot
from connectors.simulator.wire_hl7 import UNIT_CODES, Hl7Writer, dose_text, restamp
from connectors.simulator.wire_json import UNIT_WORDS, body_of, element_string
from schemas.counting import COUNT_ALL
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON

Part = tuple[int, Lot, int]
"""One lot's share of a fact: its instant, the lot, base units."""


def as_one(parts: list[Part]) -> list[Part]:
    """What was taken at once as one fact of its last instant; its lot stands for its product's code alone."""
    t, lot, _ = parts[-1]
    return [(t, lot, sum(quantity for _, _, quantity in parts))]


class Device:
    """A cabinet or a handheld scanner: its running number of events and the last second it was used."""

    __slots__ = ("last", "name", "sequence")

    def __init__(self, name: str) -> None:
        """`name` is what messages call it."""
        self.name = name
        self.sequence = 0
        self.last = 0

    def next(self) -> int:
        """The next device sequence number."""
        self.sequence += 1
        return self.sequence


class Feeds:
    """The feeds of one site."""

    def __init__(self, plan: SitePlan, clock: LocalClock, knobs: Knobs, outbox: Outbox) -> None:
        """All facts of the site pass through here to `outbox`."""
        self.plan = plan
        self.clock = clock
        self.hl7 = Hl7Writer(plan, clock)
        self.cabinets = {unit.place: Device(unit.device) for unit in plan.units if unit.device}
        self.scanner = Device(f"{plan.facility}-SCAN1")
        self._outbox = outbox
        self._wrong_codes = knobs.wrong_codes
        self._unreported = knobs.unreported_lots
        self._faults = Random(f"{knobs.seed}:{plan.id}:faults")  # noqa: S311  # reproducible faults, nothing secret
        self._unscanned = knobs.unscanned
        self.whole_counts = knobs.whole_counts
        self._scanners = Random(f"{knobs.seed}:{plan.id}:unscanned")  # noqa: S311  # the same
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The next running number of a kind of thing at this site."""
        value = self._numbers[name] = self._numbers.get(name, 0) + 1
        return value

    # ---- reporting faults -----------------------------------------------------------------------------------------

    def _code_is_wrong(self) -> bool:
        return bool(self._wrong_codes) and self._faults.random() < self._wrong_codes

    def _lot_is_unreported(self) -> bool:
        return bool(self._unreported) and self._faults.random() < self._unreported

    def count_is_lotless(self, *, scanned: bool) -> bool:
        """Whether a place is counted as a whole: who counts lot by lot and names none of them would count less than there is."""
        return (not scanned and self.is_unscanned()) or self._lot_is_unreported()

    def is_unscanned(self) -> bool:
        """Whether the next fact is told without lot, in one message for all lots of it."""
        return bool(self._unscanned) and self._scanners.random() < self._unscanned

    def _ndc(self, box: Box, name: str) -> str:
        """An HL7 coded element: NDC, name, system (table 0396)."""
        code = "99999-9999-99" if self._code_is_wrong() else box.ndc
        return f"{code}^{name}^NDC"

    def _hl7_lot(self, lot: Lot, *, lotless: bool) -> tuple[str, str]:
        return ("", "") if lotless or self._lot_is_unreported() else (lot.number, lot.expiry_digits)

    # ---- HL7 ------------------------------------------------------------------------------------------------------

    def _post_hl7(self, feed: str, t: int, body: bytes) -> None:
        source = self.plan.source(feed)

        def resend(old: bytes, at: int) -> bytes:
            return restamp(old, self.clock.hl7(at), self.hl7.control(feed))

        self._outbox.post(t, source, "hl7", HL7_ER7, body, resend)

    def census(self, event: str, t: int, patient: Patient) -> None:
        """Admission (A01), transfer (A02) or discharge (A03)."""
        self._post_hl7("adt", t, self.hl7.adt("adt", event, f"ADT_{event}", t, patient))

    def ordered(self, t: int, order: Order) -> None:
        """A prescription was written."""
        self._post_hl7("orders", t, self.hl7.rde(t, order))

    def administered(self, order: Order, parts: list[Part], status: str, nurse: str) -> None:
        """Doses given (CP), refused (RE) or not available (NA), one RXA a lot."""
        drug = order.drug
        lines = []
        lotless = self.is_unscanned()
        for t, lot, quantity in as_one(parts) if lotless else parts:
            order.given += 1
            dose = dose_text(drug, quantity, by_strength=order.by_strength)
            code = self._ndc(lot.box, drug.name)
            lines.append((t, self.hl7.rxa(t, order.given, code, dose, nurse, self._hl7_lot(lot, lotless=lotless), status)))
        self._post_hl7("emar", parts[-1][0], self.hl7.ras(order, lines))

    def unavailable(self, t: int, order: Order, nurse: str) -> None:
        """A dose that could not be given because there was none (RXA-20 NA)."""
        drug = order.drug
        order.given += 1
        dose = dose_text(drug, drug.dose, by_strength=order.by_strength)
        line = self.hl7.rxa(t, order.given, f"{drug.boxes[0].ndc}^{drug.name}^NDC", dose, nurse, ("", ""), "NA")
        self._post_hl7("emar", t, self.hl7.ras(order, [(t, line)]))

    def dispensed(self, order: Order, parts: list[Part], pharmacist: str) -> None:
        """The central pharmacy filled an order, one RXD a lot; a whole container is counted as one."""
        drug = order.drug
        order.fills += 1
        lines = []
        lotless = self.is_unscanned()
        for number, (t, lot, quantity) in enumerate(as_one(parts) if lotless else parts, start=1):
            whole = drug.container and quantity == drug.boxes[0].package
            amount = ("1", UNIT_CODES[drug.container]) if whole else (str(quantity), UNIT_CODES[drug.base_unit])
            stated = self._hl7_lot(lot, lotless=lotless)
            segment = self.hl7.rxd(t, number, self._ndc(lot.box, drug.name), amount, order, pharmacist, stated)
            lines.append((t, segment))
        self._post_hl7("rds", parts[-1][0], self.hl7.rds(order, lines))

    # ---- cabinets -------------------------------------------------------------------------------------------------

    def transaction(self, action: str, t: int, unit: Unit, drug: Drug, quantity: int, **more: Any) -> dict[str, Any]:
        """One cabinet transaction without product and lot; `more` are further fields of the schema."""
        device = self.cabinets[unit.place]
        sequence = device.next()
        each = self.plan.cabinet_codes == "local"
        row: dict[str, Any] = {
            "device": device.name,
            "transaction_id": f"{device.name}-{sequence:08d}",
            "action": action,
            "occurred": self.clock.iso(t),
            "pocket": unit.pockets[drug.item][len(unit.place) + 1 :],
            "quantity": quantity,
            "unit": "EA" if each else UNIT_WORDS[drug.base_unit],
            "device_sequence": sequence,
            "facility": self.plan.facility,
        }
        row.update(more)
        return row

    def with_lot(self, row: dict[str, Any], lot: Lot, *, lotless: bool = False, counted: bool = False) -> dict[str, Any]:
        """Add product code, lot and expiry to a transaction; the code alone where nobody scanned the lot.

        `counted`: whether the lot is told was decided for the whole count (`count_is_lotless`).
        """
        system = self.plan.cabinet_codes
        code = {"ndc": lot.box.ndc11, "local": lot.box.local, "gtin": lot.box.gtin}[system]
        if self._code_is_wrong():
            system, code = "local", f"OLD-{lot.box.local}"
        row["code_system"] = system
        row["product_code"] = code
        if not lotless and (counted or not self._lot_is_unreported()):
            row["lot"] = lot.number
            row["expiry"] = lot.expiry
        return row

    def with_lots(self, row: dict[str, Any], parts: list[Part]) -> dict[str, Any]:
        """Add every lot that a count of a whole pocket found."""
        name = {"ndc": "ndc11", "local": "local", "gtin": "gtin"}[self.plan.cabinet_codes]
        row["lots"] = [
            {"lot": lot.number, "expiry": lot.expiry, "quantity": quantity, "product_code": getattr(lot.box, name)}
            for _, lot, quantity in parts
        ]
        return self.with_lot(row, parts[-1][1], lotless=True)

    def cabinet(self, t: int, rows: list[dict[str, Any]]) -> None:
        """Send transactions of one cabinet in one body; `t` is the last one's instant."""
        self._outbox.post(t, self.plan.source("cabinets"), "cabinet", CABINET_JSON, body_of(rows))

    # ---- scans ----------------------------------------------------------------------------------------------------

    def scan(
        self, activity: str, t: int, lot: Lot, location: str, user: str, *, lotless: bool | None = None, **more: Any
    ) -> None:
        """One scan. Without `quantity` in `more` it is one package; `lotless` where it was decided for a whole count."""
        number = self.scanner.next()
        digits = None if (self._lot_is_unreported() if lotless is None else lotless) else lot.expiry_digits[2:]
        gtin = "00399999999991" if self._code_is_wrong() else lot.box.gtin
        row: dict[str, Any] = {
            "session": f"{self.plan.id}-{self.clock.local_date(t):%Y%m%d}",
            "event_id": f"S{number:09d}",
            "activity": activity,
            "occurred": self.clock.iso(t),
            "barcode": element_string(gtin, lot.number, digits, lot_first=number % 3 == 0),
            "location": location,
            "user": user,
            "facility": self.plan.facility,
            "device": self.scanner.name,
            "device_sequence": number,
        }
        row.update(more)
        self._outbox.post(t, self.plan.source("scans"), "scan", SCAN_JSON, body_of([row]))

    def scan_all(self, parts: list[Part], location: str, user: str, unit: str) -> None:
        """A count of everything at a place, lot by lot, of its last instant."""
        number = self.scanner.next()
        t = parts[-1][0]
        first = number % 3 == 0
        codes = [element_string(lot.box.gtin, lot.number, lot.expiry_digits[2:], lot_first=first) for _, lot, _ in parts]
        row = {
            "session": f"{self.plan.id}-{self.clock.local_date(t):%Y%m%d}",
            "event_id": f"S{number:09d}",
            "activity": COUNT_ALL,
            "occurred": self.clock.iso(t),
            "location": location,
            "user": user,
            "unit": unit,
            "lots": [{"barcode": code, "quantity": part[2]} for code, part in zip(codes, parts, strict=True)],
            "facility": self.plan.facility,
            "device": self.scanner.name,
            "device_sequence": number,
        }
        self._outbox.post(t, self.plan.source("scans"), "scan", SCAN_JSON, body_of([row]))

    # ---- FHIR -----------------------------------------------------------------------------------------------------

    def _coding(self, box: Box, name: str) -> dict[str, str]:
        code = "99999-9999-99" if self._code_is_wrong() else box.ndc
        return {"system": wire_fhir.NDC_SYSTEM, "code": code, "display": name}

    def _post_fhir(self, t: int, resource: dict[str, Any]) -> None:
        self._outbox.post(t, self.plan.source("fhir"), "fhir", FHIR_JSON, wire_fhir.encode_resource(resource))

    def clinic_request(self, t: int, order: str, mrn: str, drug: Drug) -> None:
        """The clinic prescribed."""
        coding = self._coding(drug.boxes[0], drug.name)
        self._post_fhir(t, wire_fhir.request(order, mrn, coding, drug.name, self.clock.iso(t)))

    def _fhir_medication(self, lot: Lot, drug: Drug, *, lotless: bool) -> dict[str, Any]:
        batch = None if lotless or self._lot_is_unreported() else (lot.number, lot.expiry)
        return wire_fhir.medication(self._coding(lot.box, drug.name), drug.name, batch)

    def clinic_dispense(self, part: Part, order: str, mrn: str, drug: Drug, actor: str, *, lotless: bool) -> None:
        """The central pharmacy handed out what the clinic prescribed."""
        t, lot, quantity = part
        number = f"MD-{self.plan.id}-{self.number('dispense'):08d}"
        amount = {"value": quantity, "unit": UNIT_WORDS[drug.base_unit]}
        medication = self._fhir_medication(lot, drug, lotless=lotless)
        self._post_fhir(t, wire_fhir.dispense(number, order, mrn, medication, amount, "MAIN", actor, self.clock.iso(t)))

    def clinic_administration(self, part: Part, order: str, mrn: str, drug: Drug, actor: str, *, lotless: bool) -> None:
        """A nurse of the clinic gave a dose from the clinic's own stock, charted by strength where that is known."""
        t, lot, quantity = part
        number = f"MA-{self.plan.id}-{self.number('administration'):08d}"
        amount, unit = dose_text(drug, quantity, by_strength=number[-1] in "02468")
        dose: dict[str, Any] = {"value": Decimal(amount), "unit": unit}
        medication = self._fhir_medication(lot, drug, lotless=lotless)
        place = CLINIC.upper()
        self._post_fhir(t, wire_fhir.administration(number, order, mrn, medication, dose, place, actor, self.clock.iso(t)))

    # ---- closing --------------------------------------------------------------------------------------------------

    def heartbeat(self, t: int) -> None:
        """One message without stock effect from every feed that has such a message, arriving exactly at `t`."""
        plan = self.plan
        patient = Patient(0, plan.units[0], plan.units[0].beds[0], "MONITOR^INTERFACE", "19700101", "U")
        for feed in ("adt", "orders", "emar", "rds"):
            self._outbox.post_at(t * 1000, plan.source(feed), "hl7", HL7_ER7, self.hl7.adt(feed, "A08", "ADT_A01", t, patient))
        for unit in plan.units:
            if unit.device:
                drug = unit.drugs[0]
                row = self.transaction("null", t, unit, drug, 0, code_system="local", product_code=drug.boxes[0].local)
                self._outbox.post_at(t * 1000, plan.source("cabinets"), "cabinet", CABINET_JSON, body_of([row]))
        if plan.clinic:
            drug = plan.clinic[0]
            order = f"MR-{plan.id}-{self.number('request'):08d}"
            coding = {"system": wire_fhir.NDC_SYSTEM, "code": drug.boxes[0].ndc, "display": drug.name}
            body = wire_fhir.encode_resource(wire_fhir.request(order, patient.mrn, coding, drug.name, self.clock.iso(t)))
            self._outbox.post_at(t * 1000, plan.source("fhir"), "fhir", FHIR_JSON, body)
