"""The steward's desk: a change of the item master from its proposal to its effect, and back.

Every step is a new version of the change in the log; the step that lets it take effect carries the changed records in the same
transaction. Nothing here is remembered between calls: what the hub's tables say counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from threading import RLock
from typing import Any, Final, Literal, Protocol, TypeVar, cast

from schemas.master import GOVERNED, MasterChange, MasterRecord, MasterState
from schemas.raw import YEAR_MAX, YEAR_MIN
from schemas.reference import REFERENCE_KINDS, Role
from sinks.sql.views import Views
from topology.errors import InputRefusedError, UnknownNameError
from topology.master.checks import findings, stops
from topology.master.held import Held, differences, held_by, plain
from topology.reference_files.checks import broken_rules
from topology.reference_files.model import ReferenceRecord
from topology.reference_known import records_of

RECORDS_MAX: Final = 20_000
"""Records of one change."""
FAULTS_MAX: Final = 5
"""Broken rules named in one refusal; more are counted."""
CHANGE_ID: Final = re.compile(r"m[0-9]+")
"""What the desk calls a change."""
S = TypeVar("S", bound=Callable[..., Any])
Wanted = tuple[str, str, object | None]
"""Kind, id, and the record as it shall be; none: it shall be gone."""
Verdict = Literal["approve", "reject", "withdraw"]
_ALL: Final = "*"
_OPEN: Final = (MasterState.PROPOSED, MasterState.APPROVED)
_AFTER: Final = {"approve": MasterState.APPROVED, "reject": MasterState.REJECTED, "withdraw": MasterState.WITHDRAWN}


class MasterHub(Protocol):
    """What the desk needs of a hub. Its tables must be up to what is durable before each step."""

    @property
    def views(self) -> Views:
        """The projection's views."""

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records in one transaction; returns when every partition has them."""


def _alone(step: S) -> S:
    """One step of a desk at a time: what a step has read is still so when it writes."""

    @wraps(step)
    def alone(self: MasterDesk, *args: Any, **kwargs: Any) -> Any:
        with self._one:
            return step(self, *args, **kwargs)

    return cast("S", alone)


class MasterDesk:
    """Steps of changes. Raises `InputRefusedError` with the reason where one is not allowed."""

    def __init__(self, hub: MasterHub) -> None:
        """Steps of one desk follow each other, whoever takes them."""
        self._hub = hub
        self._one = RLock()

    @_alone
    def propose(
        self, wanted: Sequence[Wanted], *, title: str, by: str, now: datetime, source: str | None = None,
        effective_at: datetime | None = None, reverts: str | None = None,
    ) -> MasterChange:  # fmt: skip
        """Propose that records be as they are wanted; what is so already is left out.

        A record that breaks a rule by itself is refused at once: nothing that happens later could make it right. What speaks
        against the others is found and kept with the change.
        """
        for kind, _, _ in wanted:
            if kind not in GOVERNED:
                msg = f"{kind} is no part of the item master ({', '.join(GOVERNED)}): load it with `wardstock reference load`"
                raise InputRefusedError(msg)
        if not by.strip() or not title.strip():
            msg = "say who proposes it and why"
            raise InputRefusedError(msg)
        held = held_by(self._hub.views)
        changes = differences(self._next_id(), held, wanted)
        if not changes:
            msg = "the item master says all of it already: nothing to propose"
            raise InputRefusedError(msg)
        if len(changes) > RECORDS_MAX:
            msg = f"{len(changes)} records are changed, more than {RECORDS_MAX}: propose them in parts"
            raise InputRefusedError(msg)
        _refuse_broken(changes)
        change = MasterChange(
            id=changes[0].change, title=title.strip(), state=MasterState.PROPOSED, proposer=by.strip(), proposed_at=now,
            records=len(changes), source=source, effective_at=_in_utc(effective_at), reverts=reverts,
            findings=findings(held, changes, self._on_hand),
        )  # fmt: skip
        self._write(change, changes)
        return change

    @_alone
    def decide(self, change_id: str, verdict: Verdict, *, by: str, now: datetime, reason: str | None = None) -> MasterChange:
        """Approve or reject (a steward who is not the proposer), or withdraw (the proposer). An approved one may take effect."""
        change = self.change(change_id)
        if change.state is not MasterState.PROPOSED and not (change.state is MasterState.APPROVED and verdict != "approve"):
            msg = f"change {change.id} is {change.state.value}: only what is proposed can be decided on"
            raise InputRefusedError(msg)
        self._may(change, verdict, by)
        if verdict == "reject" and not (reason or "").strip():
            msg = "say why it is rejected"
            raise InputRefusedError(msg)
        decided = replace(change, state=_AFTER[verdict], decided_by=by, decided_at=now, reason=reason)
        if verdict != "approve":
            self._write(decided)
            return decided
        changes = self.records(change.id)
        found = findings(held_by(self._hub.views), changes, self._on_hand)
        against = stops(found)
        if against:
            msg = f"change {change.id} can't be approved: {against[0].record}: {against[0].reason}" + (
                f" (and {len(against) - 1} more)" if len(against) > 1 else ""
            )
            raise InputRefusedError(msg)
        decided = replace(decided, findings=found)
        if change.effective_at is not None and change.effective_at > now:
            self._write(decided)
            return decided
        return self._take_effect(decided, changes, now)

    @_alone
    def revert(self, change_id: str, *, by: str, now: datetime, reason: str) -> MasterChange:
        """Propose that everything a change did be as it was before; once at a time, whoever asks."""
        change = self.change(change_id)
        if change.state is not MasterState.IN_EFFECT:
            msg = f"change {change.id} is {change.state.value}: only what is in effect can be taken back"
            raise InputRefusedError(msg)
        open_one = next((one for one in self.changes() if one.reverts == change.id and one.state in _OPEN), None)
        if open_one is not None:
            msg = (
                f"change {change.id} is being taken back by {open_one.id} ({open_one.state.value}, by {open_one.proposer}): "
                f"a steward decides on that one, or {open_one.proposer} withdraws it"
            )
            raise InputRefusedError(msg)
        wanted = [(one.kind, one.id, _record(one.kind, one.before)) for one in self.records(change.id)]
        return self.propose(wanted, title=reason, by=by, now=now, source=f"takes back {change.id}", reverts=change.id)

    @_alone
    def due(self, now: datetime) -> list[MasterChange]:
        """Let approved changes take effect whose time has come; one that something speaks against by now is blocked."""
        ended = []
        for change in self.changes():
            if change.state is MasterState.APPROVED and (change.effective_at is None or change.effective_at <= now):
                changes = self.records(change.id)
                found = findings(held_by(self._hub.views), changes, self._on_hand)
                if stops(found):
                    ended.append(replace(change, state=MasterState.BLOCKED, findings=found))
                    self._write(ended[-1])
                else:
                    ended.append(self._take_effect(change, changes, now))
        return ended

    # ---- reading -------------------------------------------------------------------------------------------------------

    def changes(self) -> list[MasterChange]:
        """All changes, the oldest first."""
        rows = records_of("master_change", self._hub.views.reference("master_change"))
        return sorted((record for _, _, record in rows if isinstance(record, MasterChange)), key=lambda one: _number(one.id))

    def change(self, change_id: str) -> MasterChange:
        """One change. Raises `UnknownNameError` when there is none of this id."""
        found = next((one for one in self.changes() if one.id == change_id), None)
        if found is None:
            msg = f"there is no change {change_id}: `wardstock master list` names them"
            raise UnknownNameError(msg)
        return found

    def records(self, change_id: str) -> list[MasterRecord]:
        """The records of a change, in their order."""
        rows = records_of("master_record", self._hub.views.reference_below("master_record", f"{change_id}|"))
        found = [record for _, _, record in rows if isinstance(record, MasterRecord)]
        return sorted(found, key=lambda one: one.number)

    # ---- within --------------------------------------------------------------------------------------------------------

    def _next_id(self) -> str:
        return f"m{max((_number(one.id) for one in self.changes()), default=0) + 1}"

    def _may(self, change: MasterChange, verdict: Verdict, by: str) -> None:
        """Whether a person may say so. Two people for every change: the proposer never approves."""
        if verdict == "withdraw":
            if by != change.proposer:
                msg = f"{by} did not propose change {change.id}: {change.proposer} withdraws it, a steward rejects it"
                raise InputRefusedError(msg)
            return
        touched = self._sites(change)
        roles = [record for _, _, record in records_of("role", self._hub.views.reference("role")) if isinstance(record, Role)]
        stewards = {role.person for role in roles if role.role == "steward" and (not role.sites or touched <= set(role.sites))}
        if by not in stewards:
            nobody = ": nobody is one; load a role `steward` of these sites, or with empty sites for all (docs/item-master.md)"
            known = f"; stewards are {', '.join(sorted(stewards))}" if stewards else nobody
            msg = f"{by} is no steward of {_sites_in_words(touched)}{known}"
            raise InputRefusedError(msg)
        if by == change.proposer:
            msg = f"{by} proposed change {change.id}: another steward decides on it"
            raise InputRefusedError(msg)

    def _sites(self, change: MasterChange) -> set[str]:
        """The sites that a change concerns; `*` for what concerns all of them."""
        values = [value for one in self.records(change.id) for value in (one.before, one.after) if value is not None]
        return {str(value.get("site") or _ALL) for value in values}

    def _take_effect(self, change: MasterChange, changes: Sequence[MasterRecord], now: datetime) -> MasterChange:
        """The changed records and the change's own last version, in one transaction."""
        done = replace(change, state=MasterState.IN_EFFECT, in_effect_at=now)
        after = [(one.kind, one.id, one.after) for one in changes]
        records: list[ReferenceRecord] = [(kind, id_, _record(kind, value)) for kind, id_, value in after]
        self._hub.load_reference([*records, ("master_change", done.id, done)])
        return done

    def _write(self, change: MasterChange, changes: Sequence[MasterRecord] = ()) -> None:
        kind = REFERENCE_KINDS["master_record"]
        records = [("master_record", kind.id_of(one), one) for one in changes]
        self._hub.load_reference([("master_change", change.id, change), *records])

    def _on_hand(self, item: str) -> int:
        return sum(int(row["quantity"]) for row in self._hub.views.stock(item=item))


