"""A small network of handmade records: two hospitals and a clinic, with one of everything the tower shows.

The numbers a test expects are stated here, beside the records they follow from.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas import topics
from schemas.codec import encode
from schemas.events import ItemOutcome, ReferenceChange
from schemas.keys import encode_key
from schemas.kinds import BalanceStatus, CommandKind, CommandState, Outcome, Urgency
from schemas.log import LogRecord
from schemas.raw import RawRef
from schemas.records import Approval, Balance, Case, Command, Hold, Movement, Position, Quarantined, SuggestedLot

NOW = datetime(2026, 3, 10, 14, 5, tzinfo=UTC)
TODAY = date(2026, 3, 10)

ITEMS = {
    "HEP5000": ("Heparin 5,000 units/mL vial", "vial"),
    "MORPH10": ("Morphine 10 mg/mL syringe", "syringe"),
    "APAP500": ("Acetaminophen 500 mg tablet", "tablet"),
    "ONDAN4": ("Ondansetron 4 mg/2 mL vial", "vial"),
    "VANC1G": ("Vancomycin 1 g vial", "vial"),
    "INSREG": ("Insulin regular 100 units/mL vial", "vial"),
    "CEFAZ1G": ("Cefazolin 1 g vial", "vial"),
    "NOREPI4": ("Norepinephrine 4 mg/4 mL vial", "vial"),
    "PROP200": ("Propofol 200 mg/20 mL vial", "vial"),
    "METO25": ("Metoprolol tartrate 25 mg tablet", "tablet"),
    "FUR40": ("Furosemide 40 mg/4 mL vial", "vial"),
    "KCL20": ("Potassium chloride 20 mEq tablet", "tablet"),
}
SITES = {
    "mercy": ("Mercy General Hospital", "America/New_York"),
    "stluke": ("St. Luke Children's", "America/Chicago"),
    "lakeside": ("Lakeside Infusion Clinic", "America/Chicago"),
}
PLACES = ("main", "icu/cab1/d1/p01", "icu/cab1/d1/p02", "ed/cab1/d2/p04", "med3/cab1/d1/p09")


class Log:
    """Hands out records with rising offsets."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def record(self, topic: str, key: tuple[Any, ...], value: object | None) -> LogRecord:
        offset = self._next.get(topic, 0)
        self._next[topic] = offset + 1
        return LogRecord(
            topic=topic, partition=0, offset=offset, key=encode_key(key), value=None if value is None else encode(value)
        )

    def site(self, type_: str, value: object) -> LogRecord:
        """A record of the site log: its type stands in the headers."""
        made = self.record(topics.SITE_LOG, ("site",), value)
        return LogRecord(
            topic=made.topic, partition=0, offset=made.offset, key=made.key, value=made.value, headers=(("ce_type", type_),)
        )

    def position(self, site: str, location: str, item: str, usable: int, **more: Any) -> LogRecord:
        value = Position(
            site=site,
            location=location,
            item=item,
            on_hand=more.pop("on_hand", usable),
            usable=usable,
            due=more.pop("due", 0),
            unit=ITEMS[item][1],
            as_of=more.pop("as_of", NOW),
            **more,
        )
        return self.record(topics.POSITIONS, (site, location, item), value)

    def balance(
        self,
        site: str,
        location: str,
        item: str,
        lot: str,
        quantity: int,
        expiry: date | None,
        status: BalanceStatus = BalanceStatus.AVAILABLE,
    ) -> LogRecord:
        value = Balance(
            site=site,
            location=location,
            item=item,
            product=f"{item}-A",
            lot=lot,
            quantity=quantity,
            unit=ITEMS[item][1],
            status=status,
            as_of=NOW,
            expiry=expiry,
        )
        return self.record(topics.BALANCES, (site, location, item, lot), value)

    def command(self, command_id: str, site: str, location: str, item: str, **more: Any) -> LogRecord:
        given: dict[str, Any] = {
            "revision": 1,
            "kind": CommandKind.RESTOCK,
            "state": CommandState.ISSUED,
            "urgency": Urgency.ROUTINE,
            "quantity": 20,
            "opened_at": NOW - timedelta(hours=3),
            "updated_at": NOW,
            "proof": {"trigger": "usable 3 ≤ minimum 5", "position": {"on_hand": 3, "usable": 3, "due": 0}},
        }
        value = Command(command_id=command_id, site=site, location=location, item=item, unit=ITEMS[item][1], **{**given, **more})
        return self.record(topics.COMMANDS, (command_id,), value)

    def outcome(self, offset: int, index: int, items: int, outcome: Outcome, code: str = "posted") -> LogRecord:
        value = ItemOutcome(
            source="mercy-adc",
            raw=RawRef(partition=0, offset=offset, index=index),
            items=items,
            outcome=outcome,
            code=code,
            reason="as it says",
            at=NOW,
            site="mercy",
        )
        return self.record(topics.OUTCOMES, (0, offset, index), value)

    def movement(self, number: int, **more: Any) -> LogRecord:
        given: dict[str, Any] = {
            "site": "mercy",
            "event_id": f"e{number}",
            "kind": "vend",
            "item": "HEP5000",
            "product": "HEP5000-A",
            "lot": "H123",
            "quantity": 1,
            "unit": "vial",
            "from_account": "stock:icu/cab1/d1/p01",
            "to_account": "patient",
            "occurred": NOW - timedelta(minutes=10 * number),
            "cause": f"mercy-adc|{number}",
            "actor": "RN Cole",
        }
        return self.record(topics.MOVEMENTS, ("mercy",), Movement(movement_id=f"m{number:04d}", **{**given, **more}))


