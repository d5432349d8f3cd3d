"""Pieces of the scanner page, in a real Chromium: its reading of barcodes, and how a new version is taken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from connectors.barcode.build import bracketed, fnc1_message
from connectors.barcode.elements import Element
from connectors.barcode.parse import Barcode, parse_barcode
from sinks.scanner import mount
from sinks.sql import Projection, Views
from tests.browser.handheld import GS, PHONE
from tests.cli.running import EXAMPLE

pytestmark = pytest.mark.browser

GTIN = ("01", "00303380049042")


@contextmanager
def page_served(port: int = 0) -> Iterator[str]:
    """The page alone, over an empty projection, from the files as they are now."""
    app = FastAPI()
    mount.mount_scanner(app, Views(Projection("sqlite://").engine))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(**PHONE)
    yield context.new_page()
    context.close()


def messages() -> list[str]:
    """Barcodes in the forms scanners send, and those of the example network's feeds."""
    contents: list[tuple[Element, ...]] = [
        (GTIN,),
        (GTIN, ("17", "291231"), ("10", "L2")),
        (GTIN, ("17", "290200"), ("10", "10-17")),
        (GTIN, ("21", "S1"), ("10", "A/B"), ("17", "300630")),
        (GTIN, ("10", "LOT"), ("21", "0001"), ("30", "12")),
        (("02", "50304094713026"), ("37", "8"), ("10", "C9")),
        (GTIN, ("11", "260101"), ("10", "X")),
    ]
    found = [bracketed(one) for one in contents]
    for one in contents:
        found += [identifier + fnc1_message(one) for identifier in ("]d2", "]C1", "]Q3", "]e0", "")]
    found += [text.replace(GS, "<GS>") for text in found if GS in text]
    found += ["00303380049042", "303380049042", "0303380049042", "01234565"]
    for path in sorted((EXAMPLE / "feeds").glob("*.scan.json")):
        body = json.loads(path.read_text())
        found += [scan["barcode"] for scan in (body if isinstance(body, list) else [body])]
    return found


def test_what_the_page_shows_of_a_barcode_is_what_the_hub_reads(phone: Page) -> None:
    """Two packages of one product and lot must be seen as that: a count adds them up. The hub's reader is the judge."""
    texts = messages()
    assert len(texts) > 40
    with page_served() as address:
        phone.goto(f"{address}/scanner")
        script = "texts => import('/scanner/gs1.js').then((gs1) => texts.map((text) => gs1.read(text)))"
        shown = phone.evaluate(script, texts)
    for text, page in zip(texts, shown, strict=True):
        hub = parse_barcode(text, 2026)
        assert isinstance(hub, Barcode), text
        read = (hub.gtin, hub.lot, str(hub.expiry) if hub.expiry else None, hub.serial, hub.count)
        assert read == (page.get("gtin"), page.get("lot"), page.get("expiry"), page.get("serial"),
                        int(page["count"]) if "count" in page else None), text  # fmt: skip


@pytest.mark.parametrize("text", ["", "hello", "]d2", "(01)", "0100", "10LOTONLY", "30338004904", "\x1d\x1d", "(01)00303380049042(99", "]d201" + "9" * 400])
def test_the_page_guesses_nothing_of_what_it_can_not_read(phone: Page, text: str) -> None:
    with page_served() as address:
        phone.goto(f"{address}/scanner")
        shown = phone.evaluate("text => import('/scanner/gs1.js').then((gs1) => gs1.read(text))", text)
    assert "count" not in shown
    assert not shown.get("gtin") or len(shown["gtin"]) == 14


def test_a_new_version_waits_until_the_person_takes_it(phone: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page is put together from two versions, and nobody's page changes under the hand."""
    original = mount._STATIC
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(mount, "_STATIC", tmp_path)
    with page_served() as address:
        phone.goto(f"{address}/scanner")
        phone.evaluate("() => navigator.serviceWorker.ready")
        phone.wait_for_function("() => Boolean(navigator.serviceWorker.controller)")
    page = tmp_path / "index.html"
    page.write_text(page.read_text().replace("<h1>Scanner</h1>", "<h1>Scanner 2</h1>"))
    phone.reload()
    expect(phone.locator("h1")).to_have_text("Scanner")
    with page_served(int(address.rsplit(":", 1)[1])):
        phone.reload()
        expect(phone.locator("h1")).to_have_text("Scanner")
        expect(phone.locator("#fresh")).to_contain_text("A new version of this page is ready.")
        phone.click("#take-over")
        expect(phone.locator("h1")).to_have_text("Scanner 2")
        assert len(phone.evaluate("caches.keys()")) == 1, "the old version is gone"
