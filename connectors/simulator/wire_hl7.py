"""HL7 v2.5.1 messages of a simulated site: ADT, RDE^O11, RDS^O13, RAS^O17 as ER7 text with CR segment ends.

Owns segment layout (HL7 v2.5.1 chapters 2, 3 and 4). Texts come from the catalogue and hold no delimiter, so nothing is
escaped. It decides nothing: who, what and when are given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from connectors.simulator.catalogue import Drug
from connectors.simulator.clock import LocalClock
from connectors.simulator.people import Order, Patient
from connectors.simulator.plan import SitePlan

UNIT_CODES: Final = {
    "tablet": "TAB",
    "capsule": "CAP",
    "vial": "VIAL",
    "syringe": "SYR",
    "bag": "BAG",
    "patch": "PATCH",
    "suppository": "SUPP",
    "mL": "mL",
    "unit": "[iU]",
    "puff": "PUFF",
    "pen": "PEN",
    "inhaler": "INHALER",
    "mg": "mg",
    "mcg": "ug",
    "g": "g",
    "mEq": "meq",
}
"""How the simulated systems spell units (UCUM where it has the unit)."""
APPLICATIONS: Final = {"adt": "EHRADT", "orders": "EHRORD", "emar": "EMAR", "rds": "PHARMIS"}
"""MSH-3 by feed."""


def plain(amount: Decimal) -> str:
    """A decimal without exponent and trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dose_text(drug: Drug, quantity: int, *, by_strength: bool) -> tuple[str, str]:
    """Amount and unit of a dose: in base units, or as drug amount where the strength is known."""
    if by_strength and drug.strength_amount is not None:
        return plain(drug.strength_amount * quantity), UNIT_CODES[drug.strength_unit]
    return str(quantity), UNIT_CODES[drug.base_unit]


def restamp(body: bytes, time: str, control: str) -> bytes:
    """The same message with another MSH-7 and MSH-10, as a queue that regenerates its headers resends it."""
    head, _, rest = body.partition(b"\r")
    fields = head.split(b"|")
    fields[6] = time.encode("ascii")
    fields[9] = control.encode("ascii")
    return b"|".join(fields) + b"\r" + rest


class Hl7Writer:
    """Builds the messages of one site. Control ids rise per feed."""

    def __init__(self, plan: SitePlan, clock: LocalClock) -> None:
        """`plan` gives the facility code, `clock` the local time texts."""
        self._facility = plan.facility
        self._prefix = plan.id[:3].upper()
        self._clock = clock
        self._controls: dict[str, int] = dict.fromkeys(APPLICATIONS, 0)

    def control(self, feed: str) -> str:
        """The next MSH-10 of a feed."""
        number = self._controls[feed] = self._controls[feed] + 1
        return f"{self._prefix}{feed[:2].upper()}{number:09d}"

    def _head(self, feed: str, kind: str, t: int) -> str:
        time = self._clock.hl7(t)
        control = self.control(feed)
        return f"MSH|^~\\&|{APPLICATIONS[feed]}|{self._facility}|WARDSTOCK|HUB|{time}||{kind}|{control}|P|2.5.1\r"

    def _place(self, patient: Patient) -> str:
        return f"{patient.unit.code}^{patient.bed[0]}^{patient.bed[1]}"

    def _patient(self, patient: Patient) -> str:
        """PID and PV1: identifier with its authority, location, visit number (PV1-19)."""
        pid = f"PID|1||{patient.mrn}^^^{self._facility}^MR||{patient.name}||{patient.born}|{patient.sex}\r"
        return f"{pid}PV1|1|I|{self._place(patient)}^{self._facility}||||||||||||||||{patient.visit}\r"

    def adt(self, feed: str, event: str, structure: str, t: int, patient: Patient) -> bytes:
        """An ADT message; `structure` is MSH-9.3 (A02 has its own, A03 too; A08 shares A01's)."""
        head = self._head(feed, f"ADT^{event}^{structure}", t)
        return f"{head}EVN|{event}|{self._clock.hl7(t)}\r{self._patient(patient)}".encode()

    def rde(self, t: int, order: Order, control: str = "NW") -> bytes:
        """A pharmacy order: what was prescribed. It never moves stock."""
        drug = order.drug
        amount, unit = dose_text(drug, drug.dose, by_strength=order.by_strength)
        head = self._head("orders", "RDE^O11^RDE_O11", t)
        timing = f"Q{24 // drug.per_day}H"
        return (
            f"{head}{self._patient(order.patient)}"
            f"ORC|{control}|{order.placer}|{order.filler}||||||{self._clock.hl7(t)}\r"
            f"RXE|1^{timing}|{drug.local}^{drug.name}^L|{amount}||{unit}|{drug.form}||{self._place(order.patient)}"
            f"||{drug.dose}|{UNIT_CODES[drug.base_unit]}\r"
            f"RXR|{drug.route}\r"
        ).encode()

    def ras(self, order: Order, lines: list[tuple[int, str]]) -> bytes:
        """An administration: `lines` are instants and RXA segments made by `rxa`."""
        t = lines[-1][0]
        segments = "".join(segment for _, segment in lines)
        return (
            f"{self._head('emar', 'RAS^O17^RAS_O17', t)}{self._patient(order.patient)}"
            f"ORC|RE|{order.placer}|{order.filler}\r{segments}RXR|{order.drug.route}\r"
        ).encode()

    def rxa(self, t: int, number: int, code: str, dose: tuple[str, str], nurse: str, lot: tuple[str, str], status: str) -> str:
        """One RXA. `dose`: RXA-6 and RXA-7; `lot`: RXA-15 and RXA-16; `status`: RXA-20 (CP, RE, NA)."""
        time = self._clock.hl7(t)
        amount, unit = dose
        refusal = "PATOBJ" if status == "RE" else ""
        return f"RXA|0|{number}|{time}|{time}|{code}|{amount}|{unit}|||{nurse}|||||{lot[0]}|{lot[1]}||{refusal}||{status}|A\r"

    def rds(self, order: Order, lines: list[tuple[int, str]]) -> bytes:
        """A dispense by the central pharmacy: `lines` are instants and RXD segments, each its own order group."""
        orc = f"ORC|RE|{order.placer}|{order.filler}\r"
        groups = "".join(f"{orc}{segment}RXR|{order.drug.route}\r" for _, segment in lines)
        return f"{self._head('rds', 'RDS^O13^RDS_O13', lines[-1][0])}{self._patient(order.patient)}{groups}".encode()

    def rxd(
        self, t: int, number: int, code: str, amount: tuple[str, str], order: Order, pharmacist: str, lot: tuple[str, str]
    ) -> str:
        """One RXD: RXD-7 is the prescription number of this fill, RXD-26 and RXD-27 the central pharmacy, RXD-33 a full fill."""
        place = self._place(order.patient)
        store = "MAIN^Central pharmacy"
        return (
            f"RXD|{number}|{code}|{self._clock.hl7(t)}|{amount[0]}|{amount[1]}||{order.filler}-{order.fills}|||{pharmacist}"
            f"|||{place}|||||{lot[0]}|{lot[1]}|||||||{store}|{store}||||||N\r"
        )
