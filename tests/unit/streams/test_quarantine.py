"""Quarantine places: what lies there is on hand and may not be used, whatever its lot (`design` §4: quarantined | available)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.kinds import LocationKind
from schemas.reference import RecallNotice
from schemas.topics import BALANCES
from tests.support.facts import BY_PRODUCT, day, minutes, told
from tests.support.world import ITEM, SITE, STORE, location, policy
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

HERE = "main/quarantine"


def hub(*more: Any) -> RecordedHub:
    return RecordedHub(location(HERE, LocationKind.QUARANTINE), *more)


def status(site: RecordedHub, place: str) -> list[str]:
    return [one.status for one in site.latest(BALANCES) if one.location == place]


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == []


@pytest.mark.parametrize("lot", ["L1", None])
def test_what_lies_there_is_on_hand_and_not_usable(lot: str | None) -> None:
    site = hub()
    site.hear(told("receive", 5, place=HERE, lot=lot, codes=BY_PRODUCT))
    assert (site.on_hand(HERE), site.usable(HERE)) == (5, 0)
    assert status(site, HERE) == ["quarantined"]
    assert agrees(site)


def test_the_same_lot_elsewhere_is_usable_and_what_is_put_away_becomes_so() -> None:
    site = hub()
    site.hear(
        told("receive", 5, place=HERE, lot="L1", codes=BY_PRODUCT),
        told("receive", 3, place=STORE, lot="L1", codes=BY_PRODUCT),
        told("put_away", 2, place=HERE, to=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(5)),
    )
    assert (site.usable(STORE), site.on_hand(HERE), site.usable(HERE)) == (5, 3, 0)
    assert agrees(site)


def test_places_below_it_are_quarantine_too() -> None:
    site = hub()
    site.hear(told("receive", 5, place=f"{HERE}/shelf2", lot="L1", codes=BY_PRODUCT))
    assert site.usable(f"{HERE}/shelf2") == 0
    assert agrees(site)


def test_a_recall_is_said_first_and_expiry_last() -> None:
    site = hub()
    site.hear(told("receive", 5, place=HERE, lot="L1", expiry=day(3), codes=BY_PRODUCT))
    site.tick(minutes(60 * 24 * 6))
    assert status(site, HERE) == ["quarantined"]
    site.learn(RecallNotice(id="R1", classification="I", products=("amox-hospira",), lots=("L1",)))
    assert status(site, HERE) == ["recalled"]
    assert agrees(site)


def test_a_place_that_becomes_one_or_is_one_no_longer_is_judged_anew() -> None:
    site = hub(policy(HERE, critical=4))
    shelf = location(HERE)
    site.learn(shelf)
    site.hear(told("receive", 25, place=HERE, lot="L1", codes=BY_PRODUCT))
    assert (site.usable(HERE), status(site, HERE)) == (25, ["available"])
    site.learn(location(HERE, LocationKind.QUARANTINE))
    assert (site.usable(HERE), site.on_hand(HERE), status(site, HERE)) == (0, 25, ["quarantined"])
    site.learn(shelf)
    assert (site.usable(HERE), status(site, HERE)) == (25, ["available"])
    assert [one.item for one in site.latest(BALANCES)] == [ITEM]
    assert SITE == "north"


def test_what_is_given_from_there_is_a_case() -> None:
    site = hub()
    site.hear(
        told("receive", 5, place=HERE, lot="L1", codes=BY_PRODUCT),
        told("vend", 1, place=HERE, lot="L1", codes=BY_PRODUCT, at=minutes(5)),
    )
    (case,) = [one for one in site.open_cases() if "in quarantine" in one.text]
    assert case.item == ITEM
    assert agrees(site)
