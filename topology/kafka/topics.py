"""Topics as code: what must be there, what is there, and the difference (`wardstock topics plan|apply`).

Applying creates topics and changes settings. It never deletes, and it never changes a partition count: sites are placed by a hash
over a fixed number of partitions, and their order and state would be torn apart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import RAW, TOPICS
from streams.contract import Processor
from topology.errors import HubError
from topology.kafka.connection import RECORD_BYTES_MAX, Connection, KafkaSettings, opened

TOMBSTONE_RETENTION_MS: Final = 7 * 24 * 3600 * 1000
"""How long a compacted topic keeps a deletion. A local store left for half of it is made anew."""
ALERT_RETENTION_MS: Final = 90 * 24 * 3600 * 1000
_DAY_MS: Final = 24 * 3600 * 1000
_TIMEOUT_SECONDS: Final = 30.0
_REACH_SECONDS: Final = 10.0
_ATTEMPT_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it should be."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. A refused one needs a person."""

    topic: str
    action: Literal["create", "configure", "refused"]
    text: str


class BrokerUnreachableError(HubError):
    """No broker answers."""


def changelog_of(processor: str) -> str:
    """Name of the topic that carries a processor's state and input positions."""
    return f"{processor}.changelog"


def wanted(processors: Sequence[Processor], settings: KafkaSettings) -> list[TopicPlan]:
    """Every topic of a hub: those of the contracts, and a changelog for each processor."""
    plans = [
        _plan(topic.name, topic.partitions, topic.cleanup, settings) for topic in TOPICS.values()
    ]
    for processor in processors:
        partitions = TOPICS[processor.input_topic].partitions
        plans.append(_plan(changelog_of(processor.name), partitions, "compact", settings))
    return plans


def _plan(name: str, partitions: int, cleanup: str, settings: KafkaSettings) -> TopicPlan:
    return TopicPlan(settings.prefix + name, partitions, settings.replication, _config(name, cleanup, settings))


def _config(name: str, cleanup: str, settings: KafkaSettings) -> dict[str, str]:
    retention = -1
    if name == RAW and settings.raw_retention_days is not None:
        retention = settings.raw_retention_days * _DAY_MS
    elif cleanup == "delete" and name != RAW:
        retention = ALERT_RETENTION_MS
    config = {
        "cleanup.policy": "compact" if cleanup == "compact" else "delete",
        "retention.ms": str(retention),
        "retention.bytes": "-1",
        "min.insync.replicas": str(settings.min_insync),
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "unclean.leader.election.enable": "false",
    }
    if cleanup == "compact":
        config["delete.retention.ms"] = str(TOMBSTONE_RETENTION_MS)
    return config


