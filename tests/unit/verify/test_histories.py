"""Random histories of the small hospital through the site processor: late, repeated, taken back, replaced, renamed, recalled.

Each is verified as it grows and at cuts in its middle. They are rougher than any feed: what is odd here is rare in life, not absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from schemas.codec import encode
from schemas.codes import Code
from schemas.events import ReferenceChange
from schemas.raw import RawRef
from schemas.reference import RecallNotice, Role, UnitFactor
from schemas.topics import BALANCES, COMMANDS
from streams.site.tables import HELD
from tests.support.facts import BY_ITEM, BY_PRODUCT, START, day, decision, minutes, reversal, told
from tests.support.world import (
    ITEM,
    OTHER_POCKET,
    POCKET,
    STORE,
    WARD,
    item,
    location,
    places,
    policy,
    product,
    purchase_policy,
    site,
)
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

SEEDS = range(40)
STEPS = 120
BY_TEVA = (Code(system="local", value="TEVA"),)
BY_LATE = (Code(system="local", value="LATE"),)
KINDS = (
    *("vend",) * 3, "return", "waste", *("refill",) * 2, "load", "unload", *("count",) * 2, "expire", "dispense", "administer",
    *("receive",) * 2, "put_away", "pick", "discard", "reversal",
    "adjust_in", "adjust_out", "transfer_out", "return_supplier", "return_distributor",
)  # fmt: skip
LOTS = {"A1": day(0), "B2": day(1), "C3": None}


class Rough:
    """One random history."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.keys: list[str] = []
        self.reports: list[str] = []
        self.now = START
        teva = product("amox-teva", ndc="0093-1234-01", gtin=None, codes=BY_TEVA)
        early = [site(), *places(), item(), product(), policy(critical=self.random.choice([0, 2]))]
        self.late: list[Any] = [
            UnitFactor(item=ITEM, unit="box", numerator=10), item(codes=(*item().codes, *BY_LATE)),
            location("late/place", codes=("LATEPLACE",)), purchase_policy(),
        ]  # fmt: skip
        (early if seed % 2 else self.late).append(teva)
        self.hub = RecordedHub(reference=early)
        self.hub.tick(START - timedelta(hours=2))

    def grow(self) -> Iterator[int]:
        """Step by step."""
        for step in range(STEPS):
            self.now += timedelta(minutes=self.random.choice([0, 1, 5, 15, 60]))
            chance = self.random.random()
            if chance < 0.12:
                self.hub.tick(self.now)
            elif chance < 0.22:
                self._change()
            elif chance < 0.24:
                self._cancel()
            elif chance < 0.30:
                report = self._report(step)
                for line in report:
                    self.hub.tell(line, items=len(report))
            else:
                self.hub.tell(self._event(step))
            yield step

    def _change(self) -> None:
        pick = self.random
        kind = pick.randrange(3)
        if kind == 0 and self.late:
            self.hub.learn(self.late.pop(pick.randrange(len(self.late))))
        elif kind == 1:
            levels = {"minimum": pick.randint(0, 8), "par": pick.choice([5, 20, 30]), "critical": pick.choice([0, 1, 3])}
            self.hub.learn(policy(pick.choice([POCKET, STORE, WARD]), **levels))
        else:
            self.hub.learn(
                RecallNotice(
                    id=pick.choice(["R1", "R2"]), classification="I", products=(pick.choice(["amox-hospira", "amox-teva"]),),
                    lots=tuple(pick.sample(sorted(LOTS), 2)), all_lots=pick.random() < 0.2,
                    released=pick.choice([None, None, "FDA"]),
                )
            )  # fmt: skip

    def _cancel(self) -> None:
        commands = self.hub.open_commands()
        if commands:
            self.hub.learn(Role(person="p1", role="pharmacist"))
            self.hub.say(decision(self.random.choice(commands).command_id, "cancel", "p1", self.now))

    def _event(self, step: int) -> Any:
        pick = self.random
        kind, key = pick.choice(KINDS), f"k{step}"
        late, ahead = pick.choice([0, 0, 0, 3, 30, 200, 2000]), pick.choice([0, 0, 0, 90])
        at = self.now - timedelta(minutes=late) + timedelta(minutes=ahead)
        if self.keys and pick.random() < 0.08:
            key = pick.choice(self.keys)
        self.keys.append(key)
        if kind == "reversal":
            of = pick.choice([*self.keys, f"k{step + pick.randint(1, 5)}"])
            return reversal(pick.choice([of, f"alias of {of}"]), at=at, key=key)
        to = pick.choice([None, POCKET, STORE, "LATEPLACE"]) if kind in ("put_away", "pick") else None
        place = pick.choice([POCKET, POCKET, OTHER_POCKET, STORE, WARD, "LATEPLACE"])
        more = self._details(step)
        if kind == "transfer_out":  # to a site of another partition, which is not part of the history
            more.update(partner="alder", shipment=pick.choice(["T1", "T2"]))
        return told(kind, pick.choice([0, 1, 1, 2, 5, 40]), place=place, at=at, key=key, to=to, received_at=max(at, self.now), **more)

    def _details(self, step: int) -> dict[str, Any]:
        pick = self.random
        lot = pick.choice([None, *LOTS])
        more: dict[str, Any] = {"lot": lot, "codes": pick.choice([BY_ITEM, BY_PRODUCT, BY_PRODUCT, BY_TEVA, BY_LATE])}
        if lot and pick.random() < 0.5:
            more["expiry"] = pick.choice([LOTS[lot], day(2)])
        for chance, field, values in (
            (0.2, "container", ("c1", "c2")), (0.1, "unit", ("box", "mg")), (0.1, "quantity_is_dose", (True,)),
            (0.3, "serial", ("S1", "S2", "S3", "S4")), (0.3, "alias", (f"alias of k{step}",)), (0.05, "test", (True,)), (0.05, "no_effect", ("a note",)), (0.1, "device_sequence", (1, 2, 3)),
        ):  # fmt: skip
            if pick.random() < chance:
                more[field] = pick.choice(values)
        if pick.random() < 0.15:
            more.update(begin_count=Decimal(pick.randint(0, 20)), begin_count_verified=pick.random() < 0.6)
        # While something waits nothing is replaced: see the defect at the end of this file.
        is_waiting = next(iter(self.hub.state.table(HELD).scan(())), None) is not None
        if self.keys and pick.random() < 0.1 and not is_waiting:
            more.update(replaces=pick.choice([*self.keys, f"future{step}"]), version=pick.choice([0, 0, 1, 2, 3]))
        return more

    def _report(self, step: int) -> list[Any]:
        """A stock report of several lines, whole or in another version than one that came before."""
        pick = self.random
        key = pick.choice(self.reports) if self.reports and pick.random() < 0.3 else f"report{step}"
        self.reports.append(key)
        kind, lines = pick.choice(["count", "count", "adjust_in", "receive"]), pick.randint(1, 4)
        offset = told("null").raw.offset
        said: list[Any] = []
        for line in range(1, lines + 1):
            changes = {"lot": pick.choice([None, None, *LOTS]), "codes": pick.choice([BY_ITEM, BY_PRODUCT, BY_TEVA, BY_LATE])}
            at = self.now - timedelta(minutes=pick.choice([0, 0, 0, 5, 500]))
            said.append(
                told(
                    kind, pick.choice([0, 1, 7]), place=pick.choice([POCKET, STORE, "LATEPLACE"]), at=at, received_at=self.now,
                    key=key if line == 1 else f"{key}|{line}", part_of=None if line == 1 else key, lines=lines,
                    raw=RawRef(partition=0, offset=offset, index=line - 1), **changes,
                )
            )  # fmt: skip
        return said


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rough_history_is_verified_as_it_grows_and_at_cuts(seed: int) -> None:
    rough = Rough(seed)
    for step in rough.grow():
        if step % 40 == 39:
            assert verify(rough.hub.logs()).differences == []
    for _ in range(3):
        assert verify(rough.hub.logs(cut=rough.random.randint(10, rough.hub.offset))).differences == []


