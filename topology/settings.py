"""Settings of a hub: from a TOML file and the environment (`WARDSTOCK_…`), frozen, unknown keys refused."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.hl7.mllp import CONNECTIONS_MAX
from connectors.hl7.profiles.shipped import STANDARD
from schemas.raw import BODY_BYTES_MAX
from topology.errors import InputRefusedError
from topology.kafka.connection import KafkaSettings
from topology.mqtt_feed import MqttFeed

EMBEDDED: Final = "embedded"
_KEY: Final = re.compile("[0-9a-fA-F]{64}")


class MllpFeed(BaseModel):
    """One MLLP listener beside the default one: a `[[feeds]]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: Annotated[int, Field(ge=0, le=65535, description="0 takes a free one")]
    source: Annotated[str, Field(min_length=1, description="the feed's name, as outcomes and feed watches call it")]
    profile: Annotated[str, Field(description="the profile its messages are read by")] = STANDARD
    site: Annotated[str | None, Field(description="site of messages whose facility is not known; else `default_site`")] = None
    message_bytes_max: Annotated[int, Field(ge=1_000, le=BODY_BYTES_MAX)] = BODY_BYTES_MAX
    idle_seconds: Annotated[float, Field(gt=0, le=86_400, description="a silent connection is closed after this")] = 300.0
    connections_max: Annotated[int, Field(ge=1, le=10_000)] = CONNECTIONS_MAX
    certificate: Annotated[Path | None, Field(description="PEM certificate: the listener speaks TLS")] = None
    key: Annotated[Path | None, Field(description="PEM key of the certificate")] = None
    client_ca: Annotated[Path | None, Field(description="PEM CA: clients must show a certificate it signed")] = None

    @model_validator(mode="after")
    def _tls_whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            msg = "certificate and key go together"
            raise ValueError(msg)
        if self.client_ca is not None and self.certificate is None:
            msg = "client_ca needs a certificate and key of the listener"
            raise ValueError(msg)
        return self


class DropFeed(BaseModel):
    """A folder that others drop files into: a `[[drops]]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    source: Annotated[str, Field(min_length=1, description="the feed's name, as outcomes and feed watches call it")]
    profile: Annotated[str, Field(description="the profile its HL7 v2 messages or reports are read by")] = STANDARD
    site: Annotated[str | None, Field(description="site of messages whose facility is not known; else `default_site`")] = None
    format: Annotated[str, Field(pattern="^(auto|hl7|fhir|cabinet|scan|report)$")] = "auto"
    settle_seconds: Annotated[float, Field(ge=0, le=3_600, description="taken when it has not changed for so long")] = 2.0
    poll_seconds: Annotated[float, Field(gt=0, le=3_600)] = 1.0

    @model_validator(mode="after")
    def _read_by(self) -> Self:
        if self.format == "report" and self.profile == STANDARD:
            msg = "a report is read by a profile that says what its columns mean: name it with `profile`"
            raise ValueError(msg)
        return self


class Settings(BaseSettings):
    """Everything a hub can be told. All listeners bind to `host`, 127.0.0.1 unless told otherwise."""

    model_config = SettingsConfigDict(env_prefix="WARDSTOCK_", env_nested_delimiter="__", frozen=True, extra="forbid")

    data: Annotated[Path, Field(description="the hub's folder")] = Path("wardstock-data")
    host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="tower, feeds and local API; 0 takes a free one")] = 8080
    mllp_port: Annotated[int, Field(ge=0, le=65535, description="HL7 v2 over MLLP; 0 takes a free one")] = 2575
    mllp_source: str = "mllp"
    mllp_profile: Annotated[str, Field(description="the profile that messages of the default MLLP feed are read by")] = STANDARD
    feeds: Annotated[tuple[MllpFeed, ...], Field(description="further MLLP listeners")] = ()
    drops: Annotated[tuple[DropFeed, ...], Field(description="folders that files are dropped into")] = ()
    mqtt: Annotated[tuple[MqttFeed, ...], Field(description="MQTT brokers that are subscribed to")] = ()
    default_site: Annotated[str | None, Field(description="site of messages whose facility is not known")] = None
    worker_port: Annotated[
        int, Field(ge=0, le=65535, description="health and metrics of a process that only folds; 0 takes a free one")
    ] = 0
    tick_seconds: Annotated[int, Field(ge=1, le=3600)] = 5
    projection_url: Annotated[SecretStr | None, Field(description="SQLAlchemy URL; SQLite in the folder without one")] = None
    broker: Annotated[str, Field(description="embedded, or kafka://host:port,host:port")] = EMBEDDED
    kafka: KafkaSettings = KafkaSettings()
    patient_key: Annotated[
        SecretStr | None, Field(description="on Kafka, the secret of the patient hash: 64 hex digits, the same everywhere")
    ] = None
    title: str = "Wardstock"
    downtime_packs: Annotated[Path | None, Field(description="folder that downtime packs are kept in, one folder a site")] = None
    downtime_pack_minutes: Annotated[
        int, Field(ge=1, le=1_440, description="a pack is never older than this while the hub runs")
    ] = 15

    @field_validator("patient_key")
    @classmethod
    def _hex(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _KEY.fullmatch(value.get_secret_value()):
            msg = "must be 64 hex digits: make it with `openssl rand -hex 32`"
            raise ValueError(msg)
        return value

    @field_validator("mqtt")
    @classmethod
    def _own_sessions(cls, value: tuple[MqttFeed, ...]) -> tuple[MqttFeed, ...]:
        sessions = [(feed.host, feed.port, feed.client_id) for feed in value]
        twice = next((one for number, one in enumerate(sessions) if one in sessions[:number]), None)
        if twice is not None:
            msg = f"client_id {twice[2]} stands twice for one broker: each would end the other's connection"
            raise ValueError(msg)
        return value


def load_settings(config: Path | None, **given: Any) -> Settings:
    """Settings: the command line overrules the environment, which overrules the file. Raises `InputRefusedError`."""
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = f"{config} can't be read: {error}"
            raise InputRefusedError(msg) from None
    values = {name: value for name, value in values.items() if f"WARDSTOCK_{name.upper()}" not in os.environ}
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors())
        msg = f"settings can't be used: {faults}"
        raise InputRefusedError(msg) from None
