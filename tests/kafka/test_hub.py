"""A hub on Kafka as its users have it: `wardstock run` with workers of its own, fed over MLLP and HTTP, asked by commands."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.simulator import Knobs, simulate, write_reference
from schemas.raw import HL7_ER7
from tests.cli.running import run_program
from tests.kafka.engine import create_topics, new_connection
from tests.simulation.live_hub import HubProcess, Sender
from topology.processors import build_processors

pytestmark = pytest.mark.kafka
KEY = "00" * 32
WAIT_SECONDS = 90


def until(true: object, what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.2)


def children(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of the hub's own workers."""
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8")
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    found = {int(one) for task in tasks for one in (task / "children").read_text(encoding="utf-8").split()}
    return sorted(found | {int(one) for one in text.split()})


@pytest.fixture
def hub(bootstrap: str, tmp_path: Path) -> Iterator[HubProcess]:
    """A hub with two workers."""
    connection = new_connection(bootstrap)
    create_topics(connection, build_processors(b""))
    config = tmp_path / "hub.toml"
    config.write_text(
        f'broker = "kafka://{bootstrap}"\n[kafka]\nprefix = "{connection.settings.prefix}"\nreplication = 1\nmin_insync = 1\n'
        "session_seconds = 6\n",
        encoding="utf-8",
    )
    one = HubProcess(
        tmp_path / "hub", arguments=["--config", str(config), "--workers", "2"], WARDSTOCK_PATIENT_KEY=KEY
    )
    one.start()
    yield one
    assert one.stop() == 0, "".join(one.printed)


def test_feeds_in_balances_out_whatever_happens_to_the_workers(hub: HubProcess, tmp_path: Path) -> None:
    """A hospital's day, a worker killed in the middle: balances and open needs are the simulator's truth."""
    simulation = simulate(Knobs(seed=3, sites=1, beds=12, days=1, duplicates=0.02))
    write_reference(simulation.network, tmp_path / "reference")
    data = str(hub.data)
    loaded = run_program("reference", "load", str(tmp_path / "reference"), "--data", data)
    assert loaded.code == 0, loaded.err
    messages = list(simulation.messages())
    senders = [
        Sender(hub, [one for one in messages if one.content_type == HL7_ER7], over="mllp"),
        Sender(hub, [one for one in messages if one.content_type != HL7_ER7], over="http"),
    ]
    for sender in senders:
        sender.start()
    assert hub.process is not None
    until(lambda: len(children(hub.process)) == 2, "two workers")
    victim = children(hub.process)[0]
    os.kill(victim, signal.SIGKILL)
    for sender in senders:
        sender.join(WAIT_SECONDS)
        assert not sender.is_alive()
    until(lambda: len(children(hub.process)) == 2 and victim not in children(hub.process), "the worker is started again")
    truth = {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in simulation.balances()}

    def as_true() -> bool:
        rows = run_program("stock", "--json", "--data", data).lines
        held: dict[tuple[str, str, str, str], int] = {}
        for row in rows:
            account = (row["site"], row["location"], row["item"], row["lot"])
            held[account] = held.get(account, 0) + row["quantity"]
        return held == truth

    until(as_true, "the balances are the truth")
