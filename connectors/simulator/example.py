"""The example network of the documentation: reference files, and sample messages that tell one coherent little story.

Owns the choice of samples. They are messages of the simulation itself (one transaction where a body tells of many), so the
documentation shows what the simulator writes. Loaded after the reference files in the order of their names, none of them is
refused or held.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from connectors.simulator.knobs import Knobs
from connectors.simulator.reference_csv import write_reference
from connectors.simulator.simulation import Simulation
from connectors.simulator.wire_json import body_of
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, RawMessage, to_capture_line

EXAMPLE: Final = Knobs(seed=1, sites=3, beds=40, days=2)
"""The example network; the number of days does not change it, only how long the samples are looked for."""
CAPTURE_NAME: Final = "first-day.capture.jsonl"
RECEIVED: Final = datetime(2026, 1, 6, 12, 0, tzinfo=UTC)
_CONTENT_TYPES: Final = {"hl7": HL7_ER7, "fhir": FHIR_JSON, "cabinet": CABINET_JSON, "scan": SCAN_JSON}
HOSPITAL: Final = "north"
CLINIC_SITE: Final = "river"


class _Recording:
    """Messages of a run, to look for."""

    def __init__(self, messages: list[RawMessage]) -> None:
        self._messages = messages

    def first(self, source: str, *parts: str) -> bytes:
        """The first body of a source that contains all the parts. Raises `LookupError` when there is none."""
        for message in self._messages:
            if message.source == source and all(part.encode() in message.body for part in parts):
                return message.body
        msg = f"the example run has no message of {source} with {parts}"
        raise LookupError(msg)


def _fields(body: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(body)
    return value


def _batch(resource: dict[str, Any]) -> str:
    return str(resource["contained"][0]["batch"]["lotNumber"])


def _only(body: bytes, lot: str) -> bytes:
    """The transaction of one lot out of a body that tells of several pockets."""
    value = json.loads(body)
    rows = value if isinstance(value, list) else [value]
    return body_of([row for row in rows if row.get("lot") == lot][:1])


def samples() -> dict[str, bytes]:
    """Sample bodies by file name. One lot comes in, is loaded, ordered, vended and given; others likewise."""
    run = _Recording(list(Simulation(EXAMPLE).messages()))
    site = HOSPITAL
    vend = run.first(f"{site}-cabinets", '"action":"vend"')
    vended = _fields(vend)
    order, patient = vended["order_id"], vended["patient_id"]
    rds = run.first(f"{site}-rds", "|RDS^O13^")
    dispensed_lot = next(line for line in rds.decode().split("\r") if line.startswith("RXD")).split("|")[18]
    given = run.first(f"{CLINIC_SITE}-fhir", '"MedicationAdministration"')
    home = run.first(f"{CLINIC_SITE}-fhir", '"MedicationDispense"')
    given_lot, home_lot = _batch(_fields(given)), _batch(_fields(home))
    request = _fields(given)["request"]["identifier"]["value"]
    return {
        "01-receive.scan.json": run.first(f"{site}-scans", '"receive"', vended["lot"]),
        "02-load.cabinet.json": _only(run.first(f"{site}-cabinets", '"load"', vended["device"], vended["lot"]), vended["lot"]),
        "03-admission-adt-a01.hl7": run.first(f"{site}-adt", "ADT^A01", patient),
        "04-order-rde-o11.hl7": run.first(f"{site}-orders", order),
        "05-vend.cabinet.json": vend,
        "06-administration-ras-o17.hl7": run.first(f"{site}-emar", order),
        "07-receive.scan.json": run.first(f"{site}-scans", '"receive"', dispensed_lot),
        "08-dispense-rds-o13.hl7": rds,
        "09-receive.scan.json": run.first(f"{CLINIC_SITE}-scans", '"receive"', given_lot),
        "10-put-away.scan.json": run.first(f"{CLINIC_SITE}-scans", '"put_away"', '"infusion"', given_lot),
        "11-medication-request.fhir.json": run.first(f"{CLINIC_SITE}-fhir", '"MedicationRequest"', request),
        "12-medication-administration.fhir.json": given,
        "13-receive.scan.json": run.first(f"{CLINIC_SITE}-scans", '"receive"', home_lot),
        "14-medication-dispense.fhir.json": home,
    }


def capture() -> list[RawMessage]:
    """The samples as recorded traffic: with their times of receipt they mean the same whenever they are replayed."""
    return [
        RawMessage(
            body=body, source="example", connector="capture", name=name,
            content_type=_CONTENT_TYPES[name.rsplit(".", 2)[-2] if name.endswith(".json") else "hl7"],
            received_at=RECEIVED + timedelta(minutes=number), site=CLINIC_SITE if ".fhir." in name else None,
        )
        for number, (name, body) in enumerate(samples().items())
    ]  # fmt: skip


def write_example(directory: Path) -> list[Path]:
    """Write the reference files, `feeds/` and the capture into `directory`; returns every path written."""
    written = write_reference(Simulation(EXAMPLE).network, directory)
    feeds = directory / "feeds"
    feeds.mkdir(parents=True, exist_ok=True)
    for name, body in samples().items():
        path = feeds / name
        path.write_bytes(body)
        written.append(path)
    recorded = directory / "replay" / CAPTURE_NAME
    recorded.parent.mkdir(exist_ok=True)
    recorded.write_bytes(b"".join(to_capture_line(message) + b"\n" for message in capture()))
    return [*written, recorded]
