"""Publishing raw messages to Kafka: idempotent, acknowledged by all in-sync copies, with a bounded queue.

A future is done when the broker's delivery report is in; a connector acknowledges its sender only then. While no broker answers,
messages are refused, nothing is acknowledged, and publishing goes on by itself when the brokers are back.
"""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from connectors.contract import TooLarge, Unavailable
from schemas.raw import BODY_BYTES_MAX, RawMessage, raw_headers
from schemas.topics import RAW, TOPICS
from topology.kafka.connection import RECORD_BYTES_MAX, Connection, opened
from topology.outgoing import RECORD_SCHEMA, partition_for
from topology.wakeups import Wakeups

PENDING_MESSAGES_MAX: Final = 10_000
PENDING_KIBIBYTES_MAX: Final = 64 * 1024
"""What may wait for a broker; beyond it publishing is refused, so that memory stays bounded."""
DELIVERY_MS_MAX: Final = 15_000
"""A message that no broker took for so long is refused; its sender keeps it."""
LINGER_MS: Final = 0.3
"""Measured on MLLP, 1, 20 and 200 connections: 626, 10,500, 11,100 messages a second; 363, 5,760, 13,100 with 2 ms."""
_POLL_SECONDS: Final = 0.1
STOP_SECONDS_MAX: Final = 20.0


class Publisher:
    """One producer for all connectors of a process."""

    def __init__(
        self, connection: Connection, *, delivery_ms: int = DELIVERY_MS_MAX, pending: int = PENDING_MESSAGES_MAX
    ) -> None:
        """Connects in the background: a hub starts while its brokers are away, and refuses until they come."""
        self._topic = connection.topic(RAW)
        self._producer = opened(
            Producer,
            connection.confluent(
                {
                    "enable.idempotence": True, "acks": "all", "linger.ms": LINGER_MS,
                    "delivery.timeout.ms": delivery_ms, "queue.buffering.max.messages": pending,
                    "queue.buffering.max.kbytes": PENDING_KIBIBYTES_MAX, "message.max.bytes": RECORD_BYTES_MAX,
                }
            )
        )  # fmt: skip
        self._stopping = threading.Event()
        self._wakeups = Wakeups()
        self._thread = threading.Thread(target=self._poll, name="kafka-delivery", daemon=True)
        self._thread.start()

    async def publish(self, message: RawMessage) -> None:
        """Make one message durable (the connectors' contract)."""
        await self._wakeups.wait(self.submit(message))

    def submit(self, message: RawMessage) -> Future[tuple[int, int]]:
        """Queue one message; the future holds its partition and offset once every in-sync copy has it."""
        if len(message.body) > BODY_BYTES_MAX:
            msg = f"the message has {len(message.body)} bytes, the hub stores at most {BODY_BYTES_MAX}"
            raise TooLarge(msg)
        if self._stopping.is_set():
            msg = "the hub is stopping"
            raise Unavailable(msg)
        future: Future[tuple[int, int]] = Future()
        future.set_running_or_notify_cancel()  # who waits may go away; a cancelled future would end the delivery thread
        try:
            self._producer.produce(
                self._topic, key=message.source.encode("utf-8"), value=message.body,
                partition=partition_for(message.source, TOPICS[RAW].partitions), headers=_headers(message),
                on_delivery=lambda error, record: _delivered(future, error, record),
            )  # fmt: skip
        except BufferError:
            msg = "too many messages wait for a broker already"
            raise Unavailable(msg) from None
        return future

    def stop(self) -> None:
        """Deliver what is queued, or refuse it after a while."""
        self._stopping.set()
        self._producer.flush(STOP_SECONDS_MAX)
        self._thread.join(STOP_SECONDS_MAX)

    def _poll(self) -> None:
        """Serve delivery reports."""
        while not self._stopping.is_set():
            self._producer.poll(_POLL_SECONDS)


def _headers(message: RawMessage) -> list[tuple[str, str | bytes | None]]:
    """CloudEvents headers and what is known of the message. Its place in the log is not known yet: the id is random."""
    received_at = message.received_at.isoformat()
    id_ = f"{RAW}-{uuid.uuid4()}"
    return [
        ("ce_id", id_), ("ce_type", "RawMessage"), ("ce_source", message.source), ("ce_time", received_at),
        ("schema", RECORD_SCHEMA), ("trace", id_), *raw_headers(message, received_at),
    ]  # fmt: skip


def _delivered(future: Future[tuple[int, int]], error: KafkaError | None, record: Message) -> None:
    if error is not None:
        future.set_exception(Unavailable(f"no broker took the message ({error.str()})"))
        return
    place: tuple[Any, Any] = (record.partition(), record.offset())
    future.set_result(place)
