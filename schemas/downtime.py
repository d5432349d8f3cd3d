"""Downtime as records: the period, each line of paper as it was keyed, and each disagreement with what a person decided on it.

They are reference records, so that they stand in the log for ever. They move nothing themselves, and never name a patient.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.codec import contract
from schemas.events import QUANTITY_MAX
from schemas.paper import LINE_MAX, PaperActivity, PartOfKey

PERIOD_ID = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^|%\s]+$")]


@contract
class Downtime:
    """A time in which a site worked on paper. Without `ended_at` it goes on."""

    id: PERIOD_ID
    site: str
    started_at: datetime
    started_by: str
    reason: str
    recorded_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None


@contract
class PaperLine:
    """A line of paper as it was keyed, in the hub's terms: place, item and product as the written codes were understood."""

    period: PERIOD_ID
    form: PartOfKey
    line: Annotated[int, Field(ge=1, le=LINE_MAX)]
    site: str
    activity: PaperActivity
    occurred: datetime
    location: Annotated[str, Field(description="path")]
    item: str
    quantity: Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX, description="as written, in `unit`")]
    unit: str
    person: str
    keyed_by: str
    keyed_at: datetime
    event_id: str
    product: str = ""
    lot: str | None = None
    expiry: date | None = None
    to_location: str | None = None
    witness: str | None = None
    order_id: str | None = None


class FindingState(StrEnum):
    """Where a finding is. `gone`: it was not found any more before anybody decided."""

    OPEN = "open"
    APPROVED = "approved"
    GONE = "gone"


@contract
class DowntimeFinding:
    """Where paper, the devices' own log and the ledger disagree, and what is proposed.

    `take_back`: the paper line is reversed, the device's record stands. `keep`: what is in the ledger is right as it is.
    `mend`: a fact is missing; nothing to approve, it goes away once the fact is there.
    """

    period: PERIOD_ID
    number: Annotated[int, Field(ge=1)]
    subject: Annotated[str, Field(description="form and line, or the device's event id")]
    kind: Literal["counted_twice", "differs", "paper_only", "device_only", "not_in_ledger", "not_counted", "disputed"]
    text: str
    proposal: Literal["take_back", "keep", "mend"]
    state: FindingState
    found_at: datetime
    facts: Annotated[str, Field(description="digest of what was compared: with other facts it is another finding")]
    tolerance_minutes: Annotated[int, Field(ge=0, le=1440, description="how far apart the two times of one deed may be")]
    people: Annotated[tuple[str, ...], Field(description="who keyed it, did it or witnessed it: none of them approves")] = ()
    form: str | None = None
    line: int | None = None
    event_id: Annotated[str | None, Field(description="the device's event")] = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