def test_what_moved_on_in_a_compacted_topic_is_counted_and_not_compared() -> None:
    """As a reader of Kafka sees it: of each key only the newest record is left, and that came of something beyond the cut."""
    rough = Rough(1)
    for _ in rough.grow():
        pass
    logs = rough.hub.logs(cut=rough.hub.offset - 15)
    for topic in (BALANCES, COMMANDS):
        newest = {record.key: record for record in logs.records[topic, 0]}
        logs.records[topic, 0] = sorted(newest.values(), key=lambda record: record.offset)
    logs.compacts = True
    report = verify(logs)
    assert report.differences == []
    assert report.counts["moved_on"] > 0


def test_what_is_only_due_at_the_last_tick_is_on_its_way_and_no_difference() -> None:
    """Many lots expire at one midnight; the hub fires 200 with one event. The tick alone leaves some for the next events."""
    hub = RecordedHub(policy(STORE, minimum=5, par=10, maximum=20, critical=1))
    hub.tick(START)
    for number in range(230):
        hub.tell(told("receive", 1, place=STORE, lot=f"L{number:03}", expiry=day(0), at=minutes(0.01 * number)))
    hub.tick(START + timedelta(days=1))
    assert verify(hub.logs()).differences == []
    for hours in range(1, 6):
        hub.tick(START + timedelta(days=1, hours=hours))
    report = verify(hub.logs())
    assert (report.differences, report.counts["in_flight"]) == ([], 0)
    assert hub.usable(STORE) == 0


