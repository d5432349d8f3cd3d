"""Transfers between sites (ADR 22): what is on its way stands at the sender; nothing disappears, whatever comes when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.reference import RecallNotice, Role
from schemas.topics import BALANCES, CASES, OUTCOMES
from tests.support.facts import BY_PRODUCT, START, day, decision, minutes, reversal, told
from tests.support.sites import WAY, A, B, C, Sites, town
from tests.support.world import item
from topology.verify.run import verify

SENT, ARRIVED = minutes(5), minutes(30)
LATER = START + timedelta(hours=2)
"""Past the lateness of an hour."""
DAYS_LATER = START + timedelta(hours=60)
"""Past the 48 hours that a transfer may take."""


def start(*more: Any, **fields: Any) -> Sites:
    """Alder has 30 of lot L1."""
    sites = Sites(*town(*more, **fields))
    sites.hear(fact("receive", 30, A, key="stock", lot="L1"))
    return sites


def fact(kind: str, quantity: int, site: str, **changes: Any) -> Any:
    return told(kind, quantity, place="main", **{"site": site, "codes": BY_PRODUCT, "lot": "L1", **changes})


def sent(quantity: int = 10, at: Any = SENT, **changes: Any) -> Any:
    fields = {"site": A, "partner": B, "shipment": "T1", "key": "send", **changes}
    return fact("transfer_out", quantity, at=at, **fields)


def arrived(quantity: int = 10, at: Any = ARRIVED, **changes: Any) -> Any:
    fields = {"site": B, "partner": A, "shipment": "T1", "key": "arrive", **changes}
    return fact("transfer_in", quantity, at=at, **fields)


def conserved(sites: Sites) -> None:
    """The sum of all accounts of all sites is 0, for each lot; and verify derives the same from the logs."""
    sums: dict[str, int] = {}
    for (_, lot), quantity in sites.accounts(A, B, C).items():
        sums[lot] = sums.get(lot, 0) + quantity
    assert not any(sums.values())
    report = verify(sites.logs())
    assert [one.text for one in report.differences] == []


def test_what_is_sent_is_on_its_way_until_the_other_site_has_it() -> None:
    sites = start()
    sites.hear(sent())
    assert (sites.lots(A, "main"), sites.lots(A, WAY)) == ({"L1": 20}, {"L1": 10})
    sites.deliver()
    sites.hear(arrived())
    assert (sites.lots(A, WAY), sites.lots(B, "main")) == ({"L1": 10}, {"L1": 10}), "the notice is not folded yet"
    sites.deliver()
    assert (sites.lots(A, WAY), sites.lots(B, "main")) == ({}, {"L1": 10})
    accounts = sites.accounts(A, B)
    assert accounts[f"{A} site:{B}", "L1"] == 10 == -accounts[f"{B} site:{A}", "L1"]
    conserved(sites)


def test_part_of_it_arrives_and_the_rest_stays_on_its_way() -> None:
    sites = start()
    sites.hear(sent(10), arrived(4))
    sites.deliver()
    sites.tick(LATER)
    assert sites.lots(A, WAY) == {"L1": 6}
    assert sites.open_cases(A) == sites.open_cases(B) == {}
    sites.hear(arrived(6, minutes(90), key="rest"))
    sites.deliver()
    assert sites.lots(A, WAY) == {}
    conserved(sites)


def test_more_than_was_sent_posts_and_is_a_case_at_both_sites() -> None:
    sites = start()
    sites.hear(sent(10), arrived(12))
    sites.deliver()
    assert sites.lots(B, "main") == {"L1": 12}
    assert sites.lots(A, WAY) == {"L1": -2}
    assert sites.open_cases(A) == {}, "another send may still be told"
    sites.tick(LATER)
    assert list(sites.open_cases(A)) == list(sites.open_cases(B)) == ["transfer_over"]
    sites.hear(sent(2, minutes(6), key="forgotten"))
    sites.deliver()
    assert sites.open_cases(A) == sites.open_cases(B) == {}
    conserved(sites)


def test_another_lot_than_was_sent_posts_and_is_a_case_until_it_is_written_off() -> None:
    sites = start()
    sites.hear(sent(10), arrived(10, lot="L2"))
    sites.deliver()
    sites.tick(LATER)
    assert sites.lots(A, WAY) == {"L1": 10, "L2": -10}
    assert list(sites.open_cases(A)) == list(sites.open_cases(B)) == ["transfer_lots"]
    sites.hear(decision(sites.open_cases(A)["transfer_lots"], "write_off", "pat", LATER, site=A))
    assert (sites.lots(A, WAY), sites.open_cases(A)) == ({}, {})
    assert sites.accounts(A)[f"{A} variance", "L1"] == 10
    assert sites.accounts(A)[f"{A} variance", "L2"] == -10
    conserved(sites)


def test_stock_without_a_lot_may_be_of_the_lot_that_was_sent() -> None:
    sites = start()
    sites.hear(sent(10), arrived(10, lot=None))
    sites.deliver()
    sites.tick(LATER)
    assert sites.open_cases(A) == sites.open_cases(B) == {}


def test_an_arrival_before_its_dispatch_is_known_posts_and_fits_afterwards() -> None:
    sites = start()
    sites.hear(arrived())
    sites.deliver()
    sites.tick(LATER)
    assert list(sites.open_cases(A)) == list(sites.open_cases(B)) == ["transfer_unmatched"]
    assert sites.lots(B, "main") == {"L1": 10}
    sites.hear(sent())
    sites.deliver()
    assert (sites.lots(A, WAY), sites.lots(A, "main")) == ({}, {"L1": 20})
    assert sites.open_cases(A) == sites.open_cases(B) == {}
    conserved(sites)


def test_what_is_lost_is_overdue_and_written_off_by_a_pharmacist_of_the_sender() -> None:
    sites = start(Role(person="tec", role="technician"))
    sites.hear(sent(10), arrived(7))
    sites.deliver()
    sites.tick(START + timedelta(hours=47))
    assert sites.open_cases(A) == {}
    sites.tick(DAYS_LATER)
    [(kind, case)] = sites.open_cases(A).items()
    assert (kind, sites.open_cases(B)) == ("transfer_overdue", {})
    sites.hear(decision(case, "write_off", "tec", DAYS_LATER, site=A))
    assert (sites.all(OUTCOMES, A)[-1].code, sites.lots(A, WAY)) == ("not_authorised", {"L1": 3})
    sites.hear(decision(case, "write_off", "pat", DAYS_LATER, site=A))
    assert sites.all(OUTCOMES, A)[-1].code == "written_off"
    assert (sites.lots(A, WAY), sites.open_cases(A)) == ({}, {})
    assert sites.accounts(A)[f"{A} variance", "L1"] == 3
    conserved(sites)


def test_what_was_written_off_and_had_arrived_before_moves_the_variance_back() -> None:
    """The way's count of nothing absorbs what is told later of the time before it (ADR 1)."""
    sites = start()
    sites.hear(sent(10))
    sites.deliver()
    sites.tick(DAYS_LATER)
    sites.hear(decision(sites.open_cases(A)["transfer_overdue"], "write_off", "pat", DAYS_LATER, site=A))
    assert sites.accounts(A)[f"{A} variance", "L1"] == 10
    sites.hear(arrived(10, minutes(30)))
    sites.deliver()
    assert sites.accounts(A)[f"{A} variance", "L1"] == 0
    assert (sites.lots(A, WAY), sites.lots(B, "main")) == ({}, {"L1": 10})
    conserved(sites)


