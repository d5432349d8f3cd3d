"""A count of everything at a place as JSON at the edge of scans: what it becomes, and how each mistake is told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.barcode.mapper import map_scan
from schemas.codes import Code
from schemas.events import FoundLot, StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Refused
from schemas.scan import PACKAGE_UNIT
from tests.unit.cabinet.lending import REF, TwoSites, message

FIRST = {"barcode": "(01)00304094713021(17)270430(10)L1", "quantity": 3}
SECOND = {"barcode": "(01)00300931111012", "quantity": "2.5", "lot": "L2", "expiry": "2027-05-31"}
COUNT = {
    "session": "s1", "event_id": "7", "activity": "count_all", "occurred": "2026-05-31T09:00:00-05:00", "user": "pia", "facility": "MERCY",
    "location": "main/a1", "witness": "tom", "lots": [FIRST, SECOND],
}  # fmt: skip


def mapped(**changes: Any) -> Any:
    body = {name: value for name, value in {**COUNT, **changes}.items() if value is not None}
    [result] = map_scan(message(json.dumps(body).encode()), REF, TwoSites())
    return result


def refusal(**changes: Any) -> tuple[str, str]:
    result = mapped(**changes)
    assert isinstance(result, Refused), result
    assert result.event_key == "scan|s1|7", "the person who counted asks by it"
    return result.code, result.reason


def test_every_lot_is_in_one_event_with_its_own_codes() -> None:
    event = mapped()
    assert isinstance(event, StockEvent)
    assert (event.kind, event.feed, event.event_key, event.site) == (EventKind.COUNT, Feed.SCAN, "scan|s1|7", "mercy")
    assert (event.occurred, event.actor, event.witness) == (datetime(2026, 5, 31, 14, 0, tzinfo=UTC), "pia", "tom")
    assert (event.quantity, event.unit, event.lot, event.location_codes) == (Decimal("5.5"), PACKAGE_UNIT, None, ("main/a1",))
    codes = [Code(system="gtin", value="00304094713021"), Code(system="gtin", value="00300931111012")]
    assert event.codes == tuple(codes)
    assert event.found == (
        FoundLot(codes=(codes[0],), quantity=Decimal(3), lot="L1", expiry=date(2027, 4, 30)),
        FoundLot(codes=(codes[1],), quantity=Decimal("2.5"), lot="L2", expiry=date(2027, 5, 31)),
    )


def test_one_unit_may_be_named_for_all() -> None:
    assert mapped(unit="tablet").unit == "tablet"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"lots": []}, "invalid_fields", "lots"),
        ({"lots": None}, "invalid_fields", "lots"),
        ({"lots": [FIRST, 3]}, "invalid_fields", "lots[1]: is not an object"),
        ({"lots": [FIRST, {**SECOND, "quantity": -1}]}, "invalid_fields", "lots[1].quantity"),
        ({"lots": [FIRST, {"barcode": "x", "quantity": 1}]}, "unreadable_barcode", "lots[1]: The barcode 'x'"),
        ({"lots": [{**FIRST, "lot": "L9"}]}, "lot_mismatch", "lots[0]: lot 'L9' was typed"),
        ({"lots": [{**FIRST, "expiry": "2028-01-01"}]}, "expiry_mismatch", "lots[0]: expiry 2028-01-01 was typed"),
        ({"barcode": FIRST["barcode"]}, "invalid_fields", "barcode"),
        ({"lots": [FIRST] * 201}, "invalid_fields", "lots"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(changes: dict[str, Any], code: str, said: str) -> None:
    found, reason = refusal(**changes)
    assert found == code
    assert said in reason
