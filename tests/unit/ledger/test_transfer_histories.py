"""Random transfers among three sites: any interleaving of their logs, any order of notices, duplicates, taken back, written off.

The expectation is plain arithmetic over the facts that stand. For each item and lot, over all sites: all accounts are 0, and what was
sent is what was received, what was given up and what is on its way (ADR 22).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import MOVEMENTS
from streams.ledger.postings import way_to
from tests.support.facts import BY_PRODUCT, START, decision, minutes, reversal, told
from tests.support.sites import A, B, C, Sites, town
from topology.verify.run import verify

SITES: Final = (A, B, C)
END: Final = START + timedelta(days=20)
NUMBERS: Final = ("T1", "T2")


@dataclass(frozen=True)
class Line:
    """One fact: a send of `site` to `other`, or an arrival at `site` from `other`."""

    key: str
    kind: str
    site: str
    other: str
    number: str
    lot: str
    quantity: int
    at: int
    gone: bool

    @property
    def way(self) -> tuple[str, str, str]:
        """Sender, receiver, number."""
        ends = (self.site, self.other) if self.kind == "transfer_out" else (self.other, self.site)
        return (*ends, self.number)


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Sends and arrivals; some are taken back."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        site = draw(st.sampled_from(SITES))
        other = draw(st.sampled_from([one for one in SITES if one != site]))
        found.append(
            Line(
                key=f"k{number}", kind=draw(st.sampled_from(["transfer_out", "transfer_in"])), site=site, other=other,
                number=draw(st.sampled_from(NUMBERS)), lot=draw(st.sampled_from(["L1", "L2", "unknown"])),
                quantity=draw(st.sampled_from([1, 2, 3, 5, 8])), at=draw(st.integers(0, 600)), gone=draw(st.integers(0, 3)) == 0,
            )
        )  # fmt: skip
    return found


def said_of(line: Line) -> list[Any]:
    """What the site is told of a line."""
    lot = None if line.lot == "unknown" else line.lot
    event = told(
        line.kind, line.quantity, place="main", at=minutes(line.at), key=line.key, site=line.site, partner=line.other,
        shipment=line.number, lot=lot, codes=BY_PRODUCT,
    )  # fmt: skip
    back = [reversal(line.key, at=minutes(line.at + 5), site=line.site)] if line.gone else []
    return [event, *back]


def play(history: list[Line], random: Random) -> Sites:
    """Tell everything in a random order, some of it twice, with notices let in at any time and in any order."""
    sites = Sites(*town())
    said = [one for line in history for one in said_of(line)]
    said += [replace(one, raw=told("null").raw) for one in said if random.random() < 0.2]
    random.shuffle(said)
    for one in said:
        sites.hear(one)
        if random.random() < 0.3:
            sites.tick(minutes(random.randint(0, 5_000)))
        waiting = [lane for lane in sites.lanes.values() if lane.inbox]
        if waiting and random.random() < 0.5:
            sites.deliver_one(random.choice(waiting), random, twice=True)
        assert_nothing_appears(sites)
    sites.deliver(random, twice=True)
    return sites


def assert_nothing_appears(sites: Sites) -> None:
    """At any moment the accounts of all sites together are 0 of every lot, whatever no notice has told yet."""
    sums: Counter[str] = Counter()
    for (_, lot), quantity in sites.accounts(*SITES).items():
        sums[lot] += quantity
    assert not any(sums.values()), sums


def on_their_way(history: list[Line]) -> dict[tuple[tuple[str, str, str], str], int]:
    """Sent less received, by way and lot, of the facts that stand."""
    found: Counter[tuple[tuple[str, str, str], str]] = Counter()
    for line in history:
        if not line.gone:
            found[line.way, line.lot] += line.quantity if line.kind == "transfer_out" else -line.quantity
    return {key: quantity for key, quantity in found.items() if quantity}


def shown_on_their_way(sites: Sites) -> dict[tuple[tuple[str, str, str], str], int]:
    """What balances show."""
    return {
        ((sender, receiver, number), lot): quantity
        for sender in SITES for receiver in SITES for number in NUMBERS
        for lot, quantity in sites.lots(sender, way_to(receiver, number)).items()
    }  # fmt: skip


RANDOM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RANDOM
@given(lines(), st.integers(0, 1 << 30))
def test_every_order_of_arrival_ends_with_what_was_sent_less_what_was_received(history: list[Line], seed: int) -> None:
    sites = play(history, Random(seed))
    assert shown_on_their_way(sites) == on_their_way(history)
    for site in SITES:
        own = Counter[str]()
        for line in history:
            if line.site == site and not line.gone:
                own[line.lot] += -line.quantity if line.kind == "transfer_out" else line.quantity
        assert sites.lots(site, "main") == {lot: quantity for lot, quantity in own.items() if quantity}
    for one in SITES:
        for other in SITES:
            mine = {lot: q for (name, lot), q in sites.accounts(one).items() if name == f"{one} site:{other}"}
            theirs = {lot: -q for (name, lot), q in sites.accounts(other).items() if name == f"{other} site:{one}"}
            assert mine == theirs
    assert [one.text for one in verify(sites.logs()).differences] == []


@RANDOM
@given(lines(), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_two_orders_of_arrival_end_with_the_same_cases(history: list[Line], one: int, other: int) -> None:
    open_: list[Any] = []
    for seed in (one, other):
        sites = play(history, Random(seed))
        sites.tick(END)
        sites.deliver()
        open_.append({site: sorted(kind for kind in sites.open_cases(site) if kind.startswith("transfer")) for site in SITES})
    assert open_[0] == open_[1]


@RANDOM
@given(lines(), st.integers(0, 1 << 30))
def test_what_is_written_off_is_a_variance_and_nothing_is_left_on_its_way(history: list[Line], seed: int) -> None:
    """Given up in the middle of the story, at a time after all of it: what is told afterwards moves the variance."""
    random = Random(seed)
    half = len(history) // 2
    sites = play(history[:half], random)
    sites.tick(END)
    decided = set()
    for site in SITES:
        for kind, case in sites.open_cases(site).items():
            way = next(one for one in sites.cases(site) if one.case_id == case).facts if kind.startswith("transfer") else {}
            if way.get("from_site") == site:
                sites.hear(decision(case, "write_off", "pat", END, site=site))
                decided.add((way["from_site"], way["to_site"], way["shipment"]))
    for line in history[half:]:
        sites.hear(*said_of(line))
    sites.deliver(random, twice=True)
    assert_nothing_appears(sites)
    left = {key: quantity for key, quantity in on_their_way(history).items() if key[0] not in decided}
    assert shown_on_their_way(sites) == left
    lost: Counter[tuple[str, str]] = Counter()
    for (way_, lot), quantity in on_their_way(history).items():
        if way_ in decided:
            lost[way_[0], lot] += quantity
    for site in SITES:
        variance = {lot: q for (name, lot), q in sites.accounts(site).items() if name == f"{site} variance"}
        assert variance == {lot: q for (name, lot), q in lost.items() if name == site and q}
    assert [one.text for one in verify(sites.logs()).differences] == []


def test_the_movements_of_a_transfer_name_their_accounts() -> None:
    sites = Sites(*town())
    history = [
        Line("s", "transfer_out", A, B, "T1", "L1", 5, 0, gone=False), Line("r", "transfer_in", B, A, "T1", "L1", 5, 9, gone=False),
    ]  # fmt: skip
    for line in history:
        sites.hear(*said_of(line))
    sites.deliver()
    moved = [(one.kind, one.from_account, one.to_account) for site in (A, B) for one in sites.all(MOVEMENTS, site)]
    assert moved == [
        ("transfer_out", "stock:main", f"stock:{way_to(B, 'T1')}"),
        ("transfer_received", f"stock:{way_to(B, 'T1')}", f"site:{B}"),
        ("transfer_in", f"site:{A}", "stock:main"),
    ]
