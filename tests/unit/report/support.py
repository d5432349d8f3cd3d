"""Reports for tests: a profile in few words, rows of it, and the mapping of both at a site in New York."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from connectors.hl7.profiles.compile import Compiled, compile_profile
from connectors.hl7.profiles.document import Document, read_document
from connectors.hl7.profiles.shipped import shipped
from connectors.report.mapper import map_by, map_report
from schemas.events import StockEvent
from schemas.mapping import Mapped, Refused, SiteFacts
from schemas.profile import Profile
from schemas.raw import REPORT, RawMessage, RawRef
from tests.support.world import SITE, ZONE

RECEIVED_AT = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
REF = RawRef(partition=2, offset=17)

HEADER = "Cab,When,What,Slot,Drug,Qty,Who,Id"
PROFILE = """\
profile: short
title: A short report
report:
  format: delimited
  facts:
    device: Cab
    occurred: {columns: When, formats: "%Y-%m-%d %H:%M"}
    action: What
    pocket: Slot
    product_code: Drug
    quantity: Qty
    unit: {value: tablet}
    user: Who
    transaction_id: Id
  key: [Cab, When, What, Slot, Drug, Qty, Who]
  actions:
    Remove: vend
    Return: return
    Count: count
    Load: load
    Null: "null"
    Cancelled: {action: vend, takes_back: true}
    Login: {no_effect: somebody logged in}
  numbers: {decimal: "."}
"""


class Site:
    """A hub that knows one site, North General in New York, and the profiles it is given."""

    def __init__(self, *profiles: Profile, zone: str = ZONE) -> None:
        self._site = SiteFacts(id=SITE, zone=zone)
        self._profiles = {one.profile: one for one in profiles}

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        return self._site if "NGH" in facility_codes or default == SITE else None

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        return "NGH" in facility_codes

    def profile(self, name: str) -> Profile | None:
        return self._profiles.get(name)

    def patient_hash(self, identifier: str, authority: str) -> str:
        return f"hash({len(identifier)},{authority})"


def profile(text: str = PROFILE) -> Profile:
    document = read_document(text)
    assert isinstance(document, Document), document
    return document.profile


def compiled(text: str = PROFILE) -> Compiled:
    return compile_profile(profile(text), shipped().get)


def message(body: bytes | str, name: str = "short", site: str | None = SITE) -> RawMessage:
    return RawMessage(
        body=body if isinstance(body, bytes) else body.encode(), source="reports", connector="test", content_type=REPORT,
        received_at=RECEIVED_AT, profile=name, site=site,
    )  # fmt: skip


def mapped(body: bytes | str, text: str = PROFILE) -> list[Mapped]:
    """What a report becomes by a profile."""
    return map_by(compiled(text), message(body), REF, Site())


def by_shipped(body: bytes | str, name: str) -> list[Mapped]:
    """What a report becomes by a shipped profile."""
    return list(map_report(message(body, name), REF, Site()))


def report(*rows: str, header: str = HEADER) -> str:
    """A short report of rows."""
    return "\n".join((header, *rows)) + "\n"


def row(when: str = "2026-03-02 10:05", what: str = "Remove", qty: str = "2", who: str = "ann", id_: str = "", **more: str) -> str:
    """One row of the short report."""
    return ",".join((more.get("cab", "ICU-CAB1"), when, what, more.get("slot", "d1/p1"), more.get("drug", "amox-1"), qty, who, id_))


def events(results: Sequence[Mapped]) -> list[StockEvent]:
    """All results, which are events."""
    assert all(isinstance(one, StockEvent) for one in results), results
    return [one for one in results if isinstance(one, StockEvent)]


def event(body: bytes | str, text: str = PROFILE) -> StockEvent:
    (found,) = events(mapped(body, text))
    return found


def refusal(body: bytes | str, text: str = PROFILE) -> Refused:
    (found,) = mapped(body, text)
    assert isinstance(found, Refused), found
    return found


def at(results: Sequence[Mapped], offset: int) -> list[StockEvent]:
    """Events as those of another message of the raw log."""
    return [replace(one, raw=replace(one.raw, offset=offset)) for one in events(results)]
