"""A whole simulated network: sites side by side, their messages merged by arrival, their truths one after the other.

Owns the run: outages, merging, files. Everything is lazy; what is in memory is the state of the hospitals and the messages on
their way, never the run.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final

from connectors.simulator.clinic import Clinic
from connectors.simulator.clock import EPOCH, HOUR, LocalClock
from connectors.simulator.hospital import CLOSING, Hospital
from connectors.simulator.knobs import KnobError, Knobs, Outage
from connectors.simulator.logistics import Logistics
from connectors.simulator.network import build_network
from connectors.simulator.outbox import Window
from connectors.simulator.patients import Patients
from connectors.simulator.plan import Network, SitePlan
from connectors.simulator.reference_csv import write_reference
from connectors.simulator.truth import Truth, TruthSink
from schemas.raw import RawMessage, to_capture_line

FEEDS: Final = ("adt", "orders", "emar", "rds", "cabinets", "scans")
"""Feeds of every site; one site also has `fhir`."""
QUIET_START: Final = 6 * HOUR
"""Random outages begin after the opening stock has been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `write_simulation` wrote."""

    messages: int
    movements: int
    needs: int
    balances: int
    first: datetime | None
    last: datetime | None


def sources_of(plan: SitePlan) -> tuple[str, ...]:
    """The source ids of a site's feeds."""
    return tuple(plan.source(feed) for feed in (*FEEDS, *(("fhir",) if plan.clinic else ())))


def outages_of(knobs: Knobs, network: Network) -> tuple[Outage, ...]:
    """The outages of a run: those given, or as many as asked for at random sources and times, none longer than its room."""
    if not isinstance(knobs.outages, int):
        return knobs.outages
    rng = Random(f"{knobs.seed}:outages")  # noqa: S311  # reproducible faults, nothing secret
    found = []
    for _ in range(knobs.outages):
        plan = rng.choice(network.sites)
        clock = LocalClock(plan.zone, with_offset=False)
        first = clock.midnight(knobs.start) + QUIET_START
        last = clock.midnight(knobs.start + timedelta(days=knobs.days)) - int(knobs.outage_hours * HOUR)
        start = EPOCH + timedelta(seconds=rng.randint(first, max(first, last)))
        found.append(Outage(source=rng.choice(sources_of(plan)), start=start, hours=knobs.outage_hours))
    return tuple(found)


def _check_outages(outages: tuple[Outage, ...], network: Network, final: int) -> None:
    """Raise `KnobError` for an outage of an unknown source, or one that would outlast the run and so lose messages."""
    known = {source for plan in network.sites for source in sources_of(plan)}
    for outage in outages:
        if outage.source not in known:
            msg = f"outage of {outage.source}: no such source; there are {', '.join(sorted(known))}"
            raise KnobError(msg)
        if outage.start + timedelta(hours=outage.hours) > EPOCH + timedelta(seconds=final):
            msg = f"outage of {outage.source}: ends after the last message of the run"
            raise KnobError(msg)


def _windows(outages: tuple[Outage, ...], plan: SitePlan) -> list[Window]:
    mine = set(sources_of(plan))
    windows = []
    for outage in outages:
        if outage.source in mine:
            start = (outage.start - EPOCH) // timedelta(milliseconds=1)
            windows.append(Window(outage.source, start, start + int(outage.hours * HOUR * 1000)))
    return sorted(windows, key=lambda window: window.start)


