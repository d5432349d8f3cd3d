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

    An account is `stock:<location path>` or one of `supplier`, `patient`, `waste`, `variance`, `suspense`, `opening`, `transform`
    (what is made into other stock, or opened).
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
    device_sequence: Annotated[int | None, Field(description="the device's own order of its events")] = None
    unit_cost: Annotated[Decimal | None, Field(description="of one base unit, as an opening count stated it")] = None


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
    expiry: Annotated[date | None, Field(description="the manufacturer's date")] = None
    container: str | None = None
    beyond_use: Annotated[datetime | None, Field(description="from then on it may not be used, whatever the expiry")] = None


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
    shadow: Annotated[bool, Field(description="the site was not live: to be seen, not to be acted upon")] = False
    allocated: Annotated[int, Field(ge=0, description="set aside for open commands; not in `usable`")] = 0


@contract
class SuggestedLot:
    """A lot to take, first expiring first. While the command is open, so much of it is allocated to the command."""

    location: str
    product: str
    lot: str
    quantity: int
    expiry: date | None = None
    container: str | None = None
    beyond_use: datetime | None = None


@contract
class Approval:
    """Who decided on a command or a case."""

    actor: str
    action: str
    at: datetime
    reason: str | None = None
    document: str | None = None


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
    shadow: Annotated[bool, Field(description="the site was not live: to be seen, not to be acted upon")] = False


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
    shadow: Annotated[bool, Field(description="the site was not live: to be seen, not to be acted upon")] = False


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
    decisions: tuple[Approval, ...] = ()
    shadow: Annotated[bool, Field(description="the site was not live: to be seen, not to be acted upon")] = False


@contract
class RecallReading:
    """That a site has read what a recall notice says, and acts on it. One record for each change of what it says.

    `content` is a digest of the notice: the site is pending while it is not that of the notice as it was loaded last.
    """

    site: str
    notice: str
    revision: Annotated[int, Field(ge=1, description="of the notice, when the site first read it in these words")]
    content: str
    in_force: Annotated[bool, Field(description="false: the notice is released")]
    at: Annotated[datetime | None, Field(description="the site's clock; none before its first tick")] = None


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
    """A message (or one item of it) that can't be understood, whole, with the reason.

    The body of a large message stands in the record of the first of its refused items alone; it is empty in the others.
    """

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
RECALL_READING: Final = Codec(RecallReading)
KPI: Final = Codec(Kpi)
HOLD: Final = Codec(Hold)
QUARANTINED: Final = Codec(Quarantined)
