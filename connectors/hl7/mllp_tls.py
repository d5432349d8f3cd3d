"""TLS for MLLP: a server certificate, and client certificates where a CA for them is named.

TLS 1.2 at least (IHE ITI TF-2 §3.19, BCP 195). Who may connect is decided by the CA alone; who connected stands in the raw
message.
"""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path
from typing import Any


class TlsError(ValueError):
    """Certificates that can't be used. The text names the file and what is wrong with it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files: the server's certificate (with its chain) and key, and the CA of clients when they must show a certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """The context to listen with. Raises `TlsError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError, ValueError) as error:
        msg = f"{files.certificate} and {files.key} are no usable certificate and key: {_reason(error)}"
        raise TlsError(msg) from None
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except (OSError, ssl.SSLError, ValueError) as error:
            msg = f"{files.client_ca} is no usable CA certificate for clients: {_reason(error)}"
            raise TlsError(msg) from None
    return context


def common_name(certificate: dict[str, Any] | None) -> str:
    """The common name of a peer's certificate, as `ssl` gives it; "" without one."""
    for relative in (certificate or {}).get("subject", ()):
        for name, value in relative:
            if name == "commonName":
                return str(value)
    return ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
