"""A processor in memory: one log in, outputs out, compacted as topics are. No runtime, no disk, no thread.

`Hub` drives any processor through `streams.contract.fold`, exactly as a runtime does: one event at a time, writes buffered in
`State`, flushed to a `MemoryBackend` when a test asks for it. `SiteHub` adds the words of the site processor.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from schemas import events, records
from schemas.codec import encode
from schemas.codes import normalise_lot
from schemas.events import ReferenceChange, StockEvent, Tick
from schemas.log import LogRecord, Output
from schemas.partition import partition_of
from schemas.records import Command
from schemas.reference import REFERENCE_KINDS
from schemas.topics import ALERTS, BALANCES, CASES, COMMANDS, HOLDS, MOVEMENTS, OUTCOMES, POSITIONS, QUARANTINE
from streams.contract import HandlerFault, Processor, fold
from streams.ledger.book import LOTS
from streams.site.processor import SiteProcessor
from streams.state import Change, MemoryBackend, State
from tests.support.facts import START
from tests.support.world import ITEM, SITE, hospital

_CODECS: Final = {
    MOVEMENTS: records.MOVEMENT, BALANCES: records.BALANCE, POSITIONS: records.POSITION, COMMANDS: records.COMMAND,
    ALERTS: records.ALERT, CASES: records.CASE, HOLDS: records.HOLD, OUTCOMES: events.ITEM_OUTCOME,
    QUARANTINE: records.QUARANTINED,
}  # fmt: skip


class Hub:
    """A processor with its state and everything it has said."""

    partition = 0

    def __init__(self, processor: Processor, *, flush_every: int = 0) -> None:
        """`flush_every` events the state goes to the backend; 0: never."""
        self.processor = processor
        self.backends = {spec.name: MemoryBackend() for spec in processor.tables}
        self.state = State(processor.tables, self.backends.__getitem__)
        self.flush_every = flush_every
        self.offset = 0
        self.log: list[LogRecord] = []
        self.outputs: list[Output] = []
        self.faults: list[HandlerFault] = []
        self.may_fail = False

    def record(self, type_: str, value: bytes, *, items: int = 1, headers: tuple[tuple[str, str], ...] = ()) -> LogRecord:
        """The next record of the processor's input log."""
        self.offset += 1
        stated = (("ce_type", type_), ("ce_time", START.isoformat()), ("items", str(items)), ("source", "feed-1"))
        return LogRecord(self.processor.input_topic, self.partition, self.offset, b"", value, (*stated, *headers))

    def feed(self, record: LogRecord) -> list[Output]:
        """Fold one record. A raising handler fails the test unless it is what the test is about."""
        self.log.append(record)
        folded, faults = fold(self.processor, [record], self.state)
        self.faults += faults
        assert self.may_fail or not faults, faults
        outputs = folded[0][1]
        self.outputs += outputs
        if self.flush_every and len(self.log) % self.flush_every == 0:
            self.flush()
        return outputs

    def flush(self) -> None:
        """Make the buffered writes durable, as a runtime does with each batch."""
        by_table: dict[str, list[Change]] = {}
        for change in self.state.changes():
            by_table.setdefault(change[0], []).append(change)
        for name, changes in by_table.items():
            self.backends[name].apply(changes)
        self.state.clean()

    def restart(self) -> None:
        """Stop after the last flush and come back: only what the backends hold is left."""
        self.flush()
        self.state = State(self.processor.tables, self.backends.__getitem__)
        self.processor.forget()

    def image(self) -> list[Change]:
        """The whole state, encoded: committed pairs with the buffered writes over them."""
        pairs = {(name, key): value for name, backend in self.backends.items() for key, value in backend.pairs.items()}
        for name, key, value in self.state.changes():
            if value is None:
                pairs.pop((name, key), None)
            else:
                pairs[name, key] = value
        return [(name, key, value) for (name, key), value in sorted(pairs.items())]

    # ---- what was said -----------------------------------------------------------------------------------------

    def all(self, topic: str) -> list[Any]:
        """Every record of a topic, in the order written, without tombstones."""
        return [_CODECS[topic].decode(one.value) for one in self.outputs if one.topic == topic and one.value is not None]

    def latest(self, topic: str) -> list[Any]:
        """A topic compacted: the last record of each key that is not a tombstone."""
        last = {one.key: one.value for one in self.outputs if one.topic == topic}
        return [_CODECS[topic].decode(value) for value in last.values() if value is not None]


