"""The network's choice of a supplier: a stated order, every option told, surplus at other sites as an option for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas import events
from schemas.codec import encode
from schemas.events import Proposal
from schemas.kinds import CommandKind, CommandState, Urgency
from schemas.records import Command, Position
from schemas.reference import Supplier, SupplierItem
from schemas.topics import SITE_LOG
from streams.network.processor import SURPLUS_OPTIONS_MAX, NetworkProcessor
from tests.support.facts import START
from tests.support.hub import Hub, SiteHub
from tests.support.world import ITEM, SITE, STORE

COMMAND = Command(
    command_id="c-1", revision=1, site=SITE, location=STORE, item=ITEM, kind=CommandKind.PURCHASE,
    state=CommandState.AWAITING_SUPPLIER, urgency=Urgency.ROUTINE, quantity=100, unit="tablet", opened_at=START,
    updated_at=START, proof={},
)  # fmt: skip


def network(*reference: Any) -> Hub:
    hub = Hub(NetworkProcessor())
    helper = SiteHub(reference=())
    for one in reference:
        hub.feed(hub.record("ReferenceChange", encode(helper.change_of(one))))
    return hub


def ask(hub: Hub) -> Proposal:
    [output] = hub.feed(hub.record("Command", encode(COMMAND)))
    assert (output.topic, output.partition_key, output.type) == (SITE_LOG, SITE, "Proposal")
    return events.PROPOSAL.decode(output.value or b"")


def supplier(id_: str, **changes: Any) -> Supplier:
    return Supplier(**{"id": id_, "name": id_.upper(), **changes})


def offer(id_: str, **changes: Any) -> SupplierItem:
    return SupplierItem(**{"supplier": id_, "item": ITEM, "price": Decimal("1.00"), **changes})


def position(site: str, usable: int, **changes: Any) -> Position:
    fields = {
        "site": site, "location": "main", "item": ITEM, "on_hand": usable, "usable": usable, "due": 0, "unit": "tablet",
        "as_of": START, "par": 200,
    }  # fmt: skip
    return Position(**{**fields, **changes})


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"rank": 1, "price": Decimal(9)}, {"rank": 2}),
        ({"lead_time_days": 1, "price": Decimal(9)}, {"lead_time_days": 2}),
        ({"price": Decimal("0.99")}, {"price": Decimal("1.00")}),
    ],
    ids=["rank", "lead time", "price"],
)
def test_offers_are_ranked_by_rank_then_lead_time_then_price(better: dict[str, Any], worse: dict[str, Any]) -> None:
    """The better one has the later name, so that the name does not decide."""
    hub = network(supplier("a"), supplier("z"), offer("a", **worse), offer("z", **better))
    proposal = ask(hub)
    assert proposal.supplier == "z"
    assert [(option["supplier"], option["taken"]) for option in proposal.options] == [("z", True), ("a", False)]
    assert "z" in proposal.options[1]["why"]


def test_among_equal_offers_the_more_reliable_supplier_is_taken_then_the_first_by_id() -> None:
    reliable = network(supplier("a", reliability=Decimal("0.9")), supplier("z"), offer("a"), offer("z"))
    assert ask(reliable).supplier == "z"
    assert ask(network(supplier("a"), supplier("z"), offer("a"), offer("z"))).supplier == "a"


def test_nobody_sells_it_is_an_answer_too() -> None:
    assert ask(network(supplier("a"), offer("a", item="other"))).supplier is None


def test_an_offer_of_a_supplier_that_is_not_known_is_not_taken() -> None:
    assert ask(network(offer("ghost"))).supplier is None


def test_the_same_need_gets_the_same_answer() -> None:
    hub = network(supplier("a"), offer("a"))
    assert ask(hub) == ask(hub)


@pytest.mark.parametrize(("usable", "offered"), [(299, False), (300, True)])
def test_surplus_over_par_that_covers_the_need_is_an_option_and_never_taken(usable: int, offered: bool) -> None:
    hub = network()
    for one in (position("south", usable), position(SITE, 9_999)):
        hub.feed(hub.record("Position", encode(one)))
    options = ask(hub).options
    assert [(option["from_site"], option["surplus"], option["taken"]) for option in options] == (
        [("south", 100, False)] if offered else []
    )


def test_surplus_options_are_bounded() -> None:
    hub = network()
    for number in range(SURPLUS_OPTIONS_MAX + 3):
        hub.feed(hub.record("Position", encode(position(f"s{number}", 1_000))))
    assert len(ask(hub).options) == SURPLUS_OPTIONS_MAX


def test_a_type_it_does_not_know_is_left_alone() -> None:
    hub = network()
    assert hub.feed(hub.record("Tick", b"{}")) == []
