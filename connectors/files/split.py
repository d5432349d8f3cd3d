"""Cutting a file that is over the hub's message limit into several messages, where that is safe: between lines of JSON objects
and between HL7 messages. No byte is changed, lost or doubled; a part that is over the limit by itself is never cut.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from schemas.raw import BODY_BYTES_MAX, FHIR_JSON, HL7_ER7, REPORT, UNKNOWN_TYPE

LINES_MAX: Final = 1_000
"""Most FHIR resources in one part."""

_HL7_START: Final = re.compile(rb"(?=\x0bMSH[^\w\s])|(?<=[\r\n])(?=MSH[^\w\s])")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file: its bytes, and which units (lines or messages) of the file it holds, from 1."""

    body: bytes
    first: int
    last: int


def is_splittable(content_type: str, data: bytes) -> bool:
    """Whether a file of this type may be cut: HL7 in a one-byte encoding, and lines that each hold a JSON object.

    A report never: which of its rows are alike, and where it begins and ends, can only be told from the whole.
    """
    if content_type == HL7_ER7:
        return not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content_type not in (UNKNOWN_TYPE, REPORT) and is_json_lines(data)


def is_json_lines(data: bytes) -> bool:
    """Several lines, and each begins and ends as a JSON object: never true of one indented document."""
    lines = [line.strip() for line in data.split(b"\n")]
    filled = [line for line in lines if line]
    return len(filled) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in filled)


def split(content_type: str, data: bytes, bytes_max: int = BODY_BYTES_MAX) -> Iterator[Part]:
    """The parts of a splittable file, in order, each as large as the limits allow; a single unit may exceed `bytes_max`.

    HL7 messages are grouped by size alone, FHIR resources to `LINES_MAX` as well; of the hub's own schemas each line is a part.
    """
    if content_type == HL7_ER7:
        return _grouped(_hl7_units(data), bytes_max, len(data))
    lines = (line for line in io.BytesIO(data) if line.strip())
    return _grouped(lines, bytes_max, LINES_MAX if content_type == FHIR_JSON else 1)


def _hl7_units(data: bytes) -> Iterator[bytes]:
    """The messages of a file; what stands before the first one (batch headers) goes with it."""
    cuts = [match.start() for match in _HL7_START.finditer(data) if match.start()]
    if cuts and b"MSH" not in data[: cuts[0]]:
        cuts = cuts[1:]
    edges = [0, *cuts, len(data)]
    yield from (data[start:end] for start, end in pairwise(edges) if start < end)


def _grouped(units: Iterable[bytes], bytes_max: int, units_max: int) -> Iterator[Part]:
    """Neighbouring units together, while their size and their number are within the limits."""
    held: list[bytes] = []
    size = 0
    first = 1
    for unit in units:
        if held and (size + len(unit) > bytes_max or len(held) == units_max):
            yield Part(b"".join(held), first, first + len(held) - 1)
            first += len(held)
            held, size = [], 0
        held.append(unit)
        size += len(unit)
    if held:
        yield Part(b"".join(held), first, first + len(held) - 1)
