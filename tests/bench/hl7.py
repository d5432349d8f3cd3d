"""How fast HL7 v2 is read and mapped, beside python-hl7 and hl7apy on the same messages in the same run.

Method: the best of several rounds over two ordinary messages (an RAS of six and an RDS of seven segments), one core. "Read" is from
bytes to six named values; "map" is from bytes to a validated event, encoded and decoded. The same two messages come again and
again, so what the mapper keeps of field texts is always there: a feed with new drugs in every message is slower. The sweep reads
and maps a collection of published messages once per round; it is left out where the collection is not beside the project.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import hl7 as python_hl7
from hl7apy.parser import parse_message

from connectors.hl7.er7 import read
from connectors.hl7.mapper import map_hl7
from schemas.codec import encode
from schemas.events import STOCK_EVENT, StockEvent
from schemas.mapping import SiteFacts
from schemas.raw import HL7_ER7, RawMessage, RawRef

ROUND_SECONDS: Final = 0.3
ROUNDS: Final = 5
SAMPLES: Final = Path(__file__).resolve().parents[1] / "data" / "hl7"
PUBLISHED: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "hl7v2"
PHARMACY: Final = ("RAS", "RDS", "RDE", "RGV", "OMP", "RRA", "RRD")
PATHS: Final = ("MSH-9.1", "MSH-10", "PID-3.1", "PV1-3.1", "ORC-3.1", "RXR-1.1")


class _Hub:
    """A mapping context that answers at once."""

    _facts = SiteFacts(id="north", zone="America/New_York")

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        return self._facts

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        return True

    def profile(self, name: str) -> None:
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:
        return identifier


def per_second(once: Callable[[], int]) -> float:
    """Messages a second of the best round; `once` returns how many messages one call handles."""
    best = 0.0
    for _ in range(ROUNDS):
        handled, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < ROUND_SECONDS:
            handled += once()
        best = max(best, handled / passed)
    return best


def _samples() -> list[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLES.glob("*.hl7"))]


def _ours(messages: list[bytes]) -> Callable[[], int]:
    def once() -> int:
        for data in messages:
            get = read(data).get
            for path in PATHS:
                get(path)
        return len(messages)

    return once


def _python_hl7(messages: list[bytes]) -> Callable[[], int]:
    addresses = [("MSH", 9, 1), ("MSH", 10, 1), ("PID", 3, 1), ("PV1", 3, 1), ("ORC", 3, 1), ("RXR", 1, 1)]

    def once() -> int:
        for data in messages:
            message = python_hl7.parse(data)
            for segment, field, component in addresses:
                message.extract_field(segment, 1, field, 1, component)
        return len(messages)

    return once


def _hl7apy(messages: list[bytes]) -> Callable[[], int]:
    def once() -> int:
        for data in messages:
            message: Any = parse_message(data.decode(), validation_level=2, find_groups=False)
            for value in (message.msh.msh_9.msh_9_1, message.msh.msh_10, message.pid.pid_3.pid_3_1):
                value.to_er7()
            for value in (message.pv1.pv1_3.pv1_3_1, message.orc.orc_3.orc_3_1, message.rxr.rxr_1.rxr_1_1):
                value.to_er7()
        return len(messages)

    return once


def _events(messages: list[bytes]) -> Callable[[], int]:
    raws = _raws(messages)
    ref, hub = RawRef(partition=0, offset=0), _Hub()

    def once() -> int:
        for raw in raws:
            for event in map_hl7(raw, ref, hub):
                if not isinstance(event, StockEvent):
                    raise TypeError(event)
                STOCK_EVENT.check(event)
                STOCK_EVENT.decode(encode(event))
        return len(raws)

    return once


def _pharmacy() -> list[bytes]:
    """The published pharmacy messages that both peers can parse; none where they are not beside the project."""
    index = PUBLISHED / "INDEX.tsv"
    if not index.is_file():
        return []
    rows = [line.split("\t") for line in index.read_text(encoding="utf-8").splitlines()[1:]]
    found = [(PUBLISHED / row[0] / row[1]).read_bytes() for row in rows if row[2].startswith(PHARMACY)]
    return [data for data in found if _parses(data)]


def _parses(data: bytes) -> bool:
    try:
        python_hl7.parse(data.decode())
        parse_message(data.decode(), validation_level=2, find_groups=False)
    except Exception:  # noqa: BLE001  # the peers raise errors of many kinds on real messages
        return False
    return True


def _parsed(messages: list[bytes], parse: Callable[[str], object]) -> Callable[[], int]:
    """A peer's bare parse, text already decoded."""
    texts = [data.decode() for data in messages]

    def once() -> int:
        for text in texts:
            parse(text)
        return len(texts)

    return once


