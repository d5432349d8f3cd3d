"""A command's proof as text a pharmacist can check line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def explanation(command: dict[str, Any], movements: Sequence[dict[str, Any]]) -> str:
    """The proof, one fact a line."""
    proof = command["proof"]
    lines = [
        _headline(command),
        f"  state      {command['state']} ({command['urgency']}), revision {command['revision']}",
        f"  opened     {command['opened_at']} by {_cause(proof.get('armed_by', ''))}",
        f"  trigger    {proof.get('trigger', '')}",
        f"  arithmetic {proof.get('arithmetic', '')}",
        f"  policy     {_pairs(proof.get('policy', {}))}",
        f"  position   {_pairs(proof.get('position', {}))}",
        f"  demand     {proof.get('daily_demand', '0')} {command['unit']} a day",
    ]
    if command.get("source_location"):
        lines.append(f"  take from  {command['source_location']}")
    lines += [
        f"    lot {lot['lot']} ({lot.get('expiry') or 'no expiry'}): {lot['quantity']} {command['unit']}"
        for lot in command.get("lots") or ()
    ]
    for option in proof.get("options", ()):
        mark = "taken" if option.get("taken") else "not taken"
        name = option.get("supplier") or option.get("from_site")
        lines.append(f"  option     {option['kind']} {name}: {mark}, {option.get('why', '')}")
    for approval in command.get("approvals") or ():
        lines.append(f"  decided    {approval['action']} by {approval['actor']} at {approval['at']}")
    if command.get("closed_at"):
        by = _cause(proof["satisfied_by"]) if "satisfied_by" in proof else command.get("reason") or "a decision"
        lines.append(f"  closed     {command['closed_at']} by {by}")
    lines += [
        f"  movement   {row['occurred']} {row['kind']} {row['quantity']} {row['from_account']} → {row['to_account']}"
        for row in movements
    ]
    return "\n".join(lines)


def _cause(order: str) -> str:
    """The ledger entry behind a turn, in words: its event key, or what became of a lot."""
    key = order.split("|", 3)[-1].rsplit("|", 1)[0]
    if key.startswith("mark|policy"):
        return "a new par policy"
    if key.startswith("mark|"):
        return f"lot {key.split('|')[2]}, which expired, was recalled or was released"
    return key


def _headline(command: dict[str, Any]) -> str:
    what = f"{command['kind']} {command['quantity']} {command['unit']} of {command['item']}"
    return f"{what} at {command['site']} {command['location']}"


def _pairs(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
