"""A row of a keyed form, as it becomes an entry for the intake and a line of the record. Pure; what is unclear is refused."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from connectors.field_faults import sentence
from schemas.downtime import Downtime, PaperLine
from schemas.events import QUANTITY_MAX
from schemas.paper import PAPER_ENTRY, PaperActivity, PaperEntry, paper_event_id
from topology.downtime.known import Known, UnclearError

COLUMNS: Final = (
    "form", "line", "date", "time", "activity", "location", "code", "lot", "expiry", "quantity", "unit", "person", "witness",
    "patient", "order", "to_location",
)  # fmt: skip
"""Columns of a keyed form, in the order of the printed one."""
NEEDED: Final = ("form", "line", "date", "time", "activity", "location", "code", "quantity", "person")
MARGIN: Final = timedelta(hours=2)
"""How far before and after a period a written time may lie: people begin before anybody calls it a downtime."""
CLOCK: Final = timedelta(minutes=5)
"""How far a written time may lie ahead of the hub's clock."""
_TIME: Final = re.compile(r"(\d{1,2})[:.](\d{2})(?::\d{2})?\s*([+-]\d{2}:\d{2})?")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
Pockets = Callable[[str, str], list[str]]
"""The places at or below a place that hold an item or have levels for it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that can be taken."""

    entry: PaperEntry
    line: PaperLine


def read_row(
    cells: Mapping[str, str], period: Downtime, known: Known, pockets: Pockets, *, by: str, now: datetime
) -> Taken:  # fmt: skip
    """The entry and the record of a row. Raises `UnclearError` with what is wrong and what to write."""
    given = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    missing = [name for name in NEEDED if not given[name]]
    if missing:
        msg = f"{', '.join(missing)}: {'is' if len(missing) == 1 else 'are'} missing"
        raise UnclearError(msg)
    for name, cell in given.items():
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in cell):
            msg = f"{name}: {cell!a} holds a control character: write it without"
            raise UnclearError(msg)
    if known.site is None:
        msg = f"site {period.site} is not in the reference data"
        raise UnclearError(msg)
    occurred = written_time(given["date"], given["time"], known.site.zone)
    _within(occurred, period, now, known.site.zone)
    activity = _activity(given["activity"])
    named = known.named(given["code"], occurred.astimezone(ZoneInfo(known.site.zone)).date())
    quantity = written_quantity(given["quantity"])
    location = _pocket(known.place(given["location"]), named.item.id, activity, pockets)
    to_location = known.place(given["to_location"]) if given["to_location"] else None
    if activity is PaperActivity.MOVE and to_location is None:
        msg = "to_location: is missing; a move must say where the stock went"
        raise UnclearError(msg)
    fields: dict[str, object] = {
        "period": period.id, "form": given["form"], "line": given["line"], "activity": activity, "occurred": occurred,
        "location": location, "to_location": to_location, "code_system": named.code.system, "code": named.code.value,
        "quantity": quantity, "unit": known.unit(given["unit"], named.item, quantity), "user": given["person"],
        "lot": given["lot"] or None, "expiry": written_expiry(given["expiry"]), "witness": given["witness"] or None,
        "patient_id": given["patient"] or None, "order_id": given["order"] or None,
    }  # fmt: skip
    try:
        entry = PAPER_ENTRY.validate(fields)
    except ValidationError as error:
        raise UnclearError("; ".join(": ".join(sentence(one)) for one in error.errors(include_url=False))) from None
    line = PaperLine(
        period=period.id, form=entry.form, line=entry.line, site=period.site, activity=activity, occurred=occurred,
        location=location, item=named.item.id, product=named.product, quantity=quantity, unit=entry.unit, person=entry.user,
        keyed_by=by, keyed_at=now, event_id=paper_event_id(period.site, period.id, entry.form, entry.line), lot=entry.lot,
        expiry=entry.expiry, to_location=to_location, witness=entry.witness, order_id=entry.order_id,
    )  # fmt: skip
    return Taken(entry, line)


def written_time(day: str, time: str, zone: str) -> datetime:
    """The written time as UTC. A time that the clock change leaves out or has twice is never guessed: `UnclearError`."""
    found = _TIME.fullmatch(time)
    try:
        written = datetime.strptime(f"{day} {found[1]}:{found[2]}", "%Y-%m-%d %H:%M") if found else None  # noqa: DTZ007  # the zone follows
    except ValueError:
        written = None
    if written is None or found is None:
        msg = f"date, time: {day} {time} is no time like 2026-05-31 and 14:05"
        raise UnclearError(msg)
    if found[3]:
        return datetime.fromisoformat(f"{written:%Y-%m-%dT%H:%M}:00{found[3]}").astimezone(UTC)
    first, second = (written.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != written:
        msg = f"time: {time} did not exist on {day}, when the clocks went forward: write the true time"
        raise UnclearError(msg)
    msg = f"time: {time} came twice on {day}, when the clocks went back: write {time}{_offset(first)} or {time}{_offset(second)}"
    raise UnclearError(msg)


def _offset(at: datetime) -> str:
    text = f"{at:%z}"
    return f"{text[:3]}:{text[3:5]}"


def _within(occurred: datetime, period: Downtime, now: datetime, zone: str) -> None:
    local = ZoneInfo(zone)
    if occurred > now + CLOCK:
        msg = f"date, time: {occurred.astimezone(local):%Y-%m-%d %H:%M} has not been yet"
        raise UnclearError(msg)
    end = period.ended_at or now
    if not period.started_at - MARGIN <= occurred <= end + MARGIN:
        began, over = (f"{at.astimezone(local):%Y-%m-%d %H:%M}" for at in (period.started_at, end))
        msg = f"date, time: {occurred.astimezone(local):%Y-%m-%d %H:%M} is not in downtime {period.id} ({began} to {over})"
        raise UnclearError(msg)


def _activity(text: str) -> PaperActivity:
    try:
        return PaperActivity(text.lower())
    except ValueError:
        msg = f"activity: {text} is none of {', '.join(PaperActivity)}"
        raise UnclearError(msg) from None


def written_quantity(text: str) -> Decimal:
    """A number in plain digits. Raises `UnclearError`."""
    if not _NUMBER.fullmatch(text) or Decimal(text) > QUANTITY_MAX:
        msg = f"quantity: {text} is no number from 0 to {QUANTITY_MAX} in plain digits, like 2 or 0.5"
        raise UnclearError(msg)
    return Decimal(text)


def written_expiry(text: str) -> date | None:
    """The day; a month means its last day. Raises `UnclearError`."""
    if not text:
        return None
    try:
        if len(text) == 7:
            month = date.fromisoformat(f"{text}-01")
            return month.replace(day=calendar.monthrange(month.year, month.month)[1])
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    msg = f"expiry: {text} is no date like 2026-11-30, or month like 2026-11"
    raise UnclearError(msg)


def _pocket(place: str, item: str, activity: PaperActivity, pockets: Pockets) -> str:
    """The pocket that is meant by a place above it, when only one holds the item. Raises `UnclearError` when several do."""
    found = pockets(place, item)
    if activity is PaperActivity.WASTE or place in found or not found:
        return place
    if len(found) == 1:
        return found[0]
    msg = f"location: {place} holds {item} at {', '.join(found)}: write which"
    raise UnclearError(msg)
