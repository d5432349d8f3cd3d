"""MLLP round trips against a running hub: send a message, wait for its acknowledgement, send the next.

The hub is the real one on a folder of this machine: an acknowledgement is sent only when the message is synced, and the engine folds
what came in while more comes. Senders, listener and hub share one process (and the interpreter lock), so a rate here is the least
that the hub does for senders on other machines.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.hl7.mllp_client import MllpClient, MllpTarget
from connectors.simulator import Knobs, simulate, write_reference
from schemas.raw import HL7_ER7
from topology.live import LiveHub
from topology.local import LocalHub
from topology.reference_files import load_reference

KNOBS: Final = Knobs(seed=2, sites=1, beds=100, days=2)
ROUND_TRIPS: Final = 2_000
CONNECTIONS: Final = (1, 20)
LIMITS: Final = {
    1: "two syncs (store, fold) and a fold for each message alone: nothing shares them",
    20: "one interpreter: senders, framing and folding take turns; syncs are shared",
}


def rows() -> list[dict[str, Any]]:
    """Round trips a second, by number of connections."""
    simulation = simulate(KNOBS)
    bodies = [message.body for message in simulation.messages() if message.content_type == HL7_ER7]
    found = []
    with tempfile.TemporaryDirectory() as folder, LocalHub(Path(folder) / "hub") as local:
        write_reference(simulation.network, Path(folder) / "reference")
        local.load_reference(load_reference([Path(folder) / "reference"]).records)
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        try:
            for connections in CONNECTIONS:
                rate = asyncio.run(_round_trips(live, list(islice(cycle(bodies), ROUND_TRIPS)), connections))
                name = f"MLLP round trips, stored durably, {connections} connection{'s' if connections > 1 else ''}"
                found.append({"name": name, "ours_per_second": rate, "limit": LIMITS[connections]})
        finally:
            live.stop()
    return found


async def _round_trips(live: LiveHub, bodies: list[bytes], connections: int) -> float:
    """Round trips a second of several senders side by side, each waiting for its own acknowledgements."""
    listener = MllpListener(live.publish, MllpSettings(port=0, source="bench"))
    await listener.start()
    host, port = listener.address

    async def send(own: list[bytes]) -> None:
        async with MllpClient(MllpTarget(host=host, port=port)) as client:
            for body in own:
                if not (await client.send(body)).accepted:
                    msg = "a message was not accepted, so there is nothing to measure"
                    raise RuntimeError(msg)

    began = time.perf_counter()
    await asyncio.gather(*(send(bodies[first::connections]) for first in range(connections)))
    rate = len(bodies) / (time.perf_counter() - began)
    await listener.stop()
    return rate
