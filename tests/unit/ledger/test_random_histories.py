"""Random histories against the reference ledger: whatever the order of arrival, the same stock, the same needs.

Method: draw facts, sort nothing, let the site processor hear them in a drawn order with ticks and duplicates between, then pass
every lateness and compare with the model, which knows no arrival.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.state import State
from tests.support.facts import START
from tests.support.hub import SiteHub
from tests.support.reference_ledger import Fact
from tests.unit.ledger.histories import (
    END,
    POLICIES,
    SPAN_MINUTES,
    assert_same_needs,
    assert_same_stock,
    assert_same_usable,
    event_of,
    histories,
    opening,
    truth,
)

STEADY = settings(
    max_examples=120, derandomize=True, deadline=None, database=None,
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
    history = [*opening(), *data.draw(histories())]
    hub = fold(data.draw(arrivals(history)), *POLICIES)
    assert_same_needs(hub, truth(history))
    assert_same_usable(hub, truth(history))
    for command in hub.all("replenishment.commands"):
        assert command.closed_at is None or command.closed_at >= command.opened_at
