"""One open page: what its person looks at, and how it is kept up to date. Queries run in a worker thread, off the event loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from nicegui import run, ui
from sqlalchemy.exc import SQLAlchemyError

from sinks.sql.views import POSITION_ORDERS
from sinks.tower import lists, words
from sinks.tower.grid import Grid
from sinks.tower.overview import Network, Promises
from sinks.tower.snapshot import Listing, Overview, Reader, Row, Scope

TABS: Final = {
    "network": "Network",
    "commands": "Needs & commands",
    "cases": "Cases",
    "held": "Held & quarantined",
    "expiring": "Expiring",
    "recalls": "Recalls",
}
_WHOLE_NETWORK: Final = "All sites"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """One reading for one page: the overview, and the lists of the open tab by name."""

    stamp: tuple[Any, ...]
    overview: Overview
    lists: dict[str, Listing]


class Page:
    """The tower as one browser tab sees it."""

    def __init__(self, *, reader: Reader, title: str, scope: Scope) -> None:
        self._reader = reader
        self._title = title
        self._scope = scope
        self._stamp: tuple[Any, ...] | None = None
        self._overview: Overview | None = None
        self._busy = False
        self._grids: dict[str, Grid] = {}

    # ---- building ---------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Lay out the page, empty; `refresh` fills it."""
        with ui.element("header").classes("top"):
            with ui.element("h1"):
                ui.label("Wardstock")
            ui.label(self._title).classes("hub")
            with ui.element("div").classes("clock"):
                ui.label("As of").classes("clock-label")
                self._clock = ui.label("no event yet").classes("clock-time")
                self._live = ui.label("● Live").classes("live").props('role="status"')
        self._trouble = ui.label("").classes("trouble").props('role="alert"')
        self._trouble.set_visibility(False)
        with ui.element("main").classes("body"):
            self._promises = Promises()
            with ui.element("nav").classes("bar").props('aria-label="Views"'):
                self._build_tabs()
                self._site = ui.select(
                    {"": _WHOLE_NETWORK}, value="", on_change=lambda event: self._choose_site(event.value or "")
                )
                self._site.props('outlined dense options-dense aria-label="Site"').classes("site-select")
            self._build_panels()

    def _build_tabs(self) -> None:
        self._counts: dict[str, ui.label] = {}
        self._buttons: dict[str, ui.element] = {}
        with ui.element("div").classes("tabs").props('role="tablist"'):
            for name, label in TABS.items():
                button = ui.element("button").classes("tab").props(f'type="button" role="tab" data-tab="{name}"')
                button.on("click", lambda name=name: self._go(tab=name, item="", place=""))
                self._buttons[name] = button
                with button:
                    ui.label(label)
                    if name != "network":
                        self._counts[name] = ui.label("").classes("tab-count")

    def _build_panels(self) -> None:
        self._panels: dict[str, ui.element] = {}
        with self._panel("network"):
            self._network = Network(choose_site=self._choose_site, choose_row=self._choose_row)
        with self._panel("site"):
            self._site_head = self._crumbs()
            items = lists.Items(choose=self._choose_row, search=self._search, sort=self._sort)
            self._items = items
            self._grids["items"] = items.grid
        with self._panel("item"):
            self._item_head = self._crumbs()
            item = lists.Item(choose=self._choose_row)
            self._grids |= {"places": item.places, "lots": item.lots, "movements": item.movements}
        with self._panel("commands"):
            self._grids["commands"] = lists.commands_grid(self._choose_row)
        with self._panel("cases"):
            self._grids["cases"] = lists.cases_grid(self._choose_row)
        with self._panel("held"):
            self._grids |= {"holds": lists.holds_grid(), "quarantine": lists.quarantine_grid()}
        with self._panel("expiring"):
            self._grids["expiring"] = lists.expiring_grid(self._choose_row)
        with self._panel("recalls"):
            self._grids["recalls"] = lists.recalls_grid()

    def _panel(self, name: str) -> ui.element:
        panel = ui.element("div").classes("view").props(f'data-view="{name}"')
        panel.set_visibility(False)
        self._panels[name] = panel
        return panel

    def _crumbs(self) -> ui.label:
        """The way back, and where one is."""
        with ui.element("div").classes("crumbs"):
            back = ui.element("button").classes("link").props('type="button"').on("click", self._back)
            with back:
                ui.label("‹ Back")
            with ui.element("h2"):
                return ui.label("")

    # ---- what a person does -----------------------------------------------------------------------------------------

    async def _go(self, **changes: Any) -> None:
        """Look at something else, and say so in the address."""
        self._scope = replace(self._scope, **changes)
        scope = self._scope
        told = {"tab": scope.tab, "site": scope.site, "item": scope.item, "place": scope.place}
        ui.navigate.history.replace("/?" + urlencode({name: value for name, value in told.items() if value}))
        await self.refresh()

    async def _choose_site(self, site: str) -> None:
        if site != self._scope.site:
            self._items.search.value = ""
            await self._go(site=site, item="", place="", search="")

    async def _choose_row(self, row: Row) -> None:
        if row.get("item_id"):
            place = row.get("place") or ""
            await self._go(tab="network", site=row.get("site", ""), item=row["item_id"], place=place)

    async def _search(self, text: str) -> None:
        if text != self._scope.search:
            await self._go(search=text[: lists.SEARCH_LENGTH_MAX])

    async def _sort(self, name: str, descending: bool) -> None:
        order = (name, descending) if name in POSITION_ORDERS else ("need", True)
        if order != (self._scope.order, self._scope.descending):
            await self._go(order=order[0], descending=order[1])

    async def _back(self) -> None:
        if self._scope.item:
            await self._go(item="", place="")
        else:
            await self._choose_site("")

    # ---- keeping up -------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read what is looked at in a worker thread, and show it. A look that comes while one is running is left to the next."""
        if self._busy:
            return
        self._busy = True
        try:
            while True:
                scope = self._scope
                shown = await run.io_bound(self._read, scope)
                if shown is not None and scope == self._scope:
                    self._show(shown, scope)
                self._say("")
                if scope == self._scope:
                    return
        except SQLAlchemyError as error:
            _log.error("tower_cannot_read", error=str(error))
            self._say("The tower can't read the projection. What you see is the last state it could read; see the hub's log.")
        finally:
            self._busy = False

    def _read(self, scope: Scope) -> _Shown | None:
        """Everything to show, or None when nothing changed since the last look. Runs in a worker thread."""
        if (self._reader.stamp(), scope) == self._stamp:
            return None
        seen = self._reader.overview()
        return _Shown(stamp=(seen.stamp, scope), overview=seen, lists=self._read_lists(scope, seen))

    def _read_lists(self, scope: Scope, seen: Overview) -> dict[str, Listing]:
        reader = self._reader
        if scope.tab == "network" and scope.item:
            zone = seen.zones.get(scope.site, "UTC")
            return {"places": reader.places(scope), "lots": reader.lots(scope), "movements": reader.movements(scope, zone)}
        if scope.tab == "network":
            return {"items": reader.items(scope)} if scope.site else {}
        if scope.tab == "commands":
            return {"commands": reader.commands(scope, seen)}
        if scope.tab == "cases":
            return {"cases": reader.cases(scope, seen)}
        if scope.tab == "held":
            return {"holds": reader.holds(scope, seen), "quarantine": reader.quarantine(scope, seen)}
        if scope.tab == "recalls":
            return {"recalls": reader.recalls(scope, seen)}
        return {"expiring": reader.expiring(scope, seen)}

    def _show(self, shown: _Shown, scope: Scope) -> None:
        seen = shown.overview
        self._stamp = shown.stamp
        self._clock.set_text("no event yet" if seen.as_of is None else f"{seen.as_of:%Y-%m-%d %H:%M} UTC")
        if seen is not self._overview:
            self._overview = seen
            self._promises.show(seen)
            self._network.show(seen)
        counts = seen.tabs.get(scope.site, {})
        for name, label in self._counts.items():
            label.set_text(words.number(counts.get(name, 0)))
        names = {site["site"]: site["name"] for site in seen.sites}
        self._show_scope(scope, names, seen)
        for name, listing in shown.lists.items():
            self._grids[name].show(listing)

    def _show_scope(self, scope: Scope, names: dict[str, str], seen: Overview) -> None:
        """Open the panel that is looked at; mark its tab; keep the site list and the headings right."""
        options = {"": _WHOLE_NETWORK, **names}
        if scope.site not in options:
            options[scope.site] = scope.site
        if self._site.options != options or self._site.value != scope.site:
            self._site.set_options(options, value=scope.site)
        view = scope.tab
        if scope.tab == "network" and scope.site:
            view = "item" if scope.item else "site"
        for name, panel in self._panels.items():
            panel.set_visibility(name == view)
        for name, button in self._buttons.items():
            button.props(f'aria-selected="{"true" if name == scope.tab else "false"}"')
        site = names.get(scope.site, scope.site)
        self._site_head.set_text(site)
        item = seen.names.get(scope.item, scope.item)
        self._item_head.set_text(f"{item} · {site}" + (f" · {scope.place}" if scope.place else ""))

    def _say(self, trouble: str) -> None:
        """Say what is wrong, and that the page is not live; nothing when all is well."""
        self._trouble.set_text(trouble)
        self._trouble.set_visibility(bool(trouble))
        self._live.set_text("■ Not live" if trouble else "● Live")
        self._live.classes(replace="live bad" if trouble else "live")
