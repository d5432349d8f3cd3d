"""What people and ERPs send back as JSON: answers to commands, and decisions on commands and cases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.codec import Codec, inbound_contract


@inbound_contract
class ErpAnswer:
    """An ERP's answer to a command. `answer_id` is its identity; answers may come in any order, repeated or never."""

    answer_id: Annotated[str, Field(min_length=1, max_length=100)]
    site: Annotated[str, Field(min_length=1)]
    command_id: Annotated[str, Field(min_length=1, description="of a credit: the command, else the shipment, of the return")]
    status: Literal["acknowledged", "shipped", "rejected", "credited"]
    at: datetime
    amount: Annotated[
        Decimal | None, Field(ge=0, max_digits=18, decimal_places=2, description="credit received; needed when credited")
    ] = None
    quantity: Annotated[Decimal | None, Field(ge=0, description="base units the ERP confirms")] = None
    expected_at: datetime | None = None
    document: str | None = None
    reason: str | None = None


@inbound_contract
class PersonDecision:
    """A person's decision. `decision_id` is its identity."""

    decision_id: Annotated[str, Field(min_length=1, max_length=100)]
    site: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1, description="command id or case id")]
    action: Literal[
        "approve", "reject", "cancel", "close", "transfer", "write_off", "return", "document", "note", "loss", "notified", "filed"
    ]
    actor: Annotated[str, Field(min_length=1)]
    at: datetime
    option: Annotated[str | None, Field(description="the site to transfer from, or whom to return to")] = None
    reason: str | None = None
    document: Annotated[
        str | None, Field(max_length=60, description="DEA 222 or CSOS number, reference of a notice, number of a Form 106")
    ] = None


ERP_ANSWER: Final = Codec(ErpAnswer)
PERSON_DECISION: Final = Codec(PersonDecision)
