"""Own messages and a small hub for the HL7 mapper tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.hl7.mapper import map_hl7
from schemas.events import StockEvent
from schemas.mapping import Mapped, SiteFacts
from schemas.profile import Profile
from schemas.raw import HL7_ER7, RawMessage, RawRef

RECEIVED = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
SITES = {"NORTH": SiteFacts(id="north", zone="America/New_York"), "1.2.3": SiteFacts(id="oid-site", zone="UTC")}


class Hub:
    """The mapping context of a hub with two sites and no profile of its own; patient hashes show what they were made of."""

    def __init__(self, *profiles: Profile) -> None:
        self._profiles = {profile.profile: profile for profile in profiles}

    def profile(self, name: str) -> Profile | None:
        return self._profiles.get(name)

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        for code in facility_codes:
            if code in SITES:
                return SITES[code]
        return SiteFacts(id=default, zone="Europe/Berlin") if default else None

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        return any(code in SITES for code in facility_codes)

    def patient_hash(self, identifier: str, authority: str) -> str:
        return f"hash({identifier},{authority})"


def header(
    kind: str, *, control: str = "C1", sent: str = "20260601101500", facility: str = "NORTH", processing: str = "P"
) -> str:
    """An MSH segment."""
    return f"MSH|^~\\&|MAR|{facility}|WARDSTOCK|HUB|{sent}||{kind}|{control}|{processing}|2.5.1"


PID = "PID|1||MRN1001^^^NORTH^MR||DOE^JANE||19700101|F"
PV1 = "PV1|1|I|ICU^12^A^NORTH"
ORC = "ORC|RE|P1001^EHR|F1001^RX||||||20260601101400"


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment with the given fields, by HL7's numbers."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


RXA_FIELDS = {
    1: "0",
    2: "1",
    3: "20260601101000",
    4: "20260601101000",
    5: "00409-4888-11^Propofol 10 mg/mL^NDC^4711^PROPOFOL^L",
    6: "200",
    7: "mg^milligram^UCUM",
    10: "N123^Nurse^Ann",
    11: "ICU^12^A",
    15: "LOT1",
    16: "20270630",
    20: "CP",
}
RXD_FIELDS = {
    1: "1",
    2: "00093-0058-01^Amoxicillin 500 mg^NDC",
    3: "20260601101000",
    4: "30",
    5: "CAP^capsule^UCUM",
    7: "RX100842",
    10: "PH7^Pharmacist^Pat",
    13: "5SOUTH^5102^01",
    18: "LOT78321",
    19: "20271031",
}


def rxa(**changes: str) -> str:
    """An RXA; `f6="999"` sets RXA-6."""
    return segment("RXA", {**RXA_FIELDS, **{int(name[1:]): text for name, text in changes.items()}})


def rxd(**changes: str) -> str:
    """An RXD; `f4="2"` sets RXD-4."""
    return segment("RXD", {**RXD_FIELDS, **{int(name[1:]): text for name, text in changes.items()}})


def body(*segments: str, end: str = "\r") -> bytes:
    """Segments as a message."""
    return (end.join(segments) + end).encode()


def raw(data: bytes, site: str | None = None, profile: str = "standard") -> RawMessage:
    """Bytes as a connector hands them over."""
    return RawMessage(
        body=data,
        source="feed",
        connector="hl7",
        content_type=HL7_ER7,
        received_at=RECEIVED,
        site=site,
        name="test",
        profile=profile,
    )


def mapped(data: bytes, site: str | None = None, profile: str = "standard", hub: Hub | None = None) -> Sequence[Mapped]:
    """All results of a body."""
    return map_hl7(raw(data, site, profile), RawRef(partition=3, offset=77), hub or Hub())


def events(data: bytes, site: str | None = None, profile: str = "standard", hub: Hub | None = None) -> list[StockEvent]:
    """The results of a body, which are all events."""
    results = mapped(data, site, profile, hub)
    assert all(isinstance(result, StockEvent) for result in results), results
    return list(results)  # type: ignore[arg-type]


def ras(*rxas: str, orc: str = ORC, **head: str) -> bytes:
    """An RAS^O17 of one order."""
    return body(header("RAS^O17^RAS_O17", **head), PID, PV1, *([orc] if orc else []), *rxas, "RXR|IV")


def rds(*rxds: str, orc: str = ORC, kind: str = "RDS^O13^RDS_O13", **head: str) -> bytes:
    """An RDS of one order."""
    return body(header(kind, **head), PID, PV1, *([orc] if orc else []), *rxds, "RXR|PO")
