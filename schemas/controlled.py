"""Controlled substances as reference data: the registrant, how a site works, when shifts count, which inventories were taken.

All of it is optional. A site without a policy works by the defaults written here; one without shift counts is asked for none.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from schemas.codec import contract

SiteId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
Words = Annotated[str, Field(max_length=200)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
SHIFT_ENDS_MAX = 12
"""Shift ends of one day at one place."""


@contract
class ControlledPolicy:
    """How a site handles controlled substances, and the registrant as DEA forms name it (21 CFR 1301, 1304, 1305).

    A business day is a day of `business_weekdays` that is no holiday; with none named every day is one.
    """

    site: SiteId
    registrant: Annotated[Words, Field(description="name of the DEA registration")] = ""
    dea_number: Words = ""
    address: Words = ""
    city: Words = ""
    state: Words = ""
    zip_code: Words = ""
    county: Words = ""
    telephone: Words = ""
    contact: Words = ""
    business: Annotated[Words, Field(description="principal business, as Form 106 asks")] = "Hospital/Clinic"
    escalation_hours: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8_760)], ...], Field(description="an open case is said again after so many hours")
    ] = (24, 72)
    business_weekdays: Annotated[
        tuple[Annotated[int, Field(ge=1, le=7)], ...], Field(description="ISO weekdays: 1 is Monday")
    ] = (1, 2, 3, 4, 5)
    holidays: tuple[date, ...] = ()
    document_schedules: Annotated[
        tuple[Annotated[int, Field(ge=1, le=5)], ...],
        Field(description="schedules whose purchases, transfers and returns wait for a document reference"),
    ] = (1, 2)
    inventory_months: Annotated[int, Field(ge=1, le=24, description="longest time between two inventories")] = 24
    inventory_notice_days: Annotated[int, Field(ge=0, le=365, description="how long before it is said that one is due")] = 30
    business_opens: Annotated[TimeOfDay | None, Field(description="beginning of business; midnight without it")] = None
    business_closes: Annotated[TimeOfDay | None, Field(description="close of business; the end of the day without it")] = None


@contract
class ShiftCount:
    """At each of these times of day the controlled stock of a place, and of what lies below it, is counted by two people.

    A count from `before_minutes` before a shift's end until `grace_minutes` after it is the count of that shift.
    """

    site: SiteId
    location: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\s][^/]*(/[^/]+)*$")]
    ends: Annotated[tuple[TimeOfDay, ...], Field(description="in the site's time zone, e.g. 07:00;19:00")]
    before_minutes: Annotated[int, Field(ge=0, le=720)] = 60
    grace_minutes: Annotated[int, Field(ge=0, le=720)] = 60


@contract
class ControlledInventory:
    """An inventory of all controlled substances was taken at a site (21 CFR 1304.11): at the beginning or close of business."""

    site: SiteId
    taken_on: date
    moment: Literal["beginning", "close"]
    taken_by: Annotated[str, Field(min_length=1, max_length=200)]
    witness: Annotated[str, Field(min_length=1, max_length=200)]
    document: Annotated[str, Field(max_length=200, description="where the signed record is kept")] = ""
