"""Records that leave the hub: movements, balances, positions, commands, alerts, cases, KPIs, holds, quarantine."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field

from schemas.codec import Codec, contract
from schemas.kinds import BalanceStatus, CommandKind, CommandState, Urgency
from schemas.raw import RawRef


@contract
class Movement:
    """One ledger entry: `quantity` base units (at least 1) from one account to another. Append-only.

    An account is `stock:<location path>` or one of `supplier`, `patient`, `waste`, `variance`, `suspense`, `opening`.
    `corrects` names the count whose variance this entry moves, or the event a reversal takes back.
    """

    movement_id: str
    site: str
    event_id: str
    kind: str
    item: str
    product: str
    lot: str
    quantity: Annotated[int, Field(ge=1)]
    unit: str
    from_account: str
    to_account: str
    occurred: datetime
    cause: Annotated[str, Field(description="event key, or the rule that made it")]
    expiry: date | None = None
    container: str | None = None
    corrects: str | None = None
    actor: str | None = None
    witness: str | None = None
    patient: str | None = None
    order_id: str | None = None
    raw: RawRef | None = None


@contract
class Balance:
    """Quantity on hand of a lot at a place, in base units. A tombstone (no value) means zero."""

    site: str
    location: str
    item: str
    product: str
    lot: str
    quantity: int
    unit: str
    status: BalanceStatus
    as_of: datetime
    expiry: date | None = None
    container: str | None = None


@contract
class Position:
    """An item at a place: what may be used today, what is due, and the open need if there is one."""

    site: str
    location: str
    item: str
    on_hand: int
    usable: int
    due: int
    unit: str
    as_of: datetime
    minimum: int | None = None
    par: int | None = None
    critical: int | None = None
    open_command: str | None = None
    urgency: Urgency | None = None
    daily_demand: Annotated[Decimal | None, Field(description="forecast base units a day")] = None
    days_to_stock_out: Decimal | None = None


@contract
class SuggestedLot:
    """A lot to take, first expiring first."""

    location: str
    product: str
    lot: str
    quantity: int
    expiry: date | None = None


@contract
class Approval:
    """Who decided on a command."""

    actor: str
    action: str
    at: datetime
    reason: str | None = None


@contract
class Command:
    """A governed instruction. The full command stands at each revision; consumers upsert by id.

    `opened_at` and `closed_at` are event times: when stock fell to the trigger, and when it was satisfied.
    `proof` holds the trigger, the arithmetic, the policy revision and the options considered.
    """

    command_id: str
    revision: Annotated[int, Field(ge=1)]
    site: str
    location: str
    item: str
    kind: CommandKind
    state: CommandState
    urgency: Urgency
    quantity: Annotated[int, Field(ge=1)]
    unit: str
    opened_at: datetime
    updated_at: datetime
    proof: dict[str, Any]
    closed_at: datetime | None = None
    source_location: str | None = None
    supplier: str | None = None
    lots: tuple[SuggestedLot, ...] = ()
    approvals: tuple[Approval, ...] = ()
    approval_role: str | None = None
    document: str | None = None
    reason: str | None = None


@contract
class Alert:
    """Something to know, once: a window crossed, a stock-out, a silent feed."""

    alert_id: str
    site: str
    kind: str
    text: str
    at: datetime
    location: str | None = None
    item: str | None = None
    product: str | None = None
    lot: str | None = None


@contract
class Case:
    """Something a person must look at. `state` is open or closed; a case of a controlled substance never closes itself."""

    case_id: str
    site: str
    kind: str
    state: Annotated[str, Field(pattern="^(open|closed)$")]
    text: str
    opened_at: datetime
    updated_at: datetime
    location: str | None = None
    item: str | None = None
    event_id: str | None = None
    raw: RawRef | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    closed_by: str | None = None


@contract
class Kpi:
    """One indicator of one site as of a tick, with the counts it is made of."""

    site: str
    kpi: str
    value: Decimal | None
    numerator: int
    denominator: int
    as_of: datetime


@contract
class Hold:
    """An item that is understood but waits for a missing fact."""

    event_id: str
    site: str
    waits_for: Annotated[str, Field(description="the missing fact, e.g. code ndc 000409471302")]
    reason: str
    since: datetime
    raw: RawRef
    source: str
    kind: str


@contract
class Quarantined:
    """A message (or one item of it) that can't be understood, whole, with the reason."""

    raw: RawRef
    source: str
    code: str
    reason: str
    at: datetime
    content_type: str
    profile: str
    body_base64: str
    site: str | None = None
    name: str | None = None


MOVEMENT: Final = Codec(Movement)
BALANCE: Final = Codec(Balance)
POSITION: Final = Codec(Position)
COMMAND: Final = Codec(Command)
ALERT: Final = Codec(Alert)
CASE: Final = Codec(Case)
KPI: Final = Codec(Kpi)
HOLD: Final = Codec(Hold)
QUARANTINED: Final = Codec(Quarantined)
