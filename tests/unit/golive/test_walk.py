"""A simulated hospital goes live, from its first count to its report: real messages, real lists, a real folder that is closed and
opened between the steps, and a second derivation at the end.

Method: a third of the history never arrives before the count, and all of it afterwards. What was counted is the hospital's own truth,
so after the count the hub must hold exactly what the hospital holds, for ever.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.simulator import Knobs
from schemas.codes import normalise_lot
from schemas.raw import RawMessage
from schemas.records import COMMAND
from schemas.topics import COMMANDS, SHADOW_COMMANDS, TOPICS
from tests.simulation.network import Written, loaded_hub, written
from topology.downtime.hubs import FolderDowntime
from topology.golive import baseline, opening
from topology.golive.counting import Said
from topology.golive.desk import GoLiveDesk
from topology.golive.stocklist import Given, compare_lists
from topology.local import LocalHub
from topology.verify.folder_source import StoreSource
from topology.verify.run import verify

RUN = Knobs(seed=11, sites=1, beds=6, days=11, duplicates=0.03)
SITE = "north"
BY = {"by": "north-pharm1", "reason": "the plan"}
TRANSIT = "transit"


def at(day: int, hour: int = 17) -> datetime:
    """An hour of a day of January, UTC; the site is five hours behind."""
    return datetime(2026, 1, day, hour, tzinfo=UTC)


PREPARED, COUNTED, SHADOW, LIST, CUT_OVER, BACK, AGAIN = at(6, 15), at(7), at(7, 19), at(10, 15), at(10), at(12), at(13)
ENDED = at(16, 15)


def truth(simulation: Written, until: datetime) -> dict[tuple[str, str, str, str, str], int]:
    """What lies where at an instant: location, item, product, lot, expiry."""
    held: dict[tuple[str, str, str, str, str], int] = defaultdict(int)
    with (simulation.path / "truth.jsonl").open() as file:
        for text in file:
            line = json.loads(text)
            if line["type"] == "movement" and datetime.fromisoformat(line["occurred"]) <= until and line["location"] != TRANSIT:
                held[line["location"], line["item"], line["product"], line["lot"], line["expiry"]] += line["quantity"]
    return {key: quantity for key, quantity in held.items() if quantity}


def rows(held: dict[tuple[str, str, str, str, str], int]) -> list[dict[str, str]]:
    """As a count list or a stock list says it."""
    return [
        {"location": place, "code": product or item, "lot": lot, "expiry": expiry, "quantity": str(quantity)}
        for (place, item, product, lot, expiry), quantity in sorted(held.items())
    ]


def lots(hub: LocalHub) -> dict[tuple[str, str, str], int]:
    """What the hub holds, without what is on its way."""
    hub.engine.run_until_idle()
    hub.project()
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for one in hub.views.stock(site=SITE):
        if one["location"] != TRANSIT:
            found[one["location"], one["item"], one["lot"]] += one["quantity"]
    return {key: quantity for key, quantity in found.items() if quantity}


def by_lot(held: dict[tuple[str, str, str, str, str], int]) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for (place, item, _, lot, _), quantity in held.items():
        found[place, item, lot] += quantity
    return {key: quantity for key, quantity in found.items() if quantity}


class Walk:
    """A hub on a folder that is closed and opened again before each step, as after a crash between two of them."""

    def __init__(self, simulation: Written, data: Path) -> None:
        self.data = data
        self.messages = list(simulation.messages())
        self.simulation = simulation
        loaded_hub(simulation, data).close()

    def deliver(self, hub: LocalHub, after: datetime, until: datetime) -> None:
        """What was received between two instants."""
        self.replay(hub, [one for one in self.messages if after < one.received_at <= until])

    @staticmethod
    def replay(hub: LocalHub, messages: list[RawMessage]) -> None:
        for _ in hub.replay(messages):
            pass
        hub.project()


def said(hub: LocalHub, topic: str) -> list[Any]:
    """Every command of a topic, in order."""
    found = [one for part in range(TOPICS[topic].partitions) for one in hub.engine.read(topic, part, 0, 1_000_000)]
    return [COMMAND.decode(one.value) for one in found if one.value is not None]


def executable(hub: LocalHub) -> dict[str, Any]:
    """What a consumer that upserts by id and keeps the highest revision has on its list."""
    newest: dict[str, Any] = {}
    for one in said(hub, COMMANDS):
        if one.command_id not in newest or newest[one.command_id].revision < one.revision:
            newest[one.command_id] = one
    return {id_: one for id_, one in newest.items() if one.state not in ("cancelled", "satisfied")}


def test_a_site_walks_from_its_first_count_to_its_report(tmp_path: Path) -> None:
    walk = Walk(written(RUN), tmp_path / "hub")
    history = [one for one in walk.messages if one.received_at <= COUNTED]
    with LocalHub(walk.data) as hub:
        desk = GoLiveDesk(FolderDowntime(hub))
        desk.prepare(site=SITE, now=PREPARED, accept_percent=Decimal("97.5"), stuck_hours=24, **BY)
        walk.replay(hub, [one for number, one in enumerate(history) if number % 3])
        count_everything(walk, hub, desk)
        assert lots(hub) == by_lot(truth(walk.simulation, COUNTED))
        desk.shadow(site=SITE, now=SHADOW, **BY)
    with LocalHub(walk.data) as hub:
        walk.deliver(hub, COUNTED, CUT_OVER)
        assert said(hub, COMMANDS) == []
        assert len(said(hub, SHADOW_COMMANDS)) > 10
        assert lots(hub) == by_lot(truth(walk.simulation, CUT_OVER))
        compare(walk, GoLiveDesk(FolderDowntime(hub)))
    with LocalHub(walk.data) as hub:
        desk = GoLiveDesk(FolderDowntime(hub))
        count_what_appeared(walk, desk, CUT_OVER)
        needed = {one["command_id"] for one in hub.views.commands(site=SITE)}
        desk.cut_over(site=SITE, now=CUT_OVER, **BY)
        assert set(executable(hub)) == needed
        states = sorted((one.command_id, str(one.state)) for one in said(hub, COMMANDS) if one.state != "awaiting_supplier")
        assert [id_ for id_, _ in states] == sorted(needed), "what was open became open, once; a purchase asks the network first"
        walk.deliver(hub, CUT_OVER, BACK)
        assert len(said(hub, COMMANDS)) > len(needed)
    with LocalHub(walk.data) as hub:
        GoLiveDesk(FolderDowntime(hub)).roll_back(site=SITE, now=BACK, **BY)
        assert executable(hub) == {}
        before = len(said(hub, COMMANDS))
        walk.deliver(hub, BACK, AGAIN)
        assert len(said(hub, COMMANDS)) == before
    with LocalHub(walk.data) as hub:
        desk = GoLiveDesk(FolderDowntime(hub))
        count_what_appeared(walk, desk, AGAIN)
        desk.cut_over(site=SITE, now=AGAIN, **BY)
        hub.project()
        assert set(executable(hub)) == {one["command_id"] for one in hub.views.commands(site=SITE)}
        walk.deliver(hub, AGAIN, at(30))
        walk.replay(hub, [one for number, one in enumerate(history) if not number % 3])
        assert lots(hub) == by_lot(truth(walk.simulation, at(30))), "history is history"
        report_of(hub)
        assert [one.text for one in verify(StoreSource(hub.folder.store, "hub")).differences] == []




def count_everything(walk: Walk, hub: LocalHub, desk: GoLiveDesk) -> None:
    """Every pocket from the list; what is left of the places with levels is declared empty."""
    told = Said(COUNTED, "north-tech1", "north-pharm2")
    answers = opening.count(
        desk, site=SITE, by="north-tech1", rows=rows(truth(walk.simulation, COUNTED)), said=told, now=COUNTED + timedelta(hours=1)
    )
    assert {one["outcome"] for one in answers} == {"accepted"}, [one for one in answers if one["outcome"] != "accepted"][:3]
    while left := desk.standing(SITE, SHADOW).uncounted:
        opening.empty(desk, site=SITE, by="north-tech1", location=left[0][0], said=told, now=COUNTED + timedelta(hours=1))
    variance = [one for one in hub.views.movements(site=SITE) if "variance" in (one["from_account"], one["to_account"])]
    assert not [one for one in variance if one["event_id"] in {count.event_id for count in desk.counts(SITE)}]


def count_what_appeared(walk: Walk, desk: GoLiveDesk, now: datetime) -> None:
    """Pockets without levels that nobody counted because nothing was known of them: what came there since is counted."""
    left = set(desk.standing(SITE, now).uncounted)
    held = {key: quantity for key, quantity in truth(walk.simulation, now).items() if key[:2] in left}
    if held:
        answers = opening.count(
            desk, site=SITE, by="north-tech1", rows=rows(held), said=Said(now, "north-tech1", "north-pharm2"), now=now
        )
        assert {one["outcome"] for one in answers} == {"accepted"}
    assert desk.standing(SITE, now).uncounted == ()


def compare(walk: Walk, desk: GoLiveDesk) -> None:
    """The list is the hospital's truth, but for three lines; its clock stands two hours before the cut-over."""
    listed = rows(truth(walk.simulation, LIST))
    changed = [one for one in listed if one["location"] == "main"][:3]
    for one in changed:
        one["quantity"] = str(int(one["quantity"]) + 1_001)
    found = compare_lists(
        desk, site=SITE, by="north-pharm1", given=Given(name="list.csv", as_of=LIST, stock=listed, orders=[]), now=CUT_OVER
    )  # fmt: skip
    wrong = [one for one in found["lines"] if one["difference"] and one["location"] != TRANSIT]
    assert {(one["location"], one["lot"], one["difference"]) for one in wrong} == {("main", normalise_lot(one["lot"]), 1_001) for one in changed}
    assert {one["reason"] for one in wrong} <= {"unexplained", "late_feed"}
    assert found["accept_percent"] == "97.5"
    assert found["trend"] == [
        {"day": "2026-01-10", "lines": found["comparison"].lines, "agree": found["comparison"].agree,
         "agreement": found["agreement"], "number": 1}
    ]  # fmt: skip
    assert {one["found"] for one in found["needs"]} == {"hub_only"}


def report_of(hub: LocalHub) -> None:
    """Figures of both times, from whole days."""
    desk = GoLiveDesk(FolderDowntime(hub))
    found = baseline.report(hub.views, desk.standing(SITE, ENDED).record, desk.words(SITE), ENDED)
    assert found["periods"] == {
        "history": {"first": "2026-01-05", "last": "2026-01-05", "days": 1},
        "shadow": {"first": "2026-01-08", "last": "2026-01-09", "days": 2},
        "live": {"first": "2026-01-14", "last": "2026-01-15", "days": 2},
    }
    figures = {one["kpi"]: one for one in found["figures"]}
    assert len(figures) == 10, "the eight, two of which are two figures each"
    given = figures["stock_out_frequency"]
    assert given["shadow"]["denominator"] > 0 < given["live"]["denominator"]
    assert figures["inventory_accuracy"]["live"]["value"] == "100.00"
    assert found["as_of"] is not None
    assert any("history has no opening balance" in one for one in found["cautions"])
