"""Puts the tower on a FastAPI app. Owns the page's address and its style sheet; what stands on the page is `page`'s."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from nicegui import ui

from sinks.sql.views import Views
from sinks.tower.page import TABS, Page
from sinks.tower.snapshot import Reader, Scope

_STYLE: Final = Path(__file__).with_name("tower.css")

REFRESH_SECONDS_MIN: Final = 0.2
"""Shortest time between two looks at the views; a smaller number is taken as this one."""


def mount_tower(app: FastAPI, views: Views, *, title: str, refresh_seconds: float, now: Callable[[], datetime | None]) -> None:
    """Serve the tower at `/` of `app`, and NiceGUI's own files below `/_nicegui`.

    `title` names the hub; `now` is the hub's clock (event time, UTC), None before it has one; it is called in
    worker threads. The page takes over every address
    that is not routed yet: add the app's other routes first. Once in a process.
    """
    seconds = max(refresh_seconds, REFRESH_SECONDS_MIN)
    reader = Reader(views=views, now=now, keep_seconds=seconds)
    style = _STYLE.read_text(encoding="utf-8")

    @ui.page("/", title=f"{title} · control tower")
    async def tower(tab: str = "network", site: str = "", item: str = "", place: str = "") -> None:
        ui.add_css(style)
        scope = Scope(tab=tab if tab in TABS else "network", site=site, item=item, place=place)
        page = Page(reader=reader, title=title, scope=scope)
        page.build()
        await page.refresh()
        ui.timer(seconds, page.refresh)

    ui.run_with(app, title=title, show_welcome_message=False, tailwind=False)
