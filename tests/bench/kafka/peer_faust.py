"""The common work on plain Faust, as its documentation shows it: an agent that adds to a table. A program of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import AsyncIterable
from typing import Final

import faust
import orjson

EVENTS: Final = int(os.environ["BENCH_EVENTS"])
SECONDS_MAX: Final = float(os.environ["BENCH_SECONDS"])

app = faust.App(
    f"bench-faust-{os.getpid()}", broker=f"kafka://{os.environ['BENCH_BROKER']}", store=os.environ["BENCH_MODE"],
    datadir=os.environ["BENCH_FOLDER"], topic_partitions=4, topic_replication_factor=1, web_enabled=False,
    consumer_auto_offset_reset="earliest",
)  # fmt: skip
topic = app.topic(os.environ["BENCH_TOPIC"], key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
sums = app.Table("sums", default=int, partitions=4)


@app.agent(topic)
async def add(values: AsyncIterable[bytes]) -> None:
    """Add each event's quantity, and tell the rate after the last one, past Faust, which takes standard output for its log."""
    done, began = 0, 0.0
    async for value in values:
        began = began or time.perf_counter()
        event = orjson.loads(value)
        sums[event["item"]] += event["qty"]
        done += 1
        seconds = time.perf_counter() - began
        if done >= EVENTS or seconds > SECONDS_MAX:
            print("", json.dumps({"events": done, "seconds": seconds}), sep="\n", file=sys.__stdout__, flush=True)
            os._exit(0)


if __name__ == "__main__":
    app.main()
