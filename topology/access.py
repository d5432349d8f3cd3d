"""How command-line tools reach a hub: through the running hub's local API, or by opening the folder themselves.

The folder belongs to one process. While a hub runs, reading and loading go through its API; its address and token are in the
folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import httpx

from topology.errors import HubUnreachableError, InputRefusedError
from topology.folder import running_hub
from topology.local import LocalHub
from topology.master.desk import refuse_governed
from topology.query import run_query
from topology.reference_files import ReferenceRecord
from topology.reference_known import known_ids, records_of

TIMEOUT_SECONDS: Final = 60.0


class Access(Protocol):
    """What tools may ask of a hub, running or not."""

    def query(self, view: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Rows of a named view. Raises `InputRefusedError` for a filter it does not have."""

    def known(self) -> dict[str, list[str]]:
        """Ids of the reference records the hub holds, by kind."""

    def held(self, *kinds: str) -> list[ReferenceRecord]:
        """The reference records of some kinds that the hub holds."""

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records; returns when every partition has them."""


class FolderAccess:
    """The folder, opened by this process."""

    def __init__(self, hub: LocalHub) -> None:
        """`hub` is open."""
        self.hub = hub

    def query(self, view: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Rows of a named view, up to everything durable."""
        self.hub.engine.run_until_idle()
        self.hub.project()
        return run_query(self.hub.views, view, filters)

    def known(self) -> dict[str, list[str]]:
        """Ids of the reference records the hub holds, by kind."""
        self.hub.project()
        return known_ids(self.hub.views)

    def held(self, *kinds: str) -> list[ReferenceRecord]:
        """The reference records of some kinds that the hub holds."""
        self.hub.project()
        return [record for kind in kinds for record in records_of(kind, self.hub.views.reference(kind))]

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records. Raises `InputRefusedError` when they would change a governed item master."""
        self.hub.project()
        refuse_governed(self.hub.views, records)
        return self.hub.load_reference(records)


class ApiAccess:
    """A running hub, by its local API."""

    def __init__(self, url: str, token: str) -> None:
        """`url` and `token` as the hub announced them."""
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {token}"})
        self.url = url

    def query(self, view: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Rows of a named view."""
        given = {name: value for name, value in filters.items() if value is not None}
        rows: list[dict[str, Any]] = self.call("GET", f"/api/v1/view/{view}", params=given)
        return rows

    def known(self) -> dict[str, list[str]]:
        """Ids of the reference records the hub holds, by kind."""
        known: dict[str, list[str]] = self.call("GET", "/api/v1/reference")
        return known

    def held(self, *kinds: str) -> list[ReferenceRecord]:
        """The reference records of some kinds that the hub holds."""
        return [record for kind in kinds for record in records_of(kind, self.call("GET", f"/api/v1/reference/{kind}"))]

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records; the hub answers when every partition has them."""
        from schemas.codec import encode  # noqa: PLC0415  # only here

        body = [{"kind": kind, "id": id_, "record": json.loads(encode(record))} for kind, id_, record in records]
        return int(self.call("POST", "/api/v1/reference", content=json.dumps(body).encode())["loaded"])

    def ingest(self, lines: Sequence[bytes]) -> list[list[dict[str, Any]]]:
        """Hand captured messages over and wait for their outcomes: per message, its items' lines."""
        answered: list[list[dict[str, Any]]] = self.call("POST", "/api/v1/ingest", content=b"\n".join(lines))
        return answered

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """What the local API answers. Raises `HubUnreachableError`, and `InputRefusedError` with its reason."""
        try:
            answer = self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            msg = f"the hub at {self.url} does not answer ({type(error).__name__}): is it stopping, or overloaded?"
            raise HubUnreachableError(msg) from None
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            detail = answer.json().get("detail", answer.text) if "json" in answer.headers.get("content-type", "") else answer.text
            raise InputRefusedError(str(detail))
        return answer.json()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@contextmanager
def open_access(data: Path, *, create: bool = False) -> Iterator[FolderAccess | ApiAccess]:
    """Reach the hub of a folder, whichever way is open. Raises `HubError` with what to do when neither is.

    Only commands that bring something in make a folder (`create`): a mistyped name must not answer with an empty hub.
    """
    running = running_hub(data)
    if running is not None:
        access = ApiAccess(str(running["url"]), str(running.get("token", "")))
        try:
            yield access
        finally:
            access.close()
        return
    if not create and not data.exists():
        msg = f"there is no hub's folder {data}: name it with --data, or make it with `wardstock reference load`"
        raise InputRefusedError(msg)
    with LocalHub(data) as hub:
        yield FolderAccess(hub)
