"""A TCP socket taken before anything else starts, so that a busy port is a sentence."""

from __future__ import annotations

import errno
import socket

from topology.errors import HubError


def bound(host: str, port: int, advice: str) -> socket.socket:
    """A socket on the port; 0 takes a free one. Raises `HubError`: with the `advice` when the port is taken."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        msg = f"port {port} on {host} is taken: {advice}" if is_taken else f"can't listen on {host}: {error.strerror}"
        raise HubError(msg) from None
    return taken
