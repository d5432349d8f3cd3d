"""What all tests share: the order of the run, and a real Kafka: one for the session, or the one that `WARDSTOCK_TEST_KAFKA` names.

Without Java and Maven the Kafka tests are left out and say so; where `WARDSTOCK_REQUIRE` names `kafka`, leaving out is failing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kafka.broker import BrokerUnavailableError, Cluster


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
