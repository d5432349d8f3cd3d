"""Chromium, and the tower served over a projection of handmade records.

Without Chromium these tests are left out and say so; where `WARDSTOCK_REQUIRE` names `chromium`, leaving out is failing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from sinks.sql import Projection
from tests.browser.hospital import Log, network

CHROMIUM_ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_SECONDS_MAX = 60
PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Tower:
    """A served tower: its address, and the projection and log to add records with."""

    address: str
    projection: Projection
    log: Log


def chromium() -> str | None:
    """The system's Chromium, or None."""
    return shutil.which("chromium") or next((path for path in ("/usr/bin/chromium",) if Path(path).exists()), None)


def found_or_left_out(path: str | None, required: str) -> str:
    """The path, when there is one; else the test is left out loudly, or fails where `required` names chromium."""
    if path is not None:
        return path
    message = "LEFT OUT: THE TOWER WAS NOT TRIED IN A BROWSER, BECAUSE CHROMIUM IS NOT INSTALLED (DEBIAN PACKAGE chromium)"
    if "chromium" in required.replace(",", " ").split():
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = found_or_left_out(chromium(), os.environ.get("WARDSTOCK_REQUIRE", ""))
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
        yield launched
        launched.close()


def serve(url: str) -> tuple[subprocess.Popen[str], str]:
    """Start the tower in a process of its own and wait for its address; a server that never says it is ended."""
    command = [sys.executable, "-m", "tests.browser.serve", url]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    watchdog = threading.Timer(START_SECONDS_MAX, server.kill)
    watchdog.start()
    address = server.stdout.readline().strip() if server.stdout else ""
    watchdog.cancel()
    return server, address


def stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout:
        server.stdout.close()


def served(folder: Path, *, filled: bool) -> Iterator[Tower]:
    """A tower over a new projection in `folder`."""
    url = f"sqlite:///{folder / 'projection.db'}"
    projection, log = Projection(url), Log()
    if filled:
        projection.apply(network(log))
    server, address = serve(url)
    try:
        assert address.startswith("http://127.0.0.1:"), "the server did not start"
        yield Tower(address=address, projection=projection, log=log)
    finally:
        stop(server)
        projection.close()


@pytest.fixture(scope="session")
def tower(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tower]:
    """The handmade network; tests that add records ask for `own_tower`."""
    yield from served(tmp_path_factory.mktemp("tower"), filled=True)


@pytest.fixture
def own_tower(browser: Browser, tmp_path: Path) -> Iterator[Tower]:
    """An empty tower of one's own."""
    yield from served(tmp_path, filled=False)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when it asks another host for anything or logs an error."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    foreign = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    opened.on("request", lambda request: None if request.url.startswith(foreign) else troubles.append(f"asked for {request.url}"))
    yield opened
    context.close()
    assert troubles == []
