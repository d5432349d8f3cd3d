"""Every contract by name, for export and for the test that what leaves the hub is valid."""

from __future__ import annotations

from typing import Any, Final

from schemas import cabinet, counting, erp, events, notices, paper, preparation, records, scan, transfers
from schemas.codec import Codec
from schemas.reference import REFERENCE_KINDS

_ALL: Final[tuple[Codec[Any], ...]] = (
    events.STOCK_EVENT, events.TICK, events.WATERMARK, events.REFERENCE_CHANGE, events.DECISION, events.ORDER_ANSWER,
    events.PROPOSAL, notices.NOTICE, transfers.TRANSFER_NOTICE, events.ITEM_OUTCOME,
    records.MOVEMENT, records.BALANCE, records.POSITION, records.COMMAND, records.ALERT,
    records.CASE, records.RECALL_READING, records.KPI, records.HOLD, records.QUARANTINED,
    cabinet.CABINET_TRANSACTION, scan.SCAN_EVENT, counting.COUNT_ALL_SCAN, preparation.TRANSFORM_SCAN, preparation.UNDO_SCAN,
    paper.PAPER_ENTRY, erp.ERP_ANSWER, erp.PERSON_DECISION, *(kind.codec for kind in REFERENCE_KINDS.values()),
)  # fmt: skip

CONTRACTS: Final[dict[str, Codec[Any]]] = {codec.name: codec for codec in _ALL}


def all_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every contract, with its dialect named."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {name: {"$schema": dialect, **codec.json_schema()} for name, codec in CONTRACTS.items()}
