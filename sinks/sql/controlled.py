"""Views of controlled substances: the running balance, an inventory's data, the forms, and the evidence of a case. Reads only."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.controlled import forms
from sinks.controlled.balance import CATEGORIES, DOSE_WASTES, Account, Scope, accounts
from sinks.controlled.evidence import Found, evidence
from sinks.controlled.inventory import LastCount, counted_since, held_at, part_of
from sinks.controlled.model import RETENTION_YEARS, ROMAN, Row
from sinks.sql import controlled_data as data
from sinks.sql.filters import shown
from sinks.sql.mining import watermark
from sinks.sql.tables import CASES, MOVEMENTS, OUTCOMES

COUNTS_AROUND: Final = timedelta(days=60)
"""How far from an event counts and doses are looked for."""
LOSSES_WITHIN: Final = timedelta(days=730)
"""Form 106 asks how many thefts or losses there were in the past 24 months."""
RETENTION: Final = f"keep at least {RETENTION_YEARS} years"


# ---- running balance -------------------------------------------------------------------------------------------------


def balance(
    connection: Connection, *, site: str | None = None, item: str | None = None, schedule: int | None = None,
    location: str | None = None, by_place: bool = False, lines: bool = False,
    window: tuple[date | None, date | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """A row for each item (and place), or with `lines` its opening balance, every entry and its closing balance."""
    known = data.master_of(connection).items
    items = {id_: one for id_, one in known.items() if item in (None, id_) and schedule in (None, one.schedule)}
    rows: list[Row] = []
    for name in data.site_names(connection, site):
        calendar = data.Calendar(connection, name)
        first, last = window
        start = calendar.starts(first) if first else None
        scope = Scope(location, by_place, start, calendar.after(last) if last else None)
        stated = _as_of(connection, name)
        for account in accounts(data.moves_of(connection, name, items), items, scope):
            rows += _lines(account, scope, stated) if lines else [_summary(account, stated)]
    return [shown(row) for row in rows]


def _head(account: Account) -> Row:
    item = account.item
    return {
        "site": account.site, "location": account.location or None, "schedule": ROMAN[item.schedule], "item": item.id,
        "name": item.name, "unit": item.unit,
    }  # fmt: skip


def _summary(account: Account, stated: Row) -> Row:
    sums = {name: account.sums[name] for name in (*CATEGORIES, DOSE_WASTES)}
    return {**_head(account), "opening": account.opening, **sums, "closing": account.closing, **stated}


def _lines(account: Account, scope: Scope, stated: Row) -> list[Row]:
    blank: Row = dict.fromkeys(
        ("at", "kind", "category", "quantity", "change", "balance", "place", "other", "lot", "user", "witness", "patient",
         "order_id", "event_id", "source", "known")
    )  # fmt: skip
    head = _head(account)
    opening = {**head, "line": "opening", **blank, "at": scope.start, "balance": account.opening, **stated}
    closing = {**head, "line": "closing", **blank, "at": scope.end, "balance": account.closing, **stated}
    entries = [
        {
            **head, "line": "entry", "at": one.move.occurred, "kind": one.move.kind, "category": one.category,
            "quantity": one.move.quantity, "change": one.change, "balance": one.balance, "place": one.place or None,
            "other": one.other, "lot": one.move.lot, "user": one.move.actor, "witness": one.move.witness,
            "patient": one.move.patient, "order_id": one.move.order_id, "event_id": one.move.event_id, "source": one.move.source,
            "known": one.move.known, **stated,
        }
        for one in account.lines
    ]  # fmt: skip
    return [opening, *entries, closing]


def _as_of(connection: Connection, site: str) -> Row:
    """The highest event time in the ledger, and until when all feeds of the site are complete."""
    newest = connection.execute(sa.select(sa.func.max(MOVEMENTS.c.occurred)).where(MOVEMENTS.c.site == site)).scalar_one()
    return {"as_of": newest, "watermark": watermark(connection, site)}


# ---- inventory and Form 41 -------------------------------------------------------------------------------------------


def inventory(connection: Connection, site: str, day: date, moment: Literal["beginning", "close"]) -> list[Row]:
    """The data of an inventory at the beginning or close of business of a day (21 CFR 1304.11), a row a product."""
    master, calendar, policy = data.master_of(connection), data.Calendar(connection, site), data.policy_of(connection, site)
    if moment == "beginning":
        at = calendar.starts(day, policy.get("business_opens"))
    else:
        closes = policy.get("business_closes")
        at = calendar.starts(day, closes) if closes else calendar.after(day)
    since = calendar.starts(day)
    counts = _last_counts(connection, site, since, calendar.after(day))
    rows = []
    for held in held_at(data.moves_of(connection, site, master.items), master, at):
        places, counted = counted_since(counts, held, since)
        full, opened = held.containers()
        product = held.product
        rows.append({
            "site": site, "part": part_of(held.item.schedule), "schedule": ROMAN[held.item.schedule], "item": held.item.id,
            "name": held.item.name, "strength": held.item.strength, "form": held.item.form or held.item.unit,
            "product": product.id if product else None, "ndc": product.ndc if product else None,
            "labeler": product.labeler if product else None, "package_quantity": held.package_quantity, "unit": held.item.unit,
            "units": held.units, "full_containers": full, "opened_container_units": opened, "opened_count": held.method,
            "places": places, "places_counted_by_two": counted, "counted_units": None, "taken_on": day.isoformat(),
            "moment": moment, "at": at, **registered(policy), **_as_of(connection, site), "retention": RETENTION,
        })  # fmt: skip
    return [shown(row) for row in rows]


def registered(policy: Row) -> Row:
    """The two names that stand on every page: the registrant and its number."""
    return {"registrant": policy.get("registrant") or None, "dea_number": policy.get("dea_number") or None}


def _last_counts(connection: Connection, site: str, start: str, end: str) -> dict[tuple[str, str], LastCount]:
    found: dict[tuple[str, str], LastCount] = {}
    for one in data.handled(connection, site, (start, end), "count"):
        if one.item and one.place and not one.taken_back:
            found[one.item, one.place] = LastCount(one.occurred, one.actor or "", one.witness or "")
    return found


def form_41(connection: Connection, site: str, window: tuple[date | None, date | None]) -> list[Row]:
    """One document: the data of Form 41 for what was destroyed in a window, all of it without one."""
    master, calendar, policy = data.master_of(connection), data.Calendar(connection, site), data.policy_of(connection, site)
    first, last = window
    start = calendar.starts(first) if first else ""
    end = calendar.after(last) if last else "9999"
    lines = forms.destroyed(data.moves_of(connection, site, master.items), master, (start, end), calendar.day)
    open_fields = [name for name, value in data.registrant_of(policy).items() if not value] + list(forms.FORM_41_OPEN)
    document = {
        "form": "DEA-41", "site": site, "registrant": data.registrant_of(policy), "from": first.isoformat() if first else None,
        "to": last.isoformat() if last else None,
        "items": [shown({**line, "schedule": ROMAN[line["schedule"]]}) for line in lines],
        "to_fill_in": open_fields, "lines_without_two_witnesses": sum(not line["two_witnesses"] for line in lines),
        **_as_of(connection, site), "retention": RETENTION,
    }  # fmt: skip
    return [shown(document)]


# ---- a case ----------------------------------------------------------------------------------------------------------


def case_of(connection: Connection, case_id: str) -> Row | None:
    """A case as it stands."""
    text = connection.execute(sa.select(CASES.c.document).where(CASES.c.case_id == case_id)).scalars().first()
    return None if text is None else msgspec.json.decode(text)


def evidence_of(connection: Connection, case_id: str) -> Row | None:
    """The document of everything about a case; None when there is no such case."""
    case = case_of(connection, case_id)
    if case is None:
        return None
    site, master = case["site"], data.master_of(connection)
    item = master.items.get(case.get("item") or "")
    moves = data.moves_of(connection, site, [item.id] if item else [])
    at = next((one.occurred for one in moves if one.event_id == case.get("event_id")), None) or case["opened_at"]
    centre = datetime.fromisoformat(at)
    window = tuple(_text(one) for one in (centre - COUNTS_AROUND, centre + COUNTS_AROUND))
    told = [one for one in data.handled(connection, site, (window[0], window[1])) if item is not None and one.item == item.id]
    roles: dict[str, list[str]] = {}
    for role in data.documents(connection, "role")["role"]:
        if not role.get("sites") or site in role["sites"]:
            roles.setdefault(role["person"], []).append(role["role"])
    near = [one for one in moves if window[0] <= one.occurred < window[1]]
    named = {one.source for one in (*near, *told) if one.source}
    found = Found(
        case=case, item=item, moves=moves, handled=told, others=_others(connection, case), roles=roles,
        messages=_messages(connection, named), taken_back=data.taken_back(connection, site), **_as_of(connection, site),
    )
    return _shown(evidence(found))


def _others(connection: Connection, case: Row) -> list[Row]:
    """Other cases of the same item at the same place, or of the same event."""
    table = CASES.c
    same = sa.and_(table.item == case.get("item"), table.location == case.get("location"))
    if case.get("event_id"):
        same = sa.or_(same, table.event_id == case["event_id"])
    columns = (table.case_id, table.kind, table.state, table.text, table.opened_at, table.closed_by)
    statement = sa.select(*columns).where(table.site == case["site"], table.case_id != case["case_id"], same)
    return [shown(row) for row in connection.execute(statement.order_by(table.opened_at, table.case_id)).mappings()]


MESSAGES_AT_ONCE: Final = 400


def _messages(connection: Connection, sources: set[str]) -> dict[str, Row]:
    """What is known of raw messages: who sent them, under what name, how they ended."""
    table = OUTCOMES.c
    place = (table.raw_partition, table.raw_offset, table.raw_index)
    columns = (*place, table.source, table.name, table.outcome, table.code, table.at)
    offsets = sorted({int(one.split("/")[1]) for one in sources})
    found: dict[str, Row] = {}
    for begin in range(0, len(offsets), MESSAGES_AT_ONCE):
        some = table.raw_offset.in_(offsets[begin : begin + MESSAGES_AT_ONCE])
        for row in connection.execute(sa.select(*columns).where(some)):
            name = data.source_text(row[0], row[1], row[2])
            if name in sources:
                found[name] = {"feed": row.source, "name": row.name, "outcome": row.outcome, "code": row.code, "received": row.at}
    return found


def form_106(connection: Connection, case_id: str) -> Row | None:
    """The data of Form 106 for a case; None when there is no such case or it is about no controlled item."""
    case = case_of(connection, case_id)
    master = data.master_of(connection)
    if case is None or (case.get("item") or "") not in master.items:
        return None
    site, facts = case["site"], case.get("facts") or {}
    loss, policy = facts.get("loss") or {}, data.policy_of(connection, site)
    moves = data.moves_of(connection, site, [case["item"]])
    own = next((one for one in moves if one.event_id == case.get("event_id")), None)
    line = forms.lost(case["item"], _lost_quantity(facts, case, connection), master, own.product if own else "")
    discovered = loss.get("discovered_at")
    registrant = data.registrant_of(policy)
    open_fields = [name for name, value in registrant.items() if not value] + list(forms.FORM_106_OPEN)
    open_fields += [name for name in ("ndc", "quantity", "purchase_value") if not line[name]]
    document = {
        "form": "DEA-106", "case_id": case_id, "site": site, "registrant": registrant, "declared": bool(loss),
        "date_of_theft_or_loss": own.occurred if own else case["opened_at"], "date_discovered": discovered,
        "field_office_in_writing_by": loss.get("notify_by"), "field_office_told_at": loss.get("notified_at"),
        "file_by": loss.get("report_by"), "filed_at": loss.get("filed_at"), "form_number": loss.get("form_number"),
        "losses_in_past_24_months": _losses(connection, case, discovered or case["opened_at"]), "items": [line],
        "circumstances": case["text"], "to_fill_in": open_fields, **_as_of(connection, site), "retention": RETENTION,
    }  # fmt: skip
    return shown(document)


def _lost_quantity(facts: Row, case: Row, connection: Connection) -> Decimal | None:
    """Base units that are missing: what a count found too few, or what of a removal is open, by the item's strength."""
    try:
        if facts.get("difference") is not None:
            return max(-Decimal(str(facts["difference"])), Decimal(0))
        if facts.get("open") is None:
            return None
        amount = Decimal(str(facts["open"]))
    except InvalidOperation:
        return None
    item = next(one for one in data.documents(connection, "item")["item"] if one["id"] == case["item"])
    strength = item.get("strength_amount")
    return amount if strength is None or facts.get("unit") == item["base_unit"] else amount / Decimal(str(strength))


def _losses(connection: Connection, case: Row, at: str) -> int:
    """Declared losses of the site in the two years before, without this one."""
    since = datetime.fromisoformat(at) - LOSSES_WITHIN
    count = 0
    statement = sa.select(CASES.c.document).where(CASES.c.site == case["site"], CASES.c.document.contains('"discovered_at"'))
    for text in connection.execute(statement).scalars():
        other = msgspec.json.decode(text)
        loss = (other.get("facts") or {}).get("loss")
        if loss and other["case_id"] != case["case_id"]:
            count += since <= datetime.fromisoformat(loss["discovered_at"]) <= datetime.fromisoformat(at)
    return count


def _shown(value: Any) -> Any:
    """A nested document with instants as people read them."""
    if isinstance(value, dict):
        return shown({name: _shown(one) for name, one in value.items()})
    return [_shown(one) for one in value] if isinstance(value, list) else value


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")[:26] + "Z"
