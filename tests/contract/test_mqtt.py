"""MQTT with a real broker: acknowledged only when stored, redelivered until then, in order, once a session, within bounds."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from datetime import UTC, datetime

import pytest

from connectors.contract import TooLarge, Unavailable
from connectors.mqtt.settings import IN_FLIGHT_MAX, UNCONFIRMED_MAX, Subscription
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, UNKNOWN_TYPE, RawMessage
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import PUBACK, Relay, Store, client, published, run, subscribed, until

pytestmark = pytest.mark.mqtt


def numbered(count: int, topic: str = "cabinets/icu", start: int = 0) -> list[tuple[str, bytes]]:
    return [(topic, b"%d" % number) for number in range(start, start + count)]


def test_a_message_is_stored_with_what_is_known_of_it(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        async with subscribed(broker.port, store, profile="own") as subscriber:
            await published(broker.port, ("cabinets/icu/cab1", b'{"a": 1}'))
            await until(lambda: store.kept)
        (one,) = store.kept
        assert (one.body, one.source, one.site, one.profile) == (b'{"a": 1}', "cabinets", "north", "own")
        assert (one.connector, one.content_type, one.name) == ("mqtt", CABINET_JSON, "cabinets/icu/cab1")
        assert one.peer == f"mqtt://127.0.0.1:{broker.port}"
        assert abs((datetime.now(UTC) - one.received_at).total_seconds()) < 60
        assert subscriber.counters.stored == 1

    run(scenario)


def test_each_subscription_says_what_its_messages_are(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        asked = (
            Subscription("cabinets/+/vends"), Subscription("dock/scans", "scan"), Subscription("ehr/#", "fhir"), Subscription("adt", "hl7"),
        )  # fmt: skip
        async with subscribed(broker.port, store, subscriptions=asked):
            topics = ["cabinets/1/vends", "dock/scans", "ehr/a/b", "ehr", "adt", "cabinets/1/others"]
            await published(broker.port, *((topic, topic.encode()) for topic in topics))
            await until(lambda: len(store.kept) == 5)
        assert {one.name: one.content_type for one in store.kept} == {
            "cabinets/1/vends": CABINET_JSON, "dock/scans": SCAN_JSON, "ehr/a/b": FHIR_JSON, "ehr": FHIR_JSON, "adt": HL7_ER7,
        }  # fmt: skip

    run(scenario)


def test_nothing_is_acknowledged_before_it_is_stored(broker: Mosquitto) -> None:
    """The store hangs: no PUBACK leaves on the wire. The wire is cut: the broker delivers all of it again."""

    async def scenario() -> None:
        store = Store()
        store.gate.clear()
        async with Relay(broker.port) as wire, subscribed(wire.port, store) as subscriber:
            await published(broker.port, *numbered(5))
            await until(lambda: subscriber.counters.in_flight == 5)
            await asyncio.sleep(0.2)
            assert PUBACK not in wire.sent
            wire.cut()
            await until(lambda: subscriber.counters.connections == 2 and subscriber.counters.in_flight == 5, "not redelivered")
            assert PUBACK not in wire.sent
            store.gate.set()
            await until(lambda: wire.sent.count(PUBACK) == 5, "stored and not acknowledged")
            assert store.bodies[-5:] == [b"0", b"1", b"2", b"3", b"4"]

    run(scenario)


def test_the_first_that_is_not_stored_holds_up_the_acknowledgements_behind_it(broker: Mosquitto) -> None:
    """Of other topics they are stored; they are acknowledged in the order of arrival (MQTT 5.0, 4.6)."""

    async def scenario() -> None:
        store = Store()
        gate = asyncio.Event()

        async def publish(message: RawMessage) -> None:
            if message.body == b"first":
                await gate.wait()
            await store(message)

        async with Relay(broker.port) as wire, subscribed(wire.port, publish):  # type: ignore[arg-type]
            await published(broker.port, ("cabinets/a", b"first"), ("cabinets/b", b"second"), ("cabinets/a", b"third"))
            await until(lambda: store.kept)
            await asyncio.sleep(0.1)
            assert store.bodies == [b"second"]
            assert PUBACK not in wire.sent
            gate.set()
            await until(lambda: wire.sent.count(PUBACK) == 3)
            assert store.bodies == [b"second", b"first", b"third"]

    run(scenario)


def test_a_killed_subscriber_gets_again_what_it_had_not_stored(broker: Mosquitto) -> None:
    async def scenario() -> None:
        hung, store = Store(), Store()
        hung.gate.clear()
        async with subscribed(broker.port, hung) as subscriber:
            await published(broker.port, *numbered(3))
            await until(lambda: hung.tried)
            assert subscriber._task is not None
            subscriber._task.cancel()
            await asyncio.wait([subscriber._task])
        assert hung.kept == []
        async with subscribed(broker.port, store):
            await until(lambda: len(store.kept) == 3)
        assert store.bodies == [b"0", b"1", b"2"]

    run(scenario)


def test_a_subscriber_that_was_away_gets_what_was_published_meanwhile(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        async with subscribed(broker.port, store):
            await published(broker.port, *numbered(2))
            await until(lambda: len(store.kept) == 2)
        await published(broker.port, *numbered(50, start=2))
        async with subscribed(broker.port, store) as again:
            await until(lambda: len(store.kept) == 52)
            assert again.counters.sessions_lost == 0
        assert store.bodies == [b"%d" % number for number in range(52)], "once each, and in order"

    run(scenario)


def test_a_broker_that_restarts_loses_nothing_and_is_waited_for(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        store.gate.clear()
        async with subscribed(broker.port, store) as subscriber:
            await published(broker.port, *numbered(10))
            await until(lambda: subscriber.counters.in_flight == 10)
            broker.stop()
            await until(lambda: subscriber.counters.failures > 2)
            assert subscriber.failing is not None
            assert "can't be reached" in subscriber.failing
            store.gate.set()
            broker.start()
            await published(broker.port, *numbered(10, start=10))
            await until(lambda: set(store.bodies) >= {b"%d" % number for number in range(20)})
            await until(lambda: subscriber.failing is None)
            assert subscriber.counters.sessions_lost == 0
        firsts = list(dict.fromkeys(store.bodies))
        assert firsts == [b"%d" % number for number in range(20)]

    run(scenario)


def test_what_can_not_be_stored_now_is_tried_again_in_its_order(broker: Mosquitto) -> None:
    """Every third attempt fails; each topic's messages are stored once, in the order in which they were published."""

    async def scenario() -> None:
        store = Store()
        attempts = itertools.count(1)
        store.fault = lambda _: Unavailable("the disk is full") if next(attempts) % 3 == 0 else None
        topics = [f"cabinets/{number}" for number in range(4)]
        async with Relay(broker.port) as wire, subscribed(wire.port, store) as subscriber:
            await published(broker.port, *((topics[number % 4], b"%d" % number) for number in range(60)))
            await until(lambda: wire.sent.count(PUBACK) == 60)
            assert subscriber.counters.unavailable > 10
            assert subscriber.counters.connections == 1, "it was not asked for again, but tried again"
        for place, topic in enumerate(topics):
            assert [one.body for one in store.kept if one.name == topic] == [b"%d" % number for number in range(place, 60, 4)]

    run(scenario)


