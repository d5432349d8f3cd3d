"""Instants as options of commands."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.raw import YEAR_MAX, YEAR_MIN
from topology.errors import InputRefusedError


def instant(text: str | None) -> datetime | None:
    """An instant in UTC. Raises `InputRefusedError` for a text that is none, has no UTC offset, or lies far off."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no instant such as 2026-12-01T06:00:00+01:00"
        raise InputRefusedError(msg) from None
    if at.tzinfo is None:
        msg = f"{text!r} has no UTC offset: write 2026-12-01T06:00:00+01:00"
        raise InputRefusedError(msg)
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        msg = f"{text!r} is not between {YEAR_MIN} and {YEAR_MAX}: write an instant such as 2026-12-01T06:00:00+01:00"
        raise InputRefusedError(msg)
    return at.astimezone(UTC)
