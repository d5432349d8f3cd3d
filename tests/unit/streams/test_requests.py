"""Pick lists and supply requests become part of the one open need of their card (design §3, par)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.kinds import CommandKind, LocationKind
from schemas.reference import ApprovalRule
from schemas.topics import COMMANDS
from tests.support.facts import decision, minutes, told
from tests.support.world import POCKET, STORE, item, location, policy
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify


def hub(*more: Any) -> RecordedHub:
    """A hub whose cabinet replenishes itself, and has no levels here."""
    own = location("icu/cab1", LocationKind.CABINET, codes=("ICU-CAB1",), refill_from=STORE, replenisher="cabinet")
    site = RecordedHub(own, *more)
    site.tick(minutes(0))
    return site


def asked(quantity: int | None, minute: float = 0, **more: Any) -> Any:
    return told("request", quantity, place=POCKET, at=minutes(minute), source="omnicell", **more)


def commands(site: RecordedHub) -> list[Any]:
    return sorted(site.latest(COMMANDS), key=lambda one: one.opened_at)


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == []


def test_a_request_of_a_cabinet_that_replenishes_itself_opens_a_command_with_lots_to_take() -> None:
    site = hub()
    site.hear(told("count", 100, place=STORE, lot="L1"), asked(12, 5))
    (command,) = commands(site)
    assert (command.kind, command.state, command.quantity, command.location, command.source_location) == (
        "restock",
        "issued",
        12,
        POCKET,
        STORE,
    )
    assert [(one.lot, one.quantity) for one in command.lots] == [("L1", 12)]
    assert command.proof["trigger"] == "omnicell asked for 12 tablet"
    assert command.urgency == "stock_out"
    assert site.outcomes()[-1] == "opened_need"
    assert agrees(site)


def test_what_is_brought_satisfies_it_and_the_next_request_opens_another() -> None:
    site = hub()
    site.hear(asked(12), told("refill", 5, place=POCKET, lot="L1", at=minutes(30)), asked(7, 60))
    first, second = commands(site)
    assert (first.state, first.closed_at) == ("satisfied", minutes(30))
    assert (second.state, second.quantity) == ("issued", 7)
    assert agrees(site)


@pytest.mark.parametrize("kind", ["refill", "load"])
def test_what_was_brought_before_it_was_asked_satisfies_nothing(kind: str) -> None:
    site = hub()
    site.hear(asked(12, 10), told(kind, 5, place=POCKET, lot="L1", at=minutes(5)))
    assert [one.state for one in commands(site)] == ["issued"]
    assert agrees(site)


def test_a_put_away_into_the_place_satisfies_it_too() -> None:
    site = hub()
    site.hear(asked(12), told("put_away", 12, place=STORE, to=POCKET, lot="L1", at=minutes(5)))
    assert [one.state for one in commands(site)] == ["satisfied"]
    assert agrees(site)


def test_a_newer_request_takes_the_place_of_the_one_before() -> None:
    site = hub()
    site.hear(asked(12), asked(20, 60))
    (command,) = commands(site)
    assert (command.quantity, command.revision, [one["quantity"] for one in command.proof["requests"]]) == (20, 2, [12, 20])
    assert agrees(site)


def test_it_joins_the_need_of_the_hubs_own_levels() -> None:
    site = hub(policy(critical=4))
    site.hear(told("count", 3, place=POCKET, lot="L1"), asked(12, 5))
    (command,) = commands(site)
    assert command.proof["policy"]["minimum"] == 4
    assert [(one["source"], one["quantity"]) for one in command.proof["requests"]] == [("omnicell", 12)]
    assert site.outcomes()[-1] == "joined_need"
    assert agrees(site)


def test_it_gives_way_when_the_hubs_own_levels_open_a_need() -> None:
    site = hub(policy(critical=4))
    site.hear(told("count", 10, place=POCKET, lot="L1"), asked(12, 5), told("vend", 8, place=POCKET, lot="L1", at=minutes(9)))
    requested, own = commands(site)
    assert (requested.state, own.state) == ("cancelled", "issued")
    assert requested.reason == "the need of the place's own levels stands instead"
    assert agrees(site)


def test_where_the_hub_has_levels_and_replenishes_they_decide() -> None:
    site = RecordedHub(policy())
    site.hear(told("count", 10, place=POCKET, lot="L1"), asked(12, 5))
    assert (commands(site), site.outcomes()[-1]) == ([], "noted")
    assert agrees(site)


def test_where_nobody_has_levels_a_request_opens_a_need() -> None:
    site = RecordedHub()
    site.hear(asked(12))
    assert [one.state for one in commands(site)] == ["issued"]
    assert agrees(site)


def test_the_erp_is_left_to_replenish_its_places() -> None:
    site = RecordedHub(location("icu/cab1", LocationKind.CABINET, codes=("ICU-CAB1",), replenisher="erp"))
    site.hear(asked(12))
    assert (commands(site), site.outcomes()[-1]) == ([], "noted")
    assert agrees(site)


def test_it_is_for_the_place_that_it_is_to_be_delivered_to() -> None:
    site = hub()
    site.hear(told("request", 6, place=STORE, to=POCKET))
    assert [one.location for one in commands(site)] == [POCKET]
    assert agrees(site)


def test_approval_rules_hold_for_requests() -> None:
    rule = ApprovalRule(id="controlled", role="pharmacist", kinds=(CommandKind.RESTOCK,), controlled=True)
    site = hub(rule, item(schedule=2))
    site.hear(asked(12))
    assert [(one.state, one.approval_role) for one in commands(site)] == [("awaiting_approval", "pharmacist")]


def test_what_is_not_known_makes_a_request_wait_and_it_counts_once() -> None:
    site = hub()
    late = asked(3, 5, codes=())
    site.hear(asked(12, key="r"), asked(12, key="r"), late)
    assert site.outcomes() == ["opened_need", "duplicate", "unknown_code"]
    site.hear(asked(None, 9), asked(0, 10), asked(5, 11, test=True))
    assert site.outcomes()[-3:] == ["noted", "noted", "test_traffic"]
    assert agrees(site)


def test_a_request_for_a_place_that_arrives_later_opens_its_need_then() -> None:
    site = hub()
    site.hear(told("request", 4, place="DOCK"))
    assert site.outcomes() == ["unknown_location"]
    site.learn(location("dock", codes=("DOCK",)))
    assert [one.location for one in commands(site)] == ["dock"]
    assert agrees(site)


def test_a_person_who_cancels_it_ends_it_and_the_next_request_opens_another() -> None:
    from schemas.reference import Role

    site = hub(Role(person="pat", role="pharmacist"))
    site.hear(asked(12))
    site.say(decision(commands(site)[0].command_id, "cancel", "pat", minutes(3), reason="closed"))
    site.hear(asked(5, 9))
    assert [one.state for one in commands(site)] == ["cancelled", "issued"]
    assert agrees(site)
