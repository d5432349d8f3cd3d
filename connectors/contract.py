"""What every connector is given: a way to publish raw messages, and what publishing promises.

A connector knows neither the runtime nor the processors. It receives bytes, calls `publish`, and acknowledges its sender
only after `publish` has returned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from schemas.raw import RawMessage

# Exceptions:
#   PublishError
#   ├── TooLarge      the message is over the hub's limit: refuse it, resending won't help
#   └── Unavailable   not durable now (disk full, broker gone, stopping): give no acknowledgement, the sender resends


class PublishError(Exception):
    """A raw message was not made durable."""


class TooLarge(PublishError):  # noqa: N818  # named for what the caller does about it
    """The message exceeds `schemas.raw.BODY_BYTES_MAX`."""


class Unavailable(PublishError):  # noqa: N818
    """The hub can't store now. Do not acknowledge."""


Publish = Callable[[RawMessage], Awaitable[None]]
"""Returns when the message is durable (synced to disk, or acknowledged by all in-sync brokers); raises `PublishError`."""