def any_due(views: Views, now: datetime) -> bool:
    """Whether the tables, as far as they are, know an approved change whose time has come."""
    rows = views.reference("master_change")
    return any(row["state"] == MasterState.APPROVED and _is_due(row.get("effective_at"), now) for row in rows)


def _is_due(effective_at: str | None, now: datetime) -> bool:
    return effective_at is None or datetime.fromisoformat(effective_at) <= now


def refuse_governed(views: Views, records: Sequence[ReferenceRecord]) -> None:
    """Raise `InputRefusedError` when the item master is governed and records would change it around its stewards."""
    policies = views.reference("master_policy")
    if not any(row.get("governed") for row in policies):
        return
    held: Held = held_by(views)
    changed = [
        f"{kind} {id_}"
        for kind, id_, record in records
        if kind in GOVERNED and (record is None or plain(record) != _plain(held.records.get((kind, id_))))
    ]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        msg = (
            f"the item master is governed, and {', '.join(changed[:3])}{more} would change it: propose it with "
            "`wardstock master import`"
        )
        raise InputRefusedError(msg)


def _refuse_broken(changes: Sequence[MasterRecord]) -> None:
    """Raise `InputRefusedError` with what records break by themselves, such as a code with a wrong check digit."""
    broken = [
        f"{one.kind} {one.id}: {field}: {reason}"
        for one in changes
        if one.after is not None
        for field, reason in broken_rules(one.kind, _record(one.kind, one.after))
    ]
    if broken:
        more = f"; and {len(broken) - FAULTS_MAX} more" if len(broken) > FAULTS_MAX else ""
        msg = f"nothing was proposed: {'; '.join(broken[:FAULTS_MAX])}{more}"
        raise InputRefusedError(msg)


def _in_utc(effective_at: datetime | None) -> datetime | None:
    """The time as the log writes it. Raises `InputRefusedError` for one without an offset, or in no year of the hub's."""
    if effective_at is None:
        return None
    if effective_at.tzinfo is None or not YEAR_MIN <= effective_at.year <= YEAR_MAX:
        msg = f"effective_at must be a time with its UTC offset, between {YEAR_MIN} and {YEAR_MAX}"
        raise InputRefusedError(msg)
    return effective_at.astimezone(UTC)


def _sites_in_words(sites: set[str]) -> str:
    return "all sites" if _ALL in sites else f"site {' and '.join(sorted(sites))}"


def _record(kind: str, value: dict[str, Any] | None) -> object | None:
    return None if value is None else REFERENCE_KINDS[kind].codec.validate(value)


def _plain(record: object | None) -> object:
    return None if record is None else plain(record)


def _number(change_id: str) -> int:
    return int(change_id[1:]) if CHANGE_ID.fullmatch(change_id) else 0
