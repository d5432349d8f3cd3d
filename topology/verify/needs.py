"""Needs: cards that are armed at the cut against the commands that are open, and ids against the entry that opened them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from topology.verify.cards import CardLog, Total
from topology.verify.compare import Ledger
from topology.verify.ids import name_based_id
from topology.verify.published import Commands
from topology.verify.report import Report
from topology.verify.words import Card, Ordered, instant_of

_CLOSED: Final = frozenset({"satisfied", "cancelled"})
_OF_NO_NEED: Final = frozenset({"transfer", "return", "destroy"})
"""Kinds of commands that send stock away or end it: no level of their place asks for them."""
_MINUTE_US: Final = 60_000_000


def check_needs(ledger: Ledger, commands: Commands, report: Report, site: str | None, settled: int) -> None:
    """Every armed card has its command in time; no other card has one; none has two."""
    by_card: defaultdict[Card, list[Ordered]] = defaultdict(list)
    for command in commands.newest.values():
        if command.kind not in _OF_NO_NEED:
            by_card[command.site, command.location, command.item].append(command)
        _check_id(command, report)
    for card in sorted({*ledger.totals, *by_card}):
        if site is not None and card[0] != site:
            continue
        if card in commands.moved_on:
            report.count("moved_on")
            continue
        said = by_card.get(card, [])
        still = [command for command in said if command.state not in _CLOSED]
        total = ledger.totals.get(card)
        if still or (total is not None and total.armed_at is not None):
            report.count("needs")
        wrong = _wrong(ledger, card, total, said, settled)
        if wrong is None:
            continue
        if _undecided(ledger, card, said, settled):
            report.count("in_flight")
            continue
        _tell(report, card, wrong, still, total)


def _wrong(ledger: Ledger, card: Card, total: Total | None, said: list[Ordered], settled: int) -> str | None:
    """What is wrong with the commands of a card, in words; None when nothing is."""
    still = [command for command in said if command.state not in _CLOSED]
    armed_at = None if total is None else total.armed_at
    asked = [command for command in still if _request(command) is not None]
    for command in asked:
        if _request(command) not in ledger.derived.requests.get(card, ()):
            return f"command {command.command_id} says that it was requested, and nobody did"
    if len(still) == 1:
        still = [command for command in still if command not in asked]
    if len(still) > 1:
        return f"{len(still)} commands are open at once"
    if armed_at is None:
        return f"command {still[0].command_id} is open, but nothing is needed" if still else None
    if still:
        if _opened(still[0]) >= armed_at:
            return None
        return f"command {still[0].command_id} was satisfied since, and the need that stands began later"
    cancelled = any(command.state == "cancelled" and _opened(command) >= armed_at for command in said)
    if cancelled or total is None or not _must_be_open(ledger, card, total, armed_at, settled):
        return None
    return f"supply is needed since {instant_of(armed_at).isoformat()}, and no command is open"


def check_modes(ledger: Ledger, commands: Commands, report: Report) -> None:
    """Nothing that could be executed was published while a site was not live: only what takes an earlier command back."""
    for cause, command in commands.executable:
        decided = ledger.derived.modes.get(command.site, ())
        live = next((live for offset, live in reversed(decided) if offset <= cause), True)
        if live or command.state in _CLOSED:
            continue
        text = f"command {command.command_id} was published as {command.state} while site {command.site} was not live"
        report.differ(
            "shadow_command", text, site=command.site, location=command.location, item=command.item, published=command.state
        )  # fmt: skip


def _request(command: Ordered) -> str | None:
    """The key of the request that opened a command; None when the card's levels did."""
    armed_by = str(command.proof.get("armed_by", ""))
    return armed_by.removeprefix("request|") if armed_by.startswith("request|") else None


def _must_be_open(ledger: Ledger, card: Card, total: Total, armed_at: int, settled: int) -> bool:
    """Critical needs open at once, routine ones when the clock has passed them by the lateness; if anything is to be asked."""
    known = ledger.derived.known
    policy = known.policy(card)
    if policy is None or known.item(card[2]) is None or policy.par <= max(total.usable, 0):
        return False
    if total.usable <= max(policy.critical, 0):
        return True
    minutes = ledger.derived.lateness[card[0]] if policy.lateness_minutes is None else policy.lateness_minutes
    return armed_at + minutes * _MINUTE_US <= settled


def _undecided(ledger: Ledger, card: Card, said: list[Ordered], settled: int) -> bool:
    """Whether the difference comes from what falls due just at the cut: the hub fires that with its next events."""
    log = ledger.derived.cards.get(card, CardLog())
    now = ledger.derived.now
    if _wrong(ledger, card, ledger.total(card, log, settled), said, settled) is None:
        return True
    latest = max((entry.order[0] for entry in log.entries), default=now)
    if latest <= now:
        return False
    # Entries ahead of the clock: what a lot turns to between now and them is only taken in when the clock gets there.
    site, _, item = card
    keys = {lot for entry in log.entries for lot in entry.lots()}
    facts = [ledger.derived.lots.facts(site, item, product, number) for product, number, _ in keys]
    return any(now < us <= latest for one in facts if one is not None for us in one.turns())


def _check_id(command: Ordered, report: Report) -> None:
    """A command's id is derived from the card, the kind, and the ledger entry that armed the need."""
    armed_by = str(command.proof.get("armed_by", ""))
    wanted = name_based_id(
        "command", command.site, command.item, command.location, command.kind, _lot_of(command), "", "", armed_by
    )  # fmt: skip
    if command.command_id != wanted:
        text = f"command {command.command_id} of {command.item} at {command.location} should be {wanted} by what armed it"
        report.differ(
            "command_id", text, site=command.site, location=command.location, item=command.item,
            published=command.command_id, derived=wanted,
        )  # fmt: skip


def _lot_of(command: Ordered) -> str:
    """The lot a command speaks of, as its id names it; nothing for one that answers a need."""
    named = command.proof.get("lot", {})
    return "\x1f".join(str(named.get(part, "")) for part in ("product", "lot", "container")) if named else ""


def _opened(command: Ordered) -> int:
    """When the entry that armed the need happened, µs; 0 when the proof names none."""
    text = str(command.proof.get("armed_by", "")).partition("|")[0]
    return int(text) if text.removeprefix("-").isdigit() else 0


def _tell(report: Report, card: Card, wrong: str, still: list[Ordered], total: Total | None) -> None:
    site, location, item = card
    armed_at = None if total is None else total.armed_at
    published: Any = [command.command_id for command in still]
    report.differ(
        "need", f"{site} {location} {item}: {wrong}", site=site, location=location, item=item, published=published,
        derived=None if armed_at is None else instant_of(armed_at).isoformat(),
    )  # fmt: skip
