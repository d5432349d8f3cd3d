"""Stage par: when does a card need supply, and when has it had it?

The trigger is folded into the card's history (`streams.ledger.fold.step`), so it is a function of event time alone: armed when
usable stock is at or below the minimum, satisfied when it reaches `satisfied_at`, unchanged in between. This stage turns an
armed card into the one open need: critical ones at once, routine ones when a tick has passed the arming by the lateness.
"""

from __future__ import annotations

from typing import Final

from schemas.kinds import Urgency
from schemas.reference import ParPolicy
from streams.ledger.model import Card, CardKey, Limits, OrderKey, history_key
from streams.site import levels, orders, requests
from streams.site.desk import Desk
from streams.site.tables import Need, Timer
from streams.times import MINUTE_US

LATENESS_MINUTES_DEFAULT: Final = 60


def thresholds(desk: Desk, card: CardKey) -> Limits | None:
    """The trigger levels of a card; None without a policy."""
    return limits_of(desk.catalog.policy(*card))


def limits_of(policy: ParPolicy | None) -> Limits | None:
    """The trigger levels of a policy."""
    return None if policy is None else (policy.minimum, levels.satisfied_at(policy))


def evaluate(desk: Desk, card: CardKey) -> None:
    """Close, keep, escalate or open the card's need."""
    policy = desk.catalog.policy(*card)
    need = desk.needs.get(card)
    standing = desk.book.card(card)
    if need is not None:
        if policy is None or not _still_open(standing, need):
            _close(desk, card, need, standing)
            need = None
        else:
            orders.escalate(desk, need.command_id, card, levels.urgency_of(policy, standing.usable))
    if need is None and policy is not None and standing.armed and standing.turned is not None:
        _open_or_wait(desk, card, policy, standing, standing.turned)
    orders.publish_position(desk, card, policy, standing)


def _still_open(standing: Card, need: Need) -> bool:
    """Armed without a break since the need opened: the last arming is not later than the one that opened it."""
    return standing.armed and standing.turned is not None and standing.turned <= need.opened


def _close(desk: Desk, card: CardKey, need: Need, standing: Card) -> None:
    desk.needs.delete(card)
    orders.satisfy(desk, card, need.command_id, _satisfied(desk, card, need, standing))


def _satisfied(desk: Desk, card: CardKey, need: Need, standing: Card) -> OrderKey:
    """Where in the ledger the need was satisfied: never before it was opened."""
    if not standing.armed and standing.turned is not None:
        return max(standing.turned, need.opened)
    for _, entry in desk.book.history.scan(card, start=history_key(card, need.opened)):
        if not entry.armed and entry.turned is not None:
            return max(entry.turned, need.opened)
    return need.opened


def _open_or_wait(desk: Desk, card: CardKey, policy: ParPolicy, standing: Card, turned: OrderKey) -> None:
    urgency = levels.urgency_of(policy, standing.usable)
    if urgency is Urgency.ROUTINE:
        due_us = turned[0] + lateness_us(desk, card)
        if due_us > desk.now_us:
            desk.schedule(due_us, Timer("need", card))
            return
    requests.give_way(desk, card)
    command_id = orders.open_need(desk, card, policy, standing, turned, urgency)
    if command_id is not None:
        desk.needs.put(card, Need(command_id, turned))


def lateness_us(desk: Desk, card: CardKey) -> int:
    """How long a card waits for events that are still on their way."""
    policy = desk.catalog.policy(*card)
    if policy is not None and policy.lateness_minutes is not None:
        return policy.lateness_minutes * MINUTE_US
    record = desk.catalog.site(card[0])
    return (record.lateness_minutes if record else LATENESS_MINUTES_DEFAULT) * MINUTE_US