def _pharmacy_rows() -> list[dict[str, Any]]:
    messages = _pharmacy()
    if not messages:
        return [{"name": "HL7 v2: published pharmacy messages", "ours_per_second": 0, "limit": f"NOT MEASURED: no {PUBLISHED.name} folder"}]
    only_read = per_second(lambda: len([read(data) for data in messages]))
    events = per_second(_sweep(messages))
    name = f"{len(messages)} published pharmacy messages"
    return [
        {
            "name": f"HL7 v2: {name}, read", "ours_per_second": only_read, "peer": "python-hl7, parse",
            "peer_per_second": per_second(_parsed(messages, python_hl7.parse)), "limit": "splitting text in Python",
        },
        {
            "name": f"HL7 v2: {name}, bytes to events", "ours_per_second": events, "peer": "hl7apy, bare parse",
            "peer_per_second": per_second(
                _parsed(messages, lambda text: parse_message(text, validation_level=2, find_groups=False))
            ),
            "limit": "Python: the mapper",
        },
    ]  # fmt: skip


def _sweep(messages: list[bytes]) -> Callable[[], int]:
    raws = _raws(messages)
    ref, hub = RawRef(partition=0, offset=0), _Hub()

    def once() -> int:
        for raw in raws:
            if not map_hl7(raw, ref, hub):
                raise ValueError(raw.body)
        return len(raws)

    return once


def _raws(bodies: list[bytes]) -> list[RawMessage]:
    received = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
    return [RawMessage(body=body, source="bench", connector="hl7", content_type=HL7_ER7, received_at=received) for body in bodies]


def _sweep_row() -> dict[str, Any]:
    """The rate of the published messages; 0 and the reason where they are not there."""
    files = sorted(path for path in PUBLISHED.rglob("*") if path.suffix in (".hl7", ".txt"))
    if not files:
        return {"name": "HL7 v2: published messages, read and mapped", "ours_per_second": 0, "limit": f"NOT MEASURED: no {PUBLISHED.name} folder"}
    size = sum(path.stat().st_size for path in files) // len(files)
    return {
        "name": f"HL7 v2: {len(files)} published files ({size:,} bytes on average), read and mapped",
        "ours_per_second": per_second(_sweep([path.read_bytes() for path in files])),
        "limit": "Python: many are large or batches; most types move no stock and end at the header",
    }


def rows() -> list[dict[str, Any]]:
    """One row a rate: what, how many a second here, beside which peer, and what limits it."""
    messages = _samples()
    ours = per_second(_ours(messages))
    read_name = "HL7 v2: read and fetch six named paths"
    return [
        {
            "name": read_name,
            "ours_per_second": ours,
            "peer": "python-hl7",
            "peer_per_second": per_second(_python_hl7(messages)),
            "limit": "splitting text in Python; fields below the six are not looked into",
        },
        {
            "name": read_name,
            "ours_per_second": ours,
            "peer": "hl7apy",
            "peer_per_second": per_second(_hl7apy(messages)),
            "limit": "the same; the peer builds and checks a tree of the whole message",
        },
        {
            "name": "HL7 v2: bytes to validated event, encoded and decoded",
            "ours_per_second": per_second(_events(messages)),
            "limit": "Python: three quarters is the mapper; it keeps field texts, see the module",
        },
        *_pharmacy_rows(),
        _sweep_row(),
    ]
