"""EPCs and places as GS1 keys: from URNs (GS1 EPC Tag Data Standard §6, §7) and from GS1 Digital Link URIs.

`urn:epc:id:sgtin:0304094.071302.S1` is GTIN 00304094713021 with serial S1: the first digit of the item reference is the GTIN's
indicator, and the check digit is added. Escapes (`%2F`) are undone.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from connectors.barcode.digital_link import read_digital_link
from connectors.barcode.elements import ElementError
from schemas.codes import gtin_check_digit

_URN: Final = re.compile(r"urn:epc:(?:id|class|idpat):(sgtin|sscc|lgtin|sgln|pgln):([^\s]+)", re.ASCII)
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_GTIN_BODY: Final = 13
_SSCC_BODY: Final = 17
_GLN_BODY: Final = 12


class EpcError(ValueError):
    """An EPC that is none, or not one of a package, lot, container or place. The text says why."""


class Epc(NamedTuple):
    """What an EPC names: a package (GTIN, serial), a lot of packages (GTIN, lot), a product (GTIN), or a container (SSCC)."""

    gtin: str | None = None
    serial: str | None = None
    lot: str | None = None
    sscc: str | None = None


def read_epc(text: str, year: int) -> Epc:
    """Read an EPC or EPC class. Raises `EpcError`."""
    match = _URN.fullmatch(text.strip())
    if match is None:
        return _linked(text.strip(), year)
    scheme, parts = match[1], match[2].split(".", 2)
    if scheme == "sscc":
        _exactly(text, parts, 2)
        return Epc(sscc=_with_check(text, parts[1][:1] + parts[0] + parts[1][1:], _SSCC_BODY))
    if scheme not in ("sgtin", "lgtin"):
        msg = f"{text} names a place, not a package"
        raise EpcError(msg)
    _exactly(text, parts, 3)
    gtin = _with_check(text, parts[1][:1] + parts[0] + parts[1][1:], _GTIN_BODY)
    name = unquote(parts[2])
    if scheme == "lgtin":
        return Epc(gtin=gtin, lot=name)
    return Epc(gtin=gtin, serial=None if name == "*" else name)


def read_gln(text: str, year: int) -> str | None:
    """The 13 digits of a place or party (SGLN, PGLN, Digital Link 414 or 417); None when it is none."""
    match = _URN.fullmatch(text.strip())
    try:
        if match is not None and match[1] in ("sgln", "pgln"):
            parts = match[2].split(".")
            return _with_check(text, parts[0] + (parts[1] if len(parts) > 1 else ""), _GLN_BODY)
        elements = dict(read_digital_link(text.strip(), year))
    except (EpcError, ElementError):
        return None
    return elements.get("414") or elements.get("417")


def _linked(text: str, year: int) -> Epc:
    try:
        elements = dict(read_digital_link(text, year))
    except ElementError as error:
        msg = f"{text[:120]} is no EPC: {error.reason}"
        raise EpcError(msg) from None
    if "00" in elements:
        return Epc(sscc=elements["00"])
    if "01" not in elements:
        msg = f"{text[:120]} names no package: it has neither AI 01 nor 00"
        raise EpcError(msg)
    return Epc(gtin=elements["01"], serial=elements.get("21"), lot=elements.get("10"))


def _exactly(text: str, parts: list[str], count: int) -> None:
    if len(parts) != count or not all(parts) or not all(_DIGITS.fullmatch(part) for part in parts[:2]):
        msg = f"{text[:120]} is no EPC: it needs {count} parts, the first two of digits"
        raise EpcError(msg)


def _with_check(text: str, body: str, length: int) -> str:
    if len(body) != length or not _DIGITS.fullmatch(body):
        msg = f"{text[:120]} is no EPC: company prefix and reference have {len(body)} digits together, not {length}"
        raise EpcError(msg)
    return body + gtin_check_digit(body)
