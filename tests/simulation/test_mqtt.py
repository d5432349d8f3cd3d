"""Cabinets over MQTT to a real `wardstock run`: a broker that comes late, a killed hub, a retained state; everything counts once."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.running import EXAMPLE, run_here
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess
from tests.support.mosquitto import HOST, Mosquitto
from tests.support.mqtt import client
from topology.local import LocalHub

pytestmark = pytest.mark.mqtt
VENDS: Final = 400
SPARE: Final = 7
SECRET: Final = "s3cret-of-the-broker"
WAIT_SECONDS: Final = 60.0
_TAKEN: Final = re.compile(r'^wardstock_ingest_total\{[^}]*source="cabinets"[^}]*\} ([\d.e+]+)$', re.MULTILINE)


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that asks for a password, not started yet."""
    passwords = tmp_path / "passwords"
    command = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([command, "-b", "-c", str(passwords), "user", SECRET], check=True, capture_output=True)
    one = Mosquitto(mosquitto, tmp_path / "broker", ("allow_anonymous false", f"password_file {passwords}"))
    yield one
    one.stop()


def transactions() -> list[dict[str, Any]]:
    """A load of the pocket, then vends of one bag."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    common = {"device": "ICU-CAB1", "pocket": "d4/p07", "product_code": "0338-0049-04", "code_system": "ndc", "unit": "bag"}
    load = {**common, "transaction_id": "load", "action": "load", "quantity": VENDS + SPARE, "occurred": since.isoformat()}
    vend = {**common, "action": "vend", "quantity": 1}
    return [
        load, *({**vend, "transaction_id": f"v{n}", "occurred": (since + timedelta(seconds=n)).isoformat()} for n in range(1, VENDS + 1)),
    ]  # fmt: skip


class Cabinet(threading.Thread):
    """Publishes its transactions at QoS 1, then leaves the last one as its retained state."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.bodies = [json.dumps(one).encode() for one in transactions()]
        self.published = 0
        self._port = port

    def run(self) -> None:
        asyncio.run(self._publish())

    async def _publish(self) -> None:
        async with client(self._port, username="user", password=SECRET) as broker:
            for body in self.bodies:
                await broker.publish("cabinets/icu/cab1", body, qos=1)
                self.published += 1
                await asyncio.sleep(0.004)
            await broker.publish("cabinets/icu/cab1/last", self.bodies[-1], qos=1, retain=True)


def until(done: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def taken(hub: HubProcess) -> int:
    """Items of the feed that have an outcome."""
    with urllib.request.urlopen(f"{hub.url}/metrics", timeout=10) as answer:
        return sum(int(float(one)) for one in _TAKEN.findall(answer.read().decode()))


def settled(hub: HubProcess) -> int:
    """The same, once it has stopped growing."""
    found = -1
    while found != (found := taken(hub)):
        time.sleep(1)
    return found


def config(tmp_path: Path, broker: Mosquitto, client_id: str) -> list[str]:
    path = tmp_path / f"{client_id}.toml"
    path.write_text(
        f'[[mqtt]]\nhost = "{HOST}"\nport = {broker.port}\nsource = "cabinets"\nsite = "north"\nclient_id = "{client_id}"\n'
        f'topics = ["cabinets/#"]\nuser = "user"\npassword = "{SECRET}"\n',
        encoding="utf-8",
    )
    return ["--config", str(path)]


def test_vends_over_mqtt_count_once_through_everything(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    assert run_here("reference", "load", *(str(file) for file in sorted(EXAMPLE.glob("*.csv"))), "--data", str(data)).code == 0
    hub = HubProcess(data, arguments=config(tmp_path, broker, "hub-1"))
    cabinet = Cabinet(broker.port)
    try:
        hub.start()  # no broker is there, and that is no reason not to start
        until(lambda: "mqtt_not_connected" in "".join(hub.printed), "nobody says that the broker is away")
        broker.start()
        until(lambda: "mqtt_connected" in "".join(hub.printed), "not connected")
        cabinet.start()
        until(lambda: taken(hub) > VENDS // 8, "nothing is taken in")
        for share in (3, 2):
            hub.kill()
            until(lambda share=share: cabinet.published > VENDS // share, "the cabinet stands still")  # type: ignore[misc]
            hub.start()
        cabinet.join(WAIT_SECONDS)
        assert cabinet.published == VENDS + 1
        until(lambda: taken(hub) > VENDS + 1, "not all is taken in")
        before = settled(hub)
        hub.stop()
        hub.arguments = config(tmp_path, broker, "hub-2")  # a new session: the retained state comes with it
        hub.start()
        until(lambda: taken(hub) > before, "the retained state does not come")
        assert hub.stop() == 0
    finally:
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
    printed = "".join(hub.printed)
    assert f"feed cabinets mqtt://{HOST}:{broker.port} (cabinets/#)" in printed
    assert SECRET not in printed
    assert "Traceback" not in printed
    with LocalHub(data) as local:
        local.engine.run_until_idle()
        promises.check_all(local.engine)
        raw = Counter(record.value or b"" for record in promises.records(local.engine, "raw"))
        assert set(raw) >= set(cabinet.bodies)
        assert raw[cabinet.bodies[-1]] >= 3, "itself, as retained state, and as that of a new session"
        [position] = [row for row in local.views.positions(site="north") if row["location"] == "icu/cab1/d4/p07"]
        assert position["on_hand"] == SPARE
