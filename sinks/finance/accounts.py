"""The accounts of the general ledger, and which of them a ledger account of stock is."""

from __future__ import annotations

from typing import Final

from sinks.finance.chain import IN_TRANSIT, INVENTORY, SITE, PoolKey

SUPPLIER_CLEARING: Final = "supplier_clearing"
CONSUMPTION: Final = "consumption"
WASTE: Final = "waste"
PRICE_VARIANCE: Final = "price_variance"
ROUNDING: Final = "rounding"
INTERSITE: Final = "intersite"
CREDIT_EXPECTED: Final = "credit_expected"
CREDIT_RECEIVED: Final = "credit_received"

_OUTSIDE: Final = {
    "supplier": SUPPLIER_CLEARING,  # goods received, invoice not yet (GR/IR)
    "patient": CONSUMPTION,  # cost of goods used, returns taken off
    "waste": WASTE,  # destroyed and expired stock
    "variance": "count_variance",  # found or missing at a count
    "suspense": "suspense",  # moved, and not known where from or to
    "opening": "opening",
    "reverse_distributor": "returns_clearing",  # sent to a reverse distributor, credit not expected yet
    "transform": "transform",  # used to make other stock, and made of it
}
ACCOUNTS: Final = (
    INVENTORY, IN_TRANSIT, *_OUTSIDE.values(), PRICE_VARIANCE, ROUNDING, INTERSITE, CREDIT_EXPECTED, CREDIT_RECEIVED,
)  # fmt: skip
"""Every account that is posted to. Controllers map these names to their own numbers."""


def ledger_account(account: str, pool: PoolKey | None) -> str:
    """The account of the general ledger for an account of the stock ledger, whose pool is given where it is a place."""
    if pool is not None:
        return pool[1]
    if account.startswith(SITE):
        return INTERSITE  # the other site is in the movement; the two sites' accounts differ by what the transfer price differs
    return _OUTSIDE.get(account, account)
