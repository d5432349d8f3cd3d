"""What the ledger says about a downtime: its movements as deeds of devices, and what became of each line of paper. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from schemas.downtime import PaperLine
from schemas.paper import PaperActivity
from topology.downtime.matching import Line

Row = Mapping[str, Any]
_STOCK: Final = "stock:"
_FROM, _TO = "from_account", "to_account"

DEEDS: Final[dict[str, tuple[str, str]]] = {
    "vend": ("removal", _FROM), "dispense": ("removal", _FROM), "administer": ("removal", _FROM),
    "return": ("return", _TO),
    "waste": ("waste", ""),
    "discard": ("discard", _FROM), "expire": ("discard", _FROM),
    "refill": ("refill", _TO), "load": ("refill", _TO),
    "receive": ("receive", _TO),
    "put_away": ("move", _FROM), "pick": ("move", _FROM),
}  # fmt: skip
"""The deed that a kind of movement tells of, and which of its accounts is the place. A waste of what was removed has none."""
_PAPER: Final = {
    PaperActivity.REMOVE: "removal", PaperActivity.RETURN: "return", PaperActivity.WASTE: "waste",
    PaperActivity.DISCARD: "discard", PaperActivity.REFILL: "refill", PaperActivity.RECEIVE: "receive",
    PaperActivity.MOVE: "move",
}  # fmt: skip
"""Counts are left out: they say what is there, so two of them never count twice."""
Counted = Literal["counted", "taken_back", "waiting"]


@dataclass(frozen=True, slots=True)
class Paper:
    """A line of paper and what became of it. `line` is none for a count, and for the waste of part of a container
    (it moves nothing, from whichever side it is told); `why` says what it waits for."""

    keyed: PaperLine
    counted: Counted
    line: Line | None
    why: str = ""

    @property
    def id(self) -> str:
        """Form and line."""
        return f"{self.keyed.form}/{self.keyed.line}"


def taken_back(rows: Iterable[Row]) -> set[str]:
    """Ids of events that reversals took back."""
    return {str(row["corrects"]) for row in rows if row["kind"] == "reversal" and row["corrects"]}


def device_lines(rows: Iterable[Row], reversed_: set[str]) -> list[Line]:
    """The deeds that feeds told of, each once; those of paper and those that were taken back are left out."""
    events: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] in DEEDS and row["event_id"] not in reversed_ and not str(row["cause"]).startswith("paper|"):
            events.setdefault(str(row["event_id"]), []).append(row)
    found = [_deed(event_id, moved) for event_id, moved in events.items()]
    return [line for line in found if line is not None]


def paper_lines(keyed: Iterable[PaperLine], rows: Iterable[Row], outcomes: Iterable[Row], reversed_: set[str]) -> list[Paper]:
    """Each line of paper as keyed, with what the ledger made of it. `rows` are movements, `outcomes` those of the source."""
    moved: dict[str, list[Row]] = {}
    for row in rows:
        moved.setdefault(str(row["event_id"]), []).append(row)
    ended: dict[str, Row] = {}
    for row in outcomes:
        for event_id in row["event_ids"]:
            if row["outcome"] != "duplicate" or event_id not in ended:
                ended[event_id] = row
    return [_paper(one, moved.get(one.event_id, ()), ended.get(one.event_id), reversed_) for one in keyed]


def _deed(event_id: str, rows: Sequence[Row]) -> Line | None:
    real = [row for row in rows if "variance" not in (row[_FROM], row[_TO])]
    if not real:
        return None
    first = real[0]
    deed, account = DEEDS[str(first["kind"])]
    place = str(first[account]).removeprefix(_STOCK) if account else ""
    return Line(
        id=event_id, deed=deed, place=place, item=str(first["item"]), quantity=sum(int(row["quantity"]) for row in real),
        occurred=datetime.fromisoformat(str(first["occurred"])), lots=frozenset(str(row["lot"]) for row in real),
        person=str(first["actor"] or ""),
    )  # fmt: skip


def _paper(keyed: PaperLine, moved: Sequence[Row], outcome: Row | None, reversed_: set[str]) -> Paper:
    code = None if outcome is None else outcome["code"]
    if keyed.event_id in reversed_ or code in ("reversed_while_held", "reversed_before_arrival"):
        counted: Counted = "taken_back"
    elif code in ("posted", "no_effect", "part_wasted"):
        counted = "counted"
    else:
        counted = "waiting"
    why = "it was keyed and never came in: key it again" if outcome is None else str(outcome["reason"])
    deed = _PAPER.get(keyed.activity)
    if deed is None or (code == "part_wasted" and counted == "counted"):
        return Paper(keyed, counted, None, why if counted == "waiting" else "")
    told = _deed(keyed.event_id, [row for row in moved if row["kind"] in DEEDS])
    line = Line(
        id=f"paper {keyed.form}/{keyed.line}", deed=deed, place="" if deed == "waste" else keyed.location, item=keyed.item,
        quantity=int(keyed.quantity) if told is None else told.quantity, occurred=keyed.occurred,
        lots=frozenset({keyed.lot} if keyed.lot else ()), person=keyed.person,
    )  # fmt: skip
    return Paper(keyed, counted, line, why if counted == "waiting" else "")
