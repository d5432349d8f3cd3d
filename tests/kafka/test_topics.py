"""Topics as code, on a real broker: planned, created, repaired, and never torn."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import BALANCES, RAW, SITE_LOG, TOPICS
from tests.cli.running import run_program
from topology.kafka.connection import Connection, KafkaSettings, bootstrap_of
from topology.kafka.topics import BrokerUnreachableError, TopicAdmin, wanted
from topology.processors import build_processors

pytestmark = pytest.mark.kafka
PROCESSORS = build_processors(b"")


def connection(bootstrap: str, **settings: object) -> Connection:
    values = {"prefix": f"t{uuid.uuid4().hex[:8]}.", "replication": 1, "min_insync": 1, **settings}
    return Connection(bootstrap, KafkaSettings.model_validate(values))


def made(to: Connection, topic: NewTopic) -> AdminClient:
    """A topic that somebody made by hand."""
    client = AdminClient(to.confluent())
    client.create_topics([topic])[topic.topic].result()
    eventually(lambda: topic.topic in client.list_topics(timeout=10).topics)
    return client


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.05)


def test_an_empty_cluster_gets_every_topic_and_then_nothing_is_left_to_do(bootstrap: str) -> None:
    to = connection(bootstrap)
    admin, plans = TopicAdmin(to), wanted(PROCESSORS, to.settings)
    changes = admin.apply(plans)
    names = {*TOPICS, "normalise.changelog", "site.changelog", "network.changelog"}
    assert {change.topic for change in changes} == {to.topic(name) for name in names}
    assert {change.action for change in changes} == {"create"}
    assert admin.plan(plans) == []
    assert admin.missing(plans) == []
    found = AdminClient(to.confluent()).list_topics(timeout=10).topics
    assert {name: len(found[to.topic(name)].partitions) for name in TOPICS} == {
        name: topic.partitions for name, topic in TOPICS.items()
    }


def test_a_setting_somebody_changed_is_shown_and_put_back(bootstrap: str) -> None:
    to = connection(bootstrap)
    client = made(to, NewTopic(to.topic(BALANCES), 8, 1, config={"cleanup.policy": "delete"}))
    admin, plans = TopicAdmin(to), wanted(PROCESSORS, to.settings)
    (change,) = [one for one in admin.plan(plans) if one.topic == to.topic(BALANCES)]
    assert change.action == "configure"
    assert "cleanup.policy delete → compact" in change.text
    admin.apply(plans)
    resource = ConfigResource(ResourceType.TOPIC, to.topic(BALANCES))
    eventually(lambda: client.describe_configs([resource])[resource].result()["cleanup.policy"].value == "compact")
    eventually(lambda: admin.plan(plans) == [])


def test_a_wrong_partition_count_is_refused_with_the_reason_and_left_alone(bootstrap: str) -> None:
    to = connection(bootstrap)
    client = made(to, NewTopic(to.topic(SITE_LOG), 3, 1))
    admin, plans = TopicAdmin(to), wanted(PROCESSORS, to.settings)
    admin.apply(plans)
    (refused,) = [one for one in admin.plan(plans) if one.action == "refused"]
    assert refused.topic == to.topic(SITE_LOG)
    assert "has 3 partitions and must have 8" in refused.text
    assert len(client.list_topics(timeout=10).topics[to.topic(SITE_LOG)].partitions) == 3
    assert admin.missing(plans) == [f"{refused.topic}: {refused.text}"]


def test_nothing_is_ever_deleted(bootstrap: str) -> None:
    to = connection(bootstrap)
    client = made(to, NewTopic(to.topic("somebody.elses"), 1, 1))
    TopicAdmin(to).apply(wanted(PROCESSORS, to.settings))
    assert to.topic("somebody.elses") in client.list_topics(timeout=10).topics


def test_a_topic_made_again_has_another_identity(bootstrap: str) -> None:
    to = connection(bootstrap)
    name = to.topic("one")
    client = made(to, NewTopic(name, 1, 1))
    first = TopicAdmin(to).topic_ids([name])[name]
    assert TopicAdmin(to).topic_ids([name])[name] == first
    client.delete_topics([name])[name].result()
    eventually(lambda: name not in client.list_topics(timeout=10).topics)
    made(to, NewTopic(name, 1, 1))
    assert TopicAdmin(to).topic_ids([name])[name] != first


def test_raw_messages_are_kept_unless_told_otherwise() -> None:
    def retention(**settings: object) -> str:
        plans = wanted(PROCESSORS, KafkaSettings.model_validate(settings))
        return next(plan for plan in plans if plan.name == RAW).config["retention.ms"]

    assert retention() == "-1"
    assert retention(raw_retention_days=30) == str(30 * 86_400_000)


@pytest.mark.parametrize("broker", ["localhost:9092", "kafka://", "kafka://localhost", "kafka://a:1,b", "http://a:1"])
def test_what_is_no_broker_is_refused_with_how_to_write_one(broker: str) -> None:
    with pytest.raises(Exception, match="kafka://host:port"):
        bootstrap_of(broker)


def test_an_unknown_security_setting_is_refused_and_no_secret_is_shown() -> None:
    with pytest.raises(ValueError, match=r"sasl\.pasword"):
        KafkaSettings.model_validate({"security": {"sasl.pasword": "hush"}})
    settings = KafkaSettings.model_validate({"security": {"sasl.password": "hush", "security.protocol": "SASL_SSL"}})
    assert "hush" not in repr(settings)
    to = Connection("a:1", settings)
    assert to.confluent()["sasl.password"] == "hush"
    assert to.aiokafka()["sasl_plain_password"] == "hush"
    assert to.aiokafka()["ssl_context"] is not None


def test_nobody_there_is_a_sentence() -> None:
    to = Connection("127.0.0.1:1", KafkaSettings())
    admin = TopicAdmin(to)
    with pytest.raises(BrokerUnreachableError, match=r"no Kafka answers at 127\.0\.0\.1:1"):
        admin.plan(wanted(PROCESSORS, to.settings))


def test_the_commands_plan_and_apply(bootstrap: str, tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(f'broker = "kafka://{bootstrap}"\n[kafka]\nprefix = "cli{uuid.uuid4().hex[:6]}."\nreplication = 1\nmin_insync = 1\n')
    first = run_program("topics", "plan", "--config", str(config))
    assert first.code == 0
    assert "create" in first.out
    applied = run_program("topics", "apply", "--config", str(config))
    assert applied.code == 0, applied.err
    assert "19 changes made" in applied.out
    assert "all topics are as they must be" in run_program("topics", "plan", "--config", str(config)).out
    refused = run_program("topics", "plan")
    assert refused.code == 1
    assert "--broker kafka://host:port" in refused.err
