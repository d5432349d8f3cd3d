"""Where the standard types have their facts, as the hub's own code reads them: for showing, and for the test that keeps it true.

Source: HL7 v2.8.2 chapter 4A (RXA, RXD, RXE, RXG, RXO), chapter 3 (PV1).
"""

from __future__ import annotations

from typing import Final

Facts = dict[str, tuple[str, ...]]

STANDARD_FIELDS: Final[dict[str, Facts]] = {
    "RAS": {
        "item": ("RXA-5",), "quantity": ("RXA-6",), "unit": ("RXA-7",), "location": ("RXA-27", "RXA-11", "PV1-3"),
        "lot": ("RXA-15",), "expiry": ("RXA-16",), "occurred": ("RXA-3", "ORC-9"), "order": ("ORC-3", "ORC-2"),
        "actor": ("RXA-10",), "completion": ("RXA-20",), "action": ("RXA-21",),
    },
    "RDS": {
        "item": ("RXD-2",), "quantity": ("RXD-4",), "unit": ("RXD-5",), "location": ("RXD-26", "RXD-27"),
        "to_location": ("RXD-13",), "lot": ("RXD-18",), "expiry": ("RXD-19",), "occurred": ("RXD-3", "ORC-9"),
        "order": ("ORC-3", "ORC-2", "RXD-7"), "actor": ("RXD-10",), "order control": ("ORC-1",),
    },
    "RDE": {
        "item": ("RXE-2",), "quantity": ("RXE-10", "RXE-3"), "unit": ("RXE-11", "RXE-5"), "location": ("PV1-3",),
        "occurred": ("ORC-9",), "order": ("ORC-3", "ORC-2"), "actor": ("ORC-12",),
    },
    "OMP": {
        "item": ("RXO-1",), "quantity": ("RXO-11", "RXO-2"), "unit": ("RXO-12", "RXO-4"), "location": ("PV1-3",),
        "occurred": ("ORC-9",), "order": ("ORC-3", "ORC-2"), "actor": ("ORC-12",),
    },
    "RGV": {
        "item": ("RXG-4",), "quantity": ("RXG-5",), "unit": ("RXG-7",), "location": ("PV1-3",),
        "occurred": ("ORC-9",), "order": ("ORC-3", "ORC-2"), "actor": ("ORC-12",),
    },
    "ADT": {"location": ("PV1-3",), "occurred": ("EVN-2",)},
}  # fmt: skip
"""Facts by family: the first of the paths that says something."""

ENVELOPE: Final[Facts] = {
    "sender": ("MSH-3", "MSH-4"), "receiver": ("MSH-5", "MSH-6"), "sent": ("MSH-7",), "type": ("MSH-9",),
    "control id": ("MSH-10",), "processing": ("MSH-11",), "patient": ("PID-3",),
}  # fmt: skip
"""What every message is read for."""
