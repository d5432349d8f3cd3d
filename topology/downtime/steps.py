"""The steps of the downtime desk as its callers name them: the body of each, and what is answered, wherever the desk is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field

from schemas.codec import Codec, encode, inbound_contract
from schemas.paper import LINE_MAX
from topology.downtime.desk import DowntimeDesk
from topology.downtime.matching import TOLERANCE_MINUTES

ROWS_MAX: Final = 5_000
"""Rows of paper in one request."""
_Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", description="who says so")]
_Id = Annotated[str, Field(min_length=1, max_length=100)]
_Why = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]


def no_number(value: object) -> object:
    """An instant is text: a number would silently be read as seconds since 1970."""
    if isinstance(value, (int, float)):
        msg = "must be a date and time with its UTC offset"
        raise ValueError(msg)
    return value


_When = Annotated[AwareDatetime | None, BeforeValidator(no_number), Field(description="when it really was; now without it")]


@inbound_contract
class DowntimeStart:
    """A downtime begins."""

    site: _Id
    by: _Person
    reason: _Why
    at: _When = None


@inbound_contract
class DowntimeStop:
    """A downtime ends."""

    site: _Id
    by: _Person
    at: _When = None


@inbound_contract
class DowntimeEnter:
    """Rows of paper, cell by cell as they were written."""

    period: _Id
    by: _Person
    rows: Annotated[tuple[dict[str, Annotated[str, Field(max_length=200)]], ...], Field(min_length=1, max_length=ROWS_MAX)]


@inbound_contract
class DowntimeReconcile:
    """Compare a downtime's paper with devices and ledger."""

    period: _Id
    tolerance_minutes: Annotated[int, Field(ge=0, le=1_440, strict=True)] = TOLERANCE_MINUTES


@inbound_contract
class DowntimeApprove:
    """Approve what is proposed for a finding."""

    period: _Id
    number: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    by: _Person
    reason: Annotated[str | None, Field(max_length=2_000)] = None


@inbound_contract
class DowntimeDispute:
    """A line was keyed wrong."""

    period: _Id
    form: _Id
    line: Annotated[int, Field(ge=1, le=LINE_MAX, strict=True)]
    by: _Person
    reason: _Why


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its body, what it does, and what it answers in words."""

    codec: Codec[Any]
    take: Callable[[DowntimeDesk, Any, datetime], Any]
    summary: str


def _reconciled(desk: DowntimeDesk, given: DowntimeReconcile, now: datetime) -> dict[str, Any]:
    found, cautions = desk.reconcile(given.period, now=now, tolerance_minutes=given.tolerance_minutes)
    return {
        "period": plain(desk.period(given.period)), "findings": plain(found.findings), "paper": dict(found.paper),
        "device": dict(found.device), "cautions": cautions,
    }  # fmt: skip


STEPS: Final[dict[str, Step]] = {
    "start": Step(
        Codec(DowntimeStart),
        lambda desk, given, now: plain(desk.start(site=given.site, by=given.by, reason=given.reason, at=given.at, now=now)),
        "Begin a downtime",
    ),
    "stop": Step(
        Codec(DowntimeStop),
        lambda desk, given, now: plain(desk.stop(site=given.site, by=given.by, at=given.at, now=now)),
        "End a downtime",
    ),
    "enter": Step(
        Codec(DowntimeEnter),
        lambda desk, given, now: desk.enter(given.period, given.rows, by=given.by, now=now),
        "Key paper in; per row what became of it",
    ),
    "reconcile": Step(Codec(DowntimeReconcile), _reconciled, "Compare paper, devices and ledger"),
    "approve": Step(
        Codec(DowntimeApprove),
        lambda desk, given, now: plain(desk.approve(given.period, given.number, by=given.by, reason=given.reason, now=now)),
        "Approve what is proposed for a finding",
    ),
    "dispute": Step(
        Codec(DowntimeDispute),
        lambda desk, given, now: plain(
            desk.dispute(given.period, given.form, given.line, by=given.by, reason=given.reason, now=now)
        ),
        "Say that a line was keyed wrong",
    ),
}
"""Every step, by name."""


def plain(value: object) -> Any:
    """A record as the JSON value that stands in the log."""
    return json.loads(encode(value))
