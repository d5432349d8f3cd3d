"""What the knobs of arrival do: resends, reordering, outages. They never change what happened, only when it is heard."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.simulator import KnobError, Knobs, Outage, sources_of
from connectors.simulator.outbox import LATENCY_MS
from schemas.raw import FHIR_JSON, HL7_ER7, RawMessage
from tests.unit.simulator.runs import SMALL, occurred, run, segments, zones

CLOSING_FROM = timedelta(hours=6)


def content(message: RawMessage) -> bytes:
    """A body without what a resend may change: MSH-7 and MSH-10."""
    if message.content_type != HL7_ER7:
        return message.body
    head, _, rest = message.body.partition(b"\r")
    fields = head.split(b"|")
    fields[6] = fields[9] = b""
    return b"|".join(fields) + b"\r" + rest


def contents(messages) -> Counter:
    return Counter((message.source, content(message)) for message in messages)


def delays(knobs: Knobs) -> list[tuple[RawMessage, timedelta]]:
    """Each message with the time from its last fact to its arrival, closing messages left out."""
    made = run(knobs)
    local = zones(made.network)
    last = made.messages[-1].received_at
    return [
        (message, message.received_at - max(occurred(message, local[message.site])))
        for message in made.messages
        if message.received_at < last - CLOSING_FROM
    ]


def test_messages_come_in_order_of_arrival() -> None:
    for knobs in (SMALL, replace(SMALL, reorder_minutes=30, duplicates=0.1, outages=2)):
        times = [message.received_at for message in run(knobs).messages]
        assert times == sorted(times)
        assert all(time.tzinfo is UTC for time in times)


def test_without_the_knob_every_message_arrives_once_and_soon() -> None:
    assert max(contents(run(SMALL).messages).values()) == 1
    assert all(timedelta(milliseconds=LATENCY_MS) <= delay < timedelta(minutes=5) for _, delay in delays(SMALL))


def test_without_reordering_each_source_keeps_its_order() -> None:
    made = run(SMALL)
    numbers: dict[str, str] = {}
    for message in made.messages:
        if message.content_type == HL7_ER7:
            control = segments(message, "MSH")[0][9]
            assert numbers.get(message.source, "") < control
            numbers[message.source] = control


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_the_share_of_resends_is_the_knob_and_nothing_else_is_added(share) -> None:
    """Binomial: within five standard deviations of n · share."""
    plain, resent = contents(run(SMALL).messages), contents(run(replace(SMALL, duplicates=share)).messages)
    assert set(plain) == set(resent)
    more = sum(resent.values()) - sum(plain.values())
    count = sum(plain.values())
    assert abs(more - count * share) < 5 * (count * share * (1 - share)) ** 0.5
    assert max(resent.values()) == 2


def test_some_resends_are_byte_equal_and_some_have_new_headers() -> None:
    made = run(replace(SMALL, duplicates=0.3)).of_type(HL7_ER7)
    twice = {key for key, count in contents(made).items() if count == 2}
    bodies = Counter((message.source, message.body) for message in made)
    equal = sum(count == 2 for count in bodies.values())
    assert 0.3 < equal / len(twice) < 0.7
    controls = [segments(message, "MSH")[0][9] for message in made]
    assert len(set(controls)) == len(controls) - equal, "a rewritten header has a control id of its own"


def test_reordering_delays_up_to_its_bound_and_really_changes_the_order() -> None:
    bound = timedelta(minutes=30)
    found = delays(replace(SMALL, reorder_minutes=30))
    assert all(delay <= bound + timedelta(seconds=2) for _, delay in found)
    assert max(delay for _, delay in found) > bound * 0.9
    made = run(replace(SMALL, reorder_minutes=30))
    local = zones(made.network)
    moments = [occurred(message, local[message.site])[-1] for message in made.messages]
    assert moments != sorted(moments)


def test_an_outage_holds_a_source_back_to_its_end_and_loses_nothing() -> None:
    start = datetime(2026, 1, 7, 15, 0, tzinfo=UTC)
    knobs = replace(SMALL, outages=(Outage(source="north-cabinets", start=start, hours=4),))
    end = start + timedelta(hours=4)
    made, plain = run(knobs), run(SMALL)
    mine = [message.received_at for message in made.messages if message.source == "north-cabinets"]
    assert not [time for time in mine if start <= time < end]
    late = [message for message in plain.messages if message.source == "north-cabinets" and start <= message.received_at < end]
    assert len(late) > 5, "the outage falls into a busy time"
    arrived = {message.body: message.received_at for message in made.messages}
    assert all(end <= arrived[message.body] < end + timedelta(seconds=30) for message in late)
    assert contents(made.messages) == contents(plain.messages)
    others = [message for message in made.messages if message.source != "north-cabinets"]
    assert others == [message for message in plain.messages if message.source != "north-cabinets"]


def test_random_outages_are_as_many_and_as_long_as_asked_for_and_lie_inside_the_run() -> None:
    knobs = replace(SMALL, outages=3, outage_hours=2.5)
    made = run(knobs)
    known = {source for plan in made.network.sites for source in sources_of(plan)}
    assert len(made.outages) == 3
    for outage in made.outages:
        assert outage.source in known
        assert outage.hours == 2.5
        assert made.messages[0].received_at < outage.start
        assert outage.start + timedelta(hours=2.5) <= made.messages[-1].received_at
        silent = (outage.start, outage.start + timedelta(hours=2.5))
        assert not [m for m in made.messages if m.source == outage.source and silent[0] <= m.received_at < silent[1]]
    assert contents(made.messages) == contents(run(SMALL).messages)


def test_the_truth_does_not_depend_on_arrival() -> None:
    plain = run(SMALL)
    for knobs in (replace(SMALL, duplicates=0.3), replace(SMALL, reorder_minutes=240), replace(SMALL, outages=4)):
        made = run(knobs)
        assert made.truth == plain.truth
        assert made.balances == plain.balances


@pytest.mark.parametrize("knobs", [SMALL, replace(SMALL, reorder_minutes=30, duplicates=0.1, outages=2)])
def test_every_source_that_can_speaks_last_six_hours_after_the_last_day(knobs) -> None:
    made = run(knobs)
    local = zones(made.network)
    end = max(datetime(2026, 1, 13, tzinfo=zone) for zone in local.values()).astimezone(UTC)
    last: dict[str, datetime] = {}
    for message in made.messages:
        last[message.source] = message.received_at
    assert made.messages[-1].received_at == end + timedelta(hours=6)
    for source, time in last.items():
        assert source.endswith("-scans") or time == end + timedelta(hours=6), source


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sites": 0}, "sites"),
        ({"beds": 1}, "beds"),
        ({"days": 0}, "days"),
        ({"duplicates": 1.5}, "duplicates"),
        ({"reorder_minutes": -1}, "reorder_minutes"),
        ({"outages": -1}, "outages"),
        ({"miscounts": 2}, "miscounts"),
        ({"start": date(2100, 1, 1)}, "start is 2100-01-01, expected 1970-01-01 to 2099-12-31"),
        ({"start": date(1969, 12, 31)}, "start"),
    ],
)
def test_a_knob_out_of_range_is_named(changes, named) -> None:
    with pytest.raises(KnobError, match=named):
        Knobs(**changes)


def test_an_outage_without_zone_of_no_source_or_beyond_the_end_is_refused() -> None:
    with pytest.raises(KnobError, match="UTC offset"):
        Knobs(outages=(Outage(source="north-adt", start=datetime(2026, 1, 6), hours=1),))  # noqa: DTZ001  # the fault
    with pytest.raises(KnobError, match="no such source"):
        run(replace(SMALL, outages=(Outage(source="moon-adt", start=datetime(2026, 1, 6, tzinfo=UTC), hours=1),)))
    with pytest.raises(KnobError, match="after the last message"):
        run(replace(SMALL, outages=(Outage(source="north-adt", start=datetime(2026, 1, 13, tzinfo=UTC), hours=20),)))


def test_fhir_resends_are_byte_equal() -> None:
    made = run(replace(SMALL, duplicates=0.3)).of_type(FHIR_JSON)
    assert max(Counter(message.body for message in made).values()) == 2
