"""A hub as a process of its own, started by `wardstock run`, and senders that talk to it over MLLP and HTTP.

A process is ended only by its own process object; where it listens is read from what it prints and from its folder.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from connectors.hl7.framing import Deframer, frame
from schemas.raw import CABINET_JSON, ERP_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, RawMessage
from tests.cli.running import environment, program

START_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 5.0
PATHS: Final = {CABINET_JSON: "/cabinet", SCAN_JSON: "/scans", FHIR_JSON: "/fhir", ERP_JSON: "/erp/answers"}
_MLLP: Final = re.compile(r"mllp://127\.0\.0\.1:(\d+)")


class HubProcess:
    """One `wardstock run` on a folder. `start` may be called again after `kill`."""

    def __init__(self, data: Path, tick_seconds: int = 5, *, arguments: Sequence[str] = (), **more: str) -> None:
        """`arguments` for `run`, and `more` environment."""
        self.data = data
        self.arguments = arguments
        self.more = more
        self.tick_seconds = tick_seconds
        self.url = ""
        self.mllp_port = 0
        self.process: subprocess.Popen[str] | None = None
        self.printed: list[str] = []

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            [*program(), "run", "--data", str(self.data), "--http-port", "0", "--mllp-port", "0", *self.arguments],
            env={**environment(), **self.more, "WARDSTOCK_TICK_SECONDS": str(self.tick_seconds)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self._reader.start()
        assert ready.wait(START_SECONDS), "".join(self.printed)
        assert self.process.poll() is None, "".join(self.printed)
        address = json.loads((self.data / "hub.json").read_text())
        assert address["pid"] == self.process.pid
        self.url = address["url"]

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line)
            found = _MLLP.search(line)
            if found:
                self.mllp_port = int(found.group(1))
            if line.lstrip().startswith("cabinets"):
                ready.set()
        ready.set()

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        assert self.process is not None
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """SIGTERM: it finishes what it took; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        assert self.process is not None
        code = self.process.wait(START_SECONDS)
        self._reader.join(START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Sender(threading.Thread):
    """Sends its messages one after the other, each again until it is acknowledged, wherever the hub is just now."""

    def __init__(self, hub: HubProcess, messages: list[RawMessage], *, over: str, spread_seconds: float = 0.0) -> None:
        """With `spread_seconds` they are spread over so long, until somebody says `hurry`."""
        super().__init__(daemon=True)
        self.pause = spread_seconds / max(len(messages), 1)
        self.hurry = threading.Event()
        self.hub = hub
        self.messages = messages
        self.attempts = 0
        self.acknowledged: list[bytes] = []
        self.give_up = threading.Event()
        self._send: Callable[[RawMessage], bool] = self._mllp if over == "mllp" else self._http

    def run(self) -> None:
        """Send everything."""
        for message in self.messages:
            if self.pause:
                self.hurry.wait(self.pause)
            while not self.give_up.is_set():
                self.attempts += 1
                if self._send(message):
                    self.acknowledged.append(message.body)
                    break
                time.sleep(0.02)

    def _http(self, message: RawMessage) -> bool:
        port = int(self.hub.url.rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        try:
            headers = {"X-Wardstock-Source": message.source, "X-Wardstock-Site": message.site or ""}
            connection.request("POST", PATHS[message.content_type], message.body, headers)
            return connection.getresponse().status == http.HTTPStatus.ACCEPTED
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _mllp(self, message: RawMessage) -> bool:
        assert message.content_type == HL7_ER7
        try:
            with socket.create_connection(("127.0.0.1", self.hub.mllp_port), ANSWER_SECONDS) as connection:
                connection.sendall(frame(message.body))
                deframer = Deframer(65_536)
                while data := connection.recv(65_536):
                    for block in deframer.feed(data):
                        return b"\rMSA|AA|" in block.content
        except OSError:
            return False
        return False
