"""What a steward's tools say to the desk of a running hub, as contracts: nothing reaches the log that is not of its form."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from schemas.codec import Codec, inbound_contract
from schemas.master import GOVERNED
from schemas.reference import REFERENCE_KINDS
from topology.api_bodies import checked_record
from topology.master.desk import RECORDS_MAX, Verdict, Wanted

TEXT_CHARACTERS_MAX: Final = 2_000
"""Longest title, provenance or reason."""
Step = Verdict | Literal["revert"]
STEPS: Final[tuple[Step, ...]] = ("approve", "reject", "withdraw", "revert")

_Text = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]
_Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", description="who says so")]


@inbound_contract
class ProposedRecord:
    """A record as it shall be; without one, it shall be gone."""

    kind: Literal[GOVERNED]  # type: ignore[valid-type]  # the names of the item master's kinds
    id: Annotated[str, Field(min_length=1, max_length=1_000)]
    record: Annotated[dict[str, Any] | None, Field(description="of the kind's own schema")] = None


@inbound_contract
class Proposed:
    """A change of the item master as it is proposed."""

    title: Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX, pattern=r"\S")]
    by: _Person
    records: Annotated[tuple[ProposedRecord, ...], Field(min_length=1, max_length=RECORDS_MAX)]
    source: Annotated[_Text | None, Field(description="provenance: where the facts come from")] = None
    effective_at: Annotated[AwareDatetime | None, Field(description="not before; without it, when approved")] = None


@inbound_contract
class Decided:
    """What a person decides on a change."""

    by: _Person
    reason: Annotated[_Text | None, Field(description="a rejection and a change taken back need one")] = None


PROPOSED: Final = Codec(Proposed)
DECIDED: Final = Codec(Decided)


def wanted(proposed: Proposed) -> list[Wanted]:
    """The records of a proposal. Raises `HTTPException` 400 with the first that can't be used."""
    return [_wanted(one, number) for number, one in enumerate(proposed.records, start=1)]


def _wanted(one: ProposedRecord, number: int) -> Wanted:
    if one.record is None:
        return one.kind, one.id, None
    record = checked_record(REFERENCE_KINDS[one.kind], one.id, one.record, f"record {number}, {one.kind} {one.id}")
    return one.kind, one.id, record
