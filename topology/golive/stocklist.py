"""A comparison through the desk: rows of the other system's lists, what was found, the record of it, and the trend by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.golive import Comparison
from schemas.reference import Item
from sinks.sql import golive as asked
from topology.downtime.entry import CLOCK
from topology.downtime.known import UnclearError
from topology.errors import InputRefusedError
from topology.golive.comparing import Compared, Facts, compare, compare_needs
from topology.golive.desk import GoLiveDesk, agreement
from topology.golive.words import Line, Words
from topology.reference_known import records_of

COLUMNS: Final = ("location", "pocket", "code", "lot", "expiry", "quantity", "unit")
NEEDED: Final = ("location", "code", "quantity")
MARGIN: Final = timedelta(minutes=60)
"""How far from the time of a list a movement may be that explains a difference, and how far a feed may be behind it."""
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a comparison is given: the list and, where there is one, the list of open orders."""

    name: str
    as_of: datetime
    stock: Rows
    orders: Rows | None = None


def compare_lists(desk: GoLiveDesk, *, site: str, by: str, given: Given, now: datetime) -> dict[str, Any]:
    """Compare, and keep how much agreed. Rows that can't be read are listed, and compared with nothing."""
    with desk.one:
        if desk.record(site) is None:
            msg = f"site {site} was never prepared: `wardstock golive prepare --site {site}` begins it"
            raise InputRefusedError(msg)
        desk.roles(site, by)
        if given.as_of > now + CLOCK:
            msg = f"{given.as_of.isoformat()} has not been yet"
            raise InputRefusedError(msg)
        words = desk.words(site)
        lines, refused = _read(given.stock, words, given.as_of, "stock")
        asked_for, unread = _read(given.orders or (), words, given.as_of, "orders")
        items = [record for _, _, record in records_of("item", desk.hub.views.reference("item"))]
        found = compare(
            lines, _facts(desk, site, given.as_of), words, {one.id: one for one in items if isinstance(one, Item)}
        )  # fmt: skip
        needs = None
        if given.orders is not None:
            needs = compare_needs(asked_for, asked.needs_at(desk.hub.views.engine, site, given.as_of))
        made = _kept(desk, site, by, given, found, needs, now)
        return {
            "comparison": made, "agreement": _text(agreement(made)),
            "accept_percent": _text(_record(desk, site).accept_percent), "lines": [_shown(one) for one in found],
            "needs": needs, "refused": [*refused, *unread], "trend": trend(desk, site),
        }  # fmt: skip


def trend(desk: GoLiveDesk, site: str) -> list[dict[str, Any]]:
    """The last comparison of each day of the site's calendar: lines, how many agreed, and the share."""
    words = desk.words(site)
    days: dict[str, Comparison] = {}
    for one in desk.comparisons(site):
        days[words.day(one.as_of).isoformat()] = one
    return [
        {"day": day, "lines": one.lines, "agree": one.agree, "agreement": _text(agreement(one)), "number": one.number}
        for day, one in sorted(days.items())
    ]


def _record(desk: GoLiveDesk, site: str) -> Any:
    return desk.record(site)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _read(rows: Rows, words: Words, as_of: datetime, which: str) -> tuple[list[Line], list[dict[str, Any]]]:
    """The rows that can be read, and why each of the others can't."""
    taken: list[Line] = []
    refused: list[dict[str, Any]] = []
    day = words.day(as_of)
    for number, cells in enumerate(rows):
        try:
            taken.append(words.line({name: (cells.get(name) or "").strip() for name in COLUMNS}, number, day))
        except UnclearError as error:
            refused.append({"list": which, "row": number + 1, "reason": str(error)})
    return taken, refused


def _facts(desk: GoLiveDesk, site: str, as_of: datetime) -> Facts:
    engine = desk.hub.views.engine
    counted = frozenset((one.location, one.item) for one in desk.counts(site) if one.counted_at <= as_of)
    complete = asked.complete_to(engine, site)
    behind = tuple(sorted(source for source, until in complete.items() if datetime.fromisoformat(until) < as_of - MARGIN))
    return Facts(
        as_of=as_of, stock=asked.stock_at(engine, site, as_of), counted=counted, opened=bool(counted),
        moved=asked.moved_around(engine, site, as_of, MARGIN), behind=behind,
    )  # fmt: skip


def _kept(
    desk: GoLiveDesk, site: str, by: str, given: Given, found: Sequence[Compared], needs: Sequence[Mapping[str, Any]] | None,
    now: datetime,
) -> Comparison:  # fmt: skip
    reasons = Counter(one.reason for one in found if one.difference)
    sides = Counter(str(one["found"]) for one in needs or ())
    number = max((one.number for one in desk.comparisons(site)), default=0) + 1
    made = Comparison(
        site=site, number=number, as_of=given.as_of, made_at=now, by=by, list_name=given.name, lines=len(found),
        agree=sum(not one.difference for one in found), reasons=dict(sorted(reasons.items())), needs_both=sides["both"],
        needs_hub_only=sides["hub_only"], needs_list_only=sides["list_only"],
    )  # fmt: skip
    desk.hub.load_reference([("comparison", f"{site}|{number}", made)])
    return made


def _shown(one: Compared) -> dict[str, Any]:
    return {
        "location": one.location, "item": one.item, "lot": one.lot, "unit": one.unit, "theirs": one.theirs, "ours": one.ours,
        "difference": one.difference, "reason": one.reason or None, "text": one.text or None,
    }  # fmt: skip
