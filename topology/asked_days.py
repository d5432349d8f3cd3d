"""Days that a question names: text from a command or a request to a date, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from topology.errors import InputRefusedError


def day_of(given: Mapping[str, str], name: str) -> date | None:
    """The date of a filter; None when it is not given. Raises `InputRefusedError` for what is none, or has no room around it."""
    text = given.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        msg = f"{name} is a date like 2026-03-31, not {text!r}"
        raise InputRefusedError(msg) from None
    if not 1900 <= day.year <= 9000:
        msg = f"{name} is a date from 1900 to 9000"
        raise InputRefusedError(msg)
    return day


def window_of(given: Mapping[str, str]) -> tuple[date | None, date | None]:
    """The dates of `from` and `to`, both included. Raises `InputRefusedError` for a window that ends before it begins."""
    first, last = day_of(given, "from"), day_of(given, "to")
    if first is not None and last is not None and first > last:
        msg = f"from {first} lies after to {last}"
        raise InputRefusedError(msg)
    return first, last
