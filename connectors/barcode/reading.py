"""What scans of any kind have in common: a barcode that must be readable, the codes it gives, a place that may be a barcode."""

from __future__ import annotations

from connectors.barcode.parse import Barcode, UnreadableBarcode, parse_barcode
from connectors.json_items import Fault, quoted
from schemas.codes import GTIN, HIBC, NDC, SSCC, Code


def readable(text: str, year: int, *, may_be_container: bool) -> Barcode:
    """The barcode, when it can be read and names a product, or a container that is received as a whole.

    Raises `Fault("unreadable_barcode")` saying what to do.
    """
    read = parse_barcode(text, year)
    if isinstance(read, UnreadableBarcode):
        advice = "scan it again, or check that the scanner sends FNC1 as \\x1d or <GS>"
        raise Fault("unreadable_barcode", f"The barcode {quoted(text)} can't be read ({read.code}): {read.reason}; {advice}.")
    if not (read.gtin or read.ndc or read.hibc or (read.sscc and may_be_container)):
        raise Fault(
            "unreadable_barcode",
            f"The barcode {quoted(text)} names no product (AI 01 or 02, an NDC, HIBC primary data); scan the product's.",
        )
    return read


def codes_of(barcode: Barcode) -> tuple[Code, ...]:
    """The product codes of a barcode; of one that names a container alone, the container."""
    codes = []
    if barcode.gtin:
        codes.append(Code(system=GTIN, value=barcode.gtin))
    if barcode.ndc:
        codes.append(Code(system=NDC, value=barcode.ndc))
    if barcode.hibc:
        codes.append(Code(system=HIBC, value=barcode.hibc))
    if barcode.sscc and not codes:
        codes.append(Code(system=SSCC, value=barcode.sscc))
    return tuple(codes)


def place_code(text: str, year: int) -> str:
    """The code of a place: a scanned location barcode (AI 414, with AI 254 as `gln.extension`), else the text itself."""
    if not text.startswith(("]", "(")):
        return text
    read = parse_barcode(text, year)
    if isinstance(read, UnreadableBarcode) or not read.gln:
        return text
    return f"{read.gln}.{read.gln_extension}" if read.gln_extension else read.gln
