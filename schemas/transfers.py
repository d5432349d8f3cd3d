"""Notices between sites about transfers: asked for, agreed, sent, received. Each stands in the log of the site it is for.

A site's state is its own; the other site knows of it by these alone. A line is one fact (a send or an arrival) in its newest
version: a receiver keeps the highest version, so that notices may come twice and in any order.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, contract
from schemas.raw import RawRef


class TransferStep(StrEnum):
    """What a notice says."""

    ASKED = "asked"  # to the sender: a site needs it, by a person's decision
    AGREED = "agreed"  # to the receiver: it is reserved, under a command of the sender
    REFUSED = "refused"  # to the receiver: it will not be sent
    SENT = "sent"  # to the receiver: a line is on its way (quantity 0: it is not, any more)
    RECEIVED = "received"  # to the sender: a line has arrived (quantity 0: it has not, after all)


TO_SENDER: Final = frozenset({TransferStep.ASKED, TransferStep.RECEIVED})


@contract
class TransferNotice:
    """One notice. Quantities are whole base units; `shipment` is the transfer's number, or the command id of the hub."""

    step: TransferStep
    from_site: str
    to_site: str
    shipment: str
    item: str
    quantity: Annotated[int, Field(ge=0)]
    at: Annotated[datetime, Field(description="when it happened")]
    line: Annotated[str, Field(description="event key of the fact, at the site where it happened")] = ""
    version: Annotated[int, Field(ge=1, description="of the line: the highest counts")] = 1
    product: str = ""
    lot: str | None = None
    expiry: date | None = None
    container: Annotated[str | None, Field(description="of stock in an opened container: its label")] = None
    beyond_use: Annotated[datetime | None, Field(description="of what was opened or made: its end, as known when sent")] = None
    location: Annotated[str | None, Field(description="of what is asked for: the place to take it from")] = None
    need: Annotated[str | None, Field(description="the receiver's command that it is for")] = None
    reason: str | None = None
    raw: RawRef | None = None

    @property
    def site(self) -> str:
        """The site whose log it stands in."""
        return self.from_site if self.step in TO_SENDER else self.to_site


TRANSFER_NOTICE: Final = Codec(TransferNotice)
