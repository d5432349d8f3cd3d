"""`make bench-kafka`: rates, latency and memory on a real Kafka broker, in parts that can be run alone.

`python -m tests.bench kafka work latency` runs two of them; without a name all are run. Each part has a broker of its own, which
shares the machine's cores with what is measured: read the ratios of one run.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

PARTS: Final = ("work", "site", "latency", "scaling", "memory", "mllp")


def rows(parts: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The rows of the named parts, of all when none is named. Raises `SystemExit` for a part that there is not."""
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        message = f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}"
        raise SystemExit(message)
    for part in parts or PARTS:
        gc.collect()
        yield from import_module(f"{__name__}.{part}").rows()
