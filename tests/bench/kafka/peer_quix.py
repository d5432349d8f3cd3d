"""The common work on Quix Streams, as its documentation shows it: a stateful `apply`. A program of its own environment."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Final

from quixstreams import Application, State

EVENTS: Final = int(os.environ["BENCH_EVENTS"])
SECONDS_MAX: Final = float(os.environ["BENCH_SECONDS"])


def main() -> None:
    """Add each event's quantity, and tell the rate after the last one."""
    app = Application(
        broker_address=os.environ["BENCH_BROKER"], consumer_group=f"bench-quix-{os.getpid()}", auto_offset_reset="earliest",
        processing_guarantee=os.environ["BENCH_MODE"], state_dir=os.environ["BENCH_FOLDER"], loglevel="ERROR",
    )  # fmt: skip
    done, began = 0, 0.0

    def add(event: dict[str, Any], state: State) -> None:
        nonlocal done, began
        began = began or time.perf_counter()
        state.set("sum", state.get("sum", 0) + event["qty"])
        done += 1
        seconds = time.perf_counter() - began
        if done == EVENTS or seconds > SECONDS_MAX:
            print(json.dumps({"events": done, "seconds": seconds}), flush=True)
            app.stop()

    app.dataframe(app.topic(os.environ["BENCH_TOPIC"], value_deserializer="json")).apply(add, stateful=True)
    app.run()


if __name__ == "__main__":
    main()
