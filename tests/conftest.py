"""What all tests share: the order of the run; real brokers: Kafka, one for the session, or the one that `WARDSTOCK_TEST_KAFKA`
names, and MQTT, one for each test; a real PostgreSQL, one for the session, with a database for each test.

Without Java and Maven the Kafka tests are left out and say so; where `WARDSTOCK_REQUIRE` names `kafka`, leaving out is failing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kafka.broker import BrokerUnavailableError, Cluster
from tests.support import postgres as pg
from tests.support.mosquitto import Mosquitto, found_or_left_out, program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: Playwright keeps an event loop in the main thread, where no other test could start one."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def left_out(reason: str, required: str) -> None:
    """Leave the test out loudly, or fail where `required` names kafka."""
    message = f"LEFT OUT: NOTHING WAS TRIED ON A REAL KAFKA, BECAUSE {reason.upper()}"
    if "kafka" in required.replace(",", " ").split():
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Addresses of a running Kafka."""
    given = os.environ.get("WARDSTOCK_TEST_KAFKA")
    if given:
        yield given
        return
    cluster: Cluster | None = None
    try:
        cluster = Cluster(tmp_path_factory.mktemp("kafka"), brokers=1)
        cluster.start()
    except BrokerUnavailableError as unavailable:
        if cluster is not None:
            cluster.stop()
        left_out(str(unavailable), os.environ.get("WARDSTOCK_REQUIRE", ""))
    assert cluster is not None
    yield cluster.bootstrap
    cluster.stop()


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """Where the MQTT broker's program is."""
    return found_or_left_out(program(), os.environ.get("WARDSTOCK_REQUIRE", ""))


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Mosquitto]:
    """A running MQTT broker of one's own that lets anyone in."""
    one = Mosquitto(mosquitto, tmp_path / "broker")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[pg.Postgres]:
    """A running PostgreSQL."""
    server = pg.Postgres(pg.found_or_left_out(pg.programs(), os.environ.get("WARDSTOCK_REQUIRE", "")))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=pg.KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """URLs of empty databases, one a call: the test runs on SQLite and on PostgreSQL."""
    with pg.fresh_databases(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def url(fresh: Callable[[], str]) -> str:
    """The URL of an empty database: the test runs on SQLite and on PostgreSQL."""
    return fresh()
