"""What the hub lends a mapper in tests: two sites in different zones, and a hash that can be recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from schemas.mapping import SiteFacts
from schemas.raw import RawMessage, RawRef

DATA = Path(__file__).resolve().parents[2] / "data"
RECEIVED_AT = datetime(2026, 5, 31, 20, 0, tzinfo=UTC)
REF = RawRef(partition=3, offset=41)

_MESSAGE = RawMessage(
    body=b"", source="feed-1", connector="test", content_type="application/json", received_at=RECEIVED_AT, site="mercy"
)


class TwoSites:
    """`mercy` in Chicago (facility MERCY) and `charite` in Berlin (facilities CH and `mercy`, a trap)."""

    sites: ClassVar = {
        "mercy": SiteFacts(id="mercy", zone="America/Chicago"),
        "charite": SiteFacts(id="charite", zone="Europe/Berlin"),
        "nowhere": SiteFacts(id="nowhere", zone="Mars/Base"),
    }
    facilities: ClassVar = {"MERCY": "mercy", "CH": "charite", "mercy": "charite"}

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        for code in facility_codes:
            if code in self.facilities:
                return self.sites[self.facilities[code]]
        return self.sites.get(default) if default else None

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        return any(code in self.facilities for code in facility_codes)

    def profile(self, name: str) -> None:
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:
        return f"hash({len(identifier)},{authority})"


def message(body: bytes, site: str | None = "mercy") -> RawMessage:
    """A raw message of the default feed."""
    return replace(_MESSAGE, body=body, site=site)