def test_an_event_that_waits_behind_the_cut_is_in_flight() -> None:
    hub = RecordedHub()
    hub.tell(told("return", 3, place=POCKET, at=START))
    hub.tell(told("return", 4, place=POCKET, at=START))
    logs = hub.logs(cut=hub.offset)
    logs.records["outcomes", 0] = logs.records["outcomes", 0][:-1]
    report = verify(logs)
    assert (report.differences, report.counts["in_flight"]) == ([], 1)


def policy_change(revision: int, record: Any) -> bytes:
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return encode(ReferenceChange(revision=revision, kind="par_policy", id=f"north|{record.location}|{ITEM}", record=fields))


def with_changes_at_one_tick(first: int) -> RecordedHub:
    """8 in a pocket, and two changes of its policy between two ticks: up to 10 (a need), then back to 2, satisfied at 12."""
    hub = RecordedHub()
    hub.tick(minutes(-60))
    hub.feed(hub.record("ReferenceChange", policy_change(first - 1, policy(minimum=2, satisfied_at=3))))
    hub.tell(told("return", 8, place=POCKET))
    hub.tick(minutes(30))
    hub.feed(hub.record("ReferenceChange", policy_change(first, policy(minimum=10, satisfied_at=15))))
    hub.feed(hub.record("ReferenceChange", policy_change(first + 1, policy(minimum=2, satisfied_at=12))))
    for hour in range(1, 40):
        hub.tick(minutes(30 + 60 * hour))
    return hub


def test_two_changes_of_a_policy_at_one_tick_are_verified() -> None:
    assert verify(with_changes_at_one_tick(19).logs()).differences == []


def test_two_changes_of_a_policy_at_one_tick_count_in_order_where_the_revision_gets_longer() -> None:
    assert verify(with_changes_at_one_tick(9).logs()).differences == []


def test_a_version_and_what_it_replaces_that_are_let_go_together_count_once() -> None:
    """Both wait for a place; the version is tried first, because it happened a minute before."""
    hub = RecordedHub()
    hub.tick(minutes(-60))
    hub.tell(told("return", 5, place="NEW", key="v0", at=minutes(1)))
    hub.tell(told("return", 3, place="NEW", key="v1", replaces="v0", at=minutes(0)))
    hub.learn(location("east", codes=("NEW",)))
    assert verify(hub.logs()).differences == []


def test_a_first_time_of_day() -> None:
    """A log without any tick has no clock: nothing is due, nothing is a difference."""
    hub = RecordedHub()
    hub.tell(told("return", 3, place=POCKET, at=datetime(2026, 3, 2, 12, tzinfo=START.tzinfo)))
    assert verify(hub.logs()).differences == []
