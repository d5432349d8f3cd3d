"""How fast scans are read: bytes of a scan message to an encoded stock event, beside bare biip reading the same barcode.

Ours does more (JSON, validation, strict rules, event, encoding); the peer's row is what its parser alone costs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import biip
from biip.gs1_messages import GS1Message

from connectors.barcode.mapper import map_scan
from connectors.barcode.parse import parse_barcode
from schemas.codec import encode
from schemas.raw import SCAN_JSON, RawMessage, RawRef
from tests.unit.cabinet.lending import TwoSites

BARCODE = "]d20100304094713021172704301021072911\x1d21SN0001"
SECONDS = 0.5
LIST_SCANS = 100
MAPPING = "reading the barcode, then JSON and its validation"
PARSING = "element strings are cut and checked in Python"
_REF = RawRef(partition=0, offset=0)


def rows() -> list[dict[str, Any]]:
    """Rates per second of one core, ours and the peer's, measured one after the other in this process."""
    context = TwoSites()
    one = _message(_scan("1"))
    many = _message([_scan(str(number)) for number in range(LIST_SCANS)])
    peer = _rate(lambda: biip.parse(BARCODE))
    message_peer = _rate(lambda: GS1Message.parse(BARCODE[3:]))

    def map_one() -> None:
        for event in map_scan(one, _REF, context):
            encode(event)

    def map_many() -> None:
        for event in map_scan(many, _REF, context):
            encode(event)

    return [
        _row("scan bytes → event → bytes, one a message", _rate(map_one), "biip.parse of the barcode alone", peer, MAPPING),
        _row("the same, 100 a message", LIST_SCANS * _rate(map_many), "biip.parse of the barcode alone", peer, MAPPING),
        _row("barcode only", _rate(lambda: parse_barcode(BARCODE, 2026)), "biip GS1Message.parse", message_peer, PARSING),
    ]


def _row(name: str, ours: float, peer: str, peers: float, limit: str) -> dict[str, Any]:
    return {"name": name, "ours_per_second": ours, "peer": peer, "peer_per_second": peers, "limit": limit}


def _scan(event_id: str) -> dict[str, Any]:
    return {
        "session": "dock-7",
        "event_id": event_id,
        "activity": "receive",
        "occurred": "2026-05-31T08:00:00-05:00",
        "barcode": BARCODE,
        "location": "main/dock",
        "user": "tech4",
        "facility": "MERCY",
        "device_sequence": 7,
    }


def _message(body: object) -> RawMessage:
    return RawMessage(
        body=json.dumps(body).encode(),
        source="bench",
        connector="scan",
        content_type=SCAN_JSON,
        received_at=datetime(2026, 5, 31, 13, 1, tzinfo=UTC),
    )


def _rate(action: Callable[[], object]) -> float:
    """Calls a second, after a warm-up, over at least `SECONDS`."""
    action()
    calls, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < SECONDS:
        for _ in range(20):
            action()
        calls += 20
    return calls / elapsed
