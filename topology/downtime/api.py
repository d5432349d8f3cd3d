"""The downtime desk of a running hub over its local API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.params import Depends

from connectors.contract import PublishError
from topology.api_bodies import checked, not_stored, read_json
from topology.downtime.desk import DowntimeDesk
from topology.downtime.hubs import RunningDowntime
from topology.downtime.steps import STEPS, Step, plain
from topology.errors import HubError, UnknownNameError
from topology.running import RunningHub


def downtime_api(live: RunningHub, guarded: Sequence[Depends]) -> APIRouter:
    """The router, below `/api/v1/downtime`. Every route is `guarded`."""
    router = APIRouter(prefix="/api/v1/downtime", dependencies=list(guarded))
    desk = DowntimeDesk(RunningDowntime(live))

    @router.get("")
    async def periods() -> Any:
        """All downtimes, the oldest first."""
        return plain(await said(desk.periods))

    for name, step in STEPS.items():
        router.add_api_route(f"/{name}", _taking(live, desk, step), methods=["POST"])
    return router


def _taking(live: RunningHub, desk: DowntimeDesk, step: Step) -> Callable[[Request], Awaitable[Any]]:
    async def take(request: Request) -> Any:
        given = checked(step.codec, await read_json(request), "the request")
        return await said(lambda: step.take(desk, given, live.now()))

    return take


async def said(step: Callable[[], Any]) -> Any:
    """What a step of a desk answers, in a thread of its own; its refusal as a status with the reason."""
    try:
        return await asyncio.to_thread(step)
    except PublishError as error:
        raise not_stored(error) from None
    except UnknownNameError as error:
        raise HTTPException(404, str(error)) from None
    except HubError as error:
        raise HTTPException(400, str(error)) from None