def test_while_nothing_can_be_stored_nothing_is_acknowledged_and_it_goes_on_by_itself(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        store.fault = lambda _: Unavailable("the disk is full")
        async with Relay(broker.port) as wire, subscribed(wire.port, store) as subscriber:
            await published(broker.port, *numbered(3))
            await until(lambda: subscriber.counters.unavailable > 3)
            assert PUBACK not in wire.sent
            store.fault = lambda _: None
            await until(lambda: wire.sent.count(PUBACK) == 3)
        assert store.bodies == [b"0", b"1", b"2"]

    run(scenario)


def test_a_fault_of_the_store_acknowledges_nothing_and_does_not_end_the_feed(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        faults = [ZeroDivisionError("a bug")]

        async def publish(message: RawMessage) -> None:
            if faults:
                raise faults.pop()
            await store(message)

        async with subscribed(broker.port, publish) as subscriber:  # type: ignore[arg-type]
            await published(broker.port, *numbered(2))
            await until(lambda: set(store.bodies) == {b"0", b"1"})
            assert (subscriber.counters.failures, subscriber.counters.connections) == (1, 2)

    run(scenario)


def test_too_large_a_message_is_acknowledged_counted_and_does_not_come_again(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        store.fault = lambda message: TooLarge("over the log's limit") if message.body == b"refused" else None
        whole = b"x" * BODY_BYTES_MAX
        async with subscribed(broker.port, store) as subscriber:
            await published(broker.port, *(("cabinets/icu", one) for one in (whole, whole + b"y", b"refused", b"next")))
            await until(lambda: len(store.kept) == 2 and not subscriber.counters.in_flight)
            assert store.bodies == [whole, b"next"]
            assert subscriber.counters.oversize == 2
        async with subscribed(broker.port, store) as again:
            await asyncio.sleep(0.2)
            assert (again.counters.in_flight_peak, len(store.kept)) == (0, 2)

    run(scenario)


def test_a_retained_state_comes_with_a_new_subscription_and_not_with_each_connection(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        await published(broker.port, ("cabinets/icu/last", b"vend 7"), retain=True)
        async with Relay(broker.port) as wire, subscribed(wire.port, store) as subscriber:
            await until(lambda: store.kept)
            wire.cut()
            await until(lambda: subscriber.counters.connections == 2 and subscriber.failing is None)
            await asyncio.sleep(0.2)
            assert (store.bodies, subscriber.counters.retained) == ([b"vend 7"], 1)
        async with subscribed(broker.port, store, client_id="hub-2") as other:
            await until(lambda: len(store.kept) == 2)
            assert other.counters.retained == 1
        assert store.bodies == [b"vend 7"] * 2, "the same bytes: one identity, which the hub counts once"

    run(scenario)


def test_clearing_a_retained_state_says_nothing(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        async with Relay(broker.port) as wire, subscribed(wire.port, store) as subscriber:
            await published(broker.port, ("cabinets/icu/last", b""), ("cabinets/icu/last", b"vend 8"), retain=True)
            await until(lambda: wire.sent.count(PUBACK) == 2)
            assert subscriber.counters.empty == 1
        assert store.bodies == [b"vend 8"]

    run(scenario)


def test_a_flood_is_held_back_at_the_broker(broker: Mosquitto) -> None:
    """40 MB are published while nothing can be stored: the subscriber holds no more than what may be unacknowledged."""

    async def scenario() -> None:
        store = Store()
        store.gate.clear()
        size, count = 100_000, 400
        async with subscribed(broker.port, store) as subscriber:
            tracemalloc.start()
            await published(broker.port, *(("cabinets/icu", b"%06d" % number + b"x" * size) for number in range(count)))
            await asyncio.sleep(0.5)
            assert subscriber.counters.in_flight == IN_FLIGHT_MAX
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert held < 3 * IN_FLIGHT_MAX * size
            store.gate.set()
            await until(lambda: len(store.kept) == count)
            assert subscriber.counters.in_flight_peak == IN_FLIGHT_MAX
        assert [int(body[:6]) for body in store.bodies] == list(range(count))

    run(scenario)


def test_a_setting_says_how_much_may_be_unacknowledged(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        store.gate.clear()
        async with subscribed(broker.port, store, in_flight_max=3) as subscriber:
            await published(broker.port, *numbered(10))
            await asyncio.sleep(0.3)
            assert subscriber.counters.in_flight == 3
            store.gate.set()
            await until(lambda: len(store.kept) == 10)

    run(scenario)


def test_what_is_published_at_most_once_is_taken_and_counted_as_such(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        async with subscribed(broker.port, store) as subscriber:
            await published(broker.port, *numbered(20), qos=0)
            await until(lambda: len(store.kept) == 20)
            assert (subscriber.counters.unconfirmed, subscriber.counters.dropped) == (20, 0)

    run(scenario)


def test_a_flood_of_what_is_published_at_most_once_is_bounded_too(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        store.gate.clear()
        async with subscribed(broker.port, store) as subscriber:
            await published(broker.port, *numbered(3 * UNCONFIRMED_MAX), qos=0)
            await until(lambda: subscriber.counters.dropped)
            assert subscriber.counters.in_flight <= UNCONFIRMED_MAX + 1, "and the one that is just being handed over"
            store.gate.set()

    run(scenario)


def test_a_topic_that_is_no_longer_asked_for_is_stored_and_said(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        async with subscribed(broker.port, store):
            pass
        await published(broker.port, *numbered(1))
        async with subscribed(broker.port, store, subscriptions=(Subscription("others/#"),)) as subscriber:
            await until(lambda: store.kept)
            assert subscriber.counters.unasked == 1
        assert store.kept[0].content_type == UNKNOWN_TYPE

    run(scenario)


def test_cabinets_see_whether_the_hub_listens(broker: Mosquitto) -> None:
    """Online when subscribed; offline when the wire is cut (the Last Will) and when it stops; retained for who comes later."""

    async def scenario() -> None:
        said: list[str] = []

        async def watch() -> None:
            async with client(broker.port) as onlooker:
                await onlooker.subscribe("wardstock/hub-1/status", qos=1)
                while True:
                    said.append((await anext(aiter(onlooker.messages))).payload.decode())

        watching = asyncio.create_task(watch())
        async with Relay(broker.port) as wire, subscribed(wire.port, Store()):
            await until(lambda: said == ["online"])
            wire.cut()
            await until(lambda: said == ["online", "offline", "online"])
        await until(lambda: said == ["online", "offline", "online", "offline"])
        watching.cancel()
        await asyncio.wait([watching])
        async with client(broker.port) as later:
            await later.subscribe("wardstock/+/status")
            message = await anext(aiter(later.messages))
            assert (message.topic.value, message.payload, message.retain) == ("wardstock/hub-1/status", b"offline", True)

    run(scenario)
