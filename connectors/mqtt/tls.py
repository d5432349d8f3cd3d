"""TLS towards a broker: its certificate is verified against a CA file or the system's, with its host name; TLS 1.2 at least."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path


class BrokerTlsError(ValueError):
    """TLS files that can't be used. The text names the file and what is wrong with it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """PEM files: the CA of the broker (the system's without one); the hub's own certificate and key where one is asked for."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def broker_context(files: BrokerTls) -> ssl.SSLContext:
    """The context to connect with. Raises `BrokerTlsError`."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=files.ca)
    except (OSError, ssl.SSLError, ValueError) as error:
        msg = f"{files.ca} is no usable CA certificate: {_reason(error)}"
        raise BrokerTlsError(msg) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        try:
            # Without a password given, a key that needs one would have OpenSSL ask for it at the terminal.
            context.load_cert_chain(files.certificate, files.key, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            msg = f"{files.certificate} and {files.key} are no usable certificate and key: {_reason(error)}"
            raise BrokerTlsError(msg) from None
    return context


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
