"""A small hospital for crash tests: a few places, a few items, about a hundred messages of every wire format the hub takes.

It makes messages only. Each feed is a queue whose sender waits for the acknowledgement before it goes on, as MLLP and HTTP
senders do. The quantities are random and need not make sense to a pharmacist: balances may go below zero, which the hub must
count just as exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from schemas.codes import Code, gtin_check_digit
from schemas.kinds import CommandKind, Feed, LocationKind
from schemas.raw import CABINET_JSON, ERP_JSON, HL7_ER7, SCAN_JSON, RawMessage
from schemas.reference import REFERENCE_KINDS, Item, Location, ParPolicy, Product, Site, Supplier, SupplierItem
from topology.reference_files import ReferenceRecord

START: Final = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
END: Final = START + timedelta(hours=30)
"""Everything has happened and been told by then."""
SITES: Final = ("north", "south")
ITEMS: Final = ("amoxicillin-500", "morphine-10")
LATE_ITEM: Final = "ketorolac-30"
"""Its code becomes known in the middle of the run: what was held for it applies itself then."""
POCKETS: Final = {"amoxicillin-500": "d1/p1", "morphine-10": "d1/p2", LATE_ITEM: "d2/p1"}
ACTIONS: Final = {
    "vend": 12, "return": 2, "waste": 2, "refill": 5, "load": 1, "unload": 1, "count": 2, "expire": 1, "null": 1,
}  # fmt: skip
"""What a cabinet sees, and how often."""
LOTS: Final = {"A1": "2026-03-02", "B2": "2026-03-03", "C3": "2027-01-31"}
"""Lots by expiry: one ends during the run, one near its end, one long after."""


@dataclass(frozen=True)
class SmallHospital:
    """What is loaded first, what in the middle, and what each feed says, in its own order."""

    reference: list[ReferenceRecord]
    late_reference: list[ReferenceRecord]
    feeds: dict[str, list[RawMessage]]

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return sum(len(messages) for messages in self.feeds.values())


def small_hospital(seed: int, messages: int = 90) -> SmallHospital:
    """The hospital of a seed: the same seed gives the same bytes."""
    random = Random(f"hospital {seed}")
    feeds: dict[str, list[RawMessage]] = {}
    for number in range(messages):
        at = START + timedelta(seconds=int(number * 86_400 / messages) + random.randint(0, 400))
        site = random.choice(SITES)
        make = random.choices((_cabinet, _scan, _dispense, _broken, _answer), (10, 4, 4, 1, 1))[0]
        name, content_type, body = make(random, site, number, at)
        source = f"{site}-{name}"
        # Received out of order by up to half an hour: late events are re-derived whether or not the hub crashed.
        received = at + timedelta(seconds=random.randint(0, 1800))
        message = RawMessage(body=body, source=source, connector=name, content_type=content_type, received_at=received)
        feeds.setdefault(source, []).append(message)
    for queue in feeds.values():
        queue.sort(key=lambda message: message.received_at)
    return SmallHospital(list(_reference()), list(_late_reference()), feeds)


def gtin_of(item: str) -> str:
    """The GTIN-14 of an item's one product."""
    body = f"0030000000{(*ITEMS, LATE_ITEM).index(item):03d}"
    return body + gtin_check_digit(body)


def _record(kind: str, record: Any) -> ReferenceRecord:
    return kind, REFERENCE_KINDS[kind].id_of(record), record


def _reference() -> Iterator[ReferenceRecord]:
    for site, zone in zip(SITES, ("America/New_York", "Europe/Berlin"), strict=True):
        yield _record("site", Site(id=site, name=site.title(), zone=zone, facility_codes=(site.upper(),)))
        store = Location(site=site, path="main", kind=LocationKind.STORE, codes=("MAIN",), authority=Feed.DISPENSE)
        yield _record("location", store)
        cabinet = Location(
            site=site, path="icu/cab1", kind=LocationKind.CABINET, codes=("ICU-CAB1",), authority=Feed.CABINET, refill_from="main"
        )
        yield _record("location", cabinet)
    yield _record("supplier", Supplier(id="mainline", name="Mainline"))
    for item in ITEMS:
        yield from _item_records(item)
    for site in SITES:
        for item in (*ITEMS, LATE_ITEM):
            pocket = f"icu/cab1/{POCKETS[item]}"
            restock = ParPolicy(site=site, location=pocket, item=item, minimum=8, par=20, maximum=24, source="main")
            buy = CommandKind.PURCHASE
            purchase = ParPolicy(site=site, location="main", item=item, minimum=30, par=90, maximum=120, critical=5, kind=buy)
            yield _record("par_policy", restock)
            yield _record("par_policy", purchase)


def _late_reference() -> Iterator[ReferenceRecord]:
    return _item_records(LATE_ITEM)


