"""The steps of going live as their callers name them: the body of each, and what is answered, wherever the desk is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field

from schemas.codec import Codec, inbound_contract
from schemas.golive import Share
from topology.downtime.steps import ROWS_MAX, no_number, plain
from topology.golive import baseline, opening
from topology.golive.counting import Said
from topology.golive.desk import GoLiveDesk, Standing, agreement
from topology.golive.stocklist import Given, compare_lists, trend

_Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", description="who says so")]
_Id = Annotated[str, Field(min_length=1, max_length=100)]
_Why = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]
_Cells = dict[str, Annotated[str, Field(max_length=200)]]
_When = Annotated[AwareDatetime, BeforeValidator(no_number)]
_Counted = Annotated[_When | None, Field(description="when it was counted, where a row does not say")]


@inbound_contract
class GoLivePrepare:
    """A site begins to prepare, or its thresholds change while it does."""

    site: _Id
    by: _Person
    reason: _Why
    accept_percent: Annotated[Share, Field(description="share of lines that should agree; shown, never enforced")] = Decimal(98)
    stuck_hours: Annotated[int, Field(ge=0, le=8_760, strict=True, description="items held longer are in the way")] = 24


@inbound_contract
class GoLiveDecision:
    """The shadow time begins, or a live site goes back to it."""

    site: _Id
    by: _Person
    reason: _Why


@inbound_contract
class GoLiveCutOver:
    """A site goes live."""

    site: _Id
    by: _Person
    reason: _Why
    override: Annotated[str | None, Field(max_length=2_000, description="why, although something is in the way")] = None


@inbound_contract
class GoLiveCount:
    """Rows of a count list, cell by cell as they were written. All rows of a place are in one request."""

    site: _Id
    by: _Person
    rows: Annotated[tuple[_Cells, ...], Field(min_length=1, max_length=ROWS_MAX)]
    at: _Counted = None
    counted_by: Annotated[str, Field(max_length=200)] = ""
    witness: Annotated[str, Field(max_length=200)] = ""


@inbound_contract
class GoLiveEmpty:
    """Nothing lies in the pockets at or below a place that were not counted."""

    site: _Id
    by: _Person
    location: Annotated[str, Field(min_length=1, max_length=200)]
    counted_by: _Person
    item: Annotated[str | None, Field(max_length=100)] = None
    at: _Counted = None
    witness: Annotated[str, Field(max_length=200)] = ""


@inbound_contract
class GoLiveUncount:
    """A pocket's count was keyed wrong."""

    site: _Id
    by: _Person
    number: Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
    reason: _Why


@inbound_contract
class GoLiveCompare:
    """The other system's stock list, and its open orders, as of an instant."""

    site: _Id
    by: _Person
    name: Annotated[str, Field(min_length=1, max_length=200, description="how the list is called")]
    as_of: Annotated[_When, Field(description="what the list is as of")]
    rows: Annotated[tuple[_Cells, ...], Field(min_length=1, max_length=4 * ROWS_MAX)]
    orders: Annotated[tuple[_Cells, ...] | None, Field(max_length=4 * ROWS_MAX)] = None


@inbound_contract
class GoLiveQuestion:
    """About one site."""

    site: _Id


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its body, what it does, and what it answers in words."""

    codec: Codec[Any]
    take: Callable[[GoLiveDesk, Any, datetime], Any]
    summary: str


def _count(desk: GoLiveDesk, given: GoLiveCount, now: datetime) -> Any:
    said = Said(given.at, given.counted_by, given.witness)
    return opening.count(desk, site=given.site, by=given.by, rows=given.rows, said=said, now=now)


def _empty(desk: GoLiveDesk, given: GoLiveEmpty, now: datetime) -> Any:
    said = Said(given.at or now, given.counted_by, given.witness)
    return opening.empty(desk, site=given.site, by=given.by, location=given.location, item=given.item, said=said, now=now)


def _compare(desk: GoLiveDesk, given: GoLiveCompare, now: datetime) -> Any:
    lists = Given(name=given.name, as_of=given.as_of, stock=given.rows, orders=given.orders)
    found = compare_lists(desk, site=given.site, by=given.by, given=lists, now=now)
    return {**found, "comparison": plain(found["comparison"])}


def _status(desk: GoLiveDesk, given: GoLiveQuestion, now: datetime) -> Any:
    standing = desk.standing(given.site, now)
    return {**_stands(standing), "trend": trend(desk, given.site)}


def _stands(standing: Standing) -> dict[str, Any]:
    record, share = standing.record, agreement(standing.last)
    return {
        **plain(record), "counted": standing.counted,
        "uncounted": [{"location": place, "item": item} for place, item in standing.uncounted], "stuck": standing.stuck,
        "in_the_way": standing.in_the_way, "last_comparison": None if standing.last is None else plain(standing.last),
        "agreement": None if share is None else f"{share:f}",
    }  # fmt: skip


def _report(desk: GoLiveDesk, given: GoLiveQuestion, now: datetime) -> Any:
    record = desk.standing(given.site, now).record
    return baseline.report(desk.hub.views, record, desk.words(given.site), now)


STEPS: Final[dict[str, Step]] = {
    "prepare": Step(
        Codec(GoLivePrepare),
        lambda desk, given, now: plain(desk.prepare(
            site=given.site, by=given.by, reason=given.reason, accept_percent=given.accept_percent,
            stuck_hours=given.stuck_hours, now=now,
        )),
        "A site begins to prepare: it publishes nothing that may be executed",
    ),
    "count": Step(Codec(GoLiveCount), _count, "Key an opening count in; per row what became of it"),
    "empty": Step(Codec(GoLiveEmpty), _empty, "Declare pockets empty that were not counted"),
    "uncount": Step(
        Codec(GoLiveUncount),
        lambda desk, given, now: plain(opening.take_back(
            desk, site=given.site, by=given.by, number=given.number, reason=given.reason, now=now
        )),
        "Take a pocket's count back that was keyed wrong",
    ),
    "counts": Step(
        Codec(GoLiveQuestion), lambda desk, given, _: plain(desk.counts(given.site, all_of_them=True)), "Pockets as counted"
    ),
    "shadow": Step(
        Codec(GoLiveDecision),
        lambda desk, given, now: plain(desk.shadow(site=given.site, by=given.by, reason=given.reason, now=now)),
        "A prepared site begins to be compared",
    ),
    "compare": Step(Codec(GoLiveCompare), _compare, "Compare with the other system's stock list and open orders"),
    "cut-over": Step(
        Codec(GoLiveCutOver),
        lambda desk, given, now: plain(desk.cut_over(
            site=given.site, by=given.by, reason=given.reason, override=given.override, now=now
        )),
        "A site goes live: what is open becomes executable now",
    ),
    "roll-back": Step(
        Codec(GoLiveDecision),
        lambda desk, given, now: plain(desk.roll_back(site=given.site, by=given.by, reason=given.reason, now=now)),
        "A live site goes back to shadow: what is open is withdrawn",
    ),
    "status": Step(Codec(GoLiveQuestion), _status, "Where a site is, and what is in the way of its cut-over"),
    "report": Step(Codec(GoLiveQuestion), _report, "Key figures before and after the cut-over, side by side"),
}  # fmt: skip
"""Every step, by name. `counts`, `status` and `report` change nothing."""