def test_only_the_sender_can_give_up_what_is_on_its_way() -> None:
    sites = start()
    sites.hear(sent(10), arrived(12))
    sites.deliver()
    sites.tick(LATER)
    sites.hear(decision(sites.open_cases(B)["transfer_over"], "write_off", "pat", LATER, site=B))
    assert sites.all(OUTCOMES, B)[-1].code == "not_the_sender"
    sites.hear(decision("nothing", "write_off", "pat", LATER, site=A))
    assert sites.all(OUTCOMES, A)[-1].code == "unknown_target"


@pytest.mark.parametrize("early", [False, True], ids=["after it was told", "before the arrival was told"])
def test_an_arrival_that_is_taken_back_is_on_its_way_again(early: bool) -> None:
    sites = start()
    sites.hear(sent())
    back = reversal("arrive", at=minutes(40), site=B)
    sites.hear(*((back, arrived()) if early else (arrived(), back)))
    sites.deliver()
    assert (sites.lots(A, WAY), sites.lots(B, "main")) == ({"L1": 10}, {})
    conserved(sites)


def test_a_dispatch_that_is_taken_back_leaves_what_arrived_unmatched() -> None:
    sites = start()
    sites.hear(sent(), arrived())
    sites.deliver()
    sites.hear(reversal("send", at=minutes(40), site=A))
    sites.deliver()
    sites.tick(LATER)
    assert (sites.lots(A, "main"), sites.lots(A, WAY)) == ({"L1": 30}, {"L1": -10})
    assert list(sites.open_cases(A)) == list(sites.open_cases(B)) == ["transfer_unmatched"]
    conserved(sites)


