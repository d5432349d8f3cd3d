"""A real hub, killed with SIGKILL again and again while real senders talk to it: what it acknowledged it has, and has once.

Method: `wardstock run` is fed a simulated network over MLLP and HTTP and killed by its own process id at random moments; senders
resend what was not acknowledged. At the end stock equals the simulator's truth.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from random import Random

from schemas.raw import HL7_ER7, RawMessage
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess, Sender
from tests.simulation.network import HOSPITALS, Written, differences, loaded_hub, stock_of, written
from topology.local import LocalHub

KNOBS = replace(HOSPITALS, seed=31, beds=4, days=2)
KILLS = 4
END_SECONDS = 60.0


def test_a_hub_that_is_killed_again_and_again_has_everything_it_acknowledged_and_counts_it_once(tmp_path: Path) -> None:
    simulation = written(KNOBS)
    data = tmp_path / "hub"
    loaded_hub(simulation, data).close()
    random = Random(1)
    hub = HubProcess(data)
    hub.start()
    senders = senders_of(hub, simulation)
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            time.sleep(random.uniform(0.2, 1.0))
            hub.kill()
            hub.start()
        for sender in senders:
            sender.join(END_SECONDS)
            assert not sender.is_alive()
        hub.kill()
    finally:
        for sender in senders:
            sender.give_up.set()
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
    acknowledged = [body for sender in senders for body in sender.acknowledged]
    assert len(acknowledged) == sum(len(sender.messages) for sender in senders)
    assert sum(sender.attempts for sender in senders) > len(acknowledged), "no sender ever met a dead hub"
    assert "Traceback" not in "".join(hub.printed)
    with LocalHub(data) as local:
        local.engine.run_until_idle()
        stored = {record.value for record in promises.records(local.engine, "raw")}
        assert [body for body in acknowledged if body not in stored] == []
        promises.check_all(local.engine)
        assert differences(simulation.balances, stock_of(local)) == {}


def senders_of(hub: HubProcess, simulation: Written) -> list[Sender]:
    """A sender for each feed: HL7 over MLLP, everything else over HTTP."""
    feeds: dict[str, list[RawMessage]] = {}
    for message in simulation.messages():
        feeds.setdefault(message.source, []).append(message)
    return [Sender(hub, queue, over="mllp" if queue[0].content_type == HL7_ER7 else "http") for queue in feeds.values()]
