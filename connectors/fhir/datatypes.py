"""FHIR data types as the hub's: code systems, quantities, instants, dates, references, identifiers.

Every function is pure and takes parsed JSON. What can't be used raises `Fault`; what is absent gives an empty value.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.fhir.nodes import Fault, Node, child, children, shown, text
from schemas.codes import GTIN, LOCAL, NDC, RXNORM, Code
from schemas.events import QUANTITY_MAX
from schemas.mapping import SiteFacts

YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199
"""Instants outside these years are a clock that was never set; expiry dates outside them stand for "none"."""
QUANTITY_DECIMALS_MAX: Final = 6
"""Finer quantities are refused; they are noise of a sender's binary floats."""

TEXT: Final = "text"
REFERENCE: Final = "reference"
"""Code systems for what is no code: a name in words, and the `Type/id` of a resource that was not sent along."""

_SYSTEMS: Final = {
    "hl7.org/fhir/sid/ndc": NDC,
    "urn:oid:2.16.840.1.113883.6.69": NDC,
    "www.nlm.nih.gov/research/umls/rxnorm": RXNORM,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "www.gs1.org/gtin": GTIN,
    "urn:oid:1.3.160": GTIN,
}
"""Source: HL7 Terminology, external code systems NDC, RxNorm and GTIN (URLs and OIDs)."""

_UCUM: Final = "http://unitsofmeasure.org"
_CLOCK: Final = r"[Tt](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|z|[+-]\d{2}:\d{2})?"
_DATE_TIME: Final = re.compile(rf"(\d{{4}})(?:-(\d{{2}})(?:-(\d{{2}})(?:{_CLOCK})?)?)?", re.ASCII)


def system_name(system: str) -> str:
    """The hub's short name of a code system; `local` for one it does not know."""
    bare = system.lower().removeprefix("https://").removeprefix("http://").rstrip("/")
    return _SYSTEMS.get(bare, LOCAL)


def codes_of(concept: Node) -> tuple[Code, ...]:
    """Every coding with a code, in the order sent; without one, the concept's text."""
    if not concept:
        return ()
    words = text(concept, "text")
    codings = [
        Code(system=system_name(text(coding, "system")), value=code, text=text(coding, "display") or words or None)
        for coding in children(concept, "coding")
        if (code := text(coding, "code"))
    ]
    if codings or not words:
        return tuple(codings)
    return (Code(system=TEXT, value=words, text=words),)


def quantity_of(quantity: Node, path: str) -> tuple[Decimal | None, str | None]:
    """Value and unit of a Quantity, as stated. The unit is the UCUM code when there is one, else the unit, else the code.

    Raises `Fault` for a quantity that is negative, absurd, or only a bound (FHIR: Quantity.comparator).
    """
    unit, code = text(quantity, "unit"), text(quantity, "code")
    name = (code if code and text(quantity, "system") == _UCUM else unit or code) or None
    stated = quantity.get("value")
    if stated is None:
        return None, name
    if text(quantity, "comparator"):
        raise Fault("inexact_quantity", f"{path} is only a bound ({shown(text(quantity, 'comparator'))}), not an amount.")
    value = _decimal(stated, path)
    if value < 0:
        raise Fault("negative_quantity", f"{path} is {value}; no amount is negative; a mistake is sent as entered-in-error.")
    return value, name


def _decimal(stated: object, path: str) -> Decimal:
    try:
        value = Decimal(str(stated)) if not isinstance(stated, bool) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Fault("invalid_resource", f"{path} is {shown(stated)}, which is no number.")
    exponent = value.as_tuple().exponent if value else 0
    too_fine = isinstance(exponent, int) and exponent < -QUANTITY_DECIMALS_MAX
    if too_fine and (value.adjusted() < -QUANTITY_DECIMALS_MAX or value != round(value, QUANTITY_DECIMALS_MAX)):
        reason = f"{path} is {shown(stated)}, with more than {QUANTITY_DECIMALS_MAX} decimals; round it where it is made."
        raise Fault("absurd_quantity", reason)
    if value > QUANTITY_MAX:
        raise Fault("absurd_quantity", f"{path} is {shown(stated)}, more than {QUANTITY_MAX}.")
    return value