def test_notices_may_come_twice_and_the_taking_back_before_the_arrival() -> None:
    """A line has a version; the highest counts, whichever comes last."""
    sites = start()
    sites.hear(sent(), arrived())
    sites.hear(reversal("arrive", at=minutes(40), site=B))
    assert [(one.version, one.quantity) for one in sites.notices(A)] == [(1, 10), (2, 0)]
    inbox = sites.lane(A).inbox
    inbox[:] = [*reversed(inbox), *inbox]
    sites.deliver()
    assert sites.lots(A, WAY) == {"L1": 10}
    conserved(sites)


def test_a_recalled_lot_is_blocked_on_its_way_and_where_it_arrives() -> None:
    sites = start()
    sites.hear(sent())
    sites.deliver()
    sites.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("L1",)))
    [way] = [one for one in sites.latest(BALANCES, A) if one.location == WAY]
    assert way.status == "recalled"
    sites.hear(arrived())
    sites.deliver()
    [there] = [one for one in sites.latest(BALANCES, B) if one.location == "main"]
    assert (there.quantity, there.status) == (10, "recalled")
    assert "recall" in sites.open_cases(B)
    conserved(sites)


def test_what_arrives_damaged_or_expired_goes_to_the_quarantine_place() -> None:
    sites = start()
    sites.hear(sent(10))
    sites.hear(arrived(4, condition="damaged", key="d"), arrived(6, expiry=day(-1), key="e"))
    sites.deliver()
    assert (sites.lots(B, "aside"), sites.lots(B, "main"), sites.lots(A, WAY)) == ({"L1": 10}, {}, {})
    conserved(sites)


def test_two_numbers_between_the_same_sites_are_two_ways() -> None:
    sites = start()
    sites.hear(sent(10), sent(5, key="other", shipment="T/2"), arrived(5, shipment="T/2"))
    sites.deliver()
    assert (sites.lots(A, WAY), sites.lots(A, f"transit/{B}/T%2F2")) == ({"L1": 10}, {})
    conserved(sites)


def test_a_case_of_a_controlled_item_does_not_close_itself() -> None:
    sites = start(item(schedule=2))
    sites.hear(arrived())
    sites.deliver()
    sites.tick(LATER)
    sites.hear(sent())
    sites.deliver()
    assert "transfer_unmatched" in sites.open_cases(A)
    assert "transfer_unmatched" in sites.open_cases(B)


def test_lending_to_a_hospital_outside_the_network_is_overdue_and_can_be_written_off() -> None:
    sites = start()
    sites.hear(sent(10, partner="elsewhere"))
    sites.tick(DAYS_LATER)
    assert sites.lots(A, "transit/elsewhere/T1") == {"L1": 10}
    assert list(sites.open_cases(A)) == ["transfer_overdue"]


def test_the_case_says_what_was_sent_received_and_is_open() -> None:
    sites = start()
    sites.hear(sent(10), arrived(12))
    sites.deliver()
    sites.tick(LATER)
    [case] = [one for one in sites.latest(CASES, A) if one.kind == "transfer_over"]
    assert case.facts == {
        "shipment": "T1", "from_site": A, "to_site": B, "sent": 10, "received": 12, "open": {"L1": -2},
    }  # fmt: skip
    assert case.location == WAY


def test_nothing_sent_is_nothing_told() -> None:
    sites = start()
    sites.hear(sent(0))
    assert (sites.lots(A, WAY), sites.notices(B)) == ({}, [])
