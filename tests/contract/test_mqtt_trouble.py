"""MQTT when the broker is in the way: away, refusing, granting less, forgetful, silent, or with the wrong certificate."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from structlog.testing import capture_logs

from connectors.mqtt import link
from connectors.mqtt.settings import Subscription, filter_fault
from connectors.mqtt.subscriber import MqttSubscriber
from connectors.mqtt.tls import BrokerTls, BrokerTlsError
from tests.kafka.secure_broker import Authority
from tests.support.mosquitto import Mosquitto, found_or_left_out, free_port
from tests.support.mqtt import HOST, Store, published, run, settings, subscribed, until


@contextlib.asynccontextmanager
async def trying(port: int, store: Store, **more: Any) -> AsyncIterator[MqttSubscriber]:
    """A subscriber that may never get there."""
    subscriber = MqttSubscriber(store, settings(port, **more))
    await subscriber.start()
    try:
        yield subscriber
    finally:
        await subscriber.stop()


def test_a_broker_that_is_away_is_tried_again_and_said() -> None:
    async def scenario() -> None:
        with capture_logs() as logs:
            async with trying(free_port(), Store()) as subscriber:
                await until(lambda: subscriber.counters.failures > 2)
                assert not subscriber.connected
        said = [one for one in logs if one["event"] == "mqtt_not_connected"]
        assert said[0]["source"] == "cabinets"
        assert "can't be reached or was lost" in said[0]["reason"]

    run(scenario)


def test_a_host_that_is_none_is_said_and_does_not_end_the_feed() -> None:
    async def scenario() -> None:
        async with trying(1883, Store(), host="no..host") as subscriber:
            await until(lambda: subscriber.counters.failures > 1)

    run(scenario)


@pytest.fixture
def guarded(mosquitto: str, tmp_path: Path) -> Any:
    """A broker that asks for a password."""
    command = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    passwords = tmp_path / "passwords"
    subprocess.run([command, "-b", "-c", str(passwords), "hub", "right"], check=True, capture_output=True)
    one = Mosquitto(mosquitto, tmp_path / "guarded", ("allow_anonymous false", f"password_file {passwords}"))
    one.start()
    yield one
    one.stop()


@pytest.mark.mqtt
def test_a_wrong_password_is_a_sentence_and_is_not_said_itself(guarded: Mosquitto) -> None:
    async def scenario() -> None:
        with capture_logs() as logs:
            async with trying(guarded.port, Store(), user="hub", password="not-it") as subscriber:
                await until(lambda: subscriber.counters.failures > 1)
                assert subscriber.failing == "the broker refuses the connection: Not authorized: check user and password"
                assert subscriber.counters.connections == 0
        assert "not-it" not in str(logs)
        assert "not-it" not in repr(subscriber.settings)
        async with subscribed(guarded.port, Store(), user="hub", password="right") as subscriber:
            assert subscriber.counters.failures == 0

    run(scenario)


@pytest.mark.mqtt
def test_a_broker_that_forgot_the_session_is_said(mosquitto: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        broker = Mosquitto(mosquitto, tmp_path / "broker")
        broker.start()
        try:
            async with subscribed(broker.port, Store()) as subscriber:
                broker.stop()
                (tmp_path / "broker" / "mosquitto.db").unlink()
                broker.start()
                await until(lambda: subscriber.counters.connections == 2 and subscriber.failing is None)
                assert subscriber.counters.sessions_lost == 1
        finally:
            broker.stop()

    run(scenario)


@pytest.mark.mqtt
def test_two_with_one_client_id_take_turns_slowly(broker: Mosquitto) -> None:
    """Each connection ends the other's; the rest between them keeps it from being a storm."""

    async def scenario() -> None:
        rests = (0.2, 0.4)
        async with (
            subscribed(broker.port, Store(), retry_seconds=rests) as one,
            trying(broker.port, Store(), retry_seconds=rests) as two,
        ):
            await asyncio.sleep(1.5)
            assert one.counters.failures + two.counters.failures < 12
            assert "another client took this client id" in f"{one.failing} {two.failing}"

    run(scenario)


