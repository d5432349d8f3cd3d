"""One MQTT feed in the settings: a `[[mqtt]]` table, and what the connector is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SerializationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from connectors.hl7.profiles.shipped import STANDARD
from connectors.mqtt.settings import IN_FLIGHT_MAX, SESSION_FOR_EVER, SESSION_SECONDS, MqttSettings, Subscription, filter_fault
from connectors.mqtt.tls import BrokerTls

REVEAL: Final = "reveal"
"""A serialisation context that has it gets passwords as they are: for the intake process, over a pipe of its own."""


class MqttTopic(BaseModel):
    """One subscription, at QoS 1. A bare topic in the settings is one with the default content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Annotated[str, Field(description="a topic filter: + is one level, # the rest")]
    content: Annotated[str, Field(pattern="^(cabinet|scan|fhir|hl7)$", description="what its messages are")] = "cabinet"

    @field_validator("topic")
    @classmethod
    def _is_filter(cls, value: str) -> str:
        fault = filter_fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value


def _whole(topic: Any) -> Any:
    return {"topic": topic} if isinstance(topic, str) else topic


class MqttFeed(BaseModel):
    """One broker that the hub subscribes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1, max_length=253, description="the broker")]
    port: Annotated[int | None, Field(ge=1, le=65535, description="1883, or 8883 with TLS, unless it is another")] = None
    source: Annotated[str, Field(min_length=1, description="the feed's name, as outcomes and feed watches call it")]
    client_id: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[^/+#\x00-\x20]+$", description="names the session: one of a broker")
    ]
    topics: Annotated[
        tuple[Annotated[MqttTopic, BeforeValidator(_whole)], ...],
        Field(min_length=1, max_length=1_000, description="what to ask for"),
    ]
    user: str | None = None
    password: SecretStr | None = None
    tls: Annotated[bool, Field(description="also by naming any of the three files")] = False
    ca: Annotated[Path | None, Field(description="PEM CA of the broker; the system's without one")] = None
    certificate: Annotated[Path | None, Field(description="PEM certificate of the hub, where the broker asks for one")] = None
    key: Annotated[Path | None, Field(description="PEM key of the certificate")] = None
    profile: Annotated[str, Field(description="the profile its HL7 v2 messages are read by")] = STANDARD
    site: Annotated[str | None, Field(description="site of messages whose facility is not known; else `default_site`")] = None
    keepalive_seconds: Annotated[int, Field(ge=5, le=3_600, description="a silent connection is tested so often")] = 30
    session_seconds: Annotated[
        int, Field(ge=60, le=SESSION_FOR_EVER, description="how long the broker keeps messages for a hub that is away")
    ] = SESSION_SECONDS
    in_flight_max: Annotated[int, Field(ge=1, le=1_000, description="messages sent and not acknowledged")] = IN_FLIGHT_MAX

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            msg = "certificate and key go together"
            raise ValueError(msg)
        if self.password is not None and self.user is None:
            msg = "password needs a user"
            raise ValueError(msg)
        return self

    @field_serializer("password", when_used="json")
    def _password(self, value: SecretStr | None, info: SerializationInfo) -> str | None:
        if value is None:
            return None
        return value.get_secret_value() if (info.context or {}).get(REVEAL) else str(value)

    @property
    def _tls(self) -> BrokerTls | None:
        if not (self.tls or self.ca or self.certificate):
            return None
        return BrokerTls(ca=self.ca, certificate=self.certificate, key=self.key)

    def connecting(self, default_site: str | None) -> MqttSettings:
        """What the connector is told."""
        tls = self._tls
        return MqttSettings(
            host=self.host, port=self.port or (1883 if tls is None else 8883), client_id=self.client_id,
            subscriptions=tuple(Subscription(one.topic, one.content) for one in self.topics), source=self.source,
            site=self.site or default_site, profile=self.profile, user=self.user,
            password=self.password.get_secret_value() if self.password is not None else None, tls=tls,
            keepalive_seconds=self.keepalive_seconds, session_seconds=self.session_seconds, in_flight_max=self.in_flight_max,
        )  # fmt: skip
