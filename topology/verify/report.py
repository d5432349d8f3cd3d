"""What verify found: differences as records, and the counts and window of the run. It compares nothing itself."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from topology.verify.words import instant_of

MISSING: Final = "missing"
DUPLICATED: Final = "duplicated"
DIFFERENT: Final = "different"


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing the hub published that the logs do not bear out, or the other way round.

    `found` is `missing` (what was received or folded has no end, or no source), `duplicated` (stands twice), else `different`.
    """

    check: str
    found: str
    text: str
    site: str | None = None
    location: str | None = None
    item: str | None = None
    published: Any = None
    derived: Any = None
    about: dict[str, Any] = {}


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What was covered of one partition of the site log: offsets, and the hub's clock from the first to the last tick."""

    partition: int
    events: int
    first_offset: int | None
    last_offset: int | None
    first_tick: str | None
    last_tick: str | None


class Report:
    """Everything found so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.differences: list[Difference] = []
        self.windows: list[Window] = []
        self.raw_begins: dict[int, int] = {}
        """First offset that raw still has, of the partitions from which retention has removed something."""
        self.counts: dict[str, int] = dict.fromkeys(
            (
                "events", "accounts", "balances", "needs", "movements", "commands", "raw_messages", "items", "moved_on",
                "in_flight", "set_aside", "transfers",
            ),
            0,
        )  # fmt: skip

    def count(self, name: str, add: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += add

    def differ(self, check: str, text: str, *, found: str = DIFFERENT, **more: Any) -> None:
        """Note a difference."""
        self.differences.append(Difference(check=check, found=found, text=text, **more))

    def of(self, found: str) -> int:
        """How many differences of one sort there are."""
        return sum(1 for one in self.differences if one.found == found)

    def window(self, partition: int, offsets: tuple[int, int] | None, events: int, ticks: list[tuple[int, int]]) -> None:
        """Note what was covered of a partition."""
        first, last = offsets if offsets is not None else (None, None)
        times = [instant_of(ticks[at][1]).isoformat() for at in (0, -1)] if ticks else [None, None]
        self.windows.append(
            Window(
                partition=partition, events=events, first_offset=first, last_offset=last, first_tick=times[0], last_tick=times[1]
            )
        )

    def summary(self, source: str, site: str | None) -> dict[str, Any]:
        """The run as one object."""
        covered = [one for one in self.windows if one.first_offset is not None]
        firsts = [one.first_tick for one in covered if one.first_tick]
        lasts = [one.last_tick for one in covered if one.last_tick]
        return {
            "source": source,
            "site": site,
            **self.counts,
            "differences": len(self.differences),
            "missing": self.of(MISSING),
            "duplicated": self.of(DUPLICATED),
            "raw_checked": site is None,
            "raw_begins": {str(partition): offset for partition, offset in self.raw_begins.items()},
            "from": min(firsts, default=None),
            "to": max(lasts, default=None),
            "partitions": [msgspec.to_builtins(one) for one in covered],
        }
