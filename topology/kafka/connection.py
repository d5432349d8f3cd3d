"""How every client reaches Kafka: addresses, security and the names of topics. One set of settings for three client libraries.

Security settings carry librdkafka's names (`security.protocol`, `sasl.mechanism`, `ssl.ca.location`, …) and are passed through to
confluent-kafka as they are; for aiokafka they are translated.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

from confluent_kafka import KafkaException
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from topology.errors import InputRefusedError

C = TypeVar("C")

SCHEME: Final = "kafka://"
RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest record of any topic: a refused message of 4 MiB in base64, with its reason."""

_AIOKAFKA: Final = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}
_SSL: Final = frozenset({"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password"})


class KafkaSettings(BaseModel):
    """What a hub is told about its Kafka. `security` carries librdkafka's names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", description="stands before every topic and group")] = ""
    replication: Annotated[int, Field(ge=1, le=15)] = 3
    min_insync: Annotated[int, Field(ge=1, le=15, description="copies that must have a record before it counts")] = 2
    raw_retention_days: Annotated[int | None, Field(ge=1, description="raw messages older than this go; none keeps them")] = None
    session_seconds: Annotated[int, Field(ge=6, le=300, description="a silent worker loses its partitions after this")] = 10
    security: dict[str, SecretStr] = {}

    @field_validator("security")
    @classmethod
    def _known(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        unknown = sorted(set(value) - set(_AIOKAFKA) - _SSL)
        if unknown:
            msg = f"not a security setting: {', '.join(unknown)} (known: {', '.join(sorted(set(_AIOKAFKA) | _SSL))})"
            raise ValueError(msg)
        return value


class Connection:
    """Addresses and settings, in the form each client library wants."""

    def __init__(self, bootstrap: str, settings: KafkaSettings) -> None:
        """`bootstrap` is `host:port,host:port`."""
        self.bootstrap = bootstrap
        self.settings = settings

    def topic(self, name: str) -> str:
        """The name a topic has in this cluster."""
        return self.settings.prefix + name

    def name(self, of: str) -> str:
        """A group or transactional id."""
        return f"{self.settings.prefix}wardstock-{of}"

    def confluent(self, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Configuration of a confluent-kafka client, which writes nothing to standard error: errors reach its callbacks."""
        stated = {name: value.get_secret_value() for name, value in self.settings.security.items()}
        return {"bootstrap.servers": self.bootstrap, "log_level": 0, **stated, **(more or {})}

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of an aiokafka client. Raises `InputRefusedError` when the certificates can't be read."""
        stated = {name: value.get_secret_value() for name, value in self.settings.security.items()}
        arguments: dict[str, Any] = {
            _AIOKAFKA[name]: value.upper() if name == "security.protocol" else value
            for name, value in stated.items()
            if name in _AIOKAFKA
        }
        if "SSL" in arguments.get("security_protocol", ""):
            arguments["ssl_context"] = _ssl_context(stated)
        return {"bootstrap_servers": self.bootstrap, **arguments}


def opened(client: Callable[[dict[str, Any]], C], configuration: Mapping[str, Any]) -> C:
    """A confluent-kafka client. Raises `InputRefusedError` when its settings can't be used: a certificate that can't be read."""
    try:
        return client(dict(configuration))
    except KafkaException as error:
        msg = f"the Kafka settings can't be used: {error.args[0].str()}"
        raise InputRefusedError(msg) from None


def bootstrap_of(broker: str) -> str:
    """The addresses in `kafka://host:port,…`. Raises `InputRefusedError` for anything else."""
    addresses = broker.removeprefix(SCHEME).split(",")
    if not broker.startswith(SCHEME) or not all(":" in one and one.rsplit(":", 1)[1].isdigit() for one in addresses):
        msg = f"{broker!r} is no broker: write embedded, or kafka://host:port,host:port"
        raise InputRefusedError(msg)
    return ",".join(addresses)


def _ssl_context(stated: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=stated.get("ssl.ca.location"))
        if "ssl.certificate.location" in stated:
            context.load_cert_chain(
                stated["ssl.certificate.location"], stated.get("ssl.key.location"), stated.get("ssl.key.password")
            )
    except (OSError, ssl.SSLError) as error:
        msg = f"the Kafka certificates can't be used: {error}"
        raise InputRefusedError(msg) from None
    return context