def instant_of(stated: str, path: str, site: SiteFacts | None) -> tuple[datetime, bool]:
    """A FHIR dateTime as a UTC instant, and whether a zone had to be assumed.

    A date is its local midnight at the site; without a known site UTC is taken. A month or a year is too vague for a movement.
    Raises `Fault`.
    """
    match = _DATE_TIME.fullmatch(stated)
    if match is None:
        raise Fault("invalid_resource", f"{path} is {shown(stated)}, not a date and time like 2026-05-31T14:05:00-05:00.")
    year, month, day, clock, offset = match.groups()
    if day is None:
        raise Fault("vague_time", f"{path} is {shown(stated)}; a movement needs at least the day.")
    try:
        local = datetime.fromisoformat(f"{year}-{month}-{day}T{_second(clock)}{(offset or '').upper()}")
        if not YEAR_MIN < local.year < YEAR_MAX:
            raise Fault("absurd_time", f"{path} is {shown(stated)}; check the sender's clock.")
        if local.tzinfo is not None:
            return local.astimezone(UTC), False
        return local.replace(tzinfo=_zone(site)).astimezone(UTC), True
    except (ValueError, OverflowError) as error:
        if isinstance(error, Fault):
            raise
        raise Fault("invalid_resource", f"{path} is {shown(stated)}, a date and time that does not exist.") from None


def _second(clock: str | None) -> str:
    """The time of day; a leap second (`:60`, allowed by FHIR) is the second before it, a missing one is 0."""
    if clock is None:
        return "00:00:00"
    whole = clock if len(clock) > 5 else f"{clock}:00"
    return whole[:6] + "59" if whole[6:8] == "60" else whole


def _zone(site: SiteFacts | None) -> ZoneInfo:
    zone = _zone_named(site.zone if site else "UTC")
    if zone is None:
        name = site.zone if site else ""
        raise Fault("unknown_zone", f"The site has the unknown time zone {shown(name)}; correct the site's record.")
    return zone


@lru_cache(maxsize=1024)
def _zone_named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def expiry_of(stated: str, path: str) -> date | None:
    """An expiry as the date written on the package; a month or a year means its last day. Raises `Fault`."""
    if not stated:
        return None
    match = _DATE_TIME.fullmatch(stated)
    if match is None:
        raise Fault("invalid_resource", f"{path} is {shown(stated)}, not a date like 2026-05-31.")
    year, month = int(match[1]), int(match[2] or 12)
    try:
        found = date(year, month, int(match[3] or monthrange(year, month)[1]))
    except ValueError:
        raise Fault("invalid_resource", f"{path} is {shown(stated)}, a date that does not exist.") from None
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise Fault("absurd_expiry", f"{path} is {shown(stated)}; leave it out when the lot has no expiry.")
    return found


def identifiers_of(resource: Node) -> list[tuple[str, str]]:
    """(system, value) of every identifier with a value, in the order sent."""
    return [(text(one, "system"), value) for one in children(resource, "identifier") if (value := text(one, "value"))]


def last_segment(reference: Node) -> str:
    """The id a reference ends in; empty for a contained resource or a UUID, which name nothing outside the message."""
    target = text(reference, "reference")
    if not target or target.startswith(("#", "urn:")):
        return ""
    return target.split("?", 1)[0].split("/_history/", 1)[0].rstrip("/").rsplit("/", 1)[-1]


def names_of(reference: Node, resource: Node) -> list[str]:
    """What a reference and the resource behind it are called, most exact first: id, identifiers, name, display."""
    found = [last_segment(reference), text(child(reference, "identifier"), "value")]
    found += [value for _, value in identifiers_of(resource)]
    found += [text(resource, "name"), text(reference, "display")]
    return [name for name in dict.fromkeys(found) if name]
