"""Movements as the ledger publishes them, in few words, for the tests of what stock is worth."""

from __future__ import annotations

from typing import Any

from sinks.finance.chain import Chain
from sinks.finance.costs import Costs, CostVersion
from sinks.finance.facts import Move
from sinks.finance.journal import Journal, Posting
from sinks.finance.layers import Method
from sinks.finance.money import SCALE, cents

ITEM = "heparin"
MAIN, CABINET, TRANSIT = "stock:main", "stock:icu/cab1", "stock:transit"
KINDS = {
    ("supplier", True): "receive", ("patient", True): "return", ("variance", True): "count", ("suspense", True): "adjust_in",
    ("patient", False): "vend", ("waste", False): "discard", ("variance", False): "count", ("suspense", False): "adjust_out",
}  # fmt: skip


def move(number: int, source: str, target: str, quantity: int, **more: Any) -> Move:
    """Movement `number`, at minute `number` of a day; its event is `e<number>`."""
    inward = target.startswith("stock:")
    kind = "pick" if inward and source.startswith("stock:") else KINDS.get((source if inward else target, inward), "waste")
    at = instant(number)
    given: dict[str, Any] = {
        "movement_id": f"m{number}", "site": "mercy", "event_id": f"e{number}", "kind": kind, "item": ITEM, "product": "hep-a",
        "lot": "L1", "container": "", "unit": "vial", "occurred": at, "cause": f"k{number}", "known": at,
    }  # fmt: skip
    return Move(source=source, target=target, quantity=quantity, **{**given, **more})


def received(number: int, quantity: int, **more: Any) -> Move:
    """Goods from a supplier to the store."""
    return move(number, "supplier", MAIN, quantity, **more)


def used(number: int, quantity: int, **more: Any) -> Move:
    """Given to a patient from the store."""
    return move(number, MAIN, "patient", quantity, **more)


def instant(minute: int) -> str:
    """An instant as the tables hold it."""
    return f"2026-03-{10 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00.000000Z"


def money(amount: str) -> int:
    """Exact money of a decimal text."""
    whole, _, fraction = amount.partition(".")
    return int(whole) * SCALE + int(fraction.ljust(12, "0"))


def prices(*stated: tuple[int, str | None], product: str = "hep-a") -> Costs:
    """Costs of the product: (minute from which, or -1 for the beginning; cost)."""
    return Costs(
        CostVersion(
            "product", product, revision, ITEM, None if cost is None else money(cost), "" if minute < 0 else instant(minute)
        )
        for revision, (minute, cost) in enumerate(stated, start=1)
    )


def in_transit(place: str) -> bool:
    """What lies at `transit` is on its way."""
    return place == "transit"


def derived(moves: list[Move], costs: Costs, method: Method) -> Chain:
    """The costs of the item after all movements."""
    chain = Chain(ITEM, method, costs, in_transit)
    chain.derive_all(moves)
    return chain


def posted(moves: list[Move], costs: Costs, method: Method) -> tuple[Journal, list[Posting]]:
    """The journal of the movements, in the order given, and its postings."""
    journal = Journal("mercy", method, costs, in_transit)
    return journal, list(journal.postings(moves))


def balances(postings: list[Posting]) -> dict[str, int]:
    """Cents in each account, debit above 0; without zeros."""
    sums: dict[str, int] = {}
    for one in postings:
        sums[one.debit] = sums.get(one.debit, 0) + (one.amount or 0)
        sums[one.credit] = sums.get(one.credit, 0) - (one.amount or 0)
    return {account: amount for account, amount in sums.items() if amount}


def value_cents(chain: Chain) -> dict[str, int]:
    """Cents in each kind of pool."""
    sums: dict[str, int] = {}
    for (_, account), pool in chain.standing.pools.items():
        sums[account] = sums.get(account, 0) + cents(pool.value)
    return sums