def _item_records(item: str) -> Iterator[ReferenceRecord]:
    """The local code names the product, so that a lot is the same lot whichever feed speaks of it first."""
    code = Code(system="local", value=item.upper())
    yield _record("item", Item(id=item, name=item, base_unit="vial", schedule=2 if item.startswith("morphine") else None))
    yield _record(
        "product",
        Product(id=f"{item}-box", item=item, labeler="Labeler", package_quantity=10, gtin=gtin_of(item), codes=(code,)),
    )
    yield _record("supplier_item", SupplierItem(supplier="mainline", item=item, price=Decimal("1.25"), pack=10))


def _choice(random: Random) -> tuple[str, str]:
    """An item and one of its lots. Lots are named for their item: a lot belongs to one product."""
    return random.choices((*ITEMS, LATE_ITEM), (5, 4, 1))[0], random.choice(sorted(LOTS))


def _cabinet(random: Random, site: str, number: int, at: datetime) -> tuple[str, str, bytes]:
    """One to three transactions of the cabinet in one body."""
    rows = []
    for line in range(random.randint(1, 3)):
        item, lot = _choice(random)
        action = random.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        rows.append(
            {
                "device": "ICU-CAB1", "transaction_id": f"{number}-{line}", "action": action, "facility": site.upper(),
                "occurred": (at + timedelta(seconds=line)).isoformat(), "pocket": POCKETS[item], "product_code": item.upper(),
                "quantity": random.randint(1, 9), "unit": "vial", "lot": lot, "expiry": LOTS[lot],
                "device_sequence": number * 10 + line, "user": "nurse1", "witness": "nurse2",
            }
        )  # fmt: skip
    return "cabinet", CABINET_JSON, json.dumps(rows).encode()


def _scan(random: Random, site: str, number: int, at: datetime) -> tuple[str, str, bytes]:
    item, lot = _choice(random)
    activity = random.choice(("receive", "receive", "put_away", "pick", "count", "waste"))
    expiry = LOTS[lot].replace("-", "")[2:]
    row = {
        "session": "dock", "event_id": str(number), "activity": activity, "occurred": at.isoformat(), "location": "main",
        "barcode": f"]d201{gtin_of(item)}17{expiry}10{lot}", "user": "tech1", "facility": site.upper(),
        "quantity": random.randint(1, 6), "unit": "vial", "device_sequence": number,
    }  # fmt: skip
    if activity == "put_away":
        row["to_location"] = f"icu/cab1/{POCKETS[item]}"
    return "scan", SCAN_JSON, json.dumps(row).encode()


def _dispense(random: Random, site: str, number: int, at: datetime) -> tuple[str, str, bytes]:
    """RDS^O13 with one to three RXD: an item each."""
    stamp = f"{at:%Y%m%d%H%M%S}+0000"
    lines = [
        f"MSH|^~\\&|PHARMIS|{site.upper()}|WARDSTOCK|HUB|{stamp}||RDS^O13^RDS_O13|C{number}|P|2.5.1",
        f"PID|1||MRN{random.randint(1, 9)}^^^{site.upper()}^MR||DOE^JANE",
    ]
    for line in range(1, random.randint(1, 3) + 1):
        item, lot = _choice(random)
        expiry = LOTS[lot].replace("-", "")
        given, filler = f"{at + timedelta(seconds=line):%Y%m%d%H%M%S}+0000", f"F{number}-{line}"
        lines.append(f"ORC|RE|P{number}-{line}|{filler}")
        lines.append(
            f"RXD|{line}|{item.upper()}^{item}^L|{given}|{random.randint(1, 4)}|VIAL||{filler}"
            f"|||RPH1|||ICU^1^1|||||{lot}|{expiry}|||||||MAIN^Central|MAIN^Central||||||N"
        )
    return "rds", HL7_ER7, "\r".join([*lines, ""]).encode()


def _broken(random: Random, site: str, number: int, at: datetime) -> tuple[str, str, bytes]:
    """What can't be understood: cut JSON, bytes of no format, a message without a product."""
    junk = bytes(random.randrange(256) for _ in range(40))
    body = random.choice((b'{"device": "ICU-CAB1", "trans', junk, b"[]", b"MSH|^~\\&|A"))
    return ("rds", HL7_ER7, body) if body.startswith(b"MSH") else ("cabinet", CABINET_JSON, body + b"%d" % number)


def _answer(random: Random, site: str, number: int, at: datetime) -> tuple[str, str, bytes]:
    """An ERP's answer to a command that never was."""
    row = {"answer_id": f"a{number}", "site": site, "command_id": "none", "status": "acknowledged", "at": at.isoformat()}
    return "erp", ERP_JSON, json.dumps(row).encode()
