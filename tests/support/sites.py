"""Several sites and the network in memory: each partition of the site log with a processor of its own, notices carried between them.

What a processor writes for another site waits in that site's inbox until a test lets it in: in order, out of order, or twice.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, Final

import msgspec

from schemas import events, records
from schemas.codec import encode
from schemas.codes import normalise_lot
from schemas.events import ReferenceChange, StockEvent, Tick
from schemas.ids import derived_id
from schemas.keys import decode_key
from schemas.kinds import LocationKind
from schemas.log import LogRecord
from schemas.partition import partition_of
from schemas.reference import REFERENCE_KINDS, Location, Role, Site
from schemas.topics import BALANCES, CASES, COMMANDS, MOVEMENTS, NETWORK_LOG, OUTCOMES, RAW, SITE_LOG
from schemas.transfers import TRANSFER_NOTICE, TransferNotice
from streams.contract import Processor, fold
from streams.network.processor import NetworkProcessor
from streams.site.processor import SiteProcessor
from streams.state import MemoryBackend, State
from tests.support.facts import START
from tests.support.world import item, product
from tests.unit.verify.logs import Logs, raw_message
from topology.outgoing import outgoing

A: Final = "alder"
B: Final = "birch"
C: Final = "cedar"
WAY: Final = f"transit/{B}/T1"
Message = tuple[str, bytes, tuple[tuple[str, str], ...]]
_CODECS: Final = {
    MOVEMENTS: records.MOVEMENT, BALANCES: records.BALANCE, CASES: records.CASE, COMMANDS: records.COMMAND,
    OUTCOMES: events.ITEM_OUTCOME,
}  # fmt: skip


def town(*more: Any, sites: Iterable[str] = (A, B, C), **site_fields: Any) -> tuple[Any, ...]:
    """Sites with a store, a return bin and a quarantine place each, one item of one product, and a pharmacist everywhere."""
    made: list[Any] = [item(), product(), Role(person="pat", role="pharmacist")]
    for name in sites:
        fields = {"id": name, "name": name, "zone": "UTC", "lateness_minutes": 60, "transfer_hours": 48, **site_fields}
        made += [Site(**fields), Location(site=name, path="main", kind=LocationKind.STORE, codes=("MAIN",))]
        made += [Location(site=name, path="bin", kind=LocationKind.RETURN_BIN)]
        made += [Location(site=name, path="aside", kind=LocationKind.QUARANTINE)]
    return (*made, *more)


class _Lane:
    """One processor with its log, its state and what waits to come into the log."""

    def __init__(self, processor: Processor, topic: str, partition: int) -> None:
        self.processor, self.topic, self.partition = processor, topic, partition
        backends = {spec.name: MemoryBackend() for spec in processor.tables}
        self.state = State(processor.tables, backends.__getitem__)
        self.log: list[LogRecord] = []
        self.inbox: list[Message] = []

    def next(self, message: Message) -> LogRecord:
        type_, value, headers = message
        stated = (("ce_type", type_), ("ce_time", START.isoformat()), ("items", "1"), *headers)
        record = LogRecord(self.topic, self.partition, len(self.log), b"", value, stated)
        self.log.append(record)
        return record


class Sites:
    """All of it."""

    def __init__(self, *reference: Any) -> None:
        """`reference` is known everywhere before anything else."""
        names = [one.id for one in reference if isinstance(one, Site)]
        self.lanes = {partition_of(name): _Lane(SiteProcessor(), SITE_LOG, partition_of(name)) for name in names}
        self.network = _Lane(NetworkProcessor(), NETWORK_LOG, 0)
        self.published: dict[tuple[str, int], list[LogRecord]] = {}
        self.revisions: Counter[tuple[str, str]] = Counter()
        self.raw_places: set[tuple[int, int]] = set()
        for one in reference:
            self.learn(one)
        self.tick(START)

    # ---- in --------------------------------------------------------------------------------------------------------

    def learn(self, record: Any) -> None:
        kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
        self.revisions[kind.name, kind.id_of(record)] += 1
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        change = ReferenceChange(
            revision=self.revisions[kind.name, kind.id_of(record)], kind=kind.name, id=kind.id_of(record),
            record=copy.deepcopy(fields),
        )  # fmt: skip
        for lane in (*self.lanes.values(), self.network):
            self._fold(lane, ("ReferenceChange", encode(change), ()))

    def tick(self, at: datetime) -> None:
        for lane in self.lanes.values():
            self._fold(lane, ("Tick", encode(Tick(at=at)), ()))

    def hear(self, *said: Any) -> None:
        """Facts, decisions and answers, each folded by its site at once."""
        for one in said:
            event = one
            if isinstance(one, StockEvent):
                event = replace(one, event_id=derived_id("event", one.site, one.event_key))
            self._fold(self.lanes[partition_of(one.site)], (type(one).__name__, encode(event), ()))

    def deliver(self, random: Random | None = None, *, twice: bool = False) -> None:
        """Let everything in that waits, until nothing waits any more; with `random` in any order, with `twice` some of it again."""
        while waiting := [lane for lane in (*self.lanes.values(), self.network) if lane.inbox]:
            lane = random.choice(waiting) if random else waiting[0]
            self.deliver_one(lane, random, twice=twice)

    def deliver_one(self, lane: _Lane, random: Random | None = None, *, twice: bool = False) -> None:
        at = random.randrange(len(lane.inbox)) if random else 0
        message = lane.inbox.pop(at)
        self._fold(lane, message)
        if twice and random and random.random() < 0.3:
            self._fold(lane, message)

    def _fold(self, lane: _Lane, message: Message) -> None:
        record = lane.next(message)
        folded, faults = fold(lane.processor, [record], lane.state)
        assert not faults, faults
        for topic, partition, key, value, headers in outgoing(lane.processor.name, record, folded[0][1]):
            stated = dict(headers)
            if topic == SITE_LOG and partition in self.lanes:
                self.lanes[partition].inbox.append((stated["ce_type"], value or b"", headers))
            elif topic == NETWORK_LOG:
                self.network.inbox.append((stated["ce_type"], value or b"", headers))
            else:
                kept = self.published.setdefault((topic, partition), [])
                kept.append(LogRecord(topic, partition, len(kept), key, value, headers))
        self._note_raw(message)

    def _note_raw(self, message: Message) -> None:
        raw = msgspec.json.decode(message[1]).get("raw")
        if raw and message[0] != "TransferNotice":
            self.raw_places.add((raw["partition"], raw["offset"]))

    # ---- out -------------------------------------------------------------------------------------------------------

    def lane(self, site: str) -> _Lane:
        """The partition of a site."""
        return self.lanes[partition_of(site)]

    def notices(self, site: str) -> list[TransferNotice]:
        """What waits for a site."""
        lane = self.lane(site)
        return [TRANSFER_NOTICE.decode(value) for type_, value, _ in lane.inbox if type_ == "TransferNotice"]

    def all(self, topic: str, site: str) -> list[Any]:
        """Every record of a topic about a site."""
        kept = self.published.get((topic, 0 if topic == OUTCOMES else partition_of(site)), [])
        return [one for record in kept if record.value and (one := _CODECS[topic].decode(record.value)).site == site]

    def latest(self, topic: str, site: str) -> list[Any]:
        """A topic compacted, of one site."""
        kept = {record.key: record.value for record in self.published.get((topic, partition_of(site)), [])}
        mine = [value for key, value in kept.items() if value and decode_key(key)[0] == site]
        return [_CODECS[topic].decode(value) for value in mine]

    def lots(self, site: str, place: str) -> dict[str, int]:
        """Base units by lot at a place."""
        found: Counter[str] = Counter()
        for one in self.latest(BALANCES, site):
            if one.location == place:
                found[one.lot if one.lot == "unknown" else normalise_lot(one.lot)] += one.quantity
        return dict(found)

    def cases(self, site: str) -> list[records.Case]:
        """Every case of a site, as it stands now."""
        return self.latest(CASES, site)

    def open_cases(self, site: str) -> dict[str, str]:
        """Open cases of a site: kind and id."""
        return {one.kind: one.case_id for one in self.latest(CASES, site) if one.state == "open"}

    def accounts(self, *sites: str) -> Counter[tuple[str, str]]:
        """What movements add up to, by account of a site and lot, without zeros."""
        found: Counter[tuple[str, str]] = Counter()
        for site in sites:
            for one in self.all(MOVEMENTS, site):
                lot = one.lot if one.lot == "unknown" else normalise_lot(one.lot)
                found[f"{site} {one.from_account}", lot] -= one.quantity
                found[f"{site} {one.to_account}", lot] += one.quantity
        return Counter({key: quantity for key, quantity in found.items() if quantity})

    def logs(self, *, cut: int | None = None) -> Logs:
        """Everything as it stands in topics, for verify; with a cut, as if no lane had folded more records than that."""
        held: dict[tuple[str, int], list[LogRecord]] = {
            (SITE_LOG, lane.partition): list(lane.log) for lane in self.lanes.values()
        }
        held.update({place: list(kept) for place, kept in self.published.items()})
        for partition, offset in sorted(self.raw_places):
            held.setdefault((RAW, partition), []).append(raw_message(partition, offset))
        return Logs(held, cut=cut)
