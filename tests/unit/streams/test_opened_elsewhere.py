"""What was opened or made, where other stages meet it: restocks, windows, destruction, counts by lot, lot numbers, recalls, transfers.

Rules: domain §3.4 (effective expiry = min(manufacturer expiry, beyond-use date); FEFO goes by it), docs/preparation.md, ADR 18 to 22.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

from schemas.codes import Code
from schemas.events import FoundLot
from schemas.kinds import CommandKind, Feed
from schemas.preparation import BeyondUsePolicy
from schemas.reference import RecallNotice, Role
from schemas.topics import ALERTS, BALANCES, CASES
from tests.support.facts import BY_ITEM, BY_PRODUCT, START, day, decision, minutes, part, reversal, told, transform
from tests.support.sites import WAY, A, B, Sites, town
from tests.support.world import ITEM, POCKET, SITE, STORE, item, policy, product, site
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

BAG = "bag"
BY_TEVA = (Code(system="local", value="TEVA"),)
TEVA = product("amox-teva", ndc="0093-1234-01", gtin=None, codes=BY_TEVA)
OWN = (Code(system="product", value="amox-hospira"),)
SIX_HOURS = BeyondUsePolicy(site=SITE, event="open", hours=6)
A_DAY = BeyondUsePolicy(site=SITE, event="transform", hours=24)


def hub(*more: Any) -> RecordedHub:
    made = RecordedHub(item(BAG), TEVA, SIX_HOURS, A_DAY, *more)
    made.tick(minutes(-24 * 60))
    return made


def opened(container: str = "V1", quantity: int = 1, **changes: Any) -> Any:
    return told("open", quantity, **{"place": STORE, "lot": "L1", "container": container, "codes": BY_PRODUCT, "key": f"open|{container}", **changes})


def came(quantity: int, **changes: Any) -> Any:
    fields = {"place": STORE, "lot": "L1", "codes": BY_PRODUCT, "expiry": day(200), "at": minutes(-60), "key": "came", **changes}
    return told("receive", quantity, **fields)


def held(hub: RecordedHub, place: str = STORE) -> dict[tuple[str, str, str], int]:
    """Quantity by product, lot and container at a place."""
    return {
        (one.product, one.lot, one.container or ""): one.quantity
        for one in hub.latest(BALANCES) if one.location == place and one.item == ITEM
    }  # fmt: skip


def agrees(hub: RecordedHub) -> None:
    assert [one.text for one in verify(hub.logs()).differences] == []
    assert hub.accounts_total() == hub.accounts_total(BAG) == 0


# ---- restocks, windows, destruction --------------------------------------------------------------------------------------


def test_domain_3_4_a_restock_takes_what_is_opened_first_and_other_stock_when_its_time_is_over() -> None:
    """The vial ends today, the box in 20 days: first the vial. Of two vials the one that ends first, whichever came first."""
    site = hub(policy(POCKET, source=STORE, minimum=4, par=6, critical=4))
    site.hear(came(10), came(3, lot="L0", expiry=day(20), key="old"), opened("V2", at=minutes(5)), opened("V1", at=minutes(1)))
    site.hear(told("count", 0, place=POCKET, at=minutes(10)))
    (command,) = site.open_commands()
    assert [(lot.lot, lot.container, lot.quantity, lot.beyond_use) for lot in command.lots] == [
        ("L1", "V1", 1, minutes(361)), ("L1", "V2", 1, minutes(365)), ("L0", None, 3, None), ("L1", None, 1, None),
    ]  # fmt: skip
    agrees(site)
    site.tick(minutes(361))
    (command,) = site.open_commands()
    assert [(lot.lot, lot.container, lot.quantity) for lot in command.lots] == [("L1", "V2", 1), ("L0", None, 3), ("L1", None, 2)]
    agrees(site)


def test_a_place_that_wants_days_left_gets_nothing_that_was_opened() -> None:
    site = hub(policy(POCKET, source=STORE, minimum=4, par=6, critical=4, minimum_life_days=2))
    site.hear(came(10), opened(), told("count", 0, place=POCKET, at=minutes(10)))
    (command,) = site.open_commands()
    assert [(lot.lot, lot.container, lot.quantity) for lot in command.lots] == [("L1", None, 6)]
    assert [text for text in command.proof["allocation"]["passed_over"] if "fewer than 2 days" in text]
    agrees(site)


def test_what_lies_beyond_its_use_by_time_for_longer_than_the_site_allows_is_proposed_for_destruction() -> None:
    """Opened at 7 in the morning of day 0 at the site and over at 13: a day is allowed, so it is due when day 1 is over."""
    made = hub(site(destroy_after_days=1))
    made.hear(came(10), opened())
    made.tick(minutes(24 * 60))
    assert made.open_commands() == []
    made.tick(minutes(2 * 24 * 60))
    (command,) = made.open_commands()
    assert (command.kind, command.quantity) == (CommandKind.DESTROY, 1)
    assert [(lot.lot, lot.container, lot.beyond_use) for lot in command.lots] == [("L1", "V1", minutes(360))]
    assert f"expired on {day(0)}" in command.proof["trigger"]
    agrees(made)


def test_a_lot_that_was_made_is_spoken_of_in_windows_that_it_enters_later_not_in_those_it_was_made_in() -> None:
    """Sixty days from now: the window of 90 days was entered before there was such a lot."""
    made = hub(site(expiry_windows_days=(90, 30, 0)), BeyondUsePolicy(site=SITE, event="transform", item=BAG, days=60))
    made.hear(came(10, expiry=None), transform(part(2, lot="L1", codes=BY_PRODUCT), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE))
    made.tick(minutes(60))
    assert [one for one in made.all(ALERTS) if one.kind == "expiring"] == []
    made.tick(START + timedelta(days=31))
    assert [one.text for one in made.all(ALERTS) if one.kind == "expiring"] == [
        f"bag 250 mg tablet: 1 tablet of lot B1 expire within 30 days ({day(60)})"
    ]


# ---- counts by lot ---------------------------------------------------------------------------------------------------------


def counted(lots: dict[str, int], kind: str = "count") -> Any:
    found = tuple(FoundLot(codes=OWN, quantity=Decimal(quantity), lot=lot) for lot, quantity in lots.items())
    return told(
        kind, sum(lots.values()), place=STORE, at=minutes(60), key="whole", feed=Feed.PAPER, witness="wit",
        codes=(Code(system="item", value=ITEM),), found=found,
    )  # fmt: skip


def test_a_count_by_lot_counts_opened_containers_with_their_lot_in_every_order_of_arrival() -> None:
    """Two of the five that were found are open (one vial each): three are not. Lot L2 was not found: none of it, opened or not."""
    facts = [
        came(9), opened("V1"), opened("V2", at=minutes(5)), came(4, lot="L2", key="came 2"),
        opened("W1", lot="L2"), counted({"L1": 5}),
    ]  # fmt: skip
    for kind in ("count", "opening"):
        facts[-1] = counted({"L1": 5}, kind)
        for order in [*permutations(range(len(facts)))][::37]:
            site = hub()
            site.hear(*(facts[number] for number in order))
            lots = {name[1:]: quantity for name, quantity in held(site).items()}
            assert lots == {("L1", ""): 3, ("L1", "V1"): 1, ("L1", "V2"): 1}, (kind, order)
            agrees(site)


def test_a_count_by_lot_that_found_none_of_a_lot_empties_its_containers() -> None:
    site = hub()
    site.hear(came(9), opened("V1"), counted({"L1": 0, "L3": 2}))
    assert {name[1:]: quantity for name, quantity in held(site).items()} == {("L3", ""): 2}
    agrees(site)


# ---- lot numbers that name no product --------------------------------------------------------------------------------------


def test_openings_and_transforms_told_by_the_items_code_move_when_a_second_product_has_the_number() -> None:
    """First L1 is Hospira's, later it could be Teva's as well: what was told by the item's code is then of nobody's product."""
    facts = [
        came(9), opened("V1", codes=BY_ITEM, quantity=2),
        transform(part(3, lot="L1"), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE, at=minutes(5), key="make"),
        came(4, codes=BY_TEVA, at=minutes(30), key="teva"), came(1, codes=BY_ITEM, at=minutes(-30), key="unstated"),
    ]  # fmt: skip
    expected = {("", "L1", ""): 1 - 2 - 3, ("", "L1", "V1"): 2, ("amox-hospira", "L1", ""): 9, ("amox-teva", "L1", ""): 4}
    for order in permutations(facts):
        site = hub()
        site.hear(*order)
        assert held(site) == expected, [one.event_key for one in order]
        agrees(site)


def test_what_was_made_of_a_number_without_a_product_is_recalled_as_that_number_is_known_now() -> None:
    """The notice names Hospira's L1. While nobody named a product it could be that one; then only Teva's has the number."""
    making = transform(part(3, lot="L1"), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE, at=minutes(5))
    notice = RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("L1",), all_lots=False)
    site = hub()
    site.hear(came(9, codes=BY_ITEM), making)
    site.learn(notice)
    assert [str(one.status) for one in site.latest(BALANCES) if one.item == BAG] == ["recalled"]
    site.hear(came(4, codes=BY_TEVA, at=minutes(30), key="teva"))
    assert [str(one.status) for one in site.latest(BALANCES) if one.item == BAG] == ["available"]
    agrees(site)


# ---- recalls ---------------------------------------------------------------------------------------------------------------


def test_a_bag_made_of_an_unknown_lot_under_class_i_is_let_go_by_a_pharmacist_alone() -> None:
    """Class I blocks what may be of the recalled lot (21 CFR 7.3(m)) until the case to trace is closed, by who may close it."""
    site = hub(Role(person="pia", role="pharmacist", sites=(SITE,)), Role(person="bob", role="buyer", sites=(SITE,)))
    site.hear(
        told("count", 30, place=STORE, at=minutes(-5)),
        transform(part(3), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE, key="make"),
    )  # fmt: skip
    site.learn(RecallNotice(id="R1", classification="I", products=("amox-hospira",), lots=("L1",), all_lots=False))
    status = lambda: [str(one.status) for one in site.latest(BALANCES) if one.item == BAG]  # noqa: E731
    (case,) = site.open_cases("recall_trace")
    assert status() == ["recalled"]
    site.say(decision(case.case_id, "close", "bob"))
    assert (status(), site.outcomes()[-1]) == (["recalled"], "not_authorised")
    site.say(decision(case.case_id, "close", "pia"))
    assert (status(), site.open_cases("recall_trace")) == (["available"], [])
    agrees(site)


# ---- between sites ---------------------------------------------------------------------------------------------------------


def fact(kind: str, quantity: int, at_site: str, **changes: Any) -> Any:
    return told(kind, quantity, place="main", **{"site": at_site, "codes": BY_PRODUCT, "lot": "L1", **changes})


def standing(sites: Sites, at_site: str, place: str = "main", of: str = ITEM) -> list[tuple[str, str | None, int, Any]]:
    """Lot, container, quantity and beyond-use instant of what lies at a place."""
    found = [one for one in sites.latest(BALANCES, at_site) if one.location == place and one.item == of]
    return [(one.lot, one.container, one.quantity, one.beyond_use) for one in found]


def test_an_opened_container_travels_under_its_label_with_its_end_in_every_order() -> None:
    """It is cleared from the way as the container it is, and ends at the other site when it would have ended here."""
    end = minutes(24 * 60)
    send = fact("transfer_out", 1, A, container="V1", partner=B, shipment="T1", key="send", at=minutes(5))
    arrive = fact("transfer_in", 1, B, container="V1", partner=A, shipment="T1", key="arrive", at=minutes(30))
    for first, second in permutations([send, arrive]):
        sites = Sites(*town())
        sites.hear(
            fact("receive", 5, A, key="stock", at=minutes(-60)), fact("open", 1, A, container="V1", key="open", beyond_use=end), first,
        )  # fmt: skip
        sites.deliver()
        if first is send:
            assert standing(sites, A, WAY) == [("L1", "V1", 1, end)]
        sites.hear(second)
        sites.deliver()
        assert standing(sites, A, WAY) == []
        assert standing(sites, A) == [("L1", None, 4, None)]
        assert standing(sites, B) == [("L1", "V1", 1, end)]
        assert [one.kind for one in sites.latest(CASES, B) if one.state == "open"] == []
        assert [one.text for one in verify(sites.logs()).differences] == []
        sites.tick(end)
        assert [str(one.status) for one in sites.latest(BALANCES, B)] == ["expired"]
        assert [one.text for one in verify(sites.logs()).differences] == []


def test_a_container_whose_end_nobody_knew_when_it_was_sent_is_a_case_where_it_arrives() -> None:
    sites = Sites(*town())
    sites.hear(
        fact("receive", 5, A, key="stock", at=minutes(-60)), fact("transfer_out", 1, A, container="V1", partner=B, shipment="T1", key="send"),
        fact("transfer_in", 1, B, container="V1", partner=A, shipment="T1", key="arrive", at=minutes(30)),
    )  # fmt: skip
    sites.deliver()
    (text,) = [one.text for one in sites.latest(CASES, B) if one.kind == "container_not_opened" and one.state == "open"]
    assert text.endswith(f"container V1 came from {A} to main, and nobody said when it was opened: say it")
    sites.hear(fact("open", 1, B, container="V1", key="open there", at=minutes(31), beyond_use=minutes(24 * 60)))
    assert [one.state for one in sites.latest(CASES, B) if one.kind == "container_not_opened"] == ["closed"]
    assert standing(sites, B) == [("L1", "V1", 1, minutes(24 * 60))]
    assert [one.text for one in verify(sites.logs()).differences] == []


def test_what_was_made_for_another_site_ends_there_as_it_would_here_unless_the_line_is_taken_back() -> None:
    """A bag has no printed date: without the instant of who made it, nobody would stop its use where it arrives."""
    sites = Sites(*town(item(BAG)))
    bags = {"codes": (Code(system="local", value=f"{BAG}-1"),), "lot": "B1", "partner": B, "shipment": "T1"}
    sites.hear(
        fact("receive", 5, A, key="stock", at=minutes(-60)),
        transform(
            part(3, lot="L1", codes=BY_PRODUCT), part(2, made=True, code=f"{BAG}-1", lot="B1", beyond_use=minutes(600)),
            place="main", site=A, key="make",
        ),
        fact("transfer_out", 2, A, key="send", at=minutes(5), **bags),
        fact("transfer_in", 2, B, key="arrive", at=minutes(30), **{**bags, "partner": A}),
    )  # fmt: skip
    sites.deliver()
    assert standing(sites, B, of=BAG) == [("B1", None, 2, minutes(600))]
    assert [one.text for one in verify(sites.logs()).differences] == []
    sites.hear(reversal("send", site=A, at=minutes(40)))
    sites.deliver()
    assert standing(sites, B, of=BAG) == [("B1", None, 2, None)]
    assert [one.text for one in verify(sites.logs()).differences] == []


def test_an_opened_container_that_did_not_arrive_after_all_is_on_its_way_again() -> None:
    sites = Sites(*town())
    sites.hear(
        fact("receive", 5, A, key="stock", at=minutes(-60)), fact("open", 1, A, container="V1", key="open", beyond_use=minutes(60)),
        fact("transfer_out", 1, A, container="V1", partner=B, shipment="T1", key="send", at=minutes(5)),
        fact("transfer_in", 1, B, container="V1", partner=A, shipment="T1", key="arrive", at=minutes(30)),
    )  # fmt: skip
    sites.deliver()
    sites.hear(reversal("arrive", site=B, at=minutes(40)))
    sites.deliver()
    assert [(one.container, one.quantity) for one in sites.latest(BALANCES, A) if one.location == WAY] == [("V1", 1)]
    assert sites.lots(B, "main") == {}
    assert [one.text for one in verify(sites.logs()).differences] == []
