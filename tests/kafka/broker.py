"""A real Apache Kafka for tests: KRaft brokers from the Maven jars, on 127.0.0.1, stopped by their own process ids.

One broker serves the contract tests; three make a cluster with replication, whose brokers can be killed and started again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

POM = Path(__file__).with_name("pom.xml")
HOST = "127.0.0.1"
HEAP = ("-Xms192m", "-Xmx384m")
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
_LOG_CONFIG = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


class BrokerUnavailableError(Exception):
    """What is missing for a broker, in words for a person."""


def jars() -> Path:
    """The folder of Kafka's jars; Maven brings them once. Raises `BrokerUnavailableError`."""
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            message = f"{program} is not installed (Debian package {package})"
            raise BrokerUnavailableError(message)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wardstock"
    folder = cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    incoming = cache / f"incoming-{uuid.uuid4().hex}"
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={incoming}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"Maven could not bring Kafka's jars: {(done.stdout + done.stderr).strip()[-500:]}"
        raise BrokerUnavailableError(message)
    try:
        incoming.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(incoming)
    return folder


@dataclass(frozen=True)
class Listener:
    """A door beside the plain one: its name and protocol, and the broker's properties for it."""

    name: str
    protocol: str
    properties: Mapping[str, object] = field(default_factory=dict)


class Broker:
    """One broker process, with a folder and ports of its own that it keeps over restarts."""

    def __init__(self, number: int, folder: Path, cluster: Cluster) -> None:
        self.number = number
        self.folder = folder
        self.port, self.controller_port = _free_port(), _free_port()
        self.doors = {one.name: _free_port() for one in cluster.listeners}
        self._cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start without waiting; `Cluster.wait` does that."""
        config = self.folder / "server.properties"
        if not config.exists():
            self.folder.mkdir(parents=True)
            config.write_text(self._properties(), encoding="utf-8")
            format_ = ("format", "-t", self._cluster.id, "-c", str(config), *self._cluster.format_arguments)
            self._java("kafka.tools.StorageTool", *format_).wait()
        self._process = self._java("kafka.Kafka", str(config))

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Stop this broker's own process and wait for its end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        return (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")[-1500:]

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "broker.log").open("ab") as log:
            return subprocess.Popen(
                ["java", *HEAP, _LOG_CONFIG, "-cp", f"{self._cluster.jars}/*", *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _properties(self) -> str:
        brokers = self._cluster.brokers
        copies = len(brokers)
        voters = ",".join(f"{broker.number}@{HOST}:{broker.controller_port}" for broker in brokers)
        more = self._cluster.listeners
        own = ",".join([f"PLAINTEXT://{HOST}:{self.port}", *(f"{one.name}://{HOST}:{self.doors[one.name]}" for one in more)])
        protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT", **{one.name: one.protocol for one in more}}
        values = {
            "process.roles": "broker,controller", "node.id": self.number, "controller.quorum.voters": voters,
            "listeners": f"{own},CONTROLLER://{HOST}:{self.controller_port}", "advertised.listeners": own,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "log.dirs": self.folder / "log", "offsets.topic.replication.factor": copies, "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies, "transaction.state.log.num.partitions": 8,
            "transaction.state.log.min.isr": min(2, copies), "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false", "num.network.threads": 2, "num.io.threads": 4,
            "broker.session.timeout.ms": 6000, "replica.lag.time.max.ms": 8000,
        }  # fmt: skip
        for one in more:
            values.update({f"listener.name.{one.name.lower()}.{name}": value for name, value in one.properties.items()})
        return "".join(f"{name}={value}\n" for name, value in values.items())


class Cluster:
    """Brokers that form one cluster."""

    def __init__(
        self, folder: Path, brokers: int, *, listeners: Sequence[Listener] = (), format_arguments: Sequence[str] = ()
    ) -> None:
        """With `listeners` every broker has more doors; tests and brokers themselves still use the plain one."""
        self.jars = jars()
        self.listeners, self.format_arguments = listeners, format_arguments
        self.id = "d2FyZHN0b2NrdGVzdHMwMA"
        self.brokers: list[Broker] = []
        self.brokers.extend(Broker(number, folder / str(number), self) for number in range(1, brokers + 1))

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)

    def start(self) -> None:
        """Start all brokers and wait until they serve."""
        for broker in self.brokers:
            broker.start()
        self.wait()

    def wait(self) -> None:
        """Wait until every broker that runs has joined. Raises `BrokerUnavailableError` when one does not."""
        running = [broker for broker in self.brokers if broker.running]
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            dead = next((broker for broker in running if not broker.running), None)
            if dead is not None:
                message = f"broker {dead.number} ended: {dead.last_words()}"
                raise BrokerUnavailableError(message)
            if _listening(running) and len(_members(self.bootstrap)) >= len(running):
                return
            time.sleep(0.2)
        message = f"the brokers did not form a cluster within {START_SECONDS_MAX} s: {running[0].last_words()}"
        raise BrokerUnavailableError(message)

    def stop(self) -> None:
        for broker in self.brokers:
            broker.kill()


def _listening(brokers: list[Broker]) -> bool:
    for broker in brokers:
        with socket.socket() as one:
            one.settimeout(1)
            if one.connect_ex((HOST, broker.port)):
                return False
    return True


def _members(bootstrap: str) -> dict[int, object]:
    try:
        return dict(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=5).brokers)
    except KafkaException:
        return {}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])
