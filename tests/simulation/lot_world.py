"""Simulated networks whose messages don't name all lots: folded in memory from the wire to the ledger, beside what was true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from connectors.simulator import Knobs, simulate
from schemas import records
from schemas.codec import encode
from schemas.codes import normalise_lot
from schemas.events import ReferenceChange
from schemas.log import LogRecord, Output
from schemas.raw import RawMessage, raw_headers
from schemas.records import Movement
from schemas.reference import REFERENCE_KINDS
from schemas.topics import MOVEMENTS, QUARANTINE, RAW, SITE_LOG
from sinks.lots.settings import Settings, settings_of
from sinks.recalls.scope import Move
from sinks.sql.rows import instant_text
from streams.contract import Processor, fold
from streams.state import MemoryBackend, State
from topology.processors import build_processors

NOT_STOCK: Final = ("-adt", "-orders")
"""Feeds that move no stock."""


@dataclass(frozen=True)
class Part:
    """What truly left a place with one movement."""

    product: str
    lot: str
    quantity: int


@dataclass(frozen=True)
class World:
    """One simulated network: the ledger's entries by site and item, reference data about lots, and the truth by place and item."""

    knobs: Knobs
    moves: dict[tuple[str, str], list[Move]]
    settings: Settings
    products: dict[str, frozenset[str]]
    truth: dict[tuple[str, str, str], list[dict[str, Any]]]


class Folded:
    """The processors of a hub in memory, one record at a time."""

    def __init__(self) -> None:
        self.normalise, self.site, _ = build_processors(bytes(32))
        self.states = {one.name: _state(one) for one in (self.normalise, self.site)}
        self.offset = 0
        self.movements: list[Movement] = []

    def _feed(self, processor: Processor, topic: str, value: bytes, headers: Any) -> list[Output]:
        self.offset += 1
        record = LogRecord(topic, 0, self.offset, b"", value, headers)
        folded, faults = fold(processor, [record], self.states[processor.name])
        assert not faults, faults
        return folded[0][1]

    def tell(self, message: RawMessage) -> None:
        headers = raw_headers(message)
        for output in self._feed(self.normalise, RAW, message.body, (("ce_type", "RawMessage"), *headers)):
            assert output.topic != QUARANTINE, output
            if output.topic == SITE_LOG and output.value is not None:
                self._site(output.type, output.value, message.received_at, output.items, output.source)

    def say(self, type_: str, value: bytes, at: datetime, *, everywhere: bool) -> None:
        if everywhere:
            self._feed(self.normalise, RAW, value, (("ce_type", type_), ("ce_time", at.isoformat())))
        self._site(type_, value, at, 1, "")

    def _site(self, type_: str, value: bytes, at: datetime, items: int, source: str) -> None:
        headers = (("ce_type", type_), ("ce_time", at.isoformat()), ("items", str(items)), ("source", source))
        for output in self._feed(self.site, SITE_LOG, value, headers):
            if output.topic == MOVEMENTS and output.value is not None:
                self.movements.append(records.MOVEMENT.decode(output.value))


def _state(processor: Processor) -> State:
    backends = {spec.name: MemoryBackend() for spec in processor.tables}
    return State(processor.tables, backends.__getitem__)


def moves_stock(message: RawMessage) -> bool:
    """Whether a message may move stock: to be quick, the others are left out (a test shows that it makes no difference).

    Where there is a cabinet, its vend takes the dose and the administration does not; clinics' requests are orders.
    """
    if message.source.endswith("-emar"):
        return b"|4W^" in message.body
    if message.source.endswith("-fhir"):
        return b"MedicationRequest" not in message.body.partition(b",")[0]
    return not message.source.endswith(NOT_STOCK)


def world_of(knobs: Knobs, *, everything: bool = False) -> World:
    """Simulate, and fold the messages that may move stock, or all of them, through normalise and the site processor."""
    lines: dict[str, list[bytes]] = {}
    sinks = {plan.id: lines.setdefault(plan.id, []).append for plan in simulate(knobs).network.sites}
    simulation = simulate(knobs, sinks)
    hub = Folded()
    first = datetime.fromisoformat(f"{knobs.start}T00:00:00+00:00")
    revision = 0
    for kind, held in simulation.network.reference.items():
        if kind in {"par_policy", "supplier", "supplier_item", "approval_rule"}:
            continue  # what to order moves no stock
        for record in held:
            revision += 1
            change = ReferenceChange(revision=revision, kind=kind, id=REFERENCE_KINDS[kind].id_of(record), record=_fields(record))
            hub.say("ReferenceChange", encode(change), first, everywhere=True)
    for message in simulation.messages():
        if everything or moves_stock(message):
            hub.tell(message)
    return _world(knobs, simulation, hub, lines)


def _world(knobs: Knobs, simulation: Any, hub: Folded, lines: dict[str, list[bytes]]) -> World:
    moves: dict[tuple[str, str], list[Move]] = defaultdict(list)
    for record in hub.movements:
        moves[record.site, record.item].append(move_of(record))
    stated = [(kind, _fields(one)) for kind in ("site", "location", "drawing_rule") for one in simulation.network.reference.get(kind, ())]
    products: dict[str, frozenset[str]] = {}
    for one in simulation.network.reference["product"]:
        products[one.item] = products.get(one.item, frozenset()) | {one.id}
    truth: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for site, told in lines.items():
        for line in map(msgspec.json.decode, told):
            if line["type"] == "movement":
                truth[site, line["location"], line["item"]].append(line)
    return World(knobs, dict(moves), settings_of(stated), products, dict(truth))


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def move_of(record: Movement) -> Move:
    """A ledger entry as the rules read it."""
    return Move(
        record.site, record.item, record.product, record.lot, normalise_lot(record.lot), record.quantity, record.unit,
        record.from_account, record.to_account, instant_text(record.occurred), record.kind, record.event_id, record.corrects,
        record.actor, record.patient, record.order_id, record.cause,
        None if record.expiry is None else record.expiry.isoformat(), record.movement_id, record.device_sequence or 0,
    )  # fmt: skip


def true_lots(world: World, site: str, place: str, item: str, until: str) -> dict[str, int]:
    """What truly lay at a place at an instant, by lot."""
    found: dict[str, int] = defaultdict(int)
    for line in world.truth.get((site, place, item), []):
        if instant_text(datetime.fromisoformat(line["occurred"])) <= until:
            found[normalise_lot(line["lot"])] += line["quantity"]
    return found


def parts_of(world: World, site: str, item: str) -> Iterator[tuple[Move, list[Part]]]:
    """Every entry by which stock left a place, with the lots it truly took: told once for all that was taken at once."""
    by_place: dict[str, list[Move]] = defaultdict(list)
    for move in world.moves.get((site, item), []):
        if move.source.startswith("stock:") and move.target != "variance":
            by_place[move.source.removeprefix("stock:")].append(move)
    for place, here in sorted(by_place.items()):
        leaving = iter(line for line in world.truth[site, place, item] if line["quantity"] < 0)
        for move in sorted(here, key=lambda one: one.occurred):
            found: list[Part] = []
            while sum(part.quantity for part in found) < move.quantity:
                line = next(leaving)
                assert instant_text(datetime.fromisoformat(line["occurred"])) <= move.occurred, (line, move)
                found.append(Part(line["product"], normalise_lot(line["lot"]), -line["quantity"]))
            assert sum(part.quantity for part in found) == move.quantity, (found, move)
            yield move, found

