"""Health and metrics of a process that folds: `/ping`, `/ready`, `/metrics`, for supervisors, orchestrators and Prometheus.

Served from the worker's own event loop: an answer is the proof that the loop turns. It shows places and counts, never content.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.responses import JSONResponse, Response

from topology.kafka.worker import Worker
from topology.listening import bound

BUSY_SECONDS_MAX: Final = 30.0
"""A lane that has work and commits nothing for so long is not ready; the watchdog ends its process after twice that."""
STARTED_POLL_SECONDS: Final = 0.01


def lanes_of(worker: Worker) -> list[dict[str, Any]]:
    """Each lane of a worker: where it is, whether it restores, and for how long it has had work without a commit."""
    now = time.monotonic()
    rows: list[dict[str, Any]] = []
    for (topic, partition), lane in sorted(worker.lanes().items()):
        checkpoint = lane.checkpoint
        busy = 0.0 if lane.busy_since is None else now - lane.busy_since
        rows.append({
            "topic": topic, "partition": partition, "restored": lane.ready, "position": checkpoint.position,
            "transactions": checkpoint.transactions, "restored_records": checkpoint.restored, "wiped": checkpoint.wiped,
            "busy_seconds": round(busy, 3),
        })  # fmt: skip
    return rows


def readiness(worker: Worker) -> dict[str, Any]:
    """Ready: a member of the group, every partition restored, and every lane that has work commits it."""
    lanes = lanes_of(worker)
    restoring = sum(not lane["restored"] for lane in lanes)
    stalled = sum(lane["restored"] and lane["busy_seconds"] > BUSY_SECONDS_MAX for lane in lanes)
    return {
        "ready": worker.member and not restoring and not stalled, "member": worker.member, "partitions": len(lanes),
        "restoring": restoring, "stalled": stalled,
    }  # fmt: skip


def metrics_text(worker: Worker) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    at = ("topic", "partition")
    gauges = {
        "position": Gauge("wardstock_worker_position", "Input position that is durable", at, registry=registry),
        "transactions": Gauge("wardstock_worker_transactions_total", "Batches made durable", at, registry=registry),
        "restored_records": Gauge("wardstock_worker_restored_records", "Records read back on opening", at, registry=registry),
        "busy_seconds": Gauge("wardstock_worker_busy_seconds", "Since the last commit, with work waiting", at, registry=registry),
    }
    for lane in lanes_of(worker):
        for name, gauge in gauges.items():
            gauge.labels(lane["topic"], str(lane["partition"])).set(lane[name])
    state = readiness(worker)
    Gauge("wardstock_worker_ready", "1 while it is ready", registry=registry).set(state["ready"])
    Gauge("wardstock_worker_restoring", "Partitions that are being restored", registry=registry).set(state["restoring"])
    Gauge("wardstock_worker_handler_faults_total", "Events whose handling raised", registry=registry).set(worker.fault_count())
    return generate_latest(registry)


@asynccontextmanager
async def health_server(worker: Worker, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the context lasts; gives the address. Raises `HubError` when the port is taken."""
    listening = bound(host, port, "choose another worker_port, or 0 for a free one")
    server = uvicorn.Server(uvicorn.Config(_app(worker), log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    web = asyncio.create_task(server._serve([listening]))  # noqa: SLF001  # serve() would take the signals away
    while not server.started and not web.done():
        await asyncio.sleep(STARTED_POLL_SECONDS)
    try:
        yield f"http://{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await web


def _app(worker: Worker) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/ping")
    async def ping() -> Response:
        """Alive: the loop that folds has answered."""
        return JSONResponse({"alive": True})

    @app.get("/ready")
    async def ready() -> Response:
        """Ready, and lane by lane why or why not."""
        state = readiness(worker)
        return JSONResponse({**state, "lanes": lanes_of(worker)}, 200 if state["ready"] else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(metrics_text(worker), media_type="text/plain; version=0.0.4")

    return app