# ---- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours", "Hospital CA")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "theirs", "Another CA")


@pytest.fixture
def secure(mosquitto: str, tmp_path: Path, ours: Authority) -> Any:
    """A broker with a certificate that asks for one."""
    certificate, key = ours.signed("broker")
    options = (
        "allow_anonymous true", f"cafile {ours.certificate}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true",
    )  # fmt: skip
    one = Mosquitto(mosquitto, tmp_path / "secure", options)
    one.start()
    yield one
    one.stop()


@pytest.mark.mqtt
def test_with_certificates_of_one_authority_messages_come_over_tls(secure: Mosquitto, ours: Authority) -> None:
    async def scenario() -> None:
        store = Store()
        certificate, key = ours.signed("hub")
        tls = BrokerTls(ca=ours.certificate, certificate=certificate, key=key)
        context = ssl.create_default_context(cafile=str(ours.certificate))
        context.load_cert_chain(certificate, key)
        async with subscribed(secure.port, store, tls=tls) as subscriber:
            assert subscriber.settings.broker == f"mqtts://127.0.0.1:{secure.port}"
            async with aiomqtt.Client(HOST, secure.port, tls_context=context) as cabinet:
                for number in range(20):
                    await cabinet.publish("cabinets/icu", b"%d" % number + b"x" * 20_000, qos=1)
            await until(lambda: len(store.kept) == 20)

    run(scenario)


# paho closes the socket of a handshake that failed by forgetting it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.mqtt
@pytest.mark.parametrize("trusted", ["theirs", "ours without a certificate"])
def test_another_authority_or_no_certificate_is_said_and_tried_again(
    secure: Mosquitto, ours: Authority, theirs: Authority, trusted: str
) -> None:
    async def scenario() -> None:
        tls = BrokerTls(ca=theirs.certificate if trusted == "theirs" else ours.certificate)
        async with trying(secure.port, Store(), tls=tls) as subscriber:
            await until(lambda: subscriber.counters.failures > 1)
            held = len(list(Path("/proc/self/fd").iterdir()))
            await until(lambda: subscriber.counters.failures > 10)
            assert len(list(Path("/proc/self/fd").iterdir())) < held + 3, "every try would leave a socket to the collector"
            assert subscriber.counters.connections == 0
            words = "certificate verify failed" if trusted == "theirs" else "closed the connection without an answer"
            assert words in str(subscriber.failing)

    run(scenario)


def test_tls_files_that_can_not_be_used_are_a_sentence(tmp_path: Path, ours: Authority) -> None:
    (tmp_path / "no.pem").write_text("not a certificate", encoding="utf-8")

    async def refused(tls: BrokerTls) -> str:
        with pytest.raises(BrokerTlsError) as caught:
            await MqttSubscriber(Store(), settings(1, tls=tls)).start()
        return str(caught.value)

    async def scenario() -> None:
        assert "absent.pem is no usable CA certificate: No such file" in await refused(BrokerTls(ca=tmp_path / "absent.pem"))
        assert "no.pem is no usable CA certificate" in await refused(BrokerTls(ca=tmp_path / "no.pem"))
        own = BrokerTls(ca=ours.certificate, certificate=tmp_path / "no.pem", key=tmp_path / "no.pem")
        assert "are no usable certificate and key" in await refused(own)

    run(scenario)


# ---- what a real broker can't be made to do ------------------------------------------------------------------------------


