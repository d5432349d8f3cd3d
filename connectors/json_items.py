"""JSON bodies with one item or a list of them: read whole, validated one by one, refused one by one.

Shared by the mappers of our own JSON schemas. It owns the checks that all of them share (instants, quantities, keys) and knows no
event kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from connectors.field_faults import json_type, quoted, sentence
from connectors.json_text import HALF_CHARACTER, is_text
from schemas.codec import Codec
from schemas.events import QUANTITY_MAX
from schemas.mapping import Mapped, NoEffect, Refused, SiteFacts

T = TypeVar("T")

YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199
"""Instants and dates outside these years are refused: they are sentinels ("no expiry") or a clock that was never set."""
QUANTITY_DECIMALS_MAX: Final = 6
"""Finer quantities are refused; they are noise of a sender's binary floats."""
FAULTS_MAX: Final = 5
"""Faults named in one reason; more are counted."""

_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Fault(ValueError):  # noqa: N818  # a finding about the sender's data, turned into `Refused` at once
    """One item can't be used. `code` is the stable name; the text is for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def map_items(body: bytes, items_max: int, noun: str, map_one: Callable[[dict[str, Any], int], Mapped]) -> list[Mapped]:
    """Map every item of a body: one JSON object, or a list of at most `items_max`. One result an item; never raises `Fault`.

    `map_one` gets the item and its index, and may raise `Fault`.
    """
    try:
        value = _JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError, InvalidOperation) as error:
        return [Refused(code="not_json", reason=f"The body is not JSON that can be read ({_json_problem(error)}).")]
    if isinstance(value, list):
        if not value:
            return [NoEffect(code="empty_list", reason=f"The list holds no {noun}.")]
        if len(value) > items_max:
            reason = f"The list holds {len(value)} {noun}s, more than {items_max}; send it in several messages."
            return [Refused(code="too_many_items", reason=reason)]
    else:
        value = [value]
    return [_guarded(item, index, noun, map_one) for index, item in enumerate(value)]


def _guarded(item: object, index: int, noun: str, map_one: Callable[[dict[str, Any], int], Mapped]) -> Mapped:
    if not isinstance(item, dict):
        return Refused(code="not_an_object", reason=f"A {noun} must be a JSON object, not {json_type(item)}.")
    try:
        return map_one(item, index)
    except Fault as fault:
        return Refused(code=fault.code, reason=fault.reason)
    except RecursionError:
        return Refused(code="too_deep", reason=f"The {noun} is nested too deeply; nothing in one is nested.")


def validated(codec: Codec[T], item: dict[str, Any], *, instants: tuple[str, ...], dates: tuple[str, ...] = ()) -> T:
    """Validate one item. Raises `Fault("invalid_fields")` that names every wrong field, `Fault("bad_text")` for half characters.

    All items of our own JSON schemas and all rows of reports pass here, so this is where their texts are checked. `instants` and
    `dates` must be ISO 8601 text: a bare number would silently be read as seconds since 1970.
    """
    if not is_text(item):
        bad = [name if is_text(name) else quoted(name) for name, value in item.items() if not is_text({name: value})]
        raise Fault("bad_text", _joined([f"{name}: holds {HALF_CHARACTER}" for name in bad]))
    faults = [
        f"{name}: {quoted(item[name], name)} is not {what}"
        for names, pattern, what in (
            (instants, _INSTANT, "a date and time like 2026-05-31T14:05:00-05:00"),
            (dates, _DATE, "a date like 2026-05-31"),
        )
        for name in names
        if item.get(name) is not None and not _matches(pattern, item[name], whole=pattern is _DATE)
    ]
    if faults:
        raise Fault("invalid_fields", _joined(faults))
    try:
        return codec.validate(item)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True, include_input=True)
        raise Fault("invalid_fields", _joined([": ".join(sentence(detail)) for detail in details])) from None


def checked_quantity(name: str, value: Decimal | None) -> Decimal | None:
    """The quantity itself. Raises `Fault("absurd_quantity")` when it is too large or too fine to be one."""
    if value is None:
        return None
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -QUANTITY_DECIMALS_MAX or value > QUANTITY_MAX:
        shown = quoted(str(value), name)
        reason = f"{name}: {shown} is over {QUANTITY_MAX} or has more than {QUANTITY_DECIMALS_MAX} decimals."
        raise Fault("absurd_quantity", reason)
    return value


def checked_expiry(value: date | None) -> date | None:
    """The expiry itself. Raises `Fault("absurd_expiry")` for the far dates some systems write when a lot has none."""
    if value is not None and not YEAR_MIN <= value.year <= YEAR_MAX:
        raise Fault("absurd_expiry", f"expiry: {value.isoformat()} can't be true; leave expiry out when the lot has none.")
    return value


def instant(name: str, value: datetime, site: SiteFacts | None) -> tuple[datetime, bool]:
    """`value` as a UTC instant, and whether a zone had to be assumed.

    Without an offset the site's zone is used (fold 0: the first of two equal wall times); without a known site, UTC.
    Raises `Fault` for an instant outside `YEAR_MIN`..`YEAR_MAX` or a site whose zone is not known here.
    """
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise Fault("absurd_time", f"{name}: {value.isoformat()} is not a time of this hub; check the sender's clock.")
    if value.tzinfo is not None:
        return value.astimezone(UTC), False
    if site is None:
        return value.replace(tzinfo=UTC), True
    zone = _zone(site.zone)
    if zone is None:
        raise Fault("unknown_zone", f"Site {site.id} has the unknown time zone {site.zone!r}; correct the site's record.")
    return value.replace(tzinfo=zone, fold=0).astimezone(UTC), True


def key(*parts: str) -> str:
    """Parts joined with `|`; a `|` or `%` inside a part is percent-encoded, so that equal keys have equal parts."""
    return "|".join(part.replace("%", "%25").replace("|", "%7C") if "|" in part or "%" in part else part for part in parts)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _refuse_constant(name: str) -> Decimal:
    msg = f"{name} is not a JSON number"
    raise ValueError(msg)


_JSON: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)
"""Made once: `json.loads` makes a new decoder for each body when it is told how to read numbers."""


def _json_problem(error: ValueError | RecursionError | InvalidOperation) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not {error.encoding.upper()}"
    if isinstance(error, InvalidOperation):
        return "a number in it has an exponent beyond all use"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _matches(pattern: re.Pattern[str], value: object, *, whole: bool) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value) if whole else pattern.match(value))


def _joined(faults: list[str]) -> str:
    more = f"; and {len(faults) - FAULTS_MAX} more" if len(faults) > FAULTS_MAX else ""
    return "; ".join(faults[:FAULTS_MAX]) + more + "."
