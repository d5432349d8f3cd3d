"""Everything about one case of a controlled substance in one document: what was removed, its end, who, and what is open.

Patients stay keyed hashes. A line comes from the ledger (it changed stock) or from a message that moved nothing and says more;
each names its raw message, so that the bytes as received can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sinks.controlled.balance import Scope, accounts
from sinks.controlled.model import RETENTION_YEARS, REVERSAL, ItemFacts, Move, Row

AROUND: Final = timedelta(days=1)
"""What is shown of a pocket before and after the event at least, beyond the counts on either side."""
PATIENT_AFTER: Final = timedelta(days=3)
"""How long after the event the same patient's doses of the item are shown."""
LINES_MAX: Final = 1_000
"""Lines of one document, those nearest to the event; more are counted."""
_ABOUT: Final = {
    "vend": "removal", "dispense": "removal", "administer": "administration", "waste": "waste", "discard": "waste",
    "expire": "waste", "return": "return", "count": "count", "reversal": "taken back", "variance": "variance",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Handled:
    """A message about a controlled dose or a count, as it was sent (`sinks.sql.handled`)."""

    event_id: str
    event_key: str
    kind: str
    occurred: str
    item: str
    place: str
    quantity: str | None
    unit: str | None
    actor: str | None
    witness: str | None
    patient: str | None
    order_id: str | None
    lot: str | None
    source: str
    feed: str
    note: str | None = None
    is_count: bool = False
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """All that the tables hold for one case."""

    case: Row
    item: ItemFacts | None
    moves: Sequence[Move]
    handled: Sequence[Handled]
    others: Sequence[Row] = ()
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    messages: Mapping[str, Row] = field(default_factory=dict)
    taken_back: frozenset[str] = frozenset()
    as_of: str | None = None
    watermark: str | None = None


def evidence(found: Found) -> Row:
    """The document."""
    case = found.case
    anchor = _anchor(found)
    place = case.get("location") or anchor.get("place") or ""
    lines = _lines(found, place)
    counts = [line for line in lines if line["about"] == "count" and line["place"] == place and not line["taken_back"]]
    before = next((one for one in reversed(counts) if one["at"] < anchor["at"]), None)
    after = next((one for one in counts if one["at"] >= anchor["at"] and one["event_id"] != anchor["event_id"]), None)
    kept, left_out = _near(lines, place, anchor, before, after)
    previous = _previous(lines, place, anchor, case)
    document: Row = {
        "case": case, "item": _item(found.item), "place": place, "event_at": anchor["at"], "patient": anchor["patient"],
        "timeline": kept, "lines_left_out": left_out, "count_before": before, "count_after": after, "previous_accessor": previous,
        "people": _people(kept, case, found.roles), "messages": _messages(kept, found.messages),
        "decisions": case.get("decisions") or [], "deadlines": _deadlines(case), "other_cases": list(found.others),
        "as_of": found.as_of, "watermark": found.watermark,
        "retain_until": _retain(case["opened_at"]), "retention": f"keep at least {RETENTION_YEARS} years",
    }  # fmt: skip
    document["open_questions"] = _questions(document, anchor)
    return document


def _anchor(found: Found) -> Row:
    """The event the case is about: when, where, for whom; where it names none, when it was opened."""
    event_id = found.case.get("event_id") or ""
    for move in found.moves:
        if move.event_id == event_id and move.kind != REVERSAL:
            place = move.left or move.came or ""
            return {"at": move.occurred, "place": place, "patient": move.patient, "event_id": event_id, "actor": move.actor}
    for one in found.handled:
        if one.event_id == event_id:
            return {"at": one.occurred, "place": one.place, "patient": one.patient, "event_id": event_id, "actor": one.actor}
    opened = _wide(found.case["opened_at"])
    return {"at": opened, "place": "", "patient": None, "event_id": event_id, "actor": None}


def _lines(found: Found, place: str) -> list[Row]:
    """Every line about the item in time order. `balance` stands where the entry changed the case's own place."""
    stated = {one.event_id: one for one in found.handled}
    balances: dict[str, tuple[int, int]] = {}
    if found.item is not None and place:
        for account in accounts(found.moves, {found.item.id: found.item}, Scope(location=place, by_place=True)):
            if account.location == place:
                balances = {one.move.movement_id: (one.change, one.balance) for one in account.lines}
    moved = {move.event_id for move in found.moves}
    lines = [_of_move(move, stated.get(move.event_id), balances.get(move.movement_id), found) for move in found.moves]
    lines += [_of_message(one) for one in found.handled if one.event_id not in moved]
    return sorted(lines, key=lambda one: (one["at"], one["event_id"], one["from"], one["to"]))


def _of_move(move: Move, stated: Handled | None, standing: tuple[int, int] | None, found: Found) -> Row:
    about = "count" if stated is not None and stated.is_count else _ABOUT.get(move.kind, move.kind)
    change, balance = standing if standing is not None else (None, None)
    return {
        "at": move.occurred, "about": about, "kind": move.kind, "quantity": str(move.quantity), "unit": move.unit,
        "stated": None if stated is None or stated.quantity is None else f"{stated.quantity} {stated.unit or ''}".strip(),
        "change": change, "balance": balance, "from": move.from_account, "to": move.to_account,
        "place": move.left or move.came or "", "user": move.actor, "witness": move.witness, "patient": move.patient,
        "order_id": move.order_id, "lot": move.lot, "event_id": move.event_id, "source": move.source,
        "taken_back": move.cause in found.taken_back, "note": stated.note if stated is not None else None,
    }  # fmt: skip


def _of_message(one: Handled) -> Row:
    return {
        "at": one.occurred, "about": "count" if one.is_count else _ABOUT.get(one.kind, one.kind), "kind": one.kind,
        "quantity": one.quantity, "unit": one.unit, "stated": None, "change": None, "balance": None, "from": "", "to": "",
        "place": one.place, "user": one.actor, "witness": one.witness, "patient": one.patient, "order_id": one.order_id,
        "lot": one.lot, "event_id": one.event_id, "source": one.source, "taken_back": one.taken_back, "note": one.note,
    }  # fmt: skip


def _near(
    lines: list[Row], place: str, anchor: Row, before: Row | None, after: Row | None
) -> tuple[list[Row], int]:  # fmt: skip
    """The pocket between the counts on either side and a day around, and the patient's doses; how many were left out."""
    at = datetime.fromisoformat(anchor["at"])
    start = min(before["at"] if before else anchor["at"], _text(at - AROUND))
    end = max(after["at"] if after else anchor["at"], _text(at + AROUND))
    patient_end = _text(at + PATIENT_AFTER)
    kept = [
        line for line in lines
        if (place and _touches(line, place) and start <= line["at"] <= end)
        or (anchor["patient"] and line["patient"] == anchor["patient"] and _text(at - AROUND) <= line["at"] <= patient_end)
        or line["event_id"] == anchor["event_id"]
    ]  # fmt: skip
    if len(kept) <= LINES_MAX:
        return kept, 0
    nearest = sorted(kept, key=lambda one: abs(datetime.fromisoformat(one["at"]) - at))[:LINES_MAX]
    ids = {id(one) for one in nearest}
    return [one for one in kept if id(one) in ids], len(kept) - LINES_MAX


def _touches(line: Row, place: str) -> bool:
    paths = (line["place"], line["from"].removeprefix("stock:"), line["to"].removeprefix("stock:"))
    return any(path == place or path.startswith(f"{place}/") for path in paths)


def _previous(lines: list[Row], place: str, anchor: Row, case: Row) -> Row | None:
    """Who accessed the place before: the event the case names, else the last one there by a person."""
    named = (case.get("facts") or {}).get("previous_event")
    earlier = [one for one in lines if one["event_id"] == named] if named else []
    earlier = earlier or [
        one for one in lines if place and _touches(one, place) and one["at"] < anchor["at"] and one["user"]
        and one["event_id"] != anchor["event_id"]
    ]  # fmt: skip
    return earlier[-1] if earlier else None


def _people(lines: Iterable[Row], case: Row, roles: Mapping[str, Sequence[str]]) -> list[Row]:
    did: dict[str, dict[str, int]] = {}
    for line in lines:
        for person, what in ((line["user"], line["about"]), (line["witness"], f"witness of {line['about']}")):
            if person:
                done = did.setdefault(person, {})
                done[what] = done.get(what, 0) + 1
    for one in case.get("decisions") or ():
        done = did.setdefault(one["actor"], {})
        done[f"decision: {one['action']}"] = done.get(f"decision: {one['action']}", 0) + 1
    return [{"person": name, "roles": list(roles.get(name, ())), "did": did[name]} for name in sorted(did)]


def _messages(lines: Iterable[Row], messages: Mapping[str, Row]) -> list[Row]:
    named = dict.fromkeys(line["source"] for line in lines if line["source"])
    return [{"message": one, **messages.get(one, {})} for one in named]


def _deadlines(case: Row) -> Row:
    facts = case.get("facts") or {}
    loss = facts.get("loss") or {}
    names = ("discovered_at", "notify_by", "notified_at", "notice_reference", "report_by", "filed_at", "form_number")
    return {"address_by": facts.get("address_by"), **{name: loss[name] for name in names if name in loss}}


def _questions(document: Row, anchor: Row) -> list[str]:
    """What somebody still has to answer, in sentences."""
    case, facts = document["case"], document["case"].get("facts") or {}
    found: list[str] = []
    if facts.get("open") not in (None, "0"):
        amount = f"{facts['open']} {facts.get('unit', '')}"
        found.append(f"{amount} are not accounted for: given, wasted before a witness, or returned?")
    if facts.get("difference"):
        found.append(f"the count differs from the ledger by {facts['difference']}: what was done and not recorded?")
    wastes = [one for one in document["timeline"] if one["about"] == "waste" and not one["taken_back"]]
    alone = [one for one in wastes if not one["witness"] or one["witness"] == one["user"]]
    found += [f"the waste at {one['at']} by {one['user'] or 'nobody named'} has no second person" for one in alone]
    if anchor["event_id"] and not anchor["actor"]:
        found.append("the event names nobody who did it")
    if document["place"] and document["count_after"] is None:
        found.append(f"{document['place']} was not counted after the event")
    if document["previous_accessor"] is None and document["place"]:
        found.append("nobody is known to have accessed the place before")
    loss = facts.get("loss")
    if loss and "notified_at" not in loss:
        found.append(f"the DEA field office is to be told in writing by {loss['notify_by']}")
    if loss and "filed_at" not in loss:
        found.append(f"DEA Form 106 is to be filed by {loss['report_by']}")
    closes = [one for one in document["decisions"] if one["action"] == "close"]
    if case["state"] == "closed" and not any((one.get("reason") or "").strip() for one in closes):
        found.append("the case was closed without a stated reason")
    if case["state"] == "open":
        found.append("the case is open: no decision has closed it")
    return found


def _item(item: ItemFacts | None) -> Row | None:
    if item is None:
        return None
    names = ("id", "name", "schedule", "strength", "form", "unit")
    return {name: getattr(item, name) for name in names}


def _retain(opened_at: str) -> str:
    day = datetime.fromisoformat(opened_at).date()
    last = 28 if (day.month, day.day) == (2, 29) else day.day
    return day.replace(year=day.year + RETENTION_YEARS, day=last).isoformat()


def _wide(instant: str) -> str:
    return _text(datetime.fromisoformat(instant))


def _text(at: datetime) -> Any:
    return at.isoformat(timespec="microseconds")[:26] + "Z"
