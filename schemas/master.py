"""Changes of the item master: who proposes what, what speaks against it, who lets it take effect, and what stood there before.

A change and its records are reference records themselves, so that they stand in the log for ever: the history of the item master,
and what is needed to take a change back.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from schemas.codec import contract

GOVERNED: Final = ("item", "product", "code", "site_item", "unit_factor", "consumption_rule", "supplier_item", "master_policy")
"""Kinds of reference records that are the item master."""


class MasterState(StrEnum):
    """Where a change is. `rejected`, `withdrawn`, `blocked` and `in_effect` are final."""

    PROPOSED = "proposed"
    APPROVED = "approved"  # waits for its time
    IN_EFFECT = "in_effect"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    BLOCKED = "blocked"  # approved, and when its time came something spoke against it


@contract
class Finding:
    """What a check says about one record of a change. `stop` forbids it, `warning` is for the steward to weigh."""

    severity: Literal["stop", "warning"]
    code: str
    record: Annotated[str, Field(description="kind and id")]
    reason: str


@contract
class MasterChange:
    """A change of the item master as a whole."""

    id: str
    title: str
    state: MasterState
    proposer: str
    proposed_at: datetime
    records: Annotated[int, Field(ge=1, description="how many records it changes (`master_record`)")]
    source: Annotated[str | None, Field(description="provenance: where the facts come from")] = None
    effective_at: Annotated[datetime | None, Field(description="not before; without it, when approved")] = None
    findings: tuple[Finding, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    in_effect_at: datetime | None = None
    reverts: Annotated[str | None, Field(description="the change that this one takes back")] = None


@contract
class MasterRecord:
    """One record of a change, before (none: it is new) and after (none: it is taken away)."""

    change: str
    number: Annotated[int, Field(ge=1)]
    kind: str
    id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


@contract
class MasterPolicy:
    """Whether the item master changes by approved changes only."""

    id: Annotated[Literal["master"], Field(description="there is one")]
    governed: bool
