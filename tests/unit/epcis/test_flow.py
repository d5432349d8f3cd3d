"""From bytes to balances: a supplier's document and the scans of what arrives, in any order of the two feeds' messages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from schemas.kinds import LocationKind
from schemas.raw import EPCIS_JSON, SCAN_JSON, RawMessage
from schemas.reference import REFERENCE_KINDS
from tests.simulation import promises
from tests.support.world import STORE, hospital, location, site
from tests.unit.epcis.test_mapper import AT, GLN, GTIN, SGTIN, document, event
from topology.local import LocalHub
from topology.verify.folder_source import StoreSource
from topology.verify.run import verify

SENT = document(
    event(eventID="e1", action="ADD", bizStep="commissioning", epcList=[f"{SGTIN}S1", f"{SGTIN}S2"],
          ilmd={"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2027-05-31"}),
    event(eventID="e2", type="AggregationEvent", action="ADD", bizStep="packing", epcList=None, childEPCs=[f"{SGTIN}S1", f"{SGTIN}S2"],
          parentID="urn:epc:id:sscc:0614141.1234567890"),
    event(eventID="e3", epcList=["urn:epc:id:sscc:0614141.1234567890"]),
    event(eventID="e4", bizStep="receiving"),
)  # fmt: skip


def scan(number: int, serial: str, lot: str = "L1") -> RawMessage:
    body = {
        "session": "s", "event_id": str(number), "activity": "receive", "occurred": AT.isoformat(), "location": STORE, "user": "u",
        "barcode": f"]d201{GTIN}17270531" + f"10{lot}\x1d21{serial}",
    }  # fmt: skip
    return message(json.dumps(body).encode(), SCAN_JSON, "scanner")


def message(body: bytes, content_type: str, source: str) -> RawMessage:
    return RawMessage(
        body=body, source=source, connector="test", content_type=content_type, received_at=AT + timedelta(minutes=1), site="north"
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_announced_is_usable_and_what_was_not_is_set_aside(tmp_path: Path, order: tuple[int, ...]) -> None:
    kinds = {kind.codec.type: kind for kind in REFERENCE_KINDS.values()}
    records = [*hospital(location("main/q", LocationKind.QUARANTINE)), site(facility_codes=(GLN,))]
    sent = [message(json.dumps(SENT).encode(), EPCIS_JSON, "mck"), scan(1, "S1"), scan(2, "S2", lot="WRONG")]
    with LocalHub(tmp_path / "hub") as hub:
        hub.load_reference([(kinds[type(one)].name, kinds[type(one)].id_of(one), one) for one in records])
        messages = [sent[number] for number in order]
        for _ in hub.replay([*messages, *(replace(one, received_at=AT + timedelta(minutes=5)) for one in messages)]):
            pass
        hub.project()
        promises.check_all(hub.engine)
        assert verify(StoreSource(hub.folder.store, "test")).differences == []
        stock = {row["location"]: (row["quantity"], row["status"]) for row in hub.views.stock()}
        cases = {row["kind"] for row in hub.views.cases()}
        outcomes = [row["code"] for row in hub.views.outcomes() if row["source"] == "mck"]
    assert sorted(outcomes) == ["duplicate"] * 3 + ["no_movement"] * 2 + ["noted"] * 3
    if order[0] == 0:
        assert stock == {STORE: (25, "available"), "main/q": (25, "quarantined")}
        assert cases >= {"dscsa_mismatch"}
    else:
        assert sum(quantity for quantity, _ in stock.values()) == 50, "nothing is lost whatever comes first"
