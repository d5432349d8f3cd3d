"""The look-back of a small hospital: what its site processor wrote, read as the tables would give it."""

from __future__ import annotations

from typing import Any

from schemas.codes import normalise_lot
from schemas.records import Movement
from schemas.reference import RecallNotice
from schemas.topics import MOVEMENTS
from sinks.recalls.lookback import lookback
from sinks.recalls.scope import Move
from sinks.sql.rows import instant_text
from tests.support.hub import SiteHub
from tests.support.world import ITEM

PRODUCT = "amox-hospira"


def notice(*lots: str, **changes: Any) -> RecallNotice:
    """A class I notice on lots of the item's product."""
    fields = {"id": "R1", "classification": "I", "products": (PRODUCT,), "lots": lots, "all_lots": not lots}
    return RecallNotice(**{**fields, **changes})


def move(record: Movement) -> Move:
    """A ledger entry as the look-back reads it."""
    return Move(
        record.site, record.item, record.product, record.lot, normalise_lot(record.lot), record.quantity, record.unit,
        record.from_account, record.to_account, instant_text(record.occurred), record.kind, record.event_id, record.corrects,
        record.actor, record.patient, record.order_id, record.cause, None, record.movement_id, record.device_sequence or 0,
        record.container,
    )  # fmt: skip


def look(hub: SiteHub, about: RecallNotice, products: dict[str, frozenset[str]] | None = None) -> list[dict[str, Any]]:
    """The lines of a look-back."""
    return lookback(about, products or {ITEM: frozenset({PRODUCT})}, [move(one) for one in hub.all(MOVEMENTS)])


def patients(lines: list[dict[str, Any]]) -> dict[str, str]:
    """Patients and how certain it is; sure outranks possible."""
    found: dict[str, str] = {}
    for line in lines:
        if line["about"] == "patient":
            found.setdefault(str(line["patient"]), line["certainty"])
    return found


def places(lines: list[dict[str, Any]]) -> dict[str, str]:
    """Places and how certain it is."""
    return {line["location"]: line["certainty"] for line in lines if line["about"] == "place"}
