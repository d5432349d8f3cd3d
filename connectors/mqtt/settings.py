"""What an MQTT feed can be told, what it counts, and its limits.

MQTT 5 and not 3.1.1: Receive Maximum bounds what a broker may send before it is acknowledged, the session's expiry can be asked
for, and refusals carry a reason. Acknowledging by hand works the same in both.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from connectors.mqtt.tls import BrokerTls
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON

CONTENTS: Final = {"cabinet": CABINET_JSON, "scan": SCAN_JSON, "fhir": FHIR_JSON, "hl7": HL7_ER7}
"""What a subscription may say its messages are."""
FILTER_BYTES_MAX: Final = 65_535
"""Of a topic filter (MQTT 5.0, 1.5.4)."""
IN_FLIGHT_MAX: Final = 32
"""Messages that a broker may send before the first of them is acknowledged: with `BODY_BYTES_MAX` the bound on memory."""
UNCONFIRMED_MAX: Final = 1_000
"""Messages of QoS 0 that wait to be taken up, which Receive Maximum does not bound; beyond it they are dropped and counted."""
SESSION_SECONDS: Final = 7 * 24 * 3_600
SESSION_FOR_EVER: Final = 0xFFFF_FFFF
"""A session expiry that means never (MQTT 5.0, 3.1.2.11.2)."""
RETRY_SECONDS: Final = (0.5, 30.0)
"""The rest after the first failed connection, and the longest; doubled in between."""
STEADY_SECONDS: Final = 10.0
"""A connection that held for so long was a good one: the next rest is short again."""
STORE_RETRY_SECONDS: Final = 1.0
"""How long a message rests that the hub could not store."""
ASK_AGAIN_SECONDS: Final = 60.0
"""How often a subscription that was not granted is asked for again."""
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
"""How long the broker may take to answer anything but a connection."""
FINISH_SECONDS: Final = 2.0
"""How long stopping waits for what is being stored, so that it can be acknowledged."""
NAME_CHARACTERS_MAX: Final = 200
"""Longest topic kept as a message's name; a longer one is cut."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter (`+` one level, `#` the rest) and what its messages are."""

    topic: str
    content: str = "cabinet"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """Which broker, what to ask it for, and what is known of the messages. `tls` None speaks plain TCP."""

    host: str
    port: int = 1883
    client_id: str
    subscriptions: tuple[Subscription, ...]
    source: str = "mqtt"
    site: str | None = None
    profile: str = "standard"
    user: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    tls: BrokerTls | None = None
    keepalive_seconds: int = 30
    session_seconds: int = SESSION_SECONDS
    in_flight_max: int = IN_FLIGHT_MAX
    retry_seconds: tuple[float, float] = RETRY_SECONDS
    store_retry_seconds: float = STORE_RETRY_SECONDS
    ask_again_seconds: float = ASK_AGAIN_SECONDS

    @property
    def broker(self) -> str:
        """The broker's address, as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls is not None else ''}://{host}:{self.port}"

    @property
    def status_topic(self) -> str:
        """Where the hub says whether it listens: retained, `online` or `offline`."""
        return f"wardstock/{self.client_id}/status"


@dataclasses.dataclass(slots=True)
class MqttCounters:
    """What a subscriber has seen since it started.

    `failures`: connections refused, not reached or lost; `sessions_lost`: reconnections at which the broker had forgotten the
    session, so that what was published meanwhile is missing; `not_granted`: subscriptions refused or granted at QoS 0; `stored`:
    of QoS 1 and 0; `retained`: of them, sent because a subscription was new; `unconfirmed`: of them, of QoS 0; `dropped`: QoS 0,
    not stored; `unavailable`: attempts to store that failed; `oversize`, `empty`: acknowledged and not stored; `unasked`: stored,
    though no subscription asks for its topic; `in_flight`: arrived and not acknowledged, just now; `in_flight_peak`: at most.
    """

    connections: int = 0
    failures: int = 0
    sessions_lost: int = 0
    not_granted: int = 0
    stored: int = 0
    retained: int = 0
    unconfirmed: int = 0
    dropped: int = 0
    unavailable: int = 0
    oversize: int = 0
    empty: int = 0
    unasked: int = 0
    in_flight: int = 0
    in_flight_peak: int = 0


def filter_fault(topic: str) -> str | None:
    """What is wrong with a topic filter (MQTT 5.0, 4.7), in words; None when it is good.

    Shared subscriptions are refused: a broker gives each message to any one of the group, and neither keeps their order nor
    keeps what a member that went away for good had not acknowledged.
    """
    levels = topic.split("/")
    if not topic or len(topic.encode()) > FILTER_BYTES_MAX or "\0" in topic:
        return f"a topic has 1 to {FILTER_BYTES_MAX} bytes and no NUL"
    if levels[0] == "$share":
        return "shared subscriptions don't keep the order of messages: subscribe to the topic itself"
    if any("+" in level and level != "+" for level in levels):
        return "+ stands for a whole level of a topic: a/+/b"
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return "# stands for the whole rest of a topic, as its last level: a/#"
    return None
