"""The intake process beside its hub: killed, without room, or left alone, it acknowledges only what the hub will have once."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.raw import HL7_ER7, RawMessage
from tests.cli.running import environment, program
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess, Sender
from tests.unit.intake.test_journal import AT
from topology.embedded.store import MemoryStore
from topology.intake.handover import Handover
from topology.local import LocalHub

SECONDS = 30.0


def messages(sender: int, count: int) -> list[RawMessage]:
    return [
        RawMessage(
            body=(
                f"MSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601||RAS^O17^RAS_O17|{sender}-{number}|P|2.5.1\rPID|1||X{number}\r"
                f"ORC|RE|P{sender}-{number}|F{number}\rRXA|0|1|20260601101000||AMX^Amoxicillin^L|2|TAB\r"
            ).encode(),
            source="mllp",
            connector="hl7",
            content_type=HL7_ER7,
            received_at=AT,
        )
        for number in range(count)
    ]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    one = HubProcess(tmp_path / "hub")
    one.start()
    yield one
    if one.process is not None and one.process.poll() is None:
        one.kill()


def intake_of(hub: HubProcess) -> int:
    """The id of the hub's one child."""
    assert hub.process is not None
    pid = hub.process.pid
    until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), "no intake process")
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def until(what: Callable[[], object], otherwise: str) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


def ready(hub: HubProcess) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", int(hub.url.rsplit(":", 1)[1]), timeout=5)
    connection.request("GET", "/ready")
    answer: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def stored(data: Path) -> Counter[bytes]:
    """What stands in the raw log of a stopped hub, and its promises."""
    with LocalHub(data) as local:
        local.engine.run_until_idle()
        promises.check_all(local.engine)
        return Counter(record.value or b"" for record in promises.records(local.engine, "raw"))


def test_an_intake_that_is_killed_again_and_again_loses_and_doubles_nothing(hub: HubProcess) -> None:
    senders = [Sender(hub, messages(number, 150), over="mllp") for number in range(4)]
    for sender in senders:
        sender.start()
    for share in (1, 2, 3):
        until(lambda share=share: sum(len(one.acknowledged) for one in senders) > share * 120, "the senders stand still")
        os.kill(intake_of(hub), signal.SIGKILL)
        time.sleep(0.1)
    for sender in senders:
        sender.join(SECONDS)
        assert not sender.is_alive()
    until(lambda: ready(hub)["ready"], "the hub stays unready")
    assert hub.stop() == 0
    found = stored(hub.data)
    acknowledged = Counter(body for sender in senders for body in sender.acknowledged)
    assert sum(acknowledged.values()) == 600
    assert acknowledged - found == Counter()
    assert sum(found.values()) <= sum(one.attempts for one in senders), "nothing stands there that was not sent so often"


def test_without_room_nothing_is_acknowledged_and_the_hub_says_why(hub: HubProcess) -> None:
    first = Sender(hub, messages(1, 20), over="mllp")
    first.start()
    first.join(SECONDS)
    intake = intake_of(hub)
    resource.prlimit(intake, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    second = Sender(hub, messages(2, 20), over="mllp")
    second.start()
    until(lambda: second.attempts > 3, "nobody tries")
    assert second.acknowledged == []
    until(lambda: "the disk is full" in str(ready(hub)["failing"]), "the hub does not say so")
    resource.prlimit(intake, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    second.join(SECONDS)
    assert len(second.acknowledged) == 20
    until(lambda: ready(hub)["ready"], "the hub stays unready")
    assert hub.stop() == 0
    assert stored(hub.data) == Counter(first.acknowledged + second.acknowledged)


def hung_hub_with(hub: HubProcess, count: int) -> list[bytes]:
    """Messages that the intake acknowledged while its hub hung, which was killed then without having seen them."""
    assert hub.process is not None
    os.kill(hub.process.pid, signal.SIGSTOP)
    sender = Sender(hub, messages(1, count), over="mllp")
    sender.start()
    sender.join(SECONDS)
    assert len(sender.acknowledged) == count
    hub.kill()
    return sender.acknowledged


def test_what_the_intake_took_while_its_hub_hung_and_died_is_there_at_the_next_start(hub: HubProcess) -> None:
    acknowledged = hung_hub_with(hub, 30)
    assert stored(hub.data) == Counter(acknowledged)
    assert stored(hub.data) == Counter(acknowledged), "and only once"


def test_a_damaged_journal_is_a_sentence_and_nothing_is_passed_over(hub: HubProcess) -> None:
    hung_hub_with(hub, 3)
    Handover(hub.data, MemoryStore())  # returns when the intake has ended
    (path,) = (one for one in (hub.data / "intake").glob("*.journal") if one.stat().st_size > 100)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    # Before another file is there the last group might still be being written.
    (path.parent / "999999999999.journal").touch()
    done = subprocess.run(
        [*program(), "run", "--data", str(hub.data), "--http-port", "0", "--mllp-port", "0"],
        env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is damaged at byte" in done.stderr
    assert "acknowledged messages stand behind" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_a_sentence(hub: HubProcess, tmp_path: Path) -> None:
    done = subprocess.run(
        [*program(), "run", "--data", str(tmp_path / "other"), "--http-port", "0", "--mllp-port", str(hub.mllp_port)],
        env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"port {hub.mllp_port} on 127.0.0.1 is taken: choose another with --mllp-port" in done.stderr
    assert "Traceback" not in done.stderr
