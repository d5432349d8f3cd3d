"""Names of the topics, what each carries, and how it is cleaned up (design: flow)."""

from __future__ import annotations

from typing import Any, Final, Literal

from schemas import events, records
from schemas.codec import Codec, contract
from schemas.partition import PARTITIONS

RAW: Final = "raw"
SITE_LOG: Final = "site.log"
NETWORK_LOG: Final = "network.log"
MOVEMENTS: Final = "stock.movements"
BALANCES: Final = "stock.balances"
POSITIONS: Final = "stock.positions"
COMMANDS: Final = "replenishment.commands"
SHADOW_COMMANDS: Final = "shadow.commands"
ALERTS: Final = "alerts"
CASES: Final = "cases"
KPIS: Final = "kpis"
RECALLS: Final = "recalls"
OUTCOMES: Final = "outcomes"
QUARANTINE: Final = "quarantine"
HOLDS: Final = "holds"
REFERENCE: Final = "reference"


@contract
class Topic:
    """One topic: how many partitions, what happens to old records, and what its values are."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact", "keep"]
    value: Codec[Any] | None
    """Codec of the values; none where a topic carries bytes or several types."""


TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(name=RAW, partitions=PARTITIONS, cleanup="delete", value=None),
        Topic(name=SITE_LOG, partitions=PARTITIONS, cleanup="keep", value=None),
        Topic(name=NETWORK_LOG, partitions=1, cleanup="keep", value=None),
        Topic(name=MOVEMENTS, partitions=PARTITIONS, cleanup="keep", value=records.MOVEMENT),
        Topic(name=BALANCES, partitions=PARTITIONS, cleanup="compact", value=records.BALANCE),
        Topic(name=POSITIONS, partitions=PARTITIONS, cleanup="compact", value=records.POSITION),
        Topic(name=COMMANDS, partitions=PARTITIONS, cleanup="compact", value=records.COMMAND),
        Topic(name=SHADOW_COMMANDS, partitions=PARTITIONS, cleanup="compact", value=records.COMMAND),
        Topic(name=ALERTS, partitions=PARTITIONS, cleanup="delete", value=records.ALERT),
        Topic(name=CASES, partitions=PARTITIONS, cleanup="compact", value=records.CASE),
        Topic(name=KPIS, partitions=PARTITIONS, cleanup="compact", value=records.KPI),
        Topic(name=RECALLS, partitions=PARTITIONS, cleanup="compact", value=records.RECALL_READING),
        Topic(name=OUTCOMES, partitions=PARTITIONS, cleanup="compact", value=events.ITEM_OUTCOME),
        Topic(name=QUARANTINE, partitions=PARTITIONS, cleanup="keep", value=records.QUARANTINED),
        Topic(name=HOLDS, partitions=PARTITIONS, cleanup="compact", value=records.HOLD),
        Topic(name=REFERENCE, partitions=1, cleanup="keep", value=events.REFERENCE_CHANGE),
    )
}
