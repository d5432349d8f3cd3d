"""Paper entries as JSON: what people wrote on downtime forms, keyed in afterwards with the times they wrote.

`period` + `form` + `line` is the identity of an entry: a form that is keyed twice counts once. One with `takes_back` takes the
same line back, for the reconciliation finding of that number.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, inbound_contract
from schemas.events import QUANTITY_MAX
from schemas.ids import derived_id

ENTRIES_MAX: Final = 1_000
LINE_MAX: Final = 999
PartOfKey = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^|%\s]([^|%]*[^|%\s])?$")]
"""A part of an entry's identity: the sign between the parts is in none of them."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=200)]


class PaperActivity(StrEnum):
    """What was done. Quantities are amounts, but for `count`."""

    REMOVE = "remove"  # taken out of a place for a patient
    RETURN = "return"  # brought back unused, to `location`
    WASTE = "waste"  # a removed dose, or part of it, destroyed: nothing leaves a place
    DISCARD = "discard"  # stock destroyed where it stood: broken, expired
    REFILL = "refill"  # a place was topped up
    COUNT = "count"  # the absolute quantity at `location`
    RECEIVE = "receive"  # goods from a supplier, to `location`
    MOVE = "move"  # from `location` to `to_location`


@inbound_contract
class PaperEntry:
    """One line of a paper form. `occurred` is the time that was written, with its UTC offset or in the site's zone."""

    period: PartOfKey
    form: Annotated[PartOfKey, Field(description="the form's number, as printed on it")]
    line: Annotated[int, Field(ge=1, le=LINE_MAX)]
    activity: PaperActivity
    occurred: datetime
    location: Annotated[Name, Field(description="location path or one of its codes")]
    code: Annotated[Name, Field(description="item or product code")]
    quantity: Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    user: Annotated[Name, Field(description="who did it")]
    code_system: Annotated[str, Field(description="item, product, local, ndc, gtin, …")] = "item"
    to_location: Text | None = None
    lot: Annotated[str | None, Field(max_length=50)] = None
    expiry: date | None = None
    witness: Text | None = None
    patient_id: Text | None = None
    order_id: Text | None = None
    takes_back: Annotated[int | None, Field(ge=1, description="the finding for which this line is taken back")] = None


PAPER_ENTRY: Final = Codec(PaperEntry)


def paper_key(period: str, form: str, line: int, takes_back: int | None = None) -> str:
    """The event key of an entry, or of the one that takes it back."""
    own = f"paper|{period}|{form}|{line}"
    return own if takes_back is None else f"{own}|back|{takes_back}"


def paper_source(period: str) -> str:
    """The source under which a period's entries come in."""
    return f"paper:{period}"


def paper_event_id(site: str, period: str, form: str, line: int) -> str:
    """The id of an entry's event."""
    return derived_id("event", site, paper_key(period, form, line))
