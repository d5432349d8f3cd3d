"""Answers of ERPs and decisions of people (`schemas/erp.py`) as the events the site processor folds.

Both name the site themselves: by its id, or by one of its facility codes. An unknown site is refused, because only a known
site can have a command or a case.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.json_items import Fault, checked_quantity, instant, map_items, quoted, validated
from schemas.erp import ERP_ANSWER, PERSON_DECISION
from schemas.events import Decision, OrderAnswer
from schemas.mapping import Mapped, MappingContext, SiteFacts
from schemas.raw import RawMessage, RawRef

ANSWERS_MAX: Final = 1_000
DECISIONS_MAX: Final = 1_000


def map_erp_answer(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one answer or a list of at most `ANSWERS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        answer = validated(ERP_ANSWER, item, instants=("at", "expected_at"))
        if answer.status == "credited" and answer.amount is None:
            raise Fault("no_amount", "amount: is missing; a credit must say how much was credited.")
        site = _site(answer.site, context)
        return OrderAnswer(
            answer_id=answer.answer_id,
            site=site.id,
            command_id=answer.command_id,
            status=answer.status,
            at=instant("at", answer.at, site)[0],
            quantity=checked_quantity("quantity", answer.quantity),
            amount=answer.amount,
            expected_at=instant("expected_at", answer.expected_at, site)[0] if answer.expected_at else None,
            document=answer.document,
            reason=answer.reason,
            raw=RawRef(partition=ref.partition, offset=ref.offset, index=index),
        )

    return map_items(message.body, ANSWERS_MAX, "answer", one)


def map_decision(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one decision or a list of at most `DECISIONS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        decision = validated(PERSON_DECISION, item, instants=("at",))
        site = _site(decision.site, context)
        return Decision(
            decision_id=decision.decision_id,
            site=site.id,
            target=decision.target,
            action=decision.action,
            actor=decision.actor,
            option=decision.option,
            at=instant("at", decision.at, site)[0],
            reason=decision.reason,
            document=decision.document,
            raw=RawRef(partition=ref.partition, offset=ref.offset, index=index),
        )

    return map_items(message.body, DECISIONS_MAX, "decision", one)


def _site(name: str, context: MappingContext) -> SiteFacts:
    """The site of that id, else the one with that facility code: an id must win over another site's facility code."""
    site = context.site((), name) or context.site((name,), None)
    if site is None:
        raise Fault("unknown_site", f"site: {quoted(name)} is no site of this network; use the site id of the command.")
    return site
