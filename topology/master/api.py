"""The steward's desk of a running hub over its local API, and the clock that lets approved changes take effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.params import Depends

from connectors.contract import PublishError
from schemas.codec import encode
from topology.api_bodies import checked, not_stored, read_json
from topology.errors import HubError, UnknownNameError
from topology.master.bodies import DECIDED, PROPOSED, STEPS, wanted
from topology.master.desk import MasterDesk, any_due
from topology.running import RunningHub

_log = structlog.get_logger("wardstock.master")


def master_api(live: RunningHub, desk: MasterDesk, guarded: Sequence[Depends]) -> APIRouter:
    """The router, below `/api/v1/master`. Every route is `guarded`."""
    router = APIRouter(prefix="/api/v1/master", dependencies=list(guarded))

    @router.get("")
    async def changes() -> Any:
        """All changes, the oldest first."""
        return [_plain(change) for change in await _said(desk.changes)]

    @router.get("/{change_id}")
    async def change(change_id: str) -> Any:
        """A change and its records."""
        found, records = await _said(lambda: (desk.change(change_id), desk.records(change_id)))
        return {"change": _plain(found), "records": [_plain(record) for record in records]}

    @router.post("")
    async def propose(request: Request) -> Any:
        """Propose that records be as stated: `{title, by, source?, effective_at?, records: [{kind, id, record}]}`."""
        given = checked(PROPOSED, await read_json(request), "the proposal")
        records = await asyncio.to_thread(wanted, given)
        return _plain(await _said(lambda: desk.propose(
            records, title=given.title, by=given.by, now=live.now(), source=given.source, effective_at=given.effective_at
        )))  # fmt: skip

    @router.post("/{change_id}/{verdict}")
    async def decide(change_id: str, verdict: str, request: Request) -> Any:
        """Approve, reject, withdraw or revert a change: `{by, reason?}`."""
        step = next((one for one in STEPS if one == verdict), None)
        if step is None:
            raise HTTPException(404, f"there is no verdict {verdict}; there are {', '.join(STEPS)}")
        given = checked(DECIDED, await read_json(request), "the decision")
        by, reason = given.by, given.reason
        if step == "revert":
            return _plain(await _said(lambda: desk.revert(change_id, by=by, now=live.now(), reason=reason or "")))
        return _plain(await _said(lambda: desk.decide(change_id, step, by=by, now=live.now(), reason=reason)))

    return router


async def take_effect(desk: MasterDesk, live: RunningHub, seconds: float) -> None:
    """For ever: let approved changes take effect when their time has come. While none waits it costs one small query."""
    while True:
        await asyncio.sleep(seconds)
        try:
            now = live.now()
            if not await asyncio.to_thread(any_due, live.views, now):
                continue
            ended = await asyncio.to_thread(desk.due, now)
        except Exception as error:  # noqa: BLE001  # it is tried again; what is approved stays so
            _log.error("master_change_failed", error=type(error).__name__)
            continue
        for change in ended:
            _log.info("master_change", change=change.id, state=change.state.value)


async def _said(step: Callable[[], Any]) -> Any:
    try:
        return await asyncio.to_thread(step)
    except PublishError as error:
        raise not_stored(error) from None
    except UnknownNameError as error:
        raise HTTPException(404, str(error)) from None
    except HubError as error:
        raise HTTPException(400, str(error)) from None


def _plain(value: object) -> Any:
    return json.loads(encode(value))
