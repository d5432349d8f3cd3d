"""What time it is, said by the one worker that owns the network log: exactly one in the group, and another when it is gone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from topology.kafka.broadcaster import Broadcaster, BroadcastError
from topology.kafka.connection import Connection
from topology.ticks import TickGrid

RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger("wardstock.ticker")


async def tick_while_owner(connection: Connection, period: timedelta) -> None:
    """Broadcast ticks until cancelled. A repeated or older tick does nothing, so a new owner may begin anywhere."""
    grid = TickGrid(period, None)
    broadcaster: Broadcaster | None = None
    while True:
        tick = grid.due(datetime.now(UTC))
        try:
            if tick is not None:
                if broadcaster is None:
                    broadcaster = await asyncio.to_thread(Broadcaster, connection, "ticker")
                await asyncio.to_thread(broadcaster.broadcast, [tick])
        except BroadcastError as error:
            _log.warning("tick_not_said", error=str(error))
            broadcaster = None
            await asyncio.sleep(RETRY_SECONDS)
        await asyncio.sleep(period.total_seconds() / 10)
