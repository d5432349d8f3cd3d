"""Turns stored values into the words on the page. Pure: no query, no page element, no clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DASH: Final = "–"
PROOF_LINES_MAX: Final = 60
"""Lines of a proof or of facts shown in a row; the rest is counted in a last line."""

STOP, WARN, INFO, OK, MUTED = "stop", "warn", "info", "ok", "muted"
"""Badge classes of the style sheet. Each badge also says in words what its colour means."""

URGENCIES: Final = {"stock_out": ("■ Stock-out", STOP), "critical": ("▲ Critical", WARN), "routine": ("● Routine", INFO)}

_FIRST: Final = ("trigger", "reason", "position", "arithmetic", "policy")
"""Facts of a proof that people read first."""

_STATES: Final = {
    "awaiting_approval": ("Awaiting approval", WARN),
    "awaiting_document": ("Awaiting document", WARN),
    "rejected": ("Rejected", STOP),
    "awaiting_supplier": ("Awaiting supplier", MUTED),
    "issued": ("Issued", INFO),
    "acknowledged": ("Acknowledged", OK),
    "satisfied": ("Satisfied", OK),
    "cancelled": ("Cancelled", MUTED),
}

_ACCOUNTS: Final = {
    "supplier": "Supplier",
    "patient": "Patient",
    "waste": "Waste",
    "variance": "Variance",
    "suspense": "Suspense",
    "opening": "Opening balance",
    "transform": "Preparation",
}


def plain(name: str) -> str:
    """A stored name as words: `awaiting_supplier` → `Awaiting supplier`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def state_badge(state: str) -> tuple[str, str]:
    """Label and badge class of a command state."""
    return _STATES.get(state, (plain(state), MUTED))


def urgency_badge(urgency: str | None) -> tuple[str, str]:
    """Label and badge class of an urgency; nothing for none."""
    return ("", MUTED) if urgency is None else URGENCIES.get(urgency, (plain(urgency), MUTED))


def account(name: str) -> str:
    """A ledger account as a place or party."""
    return name.removeprefix("stock:") if name.startswith("stock:") else _ACCOUNTS.get(name, plain(name))


def number(value: int) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """A number and its noun: `1 repeat`, `2 repeats`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def minutes_between(earlier: str, now: datetime | None) -> int:
    """Whole minutes from an instant to now; 0 when now is not known or earlier."""
    if now is None:
        return 0
    return max(0, int((now - datetime.fromisoformat(earlier)).total_seconds()) // 60)


def age(minutes: int) -> str:
    """How long, in the largest unit that keeps it readable."""
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def zone_of(name: str) -> Any:
    """The time zone of a name, UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local_time(instant: str, zone: str) -> str:
    """An instant on the wall clock of a zone, to the minute."""
    return f"{datetime.fromisoformat(instant).astimezone(zone_of(zone)):%Y-%m-%d %H:%M}"


def days_left(days: int) -> tuple[str, str]:
    """Label and badge class of the days to an expiry date; a lot dated today may still be used today."""
    if days < 0:
        return f"■ Expired {-days} d ago", STOP
    if days == 0:
        return "▲ Last day today", WARN
    if days <= 30:
        return f"▲ {days} d left", WARN
    return f"● {days} d left", INFO if days <= 90 else MUTED


def fact_lines(facts: Mapping[str, Any]) -> list[str]:
    """Nested facts as lines to read, at most `PROOF_LINES_MAX`; what set it off and the arithmetic come first."""
    ordered = sorted(facts.items(), key=lambda fact: _FIRST.index(fact[0]) if fact[0] in _FIRST else len(_FIRST))
    lines = [line for name, value in ordered for line in _flat(value, plain(name))]
    if len(lines) <= PROOF_LINES_MAX:
        return lines
    return [*lines[:PROOF_LINES_MAX], f"… and {len(lines) - PROOF_LINES_MAX} more lines"]


def _flat(value: Any, path: str) -> Iterator[str]:
    """Depth first; a mapping or list of plain values stays on one line."""
    if isinstance(value, Mapping) and _is_nested(value.values()):
        for name, inner in value.items():
            yield from _flat(inner, f"{path} › {str(name).replace('_', ' ')}")
    elif isinstance(value, list) and _is_nested(value):
        for place, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{path} {place}")
    else:
        yield f"{path}: {_one_line(value)}"


def _is_nested(values: Iterable[Any]) -> bool:
    return any(isinstance(each, Mapping | list) for each in values)


def _one_line(value: Any) -> str:
    """A plain value, or a list or mapping of them, in words."""
    if isinstance(value, Mapping) and value:
        return ", ".join(f"{str(name).replace('_', ' ')} {_one_line(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_one_line(each) for each in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "", {}) else str(value)
