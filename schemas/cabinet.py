"""Cabinet transactions as JSON: the hub's own published schema for dispensing cabinets.

One body holds one transaction or a list of them, at most `TRANSACTIONS_MAX`. `device` + `transaction_id` is the identity of a
transaction: the same pair resent is a duplicate, however often it comes.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, inbound_contract
from schemas.events import QUANTITY_MAX, Sequence

TRANSACTIONS_MAX: Final = 1_000
LOTS_MAX: Final = 200
"""Lots of one item in one pocket."""


class CabinetAction(StrEnum):
    """What the cabinet saw. `load` states the pocket's new total, `count` an absolute count, all others an amount."""

    VEND = "vend"
    RETURN = "return"
    WASTE = "waste"
    REFILL = "refill"
    LOAD = "load"
    UNLOAD = "unload"
    COUNT = "count"
    EXPIRE = "expire"
    NULL = "null"


@inbound_contract
class PocketLot:
    """What a count found of one lot, in the transaction's `unit`. Without `product_code` it is of the transaction's product."""

    quantity: Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX)]
    lot: Annotated[str | None, Field(max_length=50)] = None
    expiry: date | None = None
    product_code: Annotated[str | None, Field(max_length=100, description="in the transaction's `code_system`")] = None


@inbound_contract
class CabinetTransaction:
    """One transaction of one cabinet. `occurred` carries its UTC offset, or is in the site's zone without one."""

    device: Annotated[str, Field(min_length=1, max_length=100, description="the cabinet's name, a code of its location")]
    transaction_id: Annotated[str, Field(min_length=1, max_length=100)]
    action: CabinetAction
    occurred: datetime
    pocket: Annotated[str, Field(min_length=1, max_length=100, description="path below the cabinet, e.g. d3/p07")]
    product_code: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    code_system: Annotated[str, Field(description="local, ndc, gtin, hibc, rxnorm")] = "local"
    device_sequence: Sequence = 0
    facility: Annotated[str | None, Field(description="facility code of the site")] = None
    begin_count: Annotated[Decimal | None, Field(ge=0, description="in the pocket before, in `unit`")] = None
    begin_count_verified: Annotated[bool, Field(description="counted by a person (count-back)")] = False
    lot: Annotated[str | None, Field(max_length=50)] = None
    expiry: date | None = None
    lots: Annotated[
        tuple[PocketLot, ...],
        Field(max_length=LOTS_MAX, description="of a count: every lot in the pocket, `quantity` their sum; no other is there"),
    ] = ()
    serial: str | None = None
    container: Annotated[str | None, Field(max_length=100, description="label of an opened container")] = None
    user: str | None = None
    witness: str | None = None
    override: Annotated[bool, Field(description="taken before a pharmacist had verified the order")] = False
    patient_id: str | None = None
    patient_authority: str | None = None
    order_id: str | None = None
    reverses: Annotated[str | None, Field(description="transaction_id of the same device that this one cancels")] = None
    test: bool = False


CABINET_TRANSACTION: Final = Codec(CabinetTransaction)
