"""The arithmetic of par policies: pure functions of a policy and quantities (`domain` §3.2). All in base units."""

from __future__ import annotations

from schemas.kinds import Urgency
from schemas.reference import ParPolicy


def satisfied_at(policy: ParPolicy) -> int:
    """Usable stock at which a need is satisfied: stated, or halfway from minimum to par, rounded up."""
    if policy.satisfied_at is not None:
        return policy.satisfied_at
    return policy.minimum + max(1, -(-(policy.par - policy.minimum) // 2))


def urgency_of(policy: ParPolicy, usable: int) -> Urgency:
    """Critical and stock-out look at usable stock alone, whatever is on order."""
    if usable <= 0:
        return Urgency.STOCK_OUT
    return Urgency.CRITICAL if usable <= policy.critical else Urgency.ROUTINE


def order_quantity(policy: ParPolicy, usable: int, due: int) -> int:
    """Base units to ask for: up to par, in whole multiples, rounded up; rounded down where the maximum would be passed."""
    usable = max(usable, 0)
    missing = policy.par - usable - due
    if missing <= 0:
        return 0
    up = -(-missing // policy.multiple) * policy.multiple
    if usable + due + up <= policy.maximum:
        return up
    return max(missing // policy.multiple, 1) * policy.multiple