class Scripted:
    """A broker of a few packets (MQTT 5.0, 3): it accepts, answers SUBSCRIBE with one code, and acknowledges; or says nothing."""

    def __init__(self, granted: int | None) -> None:
        self.granted = granted
        self.asked = 0
        self.closed = asyncio.Event()

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = await reader.readexactly(2)
                assert length < 0x80, "packets here are short"
                body = await reader.readexactly(length)
                if self.granted is not None:
                    writer.write(self._answer(kind >> 4, body))
        self.closed.set()
        writer.close()

    def _answer(self, kind: int, body: bytes) -> bytes:
        if kind == 1:  # CONNECT
            return b"\x20\x03\x00\x00\x00"
        if kind == 8:  # SUBSCRIBE
            self.asked += 1
            return b"\x90\x04" + body[:2] + b"\x00" + bytes([self.granted or 0])
        if kind == 3:  # PUBLISH
            length = int.from_bytes(body[:2], "big")
            return b"\x40\x02" + body[2 + length : 4 + length]
        return b""


@pytest.mark.parametrize(("code", "words"), [(0x00, "Granted QoS 0"), (0x87, "Not authorized"), (0x97, "Quota exceeded")])
def test_a_subscription_that_is_not_granted_is_said_and_asked_for_again(code: int, words: str) -> None:
    async def scenario() -> None:
        with capture_logs() as logs:
            async with Scripted(code) as broker, trying(broker.port, Store(), ask_again_seconds=0.1) as subscriber:
                await until(lambda: broker.asked > 2)
                assert subscriber.failing == "the broker does not grant cabinets/# at QoS 1"
                assert subscriber.counters.connections == 1, "what it does grant goes on"
                broker.granted = 1
                await until(lambda: subscriber.failing is None)
        said = next(one for one in logs if one["event"] == "mqtt_not_granted")
        assert (said["topic"], said["answer"]) == ("cabinets/#", words)

    run(scenario)


def test_a_broker_that_says_nothing_is_given_up_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or every try would leave a socket behind."""
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.2)

    async def scenario() -> None:
        async with Scripted(None) as broker, trying(broker.port, Store()) as subscriber:
            await until(lambda: subscriber.counters.failures)
            async with asyncio.timeout(5):
                await broker.closed.wait()

    run(scenario)


# ---- settings, and leaving the tests out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", ["a", "a/b", "+", "#", "a/+/b", "+/+", "a/#", "/", "/a/", "$SYS/#", "ä"])
def test_a_good_topic_filter_has_no_fault(topic: str) -> None:
    assert filter_fault(topic) is None


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("", "1 to 65535 bytes"), ("x" * 65_536, "1 to 65535 bytes"), ("a\0", "no NUL"), ("a/b+", "a whole level"), ("+a/b", "a whole level"),
        ("a/#/b", "its last level"), ("a#", "its last level"), ("$share/g/a", "shared subscriptions"),
    ],
)  # fmt: skip
def test_a_bad_topic_filter_is_a_sentence(topic: str, words: str) -> None:
    assert words in str(filter_fault(topic))


def test_a_found_broker_is_used_and_without_one_it_is_said_in_capitals() -> None:
    assert found_or_left_out("somewhere", "mqtt") == "somewhere"
    with pytest.raises(pytest.skip.Exception, match="LEFT OUT: NOTHING WAS TRIED WITH A REAL MQTT BROKER"):
        found_or_left_out(None, "kafka")
    with pytest.raises(pytest.fail.Exception, match="MOSQUITTO IS NOT INSTALLED"):
        found_or_left_out(None, "kafka,mqtt")


@pytest.mark.mqtt
def test_a_message_published_while_away_for_a_longer_filter_list_comes_too(broker: Mosquitto) -> None:
    async def scenario() -> None:
        store = Store()
        asked = tuple(Subscription(f"cabinets/{number}") for number in range(30))
        async with subscribed(broker.port, store, subscriptions=asked):
            pass
        await published(broker.port, *((f"cabinets/{number}", b"%d" % number) for number in range(30)))
        async with subscribed(broker.port, store, subscriptions=asked):
            await until(lambda: len(store.kept) == 30)

    run(scenario)
