"""The simulated site's machinery: due actions in order of time, seconds of their own, and stock that moves only where it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.simulator import Knobs, build_network
from connectors.simulator.feeds import Device
from connectors.simulator.hospital import CLOSING, Hospital
from connectors.simulator.outbox import BACKLOG_MS, LATENCY_MS, Outbox, Window
from connectors.simulator.truth import PATIENT, SUPPLIER, TruthError

KNOBS = Knobs(sites=1, beds=6, days=2)
PLAN = build_network(KNOBS).sites[0]


def hospital() -> Hospital:
    end = int(datetime(2026, 1, 7, 5, 0, tzinfo=UTC).timestamp())
    return Hospital(PLAN, KNOBS, [], end, None)


def outbox(**knobs: float) -> Outbox:
    windows = [Window("feed", 100_000, 200_000)] if knobs.pop("outage", 0) else []
    return Outbox("north", Knobs(**knobs), windows, 10_000_000)


# ---- time -----------------------------------------------------------------------------------------------------------


def test_a_run_lasts_from_local_midnight_to_local_midnight_and_closes_six_hours_later() -> None:
    one = hospital()
    assert datetime.fromtimestamp(one.start, UTC) == datetime(2026, 1, 5, 5, 0, tzinfo=UTC)
    assert datetime.fromtimestamp(one.end, UTC) == datetime(2026, 1, 7, 5, 0, tzinfo=UTC)
    assert one.final - one.end == CLOSING == 6 * 3600
    assert one.closing[-1] == one.final


def test_actions_run_in_order_of_time_and_equal_times_in_order_of_planning() -> None:
    one = hospital()
    done: list[str] = []
    for name, t in (("late", 50), ("first", 10), ("second", 10), ("never", one.end - one.start)):
        one.at(one.start + t, lambda _t, name: done.append(name), name)
    assert list(one.run()) == []
    assert done == ["first", "second", "late"]


def test_what_an_action_plans_happens_too() -> None:
    one = hospital()
    seen: list[int] = []

    def again(t: int) -> None:
        seen.append(t - one.start)
        if len(seen) < 3:
            one.at(t + 100, again)

    one.at(one.start, again)
    assert list(one.run()) == []
    assert seen == [0, 100, 200]


def test_two_facts_of_one_card_or_device_get_different_seconds() -> None:
    one = hospital()
    card = one.main[PLAN.drugs[0].item]
    other = one.main[PLAN.drugs[1].item]
    device = Device("D")
    t = one.start + 1000
    assert one.stamp(t, card) == t
    assert one.stamp(t, card, device) == t + 1
    assert one.stamp(t, device) == t + 2
    assert one.stamp(t, other) == t, "another card has its own seconds"
    assert one.stamp(t, card, other) == t + 2


def test_no_fact_falls_on_a_local_midnight() -> None:
    one = hospital()
    assert one.stamp(one.start, one.main[PLAN.drugs[0].item]) == one.start + 1


def test_next_day_at_counts_from_local_midnight_even_when_the_clocks_change() -> None:
    """New York, 2026-03-07 20:00 EST: six in the morning of the 8th is 10:00 UTC, for the clocks went forward at two."""
    one = hospital()
    evening = int(datetime(2026, 3, 8, 1, 0, tzinfo=UTC).timestamp())
    midnight = datetime.fromtimestamp(one.next_day_at(evening, 0), UTC)
    assert midnight == datetime(2026, 3, 8, 5, 0, tzinfo=UTC)


def test_streams_of_chance_are_separate_and_reproducible() -> None:
    one, two = hospital(), hospital()
    assert one.chance("beds").random() == two.chance("beds").random()
    assert one.chance("beds").random() != one.chance("doses").random()


# ---- stock ----------------------------------------------------------------------------------------------------------


def test_a_lot_expires_at_the_end_of_its_day_at_the_site() -> None:
    one = hospital()
    for _ in range(50):
        lot = one.new_lot(PLAN.drugs[0].boxes[0], one.start)
        after = date.fromisoformat(lot.expiry) + timedelta(days=1)
        assert lot.expires_at == one.clock.midnight(after)
        assert lot.expires_at > one.start + 86_400


def test_removing_several_lots_takes_a_second_each_and_reports_low_stock_once() -> None:
    one = hospital()
    drug = PLAN.drugs[0]
    card = one.main[drug.item]
    reported: list[int] = []
    one.low = lambda t, low: reported.append(t) if low is card else None
    lots = [one.new_lot(drug.boxes[0], one.start) for _ in range(2)]
    for lot in lots:
        one.add("receive", one.start + 10, lot, 5, SUPPLIER, card, one.feeds.scanner)
    parts = one.remove("dispense", one.start + 10, card, card.take(7, one.start + 10), PATIENT)
    assert [quantity for _, _, quantity in parts] == [5, 2]
    assert [t - one.start for t, _, _ in parts] == [12, 13], "after the two receipts"
    assert reported == [parts[-1][0]]
    assert card.total == 3


def test_a_move_between_two_cards_changes_both_at_the_same_second() -> None:
    one = hospital()
    drug = PLAN.units[0].drugs[0]
    store, pocket = one.main[drug.item], one.pocket(PLAN.units[0].pockets[drug.item], drug)
    lot = one.new_lot(drug.boxes[0], one.start)
    one.add("receive", one.start + 10, lot, 5, SUPPLIER, store, one.feeds.scanner)
    [(t, _, _)] = one.remove("refill", one.start + 10, store, [(lot, 3)], pocket)
    assert (store.total, pocket.total) == (2, 3)
    assert store.last == pocket.last == t


def test_stock_that_is_not_there_can_not_be_taken() -> None:
    one = hospital()
    drug = PLAN.drugs[0]
    lot = one.new_lot(drug.boxes[0], one.start)
    with pytest.raises(TruthError):
        one.remove("vend", one.start + 10, one.main[drug.item], [(lot, 1)], PATIENT)


# ---- the outbox -----------------------------------------------------------------------------------------------------


def arrivals(box: Outbox, until: int | None = None) -> list[tuple[int, bytes]]:
    return [(at, message.body) for at, _, message in box.until(until)]


def test_a_message_arrives_after_the_latency_and_is_held_until_then() -> None:
    box = outbox()
    box.post(10, "feed", "hl7", "t", b"a")
    assert arrivals(box, 10_000 + LATENCY_MS - 1) == []
    assert arrivals(box, 10_000 + LATENCY_MS) == [(10_000 + LATENCY_MS, b"a")]
    assert arrivals(box) == []


def test_one_source_keeps_its_order_even_when_facts_are_told_out_of_order() -> None:
    box = outbox()
    box.post(20, "feed", "hl7", "t", b"later")
    box.post(10, "feed", "hl7", "t", b"earlier")
    box.post(10, "other", "hl7", "t", b"another source")
    assert [body for _, body in arrivals(box)] == [b"another source", b"later", b"earlier"]


def test_an_outage_turns_arrivals_into_a_backlog_in_order_at_its_end() -> None:
    box = outbox(outage=1)
    for second in (90, 120, 130, 198, 199):
        box.post(second, "feed", "hl7", "t", str(second).encode())
    box.post(120, "other", "hl7", "t", b"other")
    assert arrivals(box) == [
        (91_500, b"90"),
        (121_500, b"other"),
        (200_000, b"120"),
        (200_000 + BACKLOG_MS, b"130"),
        (200_000 + 2 * BACKLOG_MS, b"198"),
        (200_500, b"199"),
    ]


def test_everything_resent_means_everything_twice_the_second_time_by_its_own_resend() -> None:
    box = outbox(duplicates=1.0)
    for number in range(40):
        box.post(number, "feed", "hl7", "t", b"%d" % number, lambda body, _at: body + b"!")
    bodies = [body for _, body in arrivals(box)]
    assert len(bodies) == 80
    assert all(bodies.count(b"%d" % number) + bodies.count(b"%d!" % number) == 2 for number in range(40))
    assert 5 < sum(body.endswith(b"!") for body in bodies) < 35


def test_nothing_arrives_after_the_end_of_all() -> None:
    box = Outbox("north", Knobs(duplicates=1.0, reorder_minutes=60), [], 3_000_000)
    for number in range(50):
        box.post(2_000 + number, "feed", "hl7", "t", b"x")
    assert max(at for at, _ in arrivals(box)) <= 3_000_000
