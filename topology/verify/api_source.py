"""The logs of a running embedded hub, page by page through its local API.

Positions and ends are taken together between two steps of the hub's engine, so they fit each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx
import msgspec

from schemas.log import LogRecord
from topology.errors import HubUnreachableError, InputRefusedError

TIMEOUT_SECONDS: Final = 60.0
_Page = tuple[int, list[tuple[int, bytes, bytes | None, tuple[tuple[str, str], ...]]]]
"""The next offset to ask for, and records: offset, key, value, headers."""
_PAGE: Final = msgspec.msgpack.Decoder(_Page)


class ApiSource:
    """A running hub."""

    compacts = False

    def __init__(self, url: str, token: str) -> None:
        """`url` and `token` as the hub announced them. Takes positions and ends. Raises `HubError`."""
        self.name = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {token}"})
        try:
            cut: dict[str, Any] = self._get("/api/v1/log").json()
        except BaseException:
            self._client.close()
            raise
        self._positions: dict[str, list[int]] = cut["positions"]
        self._ends: dict[str, list[int]] = cut["ends"]

    def position(self, processor: str, partition: int) -> int:
        """The input position of a processor."""
        return self._positions[processor][partition]

    def start(self, topic: str, partition: int) -> int:  # noqa: ARG002  # an embedded hub keeps everything
        """The first offset that is still kept."""
        return 0

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Records of a partition up to the captured end."""
        at, end = 0, self._ends[topic][partition]
        while at < end:
            answer = self._get(f"/api/v1/log/{topic}/{partition}", start=at, end=end)
            following, rows = _PAGE.decode(answer.content)
            for offset, key, value, headers in rows:
                yield LogRecord(topic, partition, offset, key, value, headers)
            if following <= at:
                return
            at = following

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _get(self, path: str, **given: int) -> httpx.Response:
        try:
            answer = self._client.get(path, params=given)
        except httpx.HTTPError as error:
            msg = f"the hub at {self.name} does not answer ({type(error).__name__}): is it stopping, or overloaded?"
            raise HubUnreachableError(msg) from None
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            is_json = "json" in answer.headers.get("content-type", "")
            raise InputRefusedError(str(answer.json().get("detail", answer.text)) if is_json else answer.text)
        return answer
