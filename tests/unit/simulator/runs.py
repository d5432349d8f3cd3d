"""Runs of the simulator, made once and shared by the tests, and the readers of what it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from connectors.simulator import Knobs, Network, simulate
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, RawMessage

SMALL = Knobs(seed=5, sites=2, beds=14, days=8)
HOSPITALS = Knobs(seed=2, sites=3, beds=40, days=7)
"""The size the hub is judged by: 3 sites × 40 beds × 7 days."""


@dataclass(frozen=True)
class Run:
    """Everything one simulation gave."""

    network: Network
    messages: tuple[RawMessage, ...]
    truth: tuple[dict[str, Any], ...]
    balances: list[dict[str, Any]]
    outages: tuple[Any, ...]

    @property
    def movements(self) -> list[dict[str, Any]]:
        return [line for line in self.truth if line["type"] == "movement"]

    @property
    def needs(self) -> list[dict[str, Any]]:
        return [line for line in self.truth if line["type"] == "need"]

    def of_type(self, content_type: str) -> list[RawMessage]:
        return [message for message in self.messages if message.content_type == content_type]


@lru_cache(maxsize=12)
def run(knobs: Knobs) -> Run:
    """Simulate; per site the lines of the truth stand in the order they were written."""
    lines: dict[str, list[bytes]] = {}
    sinks = {plan.id: lines.setdefault(plan.id, []).append for plan in simulate(knobs).network.sites}
    simulation = simulate(knobs, sinks)
    messages = tuple(simulation.messages())
    truth = tuple(json.loads(line) for site in lines for line in lines[site])
    return Run(simulation.network, messages, truth, simulation.balances(), simulation.outages)


def rows(message: RawMessage) -> list[dict[str, Any]]:
    """The transactions or scans of a JSON body."""
    value = json.loads(message.body)
    return value if isinstance(value, list) else [value]


def segments(message: RawMessage, name: str) -> list[list[str]]:
    """Fields of the segments of a name; index 0 is the name (so for all but MSH the index is the HL7 field number)."""
    return [line.split("|") for line in message.body.decode().split("\r") if line.startswith(f"{name}|")]


def hl7_time(text: str, zone: Any) -> datetime:
    """A time stamp as an instant: with its own offset, else local time of the zone."""
    if len(text) > 14:
        return datetime.strptime(text, "%Y%m%d%H%M%S%z")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)


def zones(network: Network) -> dict[str, Any]:
    """Time zone by site."""
    from zoneinfo import ZoneInfo

    return {plan.id: ZoneInfo(plan.zone) for plan in network.sites}


def occurred(message: RawMessage, zone: Any) -> list[datetime]:
    """When the facts of a message happened, for every wire format."""
    if message.content_type in {CABINET_JSON, SCAN_JSON}:
        return [datetime.fromisoformat(row["occurred"]) for row in rows(message)]
    if message.content_type == FHIR_JSON:
        resource = json.loads(message.body)
        names = ("authoredOn", "whenHandedOver", "effectiveDateTime")
        return [datetime.fromisoformat(resource[name]) for name in names if name in resource]
    assert message.content_type == HL7_ER7
    for name, field in (("RXA", 3), ("RXD", 3), ("EVN", 2), ("ORC", 9)):
        found = segments(message, name)
        if found:
            return [hl7_time(segment[field], zone) for segment in found]
    raise AssertionError(message.body)


def day(text: str) -> date:
    return date.fromisoformat(text)
