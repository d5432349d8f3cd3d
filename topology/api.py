"""The local API of a running hub: what command-line tools, the tower's neighbours and monitoring ask.

Reading and loading need the token that the hub left in its folder; health and metrics do not.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import JSONResponse, Response

from connectors.contract import PublishError
from schemas.log import Headers
from schemas.raw import CaptureError, RawMessage, from_capture_line
from schemas.reference import DESK_KINDS, REFERENCE_KINDS
from schemas.topics import TOPICS
from topology.api_bodies import checked_record, not_stored, read_body, read_json
from topology.downtime.api import downtime_api
from topology.downtime.keeper import Ages
from topology.embedded.engine import Engine
from topology.embedded.log import position_key, read_number
from topology.errors import InputRefusedError
from topology.golive.api import golive_api
from topology.live import LiveHub
from topology.master.api import master_api
from topology.master.desk import MasterDesk, refuse_governed
from topology.metrics import metrics_text
from topology.outcomes import OutcomeReader, line
from topology.query import run_query
from topology.reference_files.checks import broken_rules
from topology.reference_files.model import ReferenceRecord
from topology.reference_known import known_ids
from topology.running import RunningHub

INGEST_WAIT_SECONDS: Final = 50.0
FRESH_SECONDS: Final = 10.0
"""How long a reader waits for the projection; then it is shown what there is."""
POLL_SECONDS: Final = 0.02
BEAT_SECONDS_MAX: Final = 30.0
BACKLOG_READY_MAX: Final = 50_000
LOG_PAGE_RECORDS_MAX: Final = 5_000
LOG_PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
OFFSET_MAX: Final = 2**63 - 1
"""Largest offset that can be asked for."""
Offset = Annotated[int, Query(ge=0, le=OFFSET_MAX)]
LOADED_KINDS: Final = tuple(kind for kind in REFERENCE_KINDS if kind not in DESK_KINDS)
"""Kinds of records that are loaded. What a desk decides is written by that desk alone."""
_CHECKED: Final = ("normalise", "site")
"""Processors whose input positions `wardstock verify` asks for."""


def local_api(live: RunningHub, token: str, desk: MasterDesk, packs: Ages | None = None) -> APIRouter:
    """The router. `desk` is where changes of the item master are decided, `packs` says how old downtime packs are."""
    router = APIRouter()

    expected = f"Bearer {token}".encode()

    async def authorised(request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected):
            raise HTTPException(401, "this needs the token from the hub's folder (hub.json)", {"WWW-Authenticate": "Bearer"})

    guarded = [Depends(authorised)]
    router.add_api_route("/api/v1/view/{view}", _view(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/reference", _known(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/reference/{kind}", _held(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/reference", _load(live), methods=["POST"], dependencies=guarded)
    router.add_api_route("/api/v1/ingest", _ingest(live), methods=["POST"], dependencies=guarded)
    router.add_api_route("/api/v1/log", _log_cut(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/log/{topic}/{partition}", _log_page(live), methods=["GET"], dependencies=guarded)
    router.include_router(master_api(live, desk, guarded))
    router.include_router(downtime_api(live, guarded))
    router.include_router(golive_api(live, guarded))
    _add_health(router, live, packs)
    return router


def _add_health(router: APIRouter, live: RunningHub, packs: Ages | None) -> None:
    @router.api_route("/ping", methods=["GET", "HEAD"])
    async def ping() -> Response:
        """Alive: the engine's loop beats."""
        alive = time.monotonic() - live.last_beat < BEAT_SECONDS_MAX
        return JSONResponse({"alive": alive}, 200 if alive else 503)

    @router.api_route("/ready", methods=["GET", "HEAD"])
    async def ready() -> Response:
        """Ready: it can store, shows what it stored, and is not far behind."""
        backlog = live.backlog()
        failing = live.failing or live.not_taking or live.not_projecting
        fine = failing is None and backlog < BACKLOG_READY_MAX
        told: dict[str, Any] = {"ready": fine, "backlog": backlog, "failing": failing}
        if packs is not None:
            told["downtime_pack_age_seconds"] = await asyncio.to_thread(packs)
        return JSONResponse(told, 200 if fine else 503)

    @router.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics() -> Response:
        """Prometheus metrics."""
        text = await asyncio.to_thread(metrics_text, live, packs)
        return Response(text, media_type="text/plain; version=0.0.4")


def _view(live: RunningHub) -> Any:
    async def view(view: str, request: Request) -> Response:
        """Rows of a named view, up to what was durable when asked; the query parameters are its filters."""
        filters = _filters(request)
        await _fresh(live)
        try:
            rows = await asyncio.to_thread(lambda: msgspec.json.encode(run_query(live.views, view, filters)))
        except InputRefusedError as error:
            raise HTTPException(400, str(error)) from None
        return Response(rows, media_type="application/json")

    return view


def _filters(request: Request) -> dict[str, str | int | None]:
    """The query's parameters. One that is given twice would be answered for one of its values alone."""
    given: dict[str, str | int | None] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise HTTPException(400, f"{name} is given more than once")
        given[name] = value
    return given


async def _fresh(live: RunningHub) -> None:
    """Wait until the tables have all that is durable now, but not for ever."""
    asked = time.monotonic()
    while live.behind(asked) and time.monotonic() < asked + FRESH_SECONDS:
        await asyncio.sleep(POLL_SECONDS)


def _known(live: RunningHub) -> Any:
    async def known() -> dict[str, list[str]]:
        """Ids of the reference records the hub holds."""
        return await asyncio.to_thread(known_ids, live.views)

    return known


