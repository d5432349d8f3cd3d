"""Credit for returns: what is expected when stock goes back, and what is received of it, as balanced pairs. Pure.

Stock leaves at its cost, to the clearing account; the credit that is expected of it comes off there. What stays on clearing is
what returning cost; what stays on `credit_expected` has not been paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from schemas.ids import derived_id
from sinks.finance.accounts import CREDIT_EXPECTED, CREDIT_RECEIVED, ledger_account
from sinks.finance.facts import Move
from sinks.finance.journal import Posting

EXPECTED: Final = "expected"
RECEIVED: Final = "received"


class Credit(msgspec.Struct, frozen=True, gc=False):
    """A credit as it was told: of a return's event, or of an answer. `amount` is in cents."""

    credit_id: str
    site: str
    what: str
    shipment: str
    partner: str
    amount: int
    occurred: str
    known: str


def credit_postings(told: Iterable[Credit], moves: Iterable[Move]) -> list[Posting]:
    """The pairs of credits, in the order in which the hub came to know of them.

    A return counts when it moved stock, and back when it is taken back; `moves` are the movements of returns and their reversals.
    """
    by_event: dict[str, list[Move]] = {}
    for move in moves:
        by_event.setdefault(move.corrects if move.kind == "reversal" and move.corrects else move.event_id, []).append(move)
    made = [posting for one in told for posting in _of(one, by_event.get(one.credit_id, []))]
    return sorted(made, key=lambda posting: (posting.known, posting.posting_id))


def _of(credit: Credit, moves: list[Move]) -> Iterator[Posting]:
    if credit.what == RECEIVED:
        yield _posting(credit, None, (CREDIT_RECEIVED, CREDIT_EXPECTED), "credit_received")
        return
    for move in moves:
        is_back = move.kind == "reversal"
        clearing = ledger_account(move.source if is_back else move.target, None)
        accounts = (clearing, CREDIT_EXPECTED) if is_back else (CREDIT_EXPECTED, clearing)
        yield _posting(credit, move, accounts, "reversal" if is_back else "credit_expected")


def _posting(credit: Credit, move: Move | None, accounts: tuple[str, str], reason: str) -> Posting:
    """One pair: debit, credit."""
    return Posting(
        posting_id=derived_id("posting", "credit", credit.site, credit.credit_id, move.movement_id if move else ""),
        site=credit.site, known=(move.known or move.occurred) if move else credit.known,
        occurred=move.occurred if move else credit.occurred, movement_id=move.movement_id if move else None,
        event_id=credit.credit_id, kind="credit", reason=reason, item=move.item if move else "",
        product=move.product if move else "", lot=move.lot if move else "", quantity=0, unpriced=0, debit=accounts[0],
        credit=accounts[1], debit_location=None, credit_location=None, amount=credit.amount,
    )  # fmt: skip