def network(log: Log) -> Iterator[LogRecord]:
    """The network at 14:05 UTC (10:05 in New York)."""
    yield from _reference(log)
    yield from _stock(log)
    yield from _work(log)
    yield from _troubles(log)
    yield from _outcomes(log)
    for number in range(1, 61):
        yield log.movement(number)
    refill = {"kind": "refill", "from_account": "stock:main", "to_account": "stock:icu/cab1/d1/p01", "quantity": 5}
    yield log.movement(61, **refill, witness="PharmTech Roe")


def _reference(log: Log) -> Iterator[LogRecord]:
    for revision, (site, (name, zone)) in enumerate(SITES.items(), start=1):
        change = ReferenceChange(revision=revision, kind="site", id=site, record={"id": site, "name": name, "zone": zone})
        yield log.record(topics.REFERENCE, ("site", site), change)
    for revision, (item, (name, unit)) in enumerate(ITEMS.items(), start=10):
        record = {"id": item, "name": name, "base_unit": unit}
        change = ReferenceChange(revision=revision, kind="item", id=item, record=record)
        yield log.record(topics.REFERENCE, ("item", item), change)


def _stock(log: Log) -> Iterator[LogRecord]:
    """Every item at every place of each site: 12 × 5 positions a site, one lot each."""
    for at_site, site in enumerate(SITES):
        for at_item, item in enumerate(ITEMS):
            for at_place, location in enumerate(PLACES):
                if (site, location, item) in SPECIAL:
                    continue
                usable = 40 + 7 * at_item + 11 * at_place + at_site
                levels = {"minimum": 10, "par": 60, "critical": 2}
                yield log.position(site, location, item, usable, **levels, days_to_stock_out=f"{usable / 4:.1f}")
                yield log.balance(site, location, item, f"L{at_item:02d}{at_place}", usable, date(2027, 6, 30))
    for (site, location, item), (usable, more) in SPECIAL.items():
        yield log.position(site, location, item, usable, minimum=10, par=60, critical=2, **more)
    yield log.balance("mercy", "icu/cab1/d1/p01", "HEP5000", "H123", 3, date(2026, 3, 10))
    yield log.balance("mercy", "icu/cab1/d1/p01", "HEP5000", "H099", 5, date(2026, 3, 9), BalanceStatus.EXPIRED)
    yield log.balance("mercy", "ed/cab1/d2/p04", "VANC1G", "V77", 2, date(2026, 4, 9))


SPECIAL: dict[tuple[str, str, str], tuple[int, dict[str, Any]]] = {
    ("mercy", "icu/cab1/d1/p01", "HEP5000"): (
        3,
        {"on_hand": 8, "allocated": 2, "due": 20, "open_command": "c-hep", "urgency": Urgency.ROUTINE, "days_to_stock_out": "0.8"},
    ),
    ("mercy", "ed/cab1/d2/p04", "VANC1G"): (
        2,
        {"open_command": "c-vanc", "urgency": Urgency.CRITICAL, "days_to_stock_out": "0.5"},
    ),
    ("mercy", "icu/cab1/d1/p02", "NOREPI4"): (
        0,
        {"open_command": "c-nor", "urgency": Urgency.STOCK_OUT, "days_to_stock_out": "0"},
    ),
}
"""Mercy: three short places; two of them (2 and 0 usable) at or below the critical level 2; one (0) has nothing to give."""