def _held(live: RunningHub) -> Any:
    async def held(kind: str) -> list[dict[str, Any]]:
        """The records of a kind that are in force."""
        if kind not in REFERENCE_KINDS:
            raise HTTPException(404, f"there is no kind {kind!r}; there are {', '.join(REFERENCE_KINDS)}")
        await _fresh(live)
        return await asyncio.to_thread(live.views.reference, kind)

    return held


def _load(live: RunningHub) -> Any:
    async def load(request: Request) -> dict[str, int]:
        """Load reference records, all or nothing; answers when every partition has them."""
        records = await asyncio.to_thread(_records, await read_json(request))
        await _fresh(live)
        try:
            await asyncio.to_thread(refuse_governed, live.views, records)
            return {"loaded": await asyncio.to_thread(live.load_reference, records)}
        except InputRefusedError as error:
            raise HTTPException(400, str(error)) from None
        except PublishError as error:
            raise not_stored(error) from None

    return load


def _records(rows: object) -> list[ReferenceRecord]:
    """The records of a load. Raises `HTTPException` 400 with the first that can't be used."""
    if not isinstance(rows, list):
        raise HTTPException(400, "the body must be a list of records: {kind, id, record}")
    return [_record(row, number) for number, row in enumerate(rows, start=1)]


def _record(row: object, number: int) -> ReferenceRecord:
    if not isinstance(row, dict) or not row.keys() >= {"kind", "id", "record"}:
        raise HTTPException(400, f"record {number} must be an object with kind, id and record")
    kind, id_ = row["kind"], row["id"]
    if kind not in LOADED_KINDS:
        raise HTTPException(400, f"record {number}: there is no kind {kind!r} to load; there are {', '.join(LOADED_KINDS)}")
    what = f"record {number}, {kind} {id_}"
    record = checked_record(REFERENCE_KINDS[kind], id_, row["record"], what)
    for field, reason in broken_rules(kind, record):
        raise HTTPException(400, f"{what}: {field} {reason}")
    return kind, id_, record


def _ingest(live: RunningHub) -> Any:
    async def ingest(request: Request) -> list[list[dict[str, Any]]]:
        """Capture lines in, their items' outcomes out, once every item has ended."""
        try:
            messages = [from_capture_line(data) for data in (await read_body(request)).split(b"\n") if data.strip()]
        except CaptureError as error:
            raise HTTPException(400, str(error)) from None
        reader = OutcomeReader(live.outcomes())
        try:
            return await _ended(live, messages, reader)
        finally:
            reader.close()

    return ingest


async def _ended(live: RunningHub, messages: list[RawMessage], reader: OutcomeReader) -> list[list[dict[str, Any]]]:
    """Store messages and wait until every item of them has ended."""
    try:
        futures = [asyncio.wrap_future(live.submit(message)) for message in messages]
        places = await asyncio.gather(*futures)
    except PublishError as error:
        raise not_stored(error) from None
    deadline = time.monotonic() + INGEST_WAIT_SECONDS
    while not all(reader.complete(place) for place in places):
        if time.monotonic() > deadline:
            raise HTTPException(504, "the messages are stored; their outcomes are still being worked out")
        await asyncio.sleep(POLL_SECONDS)
        await asyncio.to_thread(reader.advance)
    return [
        [line(message.name or message.source, outcome) for outcome in reader.of(place)]
        for message, place in zip(messages, places, strict=True)
    ]


def _log_cut(live: RunningHub) -> Any:
    async def log_cut() -> dict[str, dict[str, list[int]]]:
        """Input positions and ends of all topics, taken together between two steps of the engine, so that they fit each other."""
        hub = _embedded(live)

        def cut(engine: Engine) -> dict[str, dict[str, list[int]]]:
            store = hub.hub.folder.store
            inputs = {name: len(engine.ends("site.log")) for name in _CHECKED}
            return {
                "positions": {
                    name: [read_number(store, position_key(name, partition)) for partition in range(count)]
                    for name, count in inputs.items()
                },
                "ends": {topic: engine.ends(topic) for topic in TOPICS},
            }

        try:
            taken: dict[str, dict[str, list[int]]] = await asyncio.to_thread(lambda: hub.call(cut).result())
        except PublishError as error:
            raise not_stored(error) from None
        return taken

    return log_cut


def _log_page(live: RunningHub) -> Any:
    async def log_page(topic: str, partition: int, start: Offset, end: Offset) -> Response:
        """Durable records with start ≤ offset < end, at most a page of them, as MessagePack: the next offset, and the records."""
        hub = _embedded(live)
        if topic not in TOPICS or not 0 <= partition < TOPICS[topic].partitions:
            raise HTTPException(404, f"there is no partition {partition} of a topic {topic}")
        data = await asyncio.to_thread(_page, hub.hub.engine, (topic, partition), start, end)
        return Response(data, media_type="application/msgpack")

    return log_page


def _page(engine: Engine, place: tuple[str, int], start: int, end: int) -> bytes:
    """One page; one record at least, however large, where there is one."""
    rows: list[tuple[int, bytes, bytes | None, Headers]] = []
    size = 0
    for record in engine.read(*place, start, min(LOG_PAGE_RECORDS_MAX, max(end - start, 0))):
        size += len(record.value or b"") + len(record.key)
        if rows and size > LOG_PAGE_BYTES_MAX:
            break
        rows.append((record.offset, record.key, record.value, record.headers))
    return msgspec.msgpack.encode((rows[-1][0] + 1 if rows else start, rows))


def _embedded(live: RunningHub) -> LiveHub:
    """The hub, if its log is its own: that of a hub on Kafka is read from the broker."""
    if not isinstance(live, LiveHub):
        raise HTTPException(400, "this hub's log is on Kafka: name the broker with --broker or --config")
    return live
