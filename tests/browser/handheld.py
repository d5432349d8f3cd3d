"""A handheld with the scanner page, and the hub it sends to: what a person does, in words."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, Locator, Page, expect

from schemas.raw import SCAN_JSON, from_headers
from schemas.topics import RAW, TOPICS
from tests.cli.running import EXAMPLE, run_here
from tests.simulation.live_hub import HubProcess
from topology.local import LocalHub

QUIET_MS: Final = 350
"""Longer than a scan that began before the page listened goes on for."""
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
GS: Final = "\x1d"
SALINE: Final = "0100303380049042"
"""Sodium chloride 0.9 % 1000 mL: a package is a case of 14 bags."""
SALINE_ITEM: Final = "sodium-chloride-0.9pct-1000ml-bag"


@dataclass
class Hub:
    """A hub as a process of its own on a folder with the example network; stopped and started, it keeps its address."""

    folder: Path
    port: int = 0
    messages: int = 0
    """Messages that `received` found, resends included."""
    process: HubProcess = field(init=False)

    def start(self) -> None:
        """Start it where it was."""
        self.process = HubProcess(self.folder, 1, arguments=("--http-port", str(self.port)))
        self.process.start()
        self.port = int(self.process.url.rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        """Its address."""
        return self.process.url

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self.process.process is not None and self.process.process.poll() is None:
            self.process.stop()

    def stock(self, location: str = "", lot: str = "") -> dict[tuple[str, str], int]:
        """Quantity by place and lot, as the hub's own view says it, up to what was durable when asked."""
        token = json.loads((self.folder / "hub.json").read_text())["token"]
        request = urllib.request.Request(f"{self.url}/api/v1/view/stock?site=north", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            rows = json.loads(answer.read())
        found: dict[tuple[str, str], int] = {}
        for row in rows:
            if (not location or row["location"] == location) and (not lot or row["lot"] == lot):
                place = (row["location"], row["lot"])
                found[place] = found.get(place, 0) + row["quantity"]
        return found

    def scans(self, session: str) -> dict[str, Any]:
        """How a session's scans ended, as anybody may ask."""
        with urllib.request.urlopen(f"{self.url}/scans/{session}", timeout=30) as answer:
            return json.loads(answer.read())  # type: ignore[no-any-return]

    def received(self) -> list[dict[str, Any]]:
        """Every scan in the raw log, in the order first stored. Stops the hub.

        A batch whose answer did not arrive is sent again: then it must be the same to the byte, under the same key.
        """
        self.stop()
        with LocalHub(self.folder, None) as hub:
            engine = hub.engine
            messages = []
            for partition in range(TOPICS[RAW].partitions):
                for record in engine.read(RAW, partition, 0, engine.ends(RAW)[partition]):
                    headers = dict(record.headers)
                    if headers.get("ce_type") == "RawMessage":
                        messages.append(from_headers(headers, record.value or b""))
        taken = [one for one in messages if one.content_type.startswith(SCAN_JSON)]
        assert all(one.source == "scanner-page" and one.name for one in taken)
        self.messages = len(taken)
        bodies = {one.name: one.body for one in reversed(taken)}
        assert all(bodies[one.name] == one.body for one in taken)
        first = {one.name: one for one in sorted(taken, key=lambda one: one.received_at, reverse=True)}
        return [scan for one in reversed(first.values()) for scan in json.loads(one.body)]

    def outcomes(self) -> dict[str, int]:
        """How many items ended in which way, resends left out. The hub must be stopped."""
        with LocalHub(self.folder, None) as hub:
            rows = [row for row in hub.views.outcomes() if row["code"] != "duplicate"]
        return {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in {row["outcome"] for row in rows}}


def hub_in(folder: Path) -> Hub:
    """A running hub with the example network."""
    loaded = run_here("reference", "load", str(EXAMPLE), "--data", str(folder))
    assert loaded.code == 0, loaded.err
    hub = Hub(folder)
    hub.start()
    return hub


class Handheld:
    """One tab of the scanner page."""

    def __init__(self, context: BrowserContext, hub: Hub, *, hub_is: str = "there") -> None:
        """Open the page; `hub_is` is what it must find (`there`, `away`)."""
        self.context = context
        self.hub = hub
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self._own(request.url))
        self.page.goto(f"{hub.url}/scanner")
        expect(self.status).to_have_attribute("data-hub", hub_is)
        if self.page.locator("#scanning").is_visible():
            self.page.wait_for_timeout(QUIET_MS)

    def _own(self, url: str) -> None:
        if not url.startswith((f"http://127.0.0.1:{self.hub.port}/", "data:", "blob:")):
            self.troubles.append(f"asked for {url}")

    @property
    def status(self) -> Locator:
        """What the page says about the hub."""
        return self.page.locator("#hub")

    @property
    def card(self) -> Locator:
        """The scan at hand."""
        return self.page.locator("#card")

    @property
    def rows(self) -> Locator:
        """Earlier scans, newest first."""
        return self.page.locator("#list li")

    def reopen(self) -> None:
        """Load the page again, and scan only when nothing of a scan can have been missed."""
        self.page.reload()
        expect(self.page.locator("#scanning")).to_be_visible()
        self.page.wait_for_timeout(QUIET_MS)

    def sign_in(self, activity: str, location: str = "MAIN", *, to: str = "", user: str = "north-tech1") -> None:
        """Fill the first screen and start."""
        page = self.page
        page.fill("#user", user)
        page.locator("#setup").get_by_text(activity, exact=True).click()
        page.select_option("#site", "north")
        page.fill("#location", location)
        if to:
            page.fill("#to-location", to)
        page.click("#begin")
        expect(page.locator("#scanning")).to_be_visible()

    def change(self, activity: str, location: str = "MAIN", *, to: str = "") -> None:
        """Another session."""
        self.page.click("#change")
        self.sign_in(activity, location, to=to)

    def scan(self, barcode: str, end: str = "Enter") -> None:
        """Type as a wedge does, and wait until the page has kept it. Character 29 is typed as the key Ctrl+]."""
        before = self.kept()
        for at, part in enumerate(barcode.split(GS)):
            if at:
                self.page.keyboard.press("Control+]")
            self.page.keyboard.type(part)
        self.page.keyboard.press(end)
        self.wait(lambda: self.kept() > before)

    def kept(self) -> int:
        """How many scans this device keeps."""
        return len(self.entries())

    def entries(self) -> list[dict[str, Any]]:
        """What this device keeps, oldest first."""
        script = "() => import('/scanner/store.js').then((store) => store.all())"
        return list(reversed(self.page.evaluate(script)))

    def session(self) -> str:
        """The id of the open session."""
        return str(self.page.evaluate("() => import('/scanner/store.js').then((store) => store.openSession()).then((one) => one.id)"))

    def wait(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something is so."""
        for _ in range(int(seconds * 20)):
            if condition():
                return
            self.page.wait_for_timeout(50)
        states = [(entry["event_id"], entry["state"], entry["batch"], (entry["outcome"] or {}).get("code")) for entry in self.entries()]
        raise AssertionError((self.status.inner_text(), states))

    def all_judged(self) -> None:
        """Wait until every kept scan has its outcome."""
        self.wait(lambda: all(entry["outcome"] for entry in self.entries()), 40.0)

    def ready_without_hub(self) -> None:
        """Wait until the service worker has the page's files and controls the page."""
        self.page.evaluate("() => navigator.serviceWorker.ready")
        self.wait(lambda: bool(self.page.evaluate("() => Boolean(navigator.serviceWorker.controller)")))