NOREPI_PROOF = {
    "trigger": "usable 0 ≤ critical 2",
    "position": {"on_hand": 0, "usable": 0, "due": 0, "minimum": 10, "par": 60},
    "policy": {"revision": 12, "kind": "restock", "satisfied_at": 35},
    "options": [
        {"source": "main", "usable": 108, "taken": True, "why": "first expiring first, nearest store"},
        {"source": "stluke", "usable": 109, "taken": False, "why": "own store suffices"},
    ],
}


def _work(log: Log) -> Iterator[LogRecord]:
    """Mercy: 4 open commands (one stock-out, one critical, two routine of which one waits for approval) and one closed."""
    lots = (
        SuggestedLot(location="main", product="NOREPI4-A", lot="L070", quantity=40, expiry=date(2027, 6, 30)),
        SuggestedLot(location="main", product="NOREPI4-A", lot="L071", quantity=20, expiry=date(2027, 9, 30)),
    )
    approvals = (Approval(actor="R. Patel", action="approve", at=NOW - timedelta(minutes=20), reason="ICU census high"),)
    yield log.command(
        "c-nor",
        "mercy",
        "icu/cab1/d1/p02",
        "NOREPI4",
        urgency=Urgency.STOCK_OUT,
        quantity=60,
        lots=lots,
        approvals=approvals,
        source_location="main",
        proof=NOREPI_PROOF,
        opened_at=NOW - timedelta(minutes=42),
    )
    yield log.command(
        "c-vanc",
        "mercy",
        "ed/cab1/d2/p04",
        "VANC1G",
        urgency=Urgency.CRITICAL,
        quantity=58,
        source_location="main",
        opened_at=NOW - timedelta(hours=2, minutes=10),
    )
    yield log.command("c-hep", "mercy", "icu/cab1/d1/p01", "HEP5000", quantity=57, source_location="main")
    yield log.command(
        "c-morph",
        "mercy",
        "main",
        "MORPH10",
        kind=CommandKind.PURCHASE,
        state=CommandState.AWAITING_APPROVAL,
        quantity=1_200,
        supplier="cardinal",
        approval_role="pharmacist",
        opened_at=NOW - timedelta(days=1, hours=2),
    )
    yield log.command("c-done", "mercy", "main", "FUR40", state=CommandState.SATISFIED, closed_at=NOW - timedelta(hours=1))


def _troubles(log: Log) -> Iterator[LogRecord]:
    """One case, one held item, one quarantined message."""
    case = Case(
        case_id="case-1",
        site="mercy",
        kind="unwitnessed_waste",
        state="open",
        text="2 mg of morphine wasted without a second person as witness",
        opened_at=NOW - timedelta(hours=5),
        updated_at=NOW,
        location="icu/cab1/d1/p02",
        item="MORPH10",
        facts={"actor": "RN Cole", "wasted": "2 mg", "transaction": "T-4481"},
    )
    yield log.record(topics.CASES, ("case-1",), case)
    hold = Hold(
        event_id="h-1",
        site="stluke",
        waits_for="code ndc 000409471302",
        reason="NDC 0409-4713-02 is not in the item master: add the product, the event then applies itself",
        since=NOW - timedelta(hours=1),
        raw=RawRef(partition=0, offset=7),
        source="stluke-rds",
        kind="dispense",
    )
    yield log.record(topics.HOLDS, ("h-1",), hold)
    refused = Quarantined(
        raw=RawRef(partition=0, offset=8),
        source="stluke-rds",
        code="segment_missing",
        reason="RDS^O13 without RXD: the sender must send one RXD for each dispense",
        at=NOW - timedelta(minutes=30),
        content_type="x-application/hl7-v2+er7",
        profile="standard",
        body_base64="TVNIfA==",
        site="stluke",
        name="rds-0008.hl7",
    )
    yield log.record(topics.QUARANTINE, (0, 8, 0), refused)


def _outcomes(log: Log) -> Iterator[LogRecord]:
    """9 messages declare 10 items: 7 accepted (two of them from one message), 1 duplicate, 1 held, 1 quarantined."""
    for offset in range(5):
        yield log.outcome(offset, 0, 1, Outcome.ACCEPTED)
    yield log.outcome(5, 0, 2, Outcome.ACCEPTED)
    yield log.outcome(5, 1, 2, Outcome.ACCEPTED)
    yield log.outcome(6, 0, 1, Outcome.DUPLICATE, "resent")
    yield log.outcome(7, 0, 1, Outcome.HELD, "unknown_code")
    yield log.outcome(8, 0, 1, Outcome.QUARANTINED, "segment_missing")
