"""Opening counts and modes, derived a second time: any order verifies, and what was published in the wrong mode is found."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from schemas.golive import GoLive, SiteMode
from schemas.topics import BALANCES, COMMANDS, SHADOW_COMMANDS
from tests.support.facts import START, minutes, reversal, told
from tests.support.world import POCKET, SITE, policy
from tests.unit.streams.test_wholecount import AFTER, COUNTED, HISTORY, opening
from tests.unit.verify.logs import RecordedHub, found


def hub_of(*records: object) -> RecordedHub:
    hub = RecordedHub(policy(critical=4), *records)
    hub.tick(START)
    return hub


def mode(name: str) -> GoLive:
    return GoLive(site=SITE, mode=SiteMode(name), changes=())


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::3])
def test_an_opening_balance_is_derived_alike_in_whichever_order_things_arrive(order: tuple[int, ...]) -> None:
    hub = hub_of()
    events = (*HISTORY, opening(COUNTED), AFTER)
    for number in order:
        hub.tell(events[number])
    hub.tick(minutes(400))
    assert found(hub.logs()) == []


def test_a_second_count_and_one_that_is_taken_back_verify() -> None:
    hub = hub_of()
    hub.hear(*HISTORY, opening(COUNTED), opening({"L1": 3}, at=120, key="opening|2", kind="count"), AFTER)
    hub.tick(minutes(400))
    assert found(hub.logs()) == []
    hub.tell(reversal("opening|1", at=minutes(60)))
    assert found(hub.logs()) == []


def test_a_balance_that_is_not_what_was_counted_is_found() -> None:
    hub = hub_of()
    hub.hear(opening(COUNTED))
    logs = hub.logs()
    logs.change(logs.all(BALANCES)[0], quantity=21)
    assert [(one.check, one.published, one.derived) for one in found(logs)] == [("balance", 21, 20)]


def test_modes_verify_and_an_executable_command_of_a_shadow_site_is_found() -> None:
    hub = hub_of(mode("shadow"))
    hub.tell(told("count", 3, place=POCKET, lot="L1"))
    hub.learn(mode("live"))
    hub.tick(minutes(60))
    hub.learn(mode("shadow"))
    hub.tell(told("vend", 3, place=POCKET, lot="L1", at=minutes(70)))
    hub.tick(minutes(400))
    assert found(hub.logs()) == []
    logs = hub.logs()
    (first, *_) = logs.all(SHADOW_COMMANDS)
    logs.drop(first)
    place = (COMMANDS, first.partition)
    logs.records[place] = [replace(first, topic=COMMANDS), *logs.records[place]]
    assert [one.check for one in found(logs)] == ["shadow_command"]


def test_a_command_that_was_never_withdrawn_is_found() -> None:
    """Only the record that takes back is gone: the revisions have a gap, and that is told."""
    hub = hub_of()
    hub.tell(told("count", 3, place=POCKET, lot="L1"))
    hub.learn(mode("shadow"))
    hub.tick(minutes(60))
    logs = hub.logs()
    assert found(logs) == []
    logs.drop(logs.all(COMMANDS)[-1])
    assert "command_revision" in {one.check for one in found(logs)}