class TopicAdmin:
    """What the cluster has, and how it is brought to what it should have."""

    def __init__(self, connection: Connection) -> None:
        """Opens nothing yet."""
        self._connection = connection
        self._refusal: str | None = None
        self._client = opened(AdminClient, connection.confluent({"error_cb": self._heard}))

    def _heard(self, error: KafkaError) -> None:
        """The library tries for ever; why a broker does not let us in it tells only here."""
        refused = error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)  # noqa: SLF001  # public constants
        if refused or "tls alert" in error.str():  # a certificate of ours that the broker refuses: a transport error in TLS 1.3
            self._refusal = error.str()

    def plan(self, plans: Sequence[TopicPlan]) -> list[Change]:
        """The differences, topic by topic. Raises `BrokerUnreachableError`."""
        there = self._described()
        configs = self._configs([plan.name for plan in plans if plan.name in there])
        changes: list[Change] = []
        for plan in plans:
            found = there.get(plan.name)
            if found is None:
                text = f"{plan.partitions} partitions, {plan.replication} copies, {_text(plan.config)}"
                changes.append(Change(plan.name, "create", text))
            else:
                changes.extend(_differences(plan, found, configs[plan.name]))
        return changes

    def apply(self, plans: Sequence[TopicPlan]) -> list[Change]:
        """Create what is missing and set what differs; returns the plan that was carried out, refusals included."""
        changes = self.plan(plans)
        by_name = {plan.name: plan for plan in plans}
        new = [by_name[change.topic] for change in changes if change.action == "create"]
        if new:
            topics = [NewTopic(plan.name, plan.partitions, plan.replication, config=dict(plan.config)) for plan in new]
            _await(self._client.create_topics(topics))
            self._wait_for([plan.name for plan in new])
        for change in changes:
            if change.action == "configure":
                self._configure(by_name[change.topic])
        return changes

    def missing(self, plans: Sequence[TopicPlan]) -> list[str]:
        """What keeps a hub from starting: topics that are not there, or not as they must be."""
        return [f"{one.topic}: {one.text}" for one in self.plan(plans) if one.action != "configure"]

    def topic_ids(self, names: Sequence[str]) -> dict[str, str]:
        """The identity of each topic: one that was deleted and made again is another."""
        described = self._client.describe_topics(TopicCollection(list(names)), request_timeout=_TIMEOUT_SECONDS)
        return {name: str(future.result().topic_id) for name, future in described.items()}

    def _wait_for(self, names: Sequence[str]) -> None:
        """Topics that were made are known to every broker only a moment later."""
        end = time.monotonic() + _TIMEOUT_SECONDS
        while not set(names) <= set(self._described()):
            if time.monotonic() > end:
                msg = f"Kafka made the topics but does not show them after {_TIMEOUT_SECONDS:.0f} s: look at its brokers"
                raise HubError(msg)
            time.sleep(_POLL_SECONDS)

    def _configure(self, plan: TopicPlan) -> None:
        to_set = AlterConfigOpType.SET
        entries = [ConfigEntry(name, value, incremental_operation=to_set) for name, value in sorted(plan.config.items())]
        resource = ConfigResource(ResourceType.TOPIC, plan.name, incremental_configs=entries)
        _await(self._client.incremental_alter_configs([resource]))

    def _described(self) -> dict[str, tuple[int, int]]:
        """Partitions and copies of every topic there is."""
        metadata = self._metadata()
        return {
            name: (len(topic.partitions), min((len(one.replicas) for one in topic.partitions.values()), default=0))
            for name, topic in metadata.topics.items()
        }

    def _metadata(self) -> Any:
        """What the cluster has. Who is refused hears so after two attempts: a broker that starts may not know its users yet."""
        end = time.monotonic() + _REACH_SECONDS
        attempts = 0
        while True:
            attempts += 1
            try:
                return self._client.list_topics(timeout=_ATTEMPT_SECONDS)
            except KafkaException as error:
                self._client.poll(0)
                if self._refusal is not None and attempts > 1:
                    msg = f"Kafka at {self._connection.bootstrap} does not let this hub in: {self._refusal}"
                    raise BrokerUnreachableError(msg) from None
                if time.monotonic() > end:
                    msg = f"no Kafka answers at {self._connection.bootstrap} ({error.args[0].str()})"
                    raise BrokerUnreachableError(msg) from None

    def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        asked = self._client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
        return {
            resource.name: {entry.name: str(entry.value) for entry in future.result(_TIMEOUT_SECONDS).values()}
            for resource, future in asked.items()
        }


def _differences(plan: TopicPlan, found: tuple[int, int], config: Mapping[str, str]) -> list[Change]:
    partitions, replication = found
    changes = []
    if partitions != plan.partitions:
        text = (
            f"has {partitions} partitions and must have {plan.partitions}: a partition count is never changed, because sites "
            "would move and lose their order and state; make the hub anew under another prefix and migrate"
        )
        changes.append(Change(plan.name, "refused", text))
    if replication < plan.replication:
        text = f"has {replication} copies and should have {plan.replication}: reassign its replicas with Kafka's own tools"
        changes.append(Change(plan.name, "refused", text))
    wrong = {name: value for name, value in plan.config.items() if config.get(name) != value}
    if wrong:
        text = ", ".join(f"{name} {config.get(name)} → {value}" for name, value in sorted(wrong.items()))
        changes.append(Change(plan.name, "configure", text))
    return changes


def _text(config: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(config.items()))


def _await(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        try:
            future.result(_TIMEOUT_SECONDS)
        except KafkaException as error:
            msg = f"Kafka refused: {error.args[0].str()}"
            raise HubError(msg) from None
