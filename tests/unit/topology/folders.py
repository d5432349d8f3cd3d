"""Data folders for tests: made, filled, abandoned by a killed process, and looked into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.raw import RawMessage
from schemas.topics import RAW
from topology.embedded.engine import Engine
from topology.embedded.folder import DataFolder

AT: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ROOT: Final = Path(__file__).resolve().parents[3]
_WRITER: Final = """
import sys
from pathlib import Path
from tests.unit.topology.folders import bodies, message
from topology.embedded.engine import Engine
from topology.embedded.folder import DataFolder
engine = Engine(DataFolder(Path(sys.argv[1])).store, [])
number = 0
while True:
    engine.publish([message(number)])
    print(number, flush=True)
    number += 1
"""


def message(number: int) -> RawMessage:
    """A message of a few hundred bytes."""
    body = b"message %06d " % number + b"x" * 300
    return RawMessage(body=body, source="feed", connector="test", content_type="text/plain", received_at=AT)


def filled(path: Path, messages: int = 50) -> Path:
    """A folder with messages, each synced on its own, closed properly."""
    folder = DataFolder(path)
    engine = Engine(folder.store, [])
    for number in range(messages):
        engine.publish([message(number)])
    folder.close()
    return path


def killed(path: Path, acknowledged: int = 200) -> int:
    """A folder whose writer was killed with SIGKILL in full flight; returns how many messages it had acknowledged."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        count = 0
        for line in process.stdout:
            count = int(line) + 1
            if count == acknowledged:
                process.send_signal(signal.SIGKILL)
        process.wait()
    return count


def bodies(path: Path) -> list[bytes]:
    """Every raw body of a folder, in order."""
    folder = DataFolder(path)
    try:
        engine = Engine(folder.store, [])
        return [
            record.value or b""
            for partition, end in enumerate(engine.ends(RAW))
            for record in engine.read(RAW, partition, 0, end)
        ]
    finally:
        folder.close()


def write_ahead_logs(path: Path) -> list[Path]:
    """The write-ahead logs of the database that hold anything, oldest first."""
    return sorted(log for log in (path / "db").glob("*.log") if log.stat().st_size)


def flip(path: Path, at: int) -> None:
    """Flip all bits of one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
