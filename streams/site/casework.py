"""Stage controlled, what people decide on cases: close, note, and the steps after a theft or significant loss.

A declared loss has two deadlines (21 CFR 1301.76(b), 88 FR 40707): the DEA field office is told in writing within one business
day of the discovery, and Form 106 is filed within 45 days of it. Both stand in the case and are said again before they end and
when they are missed. Requests that break a rule are refused with their reason; every decision that counts stands in the case.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from schemas.events import Decision
from schemas.records import Approval, Case
from streams.ledger.model import CardKey
from streams.site import orders, recall, returns, roles, suspicion, transfer_orders, transfers
from streams.site.deadlines import form_106_us, one_business_day_us
from streams.site.desk import Desk
from streams.site.policies import policy_of, zone_of
from streams.site.tables import Timer
from streams.times import DAY_US, HOUR_US, from_us, to_us

NOTIFY: Final = "notify"
REPORT: Final = "report"
WARN_US: Final = {NOTIFY: (4 * HOUR_US, 0), REPORT: (15 * DAY_US, 7 * DAY_US, 0)}
"""How long before each deadline it is said; at 0 it is missed."""
DECISIONS_MAX: Final = 200
"""Decisions kept in one case, the last so many."""
_DONE: Final = {NOTIFY: "notified_at", REPORT: "filed_at"}
_WORDS: Final = {
    NOTIFY: "the DEA field office must be told in writing of a theft or significant loss",
    REPORT: "DEA Form 106 of a theft or significant loss must be filed",
}
_DEEDS: Final = frozenset({"transfer", "write_off", "return"})
_OF_A_CASE: Final = frozenset({"close", "note", "loss", "notified", "filed"})


def decide(desk: Desk, decision: Decision) -> tuple[str, str, list[CardKey]]:
    """A person's decision on what is no command: a reason code, a sentence, and the cards it touched."""
    if decision.action in _DEEDS:
        return _deed(desk, decision)
    held = desk.cases.get((decision.site, decision.target))
    if decision.action not in _OF_A_CASE or desk.commands.get((decision.site, decision.target)) is not None:
        code, reason = orders.decide(desk, decision)
        transfer_orders.decided(desk, decision, code)
        return code, reason, []
    if held is None or held.state != "open":
        return "unknown_target", "no open case has this id", []
    if decision.action == "close":
        return _close(desk, decision, held)
    if decision.action == "note":
        if not (decision.reason or "").strip():
            return "no_reason", "a note without a text says nothing: give it as the reason", []
        desk.case_decided(held, decisions=_with(held, decision))
        return "noted", "the case says it", []
    code, reason = _loss(desk, decision, held)
    return code, reason, []


def _deed(desk: Desk, decision: Decision) -> tuple[str, str, list[CardKey]]:
    """A decision that does more than to approve or to close."""
    if decision.action == "write_off":
        return transfers.write_off(desk, decision)
    asked = transfer_orders.ask if decision.action == "transfer" else returns.ask
    return (*asked(desk, decision), [])


def _close(desk: Desk, decision: Decision, held: Case) -> tuple[str, str, list[CardKey]]:
    """Close a case, for a person who may; with the cards that this changed."""
    refused = roles.may_not_close(desk, decision.actor, held)
    if refused is not None:
        return "not_authorised", refused, []
    loss = held.facts.get("loss")
    if loss is not None and "filed_at" not in loss:
        reason = "a theft or significant loss was declared: file Form 106 and say so (filed) before the case is closed"
        return "loss_not_filed", reason, []
    desk.case_close(decision.target, decision.site, decision.actor, decisions=_with(held, decision))
    cleared = (suspicion.cleared, recall.traced)
    return "closed", "the case is closed", [card for clear in cleared for card in clear(desk, decision.site, decision.target)]


def _loss(desk: Desk, decision: Decision, held: Case) -> tuple[str, str]:
    item = desk.catalog.item(held.item) if held.item else None
    if item is None or item.schedule is None:
        return "not_controlled", "the case is about no controlled substance"
    refused = roles.lacks(desk, decision.actor, decision.site, (roles.PHARMACIST,))
    if refused is not None:
        return "not_authorised", refused
    loss: dict[str, Any] | None = held.facts.get("loss")
    if decision.action == "loss":
        if loss is not None:
            return "already_declared", f"the loss was declared by {loss['declared_by']}, discovered {loss['discovered_at']}"
        return _declare(desk, decision, held)
    if loss is None:
        return "no_loss_declared", "no theft or significant loss was declared in this case: declare it first (loss)"
    done, reference = ("notified_at", "notice_reference") if decision.action == "notified" else ("filed_at", "form_number")
    if done in loss:
        return "already_done", f"this was done at {loss[done]}"
    if decision.action == "filed" and not (decision.document or "").strip():
        return "no_document", "give the number of the Form 106 as the document"
    told = {**loss, done: decision.at.isoformat(), reference: (decision.document or "").strip()}
    desk.case_decided(held, facts={**held.facts, "loss": told}, decisions=_with(held, decision))
    return decision.action, "the case says it"


def _declare(desk: Desk, decision: Decision, held: Case) -> tuple[str, str]:
    discovered = to_us(decision.at)
    zone = zone_of(desk, decision.site)
    due = {
        NOTIFY: one_business_day_us(discovered, zone, policy_of(desk, decision.site)), REPORT: form_106_us(discovered, zone),
    }  # fmt: skip
    loss = {
        "declared_by": decision.actor, "discovered_at": decision.at.isoformat(), "notify_by": from_us(due[NOTIFY]).isoformat(),
        "report_by": from_us(due[REPORT]).isoformat(),
    }  # fmt: skip
    desk.case_decided(held, facts={**held.facts, "loss": loss}, decisions=_with(held, decision))
    for which, at in due.items():
        for before in WARN_US[which]:
            subject = (decision.site, held.case_id, which, str(before // HOUR_US))
            desk.schedule(max(at - before, 1), Timer("deadline", subject))
    desk.count(decision.site, "losses_declared")
    return "loss", f"tell the DEA field office in writing by {loss['notify_by']}, and file Form 106 by {loss['report_by']}"


def deadline(desk: Desk, site: str, case_id: str, which: str, hours: str) -> None:
    """A deadline is near or past: say so while it is not met."""
    held = desk.cases.get((site, case_id))
    loss = held.facts.get("loss") if held is not None else None
    if held is None or loss is None or _DONE[which] in loss:
        return
    by = loss[f"{which}_by"]
    is_missed = hours == "0"
    if not is_missed and to_us(datetime.fromisoformat(by)) <= desk.now_us:
        return
    text = f"{_WORDS[which]} by {by}: {'this deadline has passed' if is_missed else 'it has not been done'} ({held.text})"
    about = {name: value for name in ("location", "item") if (value := getattr(held, name))}
    desk.alert(site, "dea_deadline_missed" if is_missed else "dea_deadline_near", text, case_id, which, hours, **about)
    if is_missed:
        desk.count(site, "dea_deadlines_missed")


def _with(held: Case, decision: Decision) -> tuple[Approval, ...]:
    made = Approval(
        actor=decision.actor, action=decision.action, at=decision.at, reason=decision.reason, document=decision.document
    )
    return (*held.decisions, made)[-DECISIONS_MAX:]
