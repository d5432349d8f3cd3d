"""Serves the tower over one projection file, in a process of its own: `python -m tests.browser.serve DATABASE_URL`.

Prints its address on one line once it listens. A process of its own keeps NiceGUI's and uvicorn's globals out of the tests.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI

from sinks.sql import Views
from sinks.tower import mount_tower


def main(url: str) -> None:
    app = FastAPI()
    mount_tower(app, Views(url), title="Test hub", refresh_seconds=0.3, now=lambda: None)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