class Simulation:
    """One run. `messages()` may be iterated once; the truth is complete when it is exhausted."""

    def __init__(self, knobs: Knobs, sinks: dict[str, TruthSink] | None = None) -> None:
        """`sinks` takes each site's lines of the truth, by site id."""
        self.knobs = knobs
        self.network = build_network(knobs)
        self.outages = outages_of(knobs, self.network)
        after = knobs.start + timedelta(days=knobs.days)
        end = max(LocalClock(plan.zone, with_offset=False).midnight(after) for plan in self.network.sites)
        _check_outages(self.outages, self.network, end + CLOSING)
        self._hospitals = [
            Hospital(plan, knobs, _windows(self.outages, plan), end, (sinks or {}).get(plan.id)) for plan in self.network.sites
        ]

    @property
    def truths(self) -> tuple[Truth, ...]:
        """The truth of each site, in the network's order."""
        return tuple(hospital.truth for hospital in self._hospitals)

    def messages(self) -> Iterator[RawMessage]:
        """Every message of the network in order of arrival."""
        runs = [self._site(index, hospital) for index, hospital in enumerate(self._hospitals)]
        for _, _, _, message in heapq.merge(*runs):
            yield message

    def _site(self, index: int, hospital: Hospital) -> Iterator[tuple[int, int, int, RawMessage]]:
        """One site's messages with a key that orders them among all sites."""
        Logistics(hospital, self.knobs)
        Patients(hospital)
        Clinic(hospital)
        for at, number, message in hospital.run():
            yield at, index, number, message
        for t in hospital.closing:
            hospital.feeds.heartbeat(t)
        for at, number, message in hospital.finish():
            yield at, index, number, message

    def balances(self) -> list[dict[str, Any]]:
        """Quantities by site, location, item and lot when everything has been told; sorted, without zeros."""
        rows = [row for truth in self.truths for row in truth.balances()]
        return sorted(rows, key=lambda row: (row["site"], row["location"], row["item"], row["lot"]))


def simulate(knobs: Knobs, sinks: dict[str, TruthSink] | None = None) -> Simulation:
    """Prepare a run; nothing happens before its messages are asked for."""
    return Simulation(knobs, sinks)


def messages(knobs: Knobs, since: datetime | None = None) -> Iterator[RawMessage]:
    """Messages in order of arrival, from `since` on (UTC) or from the start; as endless as `days` is large."""
    for message in Simulation(knobs).messages():
        if since is None or message.received_at >= since:
            yield message


def write_simulation(knobs: Knobs, out_dir: Path) -> Summary:
    """Write reference/, feeds/, truth.jsonl and truth_balances.json into `out_dir` (made when absent)."""
    feeds = out_dir / "feeds"
    feeds.mkdir(parents=True, exist_ok=True)
    plans = build_network(knobs).sites
    first: datetime | None = None
    last: datetime | None = None
    count = 0
    with ExitStack() as stack:
        parts = {plan.id: stack.enter_context((out_dir / f"truth.{plan.id}.part").open("w+b")) for plan in plans}
        simulation = Simulation(knobs, {site: _line_sink(part) for site, part in parts.items()})
        write_reference(simulation.network, out_dir / "reference")
        files = {
            source: stack.enter_context((feeds / f"{source}.capture.jsonl").open("wb"))
            for plan in plans
            for source in sources_of(plan)
        }
        for message in simulation.messages():
            files[message.source].write(to_capture_line(message) + b"\n")
            first = first or message.received_at
            last = message.received_at
            count += 1
        _join(list(parts.values()), out_dir / "truth.jsonl")
    for plan in plans:
        (out_dir / f"truth.{plan.id}.part").unlink()
    balances = simulation.balances()
    text = json.dumps(balances, indent=0, sort_keys=True)
    (out_dir / "truth_balances.json").write_text(text + "\n", encoding="utf-8")
    return Summary(
        messages=count,
        movements=sum(truth.movements for truth in simulation.truths),
        needs=sum(truth.needs for truth in simulation.truths),
        balances=len(balances),
        first=first,
        last=last,
    )


def _line_sink(file: BinaryIO) -> TruthSink:
    def write(line: bytes) -> None:
        file.write(line + b"\n")

    return write


def _join(parts: list[BinaryIO], path: Path) -> None:
    """One file of the sites' truths, site after site: their order among each other is nobody's business but the arrivals'."""
    with path.open("wb") as file:
        for part in parts:
            part.seek(0)
            while chunk := part.read(1 << 20):
                file.write(chunk)
