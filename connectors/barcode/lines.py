"""What the lines of a scan with several have in common: checked one by one, with a lot and a date the barcode agrees with."""

from __future__ import annotations

from datetime import date
from typing import Any

from connectors.barcode.parse import Barcode
from connectors.json_items import Fault, quoted, validated
from schemas.codec import Codec
from schemas.codes import normalise_lot
from schemas.mapping import MappingContext, SiteFacts
from schemas.raw import RawMessage


def check_lines(item: dict[str, Any], name: str, codec: Codec[Any]) -> None:
    """Validate each line of a list by itself, so that what is wrong is told by its place. Raises `Fault`."""
    lines = item.get(name)
    for number, line in enumerate(lines if isinstance(lines, list) else ()):
        where = f"{name}[{number}]"
        if not isinstance(line, dict):
            raise Fault("invalid_fields", f"{where}: is not an object.")
        try:
            validated(codec, line, instants=("beyond_use",), dates=("expiry",))
        except Fault as fault:
            raise Fault(fault.code, f"{where}.{fault.reason}") from None


def lot_of(typed: str | None, barcode: Barcode | None) -> str | None:
    """The lot that was scanned, else the typed one. Raises `Fault("lot_mismatch")` when they contradict each other."""
    scanned = barcode.lot if barcode is not None else None
    if scanned and typed and normalise_lot(scanned) != normalise_lot(typed):
        reason = f"lot {quoted(typed)} was typed, but the barcode says {quoted(scanned)}; leave the typed lot out."
        raise Fault("lot_mismatch", reason)
    return scanned or typed or None


def expiry_of(typed: date | None, barcode: Barcode | None) -> date | None:
    """The expiry that was scanned, else the typed one. Raises `Fault("expiry_mismatch")` when they contradict each other."""
    scanned = barcode.expiry if barcode is not None else None
    if scanned and typed and scanned != typed:
        reason = f"expiry {typed} was typed, but the barcode says {scanned}; leave the typed expiry out."
        raise Fault("expiry_mismatch", reason)
    return scanned or typed


def site_of(facility: str | None, message: RawMessage, context: MappingContext) -> tuple[SiteFacts | None, str]:
    """The site that a facility code or the message names, and its id; empty when nobody knows it."""
    site = context.site((facility,) if facility else (), message.site)
    return site, site.id if site is not None else ""


def facility_of(facility: str | None, context: MappingContext) -> dict[str, Any]:
    """The facility as it was given, and whether it is known."""
    known = (facility,) if facility else ()
    return {"facility": facility or None, "facility_matched": bool(facility) and context.knows_facility(known)}
