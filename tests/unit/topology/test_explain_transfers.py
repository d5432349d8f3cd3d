"""What `wardstock explain` says of a transfer and a return, at both ends."""

from __future__ import annotations

from typing import Any

import pytest

from topology.cli.explain import explanation

PROOF: dict[str, Any] = {"armed_by": "", "policy": {}, "position": {}}
COMMAND: dict[str, Any] = {
    "kind": "transfer", "quantity": 60, "unit": "vial", "item": "naloxone", "site": "north", "location": "main", "state": "satisfied",
    "urgency": "routine", "revision": 4, "opened_at": "2026-05-04T12:00:00Z", "command_id": "c-1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("proof", "line"),
    [
        (
            {"sent": 60, "received": 55, "under_way": 0, "lost": 5},
            "  shipment   c-1: sent 60, received 55, under_way 0, lost 5 vial",
        ),
        ({"transfer": {"from_site": "north", "quantity": 60, "state": "asked"}}, "  transfer   60 vial from north, asked"),
        (
            {"transfer": {"from_site": "north", "quantity": 60, "state": "agreed", "shipment": "c-1"}},
            "  transfer   60 vial from north, agreed under c-1",
        ),
        (
            {"transfer": {"from_site": "north", "quantity": 60, "state": "refused", "why": "par 100"}},
            "  transfer   60 vial from north, refused: par 100",
        ),
        (
            {"returned": 60, "credit_expected": "90", "credit_received": "0"},
            "  credit     90 expected, 0 received",
        ),
    ],
)
def test_it_says_how_far_it_is(proof: dict[str, Any], line: str) -> None:
    assert line in explanation({**COMMAND, "proof": {**PROOF, **proof}}, []).splitlines()
