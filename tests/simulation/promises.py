"""The three promises as checks on what a hub has in its log: nothing lost, counted once, explained by movements that add up, also in money.

The checks read topics only (and, for the outside accounts, the site processor's totals) and know no rule of the ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from schemas.kinds import CLOSED_COMMAND_STATES, Outcome
from schemas.log import LogRecord
from schemas.partition import PARTITIONS
from schemas.raw import RawMessage
from schemas.topics import BALANCES, COMMANDS, MOVEMENTS, OUTCOMES, RAW, REFERENCE, TOPICS
from sinks.sql import Projection, finance
from streams.ledger.book import LOTS
from topology.embedded.engine import Engine

Account = tuple[str, str, str, str, str]
"""Site, location, item, product, lot."""
NeedKey = tuple[str, str, str, str]
"""Site, location, item, kind."""
_ALL: Final = 1 << 40
_MOVES: Final = {(None, outcome) for outcome in Outcome} | {
    (Outcome.HELD, Outcome.HELD),
    (Outcome.HELD, Outcome.ACCEPTED),
    (Outcome.HELD, Outcome.DUPLICATE),
    (Outcome.HELD, Outcome.QUARANTINED),
}
"""How an item may come to an outcome: at first any, later only out of held (a counted transfer)."""


def records(engine: Engine, topic: str) -> Iterator[LogRecord]:
    """Everything durable of a topic, partition after partition."""
    for partition in range(TOPICS[topic].partitions):
        yield from engine.read(topic, partition, 0, _ALL)


def values(engine: Engine, topic: str) -> Iterator[Any]:
    """The decoded values of a topic that holds one contract."""
    codec = TOPICS[topic].value
    assert codec is not None
    for record in records(engine, topic):
        if record.value is not None:
            yield codec.decode(record.value)


def balances(engine: Engine) -> dict[Account, int]:
    """Quantities on hand by account, zeros left out: the last record of each key."""
    last: dict[bytes, bytes | None] = {record.key: record.value for record in records(engine, BALANCES)}
    found: Counter[Account] = Counter()
    for value in last.values():
        if value is not None:
            one = TOPICS[BALANCES].value.decode(value)  # type: ignore[union-attr]
            found[one.site, one.location, one.item, one.product, one.lot] += one.quantity
    return {account: quantity for account, quantity in found.items() if quantity}


def open_needs(engine: Engine) -> list[NeedKey]:
    """Needs still open: the last revision of each command."""
    last = {command.command_id: command for command in values(engine, COMMANDS)}
    still = [command for command in last.values() if command.state not in CLOSED_COMMAND_STATES]
    return sorted((command.site, command.location, command.item, str(command.kind)) for command in still)


def check_acknowledged(engine: Engine, acknowledged: Iterable[tuple[RawMessage, tuple[int, int]]]) -> None:
    """Every acknowledged message is in raw at the place that was given for it, byte for byte."""
    stored = {(record.partition, record.offset): record.value for record in records(engine, RAW)}
    for message, place in acknowledged:
        assert stored.get(place) == message.body, f"acknowledged at {place} and not there"


def check_outcomes(engine: Engine) -> Counter[str]:
    """Every declared item of every raw message ends in exactly one outcome; returns how many in which."""
    messages = {
        (record.partition, record.offset)
        for record in records(engine, RAW)
        if dict(record.headers)["ce_type"] == "RawMessage"
    }
    final: dict[tuple[int, int, int], Any] = {}
    for outcome in values(engine, OUTCOMES):
        place = (outcome.raw.partition, outcome.raw.offset, outcome.raw.index)
        before = final.get(place)
        known = before.outcome if before else None
        assert outcome.was == known, f"{place}: {outcome.outcome} says it was {outcome.was}, it was {known}"
        assert (outcome.was, outcome.outcome) in _MOVES, f"{place}: {outcome.was} → {outcome.outcome}"
        final[place] = outcome
    declared: dict[tuple[int, int], set[int]] = defaultdict(set)
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for (partition, offset, index), outcome in final.items():
        declared[partition, offset].add(outcome.items)
        found[partition, offset].add(index)
    assert set(found) == messages, "messages without an outcome, or outcomes without a message"
    for place, indexes in found.items():
        assert declared[place] == {len(indexes)}, f"{place} declares {declared[place]} items, {len(indexes)} have an outcome"
        assert indexes == set(range(len(indexes))), f"{place}: {sorted(indexes)}"
    return Counter(str(outcome.outcome) for outcome in final.values())


def check_movements(engine: Engine) -> None:
    """Published movements sum to the balances, each is published once, and all accounts together are zero."""
    sums: Counter[Account] = Counter()
    totals: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    for one in values(engine, MOVEMENTS):
        assert one.movement_id not in seen, f"movement {one.movement_id} stands twice in the log"
        seen.add(one.movement_id)
        assert one.quantity > 0
        for account, sign in ((one.from_account, -1), (one.to_account, 1)):
            if account.startswith("stock:"):
                sums[one.site, account.removeprefix("stock:"), one.item, one.product, one.lot] += sign * one.quantity
            else:
                totals[one.site, one.item] += sign * one.quantity
    held = balances(engine)
    assert {account: quantity for account, quantity in sums.items() if quantity} == held
    for partition in range(PARTITIONS):
        for key, quantity in engine.state_of("site", partition).table(LOTS).scan(()):
            totals[str(key[0]), str(key[2])] += quantity
    assert {key: total for key, total in totals.items() if total} == {}, "the sum of all accounts is not zero"


def check_money(engine: Engine) -> None:
    """What the movements cost: layers hold the balances to the unit, the journal the value of the layers to the cent."""
    written = Projection("sqlite://")
    try:
        for topic in (REFERENCE, MOVEMENTS, BALANCES):
            written.apply(records(engine, topic))
        with written.engine.connect() as connection:
            for row in finance.check(connection):
                assert row["adds_up"], row
    finally:
        written.close()


def check_commands(engine: Engine) -> None:
    """Each (command id, revision) once, revisions without gap, and at no moment two open commands for one need."""
    revision: dict[str, int] = {}
    open_at: dict[tuple[str, str, str], str] = {}
    for command in values(engine, COMMANDS):
        card = (command.site, command.location, command.item)
        assert command.revision == revision.get(command.command_id, 0) + 1, f"{command.command_id}: revision {command.revision}"
        revision[command.command_id] = command.revision
        if command.state in CLOSED_COMMAND_STATES:
            if open_at.get(card) == command.command_id:
                del open_at[card]
            continue
        assert open_at.setdefault(card, command.command_id) == command.command_id, f"two open commands for {card}"


def check_all(engine: Engine) -> Counter[str]:
    """Every promise that needs no comparison; returns the outcome counts. `engine` has nothing left to fold."""
    assert engine.backlog() == 0
    assert engine.faults == []
    check_movements(engine)
    check_money(engine)
    check_commands(engine)
    return check_outcomes(engine)


def outputs(engine: Engine) -> dict[str, list[bytes]]:
    """Every record of every topic as bytes, for comparing two runs."""
    return {topic: [msgspec.msgpack.encode(record) for record in records(engine, topic)] for topic in TOPICS}
