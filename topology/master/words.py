"""Changes of the item master in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from schemas.master import Finding, MasterChange, MasterRecord, MasterState
from topology.master.checks import stops
from topology.master.held import fields_of


def line(change: MasterChange) -> str:
    """A change in one line."""
    return f"{change.id:<5} {change.state.value:<10} {change.records:>6} records  {change.title} (by {change.proposer})"


def summary(change: MasterChange) -> Iterator[str]:
    """What became of a change just now, and what to do next."""
    count = f"{change.records} record{'s' if change.records > 1 else ''}"
    yield f"{change.id} {change.state.value}: {change.title} ({count}, by {change.proposer})"
    if change.state in (MasterState.PROPOSED, MasterState.APPROVED):
        yield from _found(change.findings)
    if change.state is MasterState.PROPOSED and stops(change.findings):
        yield "it can't be approved as it is: withdraw it, and propose it anew without what stops it"
    elif change.state is MasterState.PROPOSED:
        yield f"see it with `wardstock master diff {change.id}`; another person, a steward, approves it"
    elif change.state is MasterState.APPROVED and change.effective_at is not None:
        yield f"it takes effect at {change.effective_at.isoformat()}"


def diff(change: MasterChange, records: Sequence[MasterRecord]) -> Iterator[str]:
    """A change whole: who and when, every field before and after, what the checks found."""
    yield line(change)
    source = f", from {change.source}" if change.source else ""
    yield f"  proposed {change.proposed_at.isoformat()} by {change.proposer}{source}"
    if change.effective_at is not None:
        yield f"  not before {change.effective_at.isoformat()}"
    if change.decided_by is not None and change.decided_at is not None:
        why = f": {change.reason}" if change.reason else ""
        yield f"  decided {change.decided_at.isoformat()} by {change.decided_by}{why}"
    if change.in_effect_at is not None:
        yield f"  in effect since {change.in_effect_at.isoformat()}"
    if change.reverts is not None:
        yield f"  takes back {change.reverts}"
    for record in records:
        mark = "+" if record.before is None else "-" if record.after is None else "~"
        yield f"{mark} {record.kind} {record.id}"
        for name, before, after in fields_of(record):
            if mark == "~":
                yield f"    {name}: {_shown(before)} -> {_shown(after)}"
            else:
                yield f"    {name}: {_shown(after if mark == '+' else before)}"
    yield from _found(change.findings)


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        yield f"  {one.severity:<7} {one.code}: {one.record}: {one.reason}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name}={_shown(one)}" for name, one in value.items() if one is not None)
    return str(value)