class SiteHub(Hub):
    """The site processor of the hospital's partition, with the small hospital loaded."""

    partition = partition_of(SITE)

    def __init__(self, *more: Any, reference: Iterable[Any] | None = None, flush_every: int = 0) -> None:
        """`more` is added to the small hospital; `reference` stands in its place."""
        super().__init__(SiteProcessor(), flush_every=flush_every)
        self.revisions: Counter[tuple[str, str]] = Counter()
        for one in hospital(*more) if reference is None else reference:
            self.learn(one)

    def tell(self, event: StockEvent, *, items: int = 1) -> list[Output]:
        """One stock event arrives."""
        return self.feed(self.record("StockEvent", encode(event), items=items))

    def hear(self, *told: StockEvent) -> None:
        """Several stock events arrive, in this order."""
        for event in told:
            self.tell(event)

    def say(self, message: Any) -> list[Output]:
        """A decision, an answer, a proposal or a watermark arrives."""
        return self.feed(self.record(type(message).__name__, encode(message)))

    def tick(self, at: datetime) -> list[Output]:
        """Time passes."""
        return self.feed(self.record("Tick", encode(Tick(at=at))))

    def learn(self, record: Any) -> list[Output]:
        """A version of a reference record arrives."""
        return self.feed(self.record("ReferenceChange", encode(self.change_of(record))))

    def withdraw(self, kind: str, id_: str) -> list[Output]:
        """A reference record is taken back."""
        self.revisions[kind, id_] += 1
        change = ReferenceChange(revision=self.revisions[kind, id_], kind=kind, id=id_, record=None)
        return self.feed(self.record("ReferenceChange", encode(change)))

    def change_of(self, record: Any) -> ReferenceChange:
        """The next version of a reference record."""
        kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
        id_ = kind.id_of(record)
        self.revisions[kind.name, id_] += 1
        revision = self.revisions[kind.name, id_]
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        return ReferenceChange(revision=revision, kind=kind.name, id=id_, record=copy.deepcopy(fields))

    # ---- what stands -------------------------------------------------------------------------------------------

    def on_hand(self, place: str, item: str = ITEM) -> int:
        """Base units at a place, from the published balances."""
        return sum(one.quantity for one in self.latest(BALANCES) if (one.location, one.item) == (place, item))

    def lots(self, place: str, item: str = ITEM) -> dict[str, int]:
        """Base units per lot number at a place, from the published balances, over all products and containers."""
        found: Counter[str] = Counter()
        for one in self.latest(BALANCES):
            if (one.location, one.item) == (place, item):
                found[_number(one.lot)] += one.quantity
        return {lot: quantity for lot, quantity in found.items() if quantity}

    def usable(self, place: str, item: str = ITEM) -> int:
        """Usable base units at a place, from the published positions; nothing was said: 0."""
        return next((one.usable for one in self.latest(POSITIONS) if (one.location, one.item) == (place, item)), 0)

    def open_commands(self) -> list[Command]:
        """Commands of needs that stand."""
        return [one for one in self.latest(COMMANDS) if one.closed_at is None]

    def outcomes(self) -> list[str]:
        """How items ended, as codes, in the order said."""
        return [one.code for one in self.all(OUTCOMES)]

    def open_cases(self, kind: str | None = None) -> list[records.Case]:
        """Cases a person must look at."""
        return [one for one in self.latest(CASES) if one.state == "open" and kind in {None, one.kind}]

    def moved(self) -> dict[tuple[str, str, str], int]:
        """What the published movements add up to, per account, item and lot; without zeros."""
        sums: Counter[tuple[str, str, str]] = Counter()
        for one in self.all(MOVEMENTS):
            sums[one.from_account, one.item, _number(one.lot)] -= one.quantity
            sums[one.to_account, one.item, _number(one.lot)] += one.quantity
        return {key: quantity for key, quantity in sums.items() if quantity}

    def balanced(self) -> dict[tuple[str, str, str], int]:
        """The published balances in the shape of `moved`."""
        sums: Counter[tuple[str, str, str]] = Counter()
        for one in self.latest(BALANCES):
            sums[f"stock:{one.location}", one.item, _number(one.lot)] += one.quantity
        return {key: quantity for key, quantity in sums.items() if quantity}

    def accounts_total(self, item: str = ITEM) -> int:
        """Σ of all accounts of an item: what lies at places, from the state, and the outside accounts, from the movements."""
        stock = sum(quantity for key, quantity in self.state.table(LOTS).scan((SITE,)) if key[2] == item)
        moved = self.moved().items()
        return stock + sum(total for (account, one, _), total in moved if one == item and not account.startswith("stock:"))


def _number(lot: str) -> str:
    """A lot number in the form lots are compared in; the unknown lot keeps its name."""
    return lot if lot == "unknown" else normalise_lot(lot)
