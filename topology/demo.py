"""The demonstration: a simulated network of hospitals beside a real hub.

The past days are replayed fast; from then on every message is sent at its own time through the hub's real MLLP and HTTP
listeners. The plan (seed, start) stands in the folder, so that a restarted demo goes on with the same hospitals.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

from connectors.hl7.mllp_client import MllpClient, MllpSendError, MllpTarget
from connectors.simulator import Knobs, build_network, messages, write_reference
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, RawMessage
from topology.errors import HubError
from topology.live import LiveHub
from topology.local import LocalHub
from topology.reference_files import load_reference
from topology.serve import check_ports, serve
from topology.settings import Settings

SITES: Final = 3
LIVE_DAYS: Final = 3_650
_PLAN_FILE: Final = "demo.json"
_PATHS: Final = {FHIR_JSON: "/fhir", CABINET_JSON: "/cabinet", SCAN_JSON: "/scans"}
_RETRY_SECONDS: Final = 1.0


def run_demo(settings: Settings, *, beds: int, history_days: int, seed: int, say: Callable[[str], None]) -> None:
    """Prepare the folder, replay what is past, serve and send."""
    say("Wardstock demo: three simulated hospitals, no real patient in sight")
    check_ports(settings)
    knobs, since = _prepare(settings, beds, history_days, seed, say)

    async def send(live: LiveHub, url: str, mllp_port: int) -> None:
        await _send_live(messages(knobs, since), live, url, settings.host, mllp_port)

    say("press Ctrl-C to stop; start it again and it goes on")
    serve(settings, say=say, beside=send)


def _prepare(
    settings: Settings, beds: int, history_days: int, seed: int, say: Callable[[str], None]
) -> tuple[Knobs, datetime]:
    """Reference data and the past, once; returns the plan and the instant from which messages go live."""
    now = datetime.now(UTC)
    with LocalHub(settings.data) as hub:
        first = (now - timedelta(days=history_days)).date()
        plan = _plan(settings.data, {"seed": seed, "beds": beds, "start": first.isoformat()})
        knobs = Knobs(
            seed=int(plan["seed"]), sites=SITES, beds=int(plan["beds"]), days=LIVE_DAYS, duplicates=0.01, reorder_minutes=2,
            miscounts=0.05, wrong_codes=0.0005, start=datetime.fromisoformat(str(plan["start"])).date(),
        )  # fmt: skip
        if not hub.folder.stamped("demo-reference"):
            _load_reference(hub, knobs)
            hub.folder.stamp("demo-reference", now.isoformat())
        since = datetime.fromisoformat(hub.folder.stamped("demo-sent") or "1970-01-01T00:00:00+00:00")
        say(f"replaying the past until {now:%Y-%m-%d %H:%M} UTC …")
        count = sum(1 for _ in hub.replay(_until(messages(knobs, since), now)))
        hub.folder.stamp("demo-sent", now.isoformat())
        hub.project()
        say(f"  {count} messages of the past days are in")
    return knobs, now


def _plan(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The plan of this folder's demo: kept from the first start."""
    path = folder / _PLAN_FILE
    if path.exists():
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            msg = f"{path} can't be read: remove the folder to start the demo anew"
            raise HubError(msg) from None
        return kept
    path.write_text(json.dumps(wanted), encoding="utf-8")
    return wanted


def _load_reference(hub: LocalHub, knobs: Knobs) -> None:
    with TemporaryDirectory() as folder:
        write_reference(build_network(knobs), Path(folder))
        loaded = load_reference([Path(folder)])
    if loaded.problems:
        msg = f"the simulated network's reference data is unusable: {loaded.problems[0]}"
        raise HubError(msg)
    hub.load_reference(loaded.records)


def _until(stream: Iterator[RawMessage], end: datetime) -> Iterator[RawMessage]:
    for message in stream:
        if message.received_at > end:
            return
        yield message


async def _send_live(stream: Iterator[RawMessage], live: LiveHub, url: str, host: str, mllp_port: int) -> None:
    """Send each message when its time comes; one that is not acknowledged is sent again until it is."""
    async with httpx.AsyncClient(base_url=url) as web:
        mllp = MllpClient(MllpTarget(host=host, port=mllp_port))
        try:
            for message in stream:
                wait = (message.received_at - live.now()).total_seconds()
                if wait > 0:
                    await asyncio.sleep(wait)
                while not await _sent(message, mllp, web):
                    await asyncio.sleep(_RETRY_SECONDS)
                live.hub.folder.stamp("demo-sent", message.received_at.isoformat())
        finally:
            await mllp.close()


async def _sent(message: RawMessage, mllp: MllpClient, web: httpx.AsyncClient) -> bool:
    """Send one message the way its hospital would; whether it was acknowledged."""
    try:
        if message.content_type == HL7_ER7:
            return (await mllp.send(message.body)).accepted
        headers = {"X-Wardstock-Source": message.source, **({"X-Wardstock-Site": message.site} if message.site else {})}
        answer = await web.post(_PATHS[message.content_type], content=message.body, headers=headers)
    except (MllpSendError, httpx.HTTPError):
        return False
    return answer.status_code < httpx.codes.BAD_REQUEST
