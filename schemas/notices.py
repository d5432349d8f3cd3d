"""Notices of packages: what trading partners say is on its way, before it arrives (EPCIS 2.0, DSCSA).

A notice moves no stock. What arrives is compared with it.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, contract
from schemas.raw import RawRef


class NoticeStep(StrEnum):
    """What happened to the packages at the partner's."""

    COMMISSION = "commission"  # the serial numbers were given: lot and expiry are known
    SHIP = "ship"  # they are on their way here
    LINK = "link"  # they belong to a document: purchase order, despatch advice
    PACK = "pack"  # they are in a container
    UNPACK = "unpack"  # they are in it no longer
    END = "end"  # they are not to come: decommissioned, destroyed, shipping taken back


@contract
class AnnouncedPackage:
    """One package by its serial number, or a number of packages of a lot."""

    gtin: Annotated[str, Field(pattern="^[0-9]{14}$")]
    serial: str | None = None
    lot: str | None = None
    expiry: date | None = None
    quantity: Annotated[int, Field(ge=1, le=10_000_000, description="packages; 1 where a serial number names one")] = 1


@contract
class Notice:
    """One event of a trading partner. `notice_key` is its `eventID`, or made of its content where it has none."""

    notice_id: str
    notice_key: Annotated[str, Field(min_length=1)]
    site: Annotated[str, Field(description="the site it is meant for; empty when that is not known")]
    source: str
    raw: RawRef
    step: NoticeStep
    at: datetime
    received_at: datetime
    packages: tuple[AnnouncedPackage, ...] = ()
    container: Annotated[str | None, Field(description="SSCC, 18 digits")] = None
    containers: Annotated[tuple[str, ...], Field(description="SSCCs in it, or shipped")] = ()
    documents: tuple[str, ...] = ()
    void: Annotated[bool, Field(description="the sender takes the event back (EPCIS errorDeclaration)")] = False
    facility: str | None = None


NOTICE: Final = Codec(Notice)
