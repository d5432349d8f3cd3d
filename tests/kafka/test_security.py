"""A broker that lets in only who it knows: SASL over TLS and mutual TLS, through every client a hub has.

The doors are named in `secure_broker`. Settings go the way they go in operation: librdkafka's names in `kafka.security`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.contract import Unavailable
from schemas.events import ReferenceChange
from schemas.topics import ALERTS, RAW
from tests.cli.running import run_program
from tests.conftest import left_out
from tests.kafka.broker import HOST, BrokerUnavailableError, Cluster
from tests.kafka.engine import KafkaEngine, new_connection
from tests.kafka.secure_broker import KEY_PASSWORD, MUTUAL, PASSWORD, PLAIN, SCRAM, USER, Authority, secure_cluster
from tests.simulation import promises
from tests.support.runtimes import echo, raw
from topology.errors import HubError
from topology.kafka.changelog import ChangelogReader
from topology.kafka.connection import Connection
from topology.kafka.lag import GroupLag
from topology.kafka.publisher import Publisher
from topology.kafka.reader import ReadError, TopicReader
from topology.kafka.topics import TopicAdmin, changelog_of, wanted

pytestmark = pytest.mark.kafka
REFUSED_SECONDS_MAX = 20.0
DOORS = (SCRAM, PLAIN, MUTUAL)
WRONG = ("password", "authority", "certificate")


class Site:
    """A secure broker and the papers to enter it by each door."""

    def __init__(self, folder: Path) -> None:
        ours, foreign = Authority(folder / "ours", "ours"), Authority(folder / "foreign", "foreign")
        certificate, key = ours.signed("client")
        self.cluster: Cluster = secure_cluster(folder, ours)
        user = {"security.protocol": "SASL_SSL", "sasl.username": USER, "sasl.password": PASSWORD}
        trust = {"ssl.ca.location": str(ours.certificate)}
        own = {
            "ssl.certificate.location": str(certificate), "ssl.key.location": str(ours.with_password(key)),
            "ssl.key.password": KEY_PASSWORD,
        }  # fmt: skip
        self.papers: Mapping[str, Mapping[str, str]] = {
            SCRAM: {**trust, **user, "sasl.mechanism": "SCRAM-SHA-256"},
            PLAIN: {**trust, **user, "sasl.mechanism": "PLAIN"},
            MUTUAL: {**trust, **own, "security.protocol": "SSL"},
        }
        foreign_certificate, foreign_key = foreign.signed("client")
        self.wrong: Mapping[str, tuple[str, Mapping[str, str]]] = {
            "password": (SCRAM, {"sasl.password": "guessed"}),
            "authority": (SCRAM, {"ssl.ca.location": str(foreign.certificate)}),
            "certificate": (
                MUTUAL, {"ssl.certificate.location": str(foreign_certificate), "ssl.key.location": str(foreign_key)}
            ),
        }  # fmt: skip

    def connection(self, door: str, **instead: str) -> Connection:
        return new_connection(f"{HOST}:{self.cluster.brokers[0].doors[door]}", security={**self.papers[door], **instead})

    def refused(self, why: str) -> Connection:
        """A connection that the broker, or the client, must not accept."""
        door, instead = self.wrong[why]
        return self.connection(door, **instead)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    one: Site | None = None
    try:
        one = Site(tmp_path_factory.mktemp("secure"))
        one.cluster.start()
        yield one
    except BrokerUnavailableError as unavailable:
        left_out(str(unavailable), os.environ.get("WARDSTOCK_REQUIRE", ""))
    finally:
        if one is not None:
            one.cluster.stop()


@pytest.mark.parametrize("door", DOORS)
def test_every_client_goes_through_the_door_and_a_message_becomes_an_outcome(site: Site, door: str, tmp_path: Path) -> None:
    """Topics are planned and made, a reference change and a message go in, the worker folds both, its output is read."""
    connection = site.connection(door)
    admin, plans = TopicAdmin(connection), wanted(echo(), connection.settings)
    assert {change.action for change in admin.apply(plans)} == {"create"}
    assert admin.plan(plans) == []
    engine = KafkaEngine(connection, echo, tmp_path)
    try:
        engine.broadcast([ReferenceChange(revision=1, kind="supplier", id="s", record={"id": "s", "name": "S"})])
        ((partition, offset),) = engine.publish([raw(b"a message")])
        assert [one.value for one in engine.read(ALERTS, partition, 0, 10)] == [b"1", b"2"], "the change, and the message"
        assert len(list(promises.records(engine, ALERTS))) == 9, "the change in each of eight partitions"  # type: ignore[arg-type]
        lag = GroupLag(connection)
        end = time.monotonic() + REFUSED_SECONDS_MAX
        while lag.positions()[RAW, partition] <= offset and time.monotonic() < end:
            time.sleep(0.1)
        assert lag.positions()[RAW, partition] == offset + 1, "told to the group"
    finally:
        engine.close()
    changelog = ChangelogReader(connection, connection.topic(changelog_of("echo")), partition)
    assert changelog.end() > 0
    changelog.close()


# ---- who is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", WRONG)
def test_who_is_not_let_in_gets_a_sentence_that_says_why(site: Site, why: str, tmp_path: Path) -> None:
    """`topics plan` and a worker end with exit code 1 and one line, in time and without a traceback, side by side."""
    connection = site.refused(why)
    config = tmp_path / "hub.toml"
    security = "".join(f'"{name}" = "{value.get_secret_value()}"\n' for name, value in connection.settings.security.items())
    config.write_text(
        f'broker = "kafka://{connection.bootstrap}"\npatient_key = "{"00" * 32}"\n[kafka]\nreplication = 1\nmin_insync = 1\n'
        f"[kafka.security]\n{security}",
        encoding="utf-8",
    )
    commands = [("topics", "plan"), ("run", "--role", "work", "--data", str(tmp_path / "worker"))]
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda command: run_program(*command, "--config", str(config)), commands))
    seconds = time.monotonic() - began
    for answer in answers:
        assert (answer.code, answer.out) == (1, "")
        assert connection.bootstrap in answer.err
        assert "Traceback" not in answer.err
        assert "guessed" not in answer.err, "a refused password is a secret too"
        assert any(word in answer.err.lower() for word in ("authentication", "certificate", "ssl")), f"it says why: {answer.err}"
    assert seconds < REFUSED_SECONDS_MAX


@pytest.mark.parametrize("why", WRONG)
def test_a_message_that_no_broker_lets_in_is_not_acknowledged(site: Site, why: str) -> None:
    publisher = Publisher(site.refused(why), delivery_ms=2_000)
    with pytest.raises(Unavailable, match="no broker took the message"):
        publisher.submit(raw(b"not let in")).result(REFUSED_SECONDS_MAX)
    publisher.stop()


def test_who_reads_without_being_let_in_hears_so_and_does_not_wait_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.kafka.reader._TIMEOUT_SECONDS", 1.0)
    reader = TopicReader(site.refused("password"))
    heard: list[str] = []

    def read() -> None:
        try:
            list(reader.read(RAW, 0, 0))
        except ReadError as error:
            heard.append(str(error))
            reader.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(REFUSED_SECONDS_MAX / 2)
    assert heard, "a read has no end when no broker answers"


def test_certificates_that_are_not_there_are_a_sentence(site: Site, tmp_path: Path) -> None:
    connection = site.connection(SCRAM, **{"ssl.ca.location": str(tmp_path / "missing.pem")})
    with pytest.raises(HubError, match="certificates can't be used"):
        connection.aiokafka()
    with pytest.raises(HubError, match=r"Kafka settings can't be used: .*ssl.ca.location"):
        TopicAdmin(connection)
