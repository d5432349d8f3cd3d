"""The go-live desk of a running hub over its local API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.params import Depends

from topology.api_bodies import checked, read_json
from topology.downtime.api import said
from topology.downtime.hubs import RunningDowntime
from topology.downtime.steps import plain
from topology.golive.desk import GoLiveDesk
from topology.golive.steps import STEPS, Step
from topology.running import RunningHub


def golive_api(live: RunningHub, guarded: Sequence[Depends]) -> APIRouter:
    """The router, below `/api/v1/golive`. Every route is `guarded`."""
    router = APIRouter(prefix="/api/v1/golive", dependencies=list(guarded))
    desk = GoLiveDesk(RunningDowntime(live))

    @router.get("")
    async def modes() -> Any:
        """Sites that have a mode; the others are live."""
        return plain(await said(desk.records))

    for name, step in STEPS.items():
        router.add_api_route(f"/{name}", _taking(live, desk, step), methods=["POST"])
    return router


def _taking(live: RunningHub, desk: GoLiveDesk, step: Step) -> Callable[[Request], Awaitable[Any]]:
    async def take(request: Request) -> Any:
        given = checked(step.codec, await read_json(request), "the request")
        return await said(lambda: step.take(desk, given, live.now()))

    return take
