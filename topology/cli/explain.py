"""A command's proof as text a pharmacist can check line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def explanation(command: dict[str, Any], movements: Sequence[dict[str, Any]]) -> str:
    """The proof, one fact a line."""
    proof = command["proof"]
    lines = [
        _headline(command),
        f"  state      {command['state']} ({command['urgency']}), revision {command['revision']}"
        + (", in shadow: not to be executed" if command.get("shadow") else ""),
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
    lines += _allocation(proof.get("allocation"), command["unit"])
    lines += [
        f"  requested  {one['quantity']} {command['unit']} by {one['source']} at {one['at']} ({one['event']})"
        for one in proof.get("requests", ())
    ]
    lines += [
        f"  substitute {one['item']}: {one['usable']} {one['unit']} usable at {one['location']}, a person's decision"
        for one in proof.get("substitutes", ())
    ]
    for option in proof.get("options", ()):
        mark = "taken" if option.get("taken") else "not taken"
        name = option.get("supplier") or option.get("from_site")
        lines.append(f"  option     {option['kind']} {name}: {mark}, {option.get('why', '')}")
    lines += _shipped(command)
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


def _shipped(command: dict[str, Any]) -> list[str]:
    """What is known of the transfer or return that a command is, or waits for."""
    proof, unit = command["proof"], command["unit"]
    told = {name: proof[name] for name in ("sent", "received", "under_way", "lost", "returned") if name in proof}
    lines = [f"  shipment   {command['command_id']}: {_pairs(told)} {unit}"] if told else []
    if "credit_expected" in proof:
        lines.append(f"  credit     {proof['credit_expected']} expected, {proof['credit_received']} received")
    asked = proof.get("transfer")
    if asked:
        why = f": {asked['why']}" if asked.get("why") else f" under {asked['shipment']}" if asked.get("shipment") else ""
        lines.append(f"  transfer   {asked['quantity']} {unit} from {asked['from_site']}, {asked['state']}{why}")
    return lines


def _allocation(told: dict[str, Any] | None, unit: str) -> list[str]:
    """What is set aside for the command, what it lacks, and the lots that were passed over."""
    if told is None:
        return []
    if "released" in told:
        return [f"  allocated  nothing any more: it was released when the command was {told['released']}"]
    more = [f"{told[name]} {words}" for name, words in (("supplied", "came already"), ("short", "lacking")) if name in told]
    if "minimum_life_days" in told:
        more.append(f"with {told['minimum_life_days']} days left at least")
    lines = [f"  allocated  {told['allocated']} {unit}, for this command alone" + "".join(f", {one}" for one in more)]
    return [*lines, *(f"    passed over {one}" for one in told.get("passed_over", ()))]


def _cause(order: str) -> str:
    """The ledger entry behind a turn, in words: its event key, or what became of a lot."""
    if order.startswith("request|"):
        return f"the request {order.removeprefix('request|')}"
    key = order.split("|", 3)[-1].rsplit("|", 1)[0]
    if order.startswith("expired|"):
        parts = order.split("|")
        return f"lot {parts[2]}, which expired on {parts[-1]}"
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
