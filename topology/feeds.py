"""The feeds of a hub that it opens itself: MLLP listeners, drop folders and MQTT subscribers, started and stopped together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from connectors.contract import Publish
from connectors.files.drop import DropError, DropFolder, DropSettings
from connectors.hl7.judging import judge_by
from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.hl7.mllp_modes import Verdict
from connectors.hl7.mllp_tls import TlsError, TlsFiles
from connectors.hl7.profiles.compile import Compiled, ProfileError, compile_profile
from connectors.hl7.profiles.shipped import compiled_shipped, shipped
from connectors.mqtt.subscriber import MqttSubscriber
from connectors.mqtt.tls import BrokerTlsError
from schemas.profile import PROFILE, Profile
from sinks.sql.views import Views
from topology.errors import HubError, InputRefusedError
from topology.settings import DropFeed, MllpFeed, Settings

LOOK_SECONDS = 5.0
"""How long a listener goes on with the profile it last saw: a changed one asks for AE or AR a little later."""


DROP_RETRY_SECONDS = 5.0
_log = structlog.get_logger("wardstock.feeds")


class Feeds:
    """All MLLP listeners, drop folders and MQTT subscribers of a hub."""

    def __init__(self, publish: Publish, views: Views, settings: Settings) -> None:
        """Opens nothing yet."""
        default = MllpFeed(port=settings.mllp_port, source=settings.mllp_source, profile=settings.mllp_profile)
        self._feeds = (default, *settings.feeds)
        self._settings = settings
        self.listeners = [MllpListener(publish, _listening(feed, settings, views)) for feed in self._feeds]
        self.drops = [DropFolder(publish, _dropping(feed, settings), lambda: datetime.now(UTC)) for feed in settings.drops]
        self.subscribers = [MqttSubscriber(publish, feed.connecting(settings.default_site)) for feed in settings.mqtt]
        self._watching: list[asyncio.Task[None]] = []

    @property
    def default(self) -> MllpListener:
        """The listener of `mllp_port`."""
        return self.listeners[0]

    @property
    def port(self) -> int:
        """The port it has."""
        return self.default.address[1]

    async def start(self) -> None:
        """Begin to listen, to watch and to subscribe.

        Raises `HubError` when a port is taken or certificates or a folder can't be used. A broker that is away is tried again.
        """
        try:
            for feed, listener in zip(self._feeds, self.listeners, strict=True):
                await self._start(feed, listener)
            for drop in self.drops:
                _open(drop)
                self._watching.append(asyncio.ensure_future(_watch(drop)))
            for subscriber in self.subscribers:
                await _subscribe(subscriber)
        except HubError:
            await self.stop()
            raise

    async def _start(self, feed: MllpFeed, listener: MllpListener) -> None:
        try:
            await listener.start()
        except TlsError as error:
            msg = f"feed {feed.source}: {error}"
            raise InputRefusedError(msg) from None
        except OSError:
            where = "--mllp-port" if listener is self.default else f"the port of feed {feed.source}"
            msg = f"port {feed.port} on {self._settings.host} is taken: choose another with {where}"
            raise HubError(msg) from None

    async def stop(self) -> None:
        """Close all. A file that is being read stays claimed and is read again by the next start."""
        await asyncio.gather(*(subscriber.stop() for subscriber in self.subscribers))
        for listener in self.listeners:
            await listener.stop()
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        for drop in self.drops:
            drop.close()

    def shown(self) -> Sequence[str]:
        """A line for each further feed."""
        return [
            f"feed {listener.settings.source} mllp{'s' if listener.settings.tls else ''}://{self._settings.host}:{listener.address[1]}"
            f" (profile {listener.settings.profile})"
            for listener in self.listeners[1:]
        ] + [
            *(f"feed {drop.settings.source} files dropped into {drop.settings.path}" for drop in self.drops),
            *(f"feed {one.settings.source} {one.settings.broker} ({_topics(one)})" for one in self.subscribers),
        ]


def _listening(feed: MllpFeed, settings: Settings, views: Views) -> MllpSettings:
    tls = None
    if feed.certificate is not None and feed.key is not None:
        tls = TlsFiles(certificate=feed.certificate, key=feed.key, client_ca=feed.client_ca)
    return MllpSettings(
        host=settings.host, port=feed.port, source=feed.source, site=feed.site or settings.default_site, profile=feed.profile,
        message_bytes_max=feed.message_bytes_max, idle_seconds=feed.idle_seconds, connections_max=feed.connections_max, tls=tls,
        judge=_Judge(feed.profile, views),
    )  # fmt: skip


def _dropping(feed: DropFeed, settings: Settings) -> DropSettings:
    return DropSettings(
        path=feed.path, source=feed.source, profile=feed.profile, site=feed.site or settings.default_site, format=feed.format,
        settle_seconds=feed.settle_seconds, poll_seconds=feed.poll_seconds,
    )  # fmt: skip


def _open(drop: DropFolder) -> None:
    try:
        drop.open()
    except DropError as error:
        msg = f"feed {drop.settings.source}: {error}"
        raise InputRefusedError(msg) from None


def _topics(subscriber: MqttSubscriber) -> str:
    return ", ".join(one.topic for one in subscriber.settings.subscriptions)


async def _subscribe(subscriber: MqttSubscriber) -> None:
    try:
        await subscriber.start()
    except BrokerTlsError as error:
        msg = f"feed {subscriber.settings.source}: {error}"
        raise InputRefusedError(msg) from None


async def _watch(drop: DropFolder) -> None:
    """Watch a folder for ever; a folder that fails (a lost mount) is looked at again after a while."""
    while True:
        try:
            await drop.run()
        except OSError as error:
            _log.error("drop_folder_failed", source=drop.settings.source, error=error.strerror or type(error).__name__)
        await asyncio.sleep(DROP_RETRY_SECONDS)


class _Judge:
    """Says AE or AR of messages that a feed's profile can't read, where the profile asks for it."""

    def __init__(self, name: str, views: Views) -> None:
        self._name = name
        self._views = views
        self._looked = float("-inf")
        self._compiled: Compiled | None = None

    def __call__(self, content: bytes) -> tuple[Verdict, str] | None:
        """The verdict on a stored message."""
        compiled = self._profile()
        wanted = compiled.profile.acknowledge if compiled is not None else None
        if compiled is None or wanted is None or wanted.refused == "AA":
            return None
        reason = judge_by(compiled, content)
        if reason is None:
            return None
        return (Verdict.REJECTED if wanted.refused == "AR" else Verdict.ERROR), reason

    def _profile(self) -> Compiled | None:
        """The feed's profile as reference data has it now, looked up every `LOOK_SECONDS`, and until it is there."""
        found = compiled_shipped(self._name)
        if found is not None:
            return found
        if self._compiled is None or time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            known: dict[str, Profile] = {row["profile"]: PROFILE.validate(row) for row in self._views.reference("profile")}
            try:
                bases = {**known, **shipped()}
                self._compiled = compile_profile(known[self._name], bases.get) if self._name in known else None
            except ProfileError:
                self._compiled = None
        return self._compiled
