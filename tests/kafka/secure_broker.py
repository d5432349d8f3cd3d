"""A broker as hospitals have it: doors with SASL over TLS (SCRAM and PLAIN) and with mutual TLS, and certificates of a CA of its own.

Certificates are made by the `openssl` program for 127.0.0.1 and for two days.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.kafka.broker import HOST, BrokerUnavailableError, Cluster, Listener

USER: Final = "wardstock"
PASSWORD: Final = "a-secret-for-tests"
KEY_PASSWORD: Final = "another-secret"
SCRAM, PLAIN, MUTUAL = "SCRAM", "PLAIN", "MUTUAL"


class Authority:
    """A certificate authority and what it signed, as PEM files in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        if shutil.which("openssl") is None:
            message = "openssl is not installed (Debian package openssl)"
            raise BrokerUnavailableError(message)
        folder.mkdir(parents=True)
        self._folder, self.certificate, self._key = folder, folder / "ca.pem", folder / "ca.key"
        usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self._request(name, self._key, self.certificate, *usage)

    def signed(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of a name, which may be a server on 127.0.0.1 or a client."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key))
        self._request(name, key, certificate, *by, "-addext", f"subjectAltName=IP:{HOST}", "-addext", "basicConstraints=CA:FALSE")
        return certificate, key

    def with_password(self, key: Path) -> Path:
        """The same key, readable with `KEY_PASSWORD` only."""
        locked = key.with_suffix(".locked.key")
        command = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", f"pass:{KEY_PASSWORD}"]
        subprocess.run(command, check=True, capture_output=True)
        return locked

    def _request(self, name: str, key: Path, certificate: Path, *more: str) -> None:
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key))
        command = ["openssl", "req", "-x509", *new, "-out", str(certificate), "-subj", f"/CN={name}", "-days", "2", *more]
        subprocess.run(command, check=True, capture_output=True)


def secure_cluster(folder: Path, authority: Authority) -> Cluster:
    """One broker with a door of each kind; nothing is started yet."""
    certificate, key = authority.signed("broker")
    identity = folder / "broker.both.pem"
    identity.write_bytes(key.read_bytes() + certificate.read_bytes())
    tls = {
        "ssl.keystore.type": "PEM", "ssl.keystore.location": identity, "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.certificate,
    }  # fmt: skip
    plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    listeners = [
        Listener(SCRAM, "SASL_SSL", {
            **tls, "sasl.enabled.mechanisms": "SCRAM-SHA-256", "scram-sha-256.sasl.jaas.config": scram,
        }),
        Listener(PLAIN, "SASL_SSL", {**tls, "sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": plain}),
        Listener(MUTUAL, "SSL", {**tls, "ssl.client.auth": "required"}),
    ]  # fmt: skip
    credential = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
    return Cluster(folder / "broker", 1, listeners=listeners, format_arguments=("--add-scram", credential))
