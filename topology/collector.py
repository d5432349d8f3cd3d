"""When Python's cyclic garbage collector may run in a hub: seldom, and never inside a batch.

Nearly everything that a batch allocates is in use until its end and then freed at once by reference counting. A collector that
runs inside, or between the end and the freeing, walks over what is about to go: a fifth of the site processor's time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS_MAX: Final = 50_000
"""New containers that outlive their batch before the collector looks at them (Python's default: 700)."""
_GENERATIONS: Final = (10, 10)


def collect_seldom() -> None:
    """Set the whole process up for batches; for the entry points of programs."""
    gc.set_threshold(YOUNG_OBJECTS_MAX, *_GENERATIONS)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector; put it around a call, so that the batch's objects are freed before it goes on."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
