"""Random histories against the reference ledger: whatever the order of arrival, the same stock, the same needs.

Method: draw facts, sort nothing, let the site processor hear them in a drawn order with ticks and duplicates between, then pass
every lateness and compare with the model, which knows no arrival.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import COMMANDS, OUTCOMES
from tests.support.facts import START
from tests.support.hub import SiteHub
from tests.support.reference_ledger import KIND_RANK, Fact
from tests.unit.ledger.histories import (
    END,
    LEVELS,
    POLICIES,
    SPAN_MINUTES,
    assert_same_needs,
    assert_same_stock,
    assert_same_usable,
    event_of,
    histories,
    truth,
)

STEADY = settings(
    max_examples=100, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

@st.composite
def arrivals(draw: st.DrawFn, history: list[Fact]) -> list[Fact | int]:
    """The history in a drawn order, some of it twice, with ticks (minutes after the start) anywhere between."""
    again = draw(st.lists(st.sampled_from(history), max_size=4))
    ticks = draw(st.lists(st.integers(0, SPAN_MINUTES + 3_000), max_size=5))
    return draw(st.permutations([*history, *again, *ticks]))


def fold(stream: list[Fact | int], *more: object, flush_every: int = 0) -> SiteHub:
    """A hub that heard a stream, and after it the end of time."""
    hub = SiteHub(*more, flush_every=flush_every)
    for step in stream:
        if isinstance(step, int):
            hub.tick(START + timedelta(minutes=step))
        else:
            hub.tell(event_of(step))
    hub.tick(END)
    hub.tick(END + timedelta(days=1))
    return hub


@STEADY
@given(st.data())
def test_any_arrival_of_a_history_gives_the_stock_the_reference_ledger_derives(data: st.DataObject) -> None:
    history = data.draw(histories())
    hub = fold(data.draw(arrivals(history)))
    assert_same_stock(hub, truth(history))
    assert_same_usable(hub, truth(history))


@STEADY
@given(st.data())
def test_any_arrival_of_a_history_leaves_the_needs_open_that_the_reference_ledger_derives(data: st.DataObject) -> None:
    history = data.draw(histories())
    hub = fold(data.draw(arrivals(history)), *POLICIES)
    assert_same_needs(hub, truth(history))
    assert_same_usable(hub, truth(history))
    for command in hub.all(COMMANDS):
        assert command.closed_at is None or command.closed_at >= command.opened_at


@STEADY
@given(st.data())
def test_each_revision_of_a_command_is_written_once_and_revisions_rise_by_one(data: st.DataObject) -> None:
    history = data.draw(histories())
    hub = fold(data.draw(arrivals(history)), *POLICIES)
    last: dict[str, int] = {}
    for command in hub.all(COMMANDS):
        assert command.revision == last.get(command.command_id, 0) + 1
        last[command.command_id] = command.revision
    held = [(command.location, command.item) for command in hub.open_commands()]
    assert len(held) == len(set(held)), "one open need per site, location and item"


@STEADY
@given(st.data())
def test_a_history_in_order_opens_and_closes_needs_at_the_instants_the_reference_ledger_derives(data: st.DataObject) -> None:
    """With time told after every fact and no lateness, every need is seen, and its instants are event times."""
    history = sorted(
        data.draw(histories(undone=False)),
        key=lambda fact: (fact.occurred, fact.sequence, KIND_RANK.index(fact.kind), fact.key),
    )
    ledger = truth(history)
    hub = SiteHub(*[replace(one, lateness_minutes=0) for one in POLICIES])
    hub.tick(START - timedelta(days=1))
    for fact in history:
        for instant in sorted(ledger.expiries().values()):
            if instant <= fact.occurred:
                hub.tick(instant)
        hub.tell(event_of(fact))
        hub.tick(fact.occurred)
    for instant in sorted(ledger.expiries().values()):
        hub.tick(min(instant, END))
    seen = {(one.location, one.opened_at, one.closed_at) for one in hub.latest(COMMANDS)}
    expected = {
        (place, need.opened, need.closed) for place, levels in LEVELS.items() for need in ledger.needs(place, levels, END)
    }
    assert seen == expected


@STEADY
@given(st.data(), st.integers(1, 5))
def test_flushing_after_any_number_of_events_changes_no_output_and_no_state(data: st.DataObject, every: int) -> None:
    never = fold(data.draw(arrivals(data.draw(histories()))), *POLICIES)
    often = SiteHub(reference=(), flush_every=every)
    for record in never.log:
        often.feed(record)
    assert often.outputs == never.outputs
    assert often.image() == never.image()


@STEADY
@given(st.data())
def test_the_same_log_gives_the_same_bytes_even_across_a_restart(data: st.DataObject) -> None:
    stream = data.draw(arrivals(data.draw(histories())))
    first = fold(stream, *POLICIES)
    again = SiteHub(reference=())
    stop = data.draw(st.integers(0, len(first.log)))
    for number, record in enumerate(first.log):
        if number == stop:
            again.restart()
        again.feed(record)
    assert again.outputs == first.outputs
    assert again.image() == first.image()


@STEADY
@given(st.data())
def test_taking_back_an_event_leaves_the_state_as_it_was_and_the_event_can_come_again(data: st.DataObject) -> None:
    stream = data.draw(arrivals(data.draw(histories())))
    plain = fold(stream, *POLICIES)
    shaken = SiteHub(reference=())
    for record in plain.log:
        before = shaken.image()
        shaken.state.begin_event()
        list(shaken.processor.handle(record, shaken.state))
        shaken.state.rollback_event()
        shaken.processor.forget()
        assert shaken.image() == before
        shaken.feed(record)
    assert shaken.outputs == plain.outputs


@STEADY
@given(st.data())
def test_the_whole_history_a_second_time_is_duplicates_and_nothing_else(data: st.DataObject) -> None:
    history = data.draw(histories(undone=False))
    hub = fold(list(history))
    before = len(hub.outputs)
    for fact in history:
        hub.tell(event_of(fact))
    assert {output.topic for output in hub.outputs[before:]} == {OUTCOMES}
    assert set(hub.outcomes()[-len(history) :]) == {"duplicate"}
