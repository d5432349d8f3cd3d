"""The peers of the common work, each in a process of its own that prints one JSON line: events and seconds, first to last.

Quix Streams lives in a virtual environment in the user's cache and Kafka Streams in a folder of jars there, so that our own lock
stays as it is. What can't be brought or run is a sentence instead of a rate.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
POM: Final = HERE / "pom.xml"
QUIX: Final = "quixstreams==3.28.1"
PROCESS_SECONDS_MAX: Final = 180
_INSTALL_SECONDS_MAX: Final = 600


@dataclass(frozen=True)
class Task:
    """What a peer is told."""

    bootstrap: str
    topic: str
    count: int
    folder: Path


@dataclass(frozen=True)
class Peer:
    """A peer, and how it is started in a mode: `command` brings what it needs, or raises `NotThereError`."""

    name: str
    mode: str
    command: Callable[[Path], list[str]]
    measured_seconds_max: int = 60
    """If it needs longer it stops there: its rate is of what it did until then."""

    def run(self, task: Task) -> float | str:
        """Events a second, or why there is no rate."""
        own = task.folder / f"peer-{uuid.uuid4().hex[:8]}"
        own.mkdir()
        environment = {
            **os.environ, "BENCH_BROKER": task.bootstrap, "BENCH_TOPIC": task.topic, "BENCH_EVENTS": str(task.count),
            "BENCH_SECONDS": str(self.measured_seconds_max), "BENCH_MODE": self.mode, "BENCH_FOLDER": str(own),
        }  # fmt: skip
        try:
            command = self.command(own)
            done = subprocess.run(
                command, env=environment, cwd=own, capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS_MAX
            )
        except NotThereError as missing:
            return str(missing)
        except subprocess.TimeoutExpired:
            return f"it did not end within {PROCESS_SECONDS_MAX} s"
        said = [line for line in done.stdout.splitlines() if line.startswith('{"events"')]
        if not said:
            return f"it ended with {done.returncode}: {_end(done)}"
        measured = json.loads(said[-1])
        return float(measured["events"] / measured["seconds"])


class NotThereError(Exception):
    """What a peer needs can't be brought here."""


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wardstock"


def _bring(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS_MAX)
    if done.returncode:
        message = f"{Path(command[0]).name} failed: {_end(done)}"
        raise NotThereError(message)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    """The last line it said."""
    return ((done.stderr + done.stdout).strip().splitlines() or ["it said nothing"])[-1][-200:]


def _faust(folder: Path) -> list[str]:
    return [sys.executable, str(HERE / "peer_faust.py"), "worker", "--loglevel", "error"]


def _quix(folder: Path) -> list[str]:
    """Its own environment, made once."""
    place = _cache() / f"{QUIX.replace('==', '-')}-{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = place / "bin" / "python", place / ".installed"
    if not stamp.exists():
        shutil.rmtree(place, ignore_errors=True)
        _bring(sys.executable, "-m", "venv", str(place))
        _bring(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", QUIX)
        stamp.touch()
    return [str(python), str(HERE / "peer_quix.py")]


def _kafka_streams(folder: Path) -> list[str]:
    """Jars that Maven brings once, and the class compiled into the peer's folder."""
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        message = f"{missing[0]} is not installed"
        raise NotThereError(message)
    jars = _cache() / f"kafka-streams-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if not jars.exists():
        incoming = jars.with_name(f"incoming-{uuid.uuid4().hex}")
        _bring("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={incoming}")
        incoming.rename(jars)
    _bring("javac", "-cp", f"{jars}/*", "-d", str(folder), str(HERE / "PeerKafkaStreams.java"))
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return ["java", "-Xmx512m", quiet, "-cp", f"{folder}{os.pathsep}{jars}/*", "PeerKafkaStreams"]


PEERS: Final = (
    Peer("Kafka Streams 4.1, exactly once, 1 thread", "exactly_once_v2", _kafka_streams),
    Peer("Quix Streams 3.28, exactly once", "exactly-once", _quix),
    Peer("Quix Streams 3.28, at least once", "at-least-once", _quix),
    Peer("Faust 0.15.3 as documented, table in memory", "memory://", _faust, measured_seconds_max=20),
    Peer("Faust 0.15.3 as documented, table in RocksDB", "rocksdb://", _faust, measured_seconds_max=20),
)
