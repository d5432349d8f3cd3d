"""The tabs that are lists, and the two views inside a site: its items, and one item's lots and movements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nicegui import ui

from sinks.tower.grid import Grid, column, unfold_column
from sinks.tower.snapshot import Row

Choose = Callable[[Row], Any]

SEARCH_WAIT_MS: Final = 250
"""How long a person's typing rests before the search runs."""

SEARCH_LENGTH_MAX: Final = 100
"""Longest search text; the input takes no more."""

_AS_NUMBER: Final = {":sort": "(a, b) => parseFloat(a ?? 'Infinity') - parseFloat(b ?? 'Infinity')"}
_AGE: Final = {"num": True, ":format": "(value, row) => row.age"}
_DAYS_LEFT: Final = {"field": "days", ":format": "(value, row) => row.left"}
_NEED: Final = {"field": "need_rank", ":format": "(value, row) => row.need"}


class Items:
    """The items of a site at their places, with search and sort."""

    def __init__(self, *, choose: Choose, search: Callable[[str], Any], sort: Callable[[str, bool], Any]) -> None:
        self.search = ui.input(placeholder="Search item or place", on_change=lambda event: search(event.value or ""))
        self.search.props(f'outlined dense clearable debounce={SEARCH_WAIT_MS} maxlength={SEARCH_LENGTH_MAX} type="search"')
        self.search.props('aria-label="Search items and places"').classes("search")
        self.grid = Grid(
            "Items",
            [
                column("item", "Item", link=True),
                column("item_id", "Code", soft=True, sortable=False),
                column("place", "Place"),
                column("usable", "Usable", num=True),
                column("allocated", "Allocated", num=True, sortable=False),
                column("on_hand", "On hand", num=True),
                column("due", "Due", num=True),
                column("minimum", "Min / par", num=True, **{":format": "(value, row) => row.levels"}),
                column("unit", "Unit", sortable=False),
                column("days_to_stock_out", "Days to stock-out", num=True, **_AS_NUMBER),
                column("need", "Open need", **_NEED),
            ],
            plural="items at places",
            choose=choose,
            sort=sort,
            empty="No item matches. Clear the search, or load par policies and wait for the first event of this site.",
        )


class Item:
    """One item: its lots at the site, what moved last, and where else it is."""

    def __init__(self, *, choose: Choose) -> None:
        self.lots = Grid(
            "Lots at this site",
            [
                column("place", "Place"),
                column("lot", "Lot"),
                column("expiry", "Expiry"),
                column("left", "Days left", sortable=False),
                column("status", "Status"),
                column("quantity", "On hand", num=True),
                column("unit", "Unit", sortable=False),
                column("product", "Product"),
            ],
            plural="lots",
            empty="No lot on hand at this site. A receipt or a refill brings one.",
        )
        self.movements = Grid(
            "Last movements",
            [
                column("occurred", "Time at site"),
                column("kind", "What"),
                column("quantity", "Quantity", num=True),
                column("unit", "Unit", sortable=False),
                column("from", "From"),
                column("to", "To"),
                column("lot", "Lot"),
                column("actor", "By"),
                column("witness", "Witness"),
            ],
            plural="movements",
            empty="Nothing has moved yet.",
        )
        self.places = Grid(
            "Where it is in the network",
            [
                column("site", "Site"),
                column("place", "Place", link=True),
                column("usable", "Usable", num=True),
                column("on_hand", "On hand", num=True),
                column("due", "Due", num=True),
                column("minimum", "Min / par", num=True, **{":format": "(value, row) => row.levels"}),
                column("unit", "Unit", sortable=False),
                column("need", "Open need", **_NEED),
            ],
            plural="places",
            choose=choose,
            empty="No place holds this item.",
        )


def commands_grid(choose: Choose) -> Grid:
    """Needs and commands; the proof unfolds."""
    return Grid(
        "Needs & commands",
        [
            unfold_column(),
            column("urgency", "Urgency", sortable=False),
            column("site", "Site"),
            column("item", "Item", link=True),
            column("kind", "Asks for"),
            column("quantity", "Quantity", num=True),
            column("unit", "Unit", sortable=False),
            column("state", "State"),
            column("lots", "Suggested lots", sortable=False),
            column("from", "From"),
            column("opened", "Opened at site"),
            column("age_minutes", "Age", **_AGE),
        ],
        plural="commands",
        choose=choose,
        empty="No need has opened. When usable stock falls to a minimum, the need and its command appear here.",
    )


def cases_grid(choose: Choose) -> Grid:
    """Open cases; the facts unfold."""
    return Grid(
        "Open cases",
        [
            unfold_column(),
            column("kind", "Case"),
            column("site", "Site"),
            column("item", "Item", link=True),
            column("text", "What happened"),
            column("opened", "Opened at site"),
            column("age_minutes", "Age", **_AGE),
        ],
        plural="open cases",
        choose=choose,
        empty="No open case. Discrepancies, negative stock and conflicting duplicates appear here for a person to look at.",
    )


def holds_grid() -> Grid:
    """What waits for a fact."""
    return Grid(
        "Held: understood, waiting for a missing fact",
        [
            column("since", "Since (site time)"),
            column("site", "Site"),
            column("source", "Source"),
            column("kind", "Event"),
            column("waits_for", "Waits for"),
            column("reason", "Reason"),
        ],
        plural="held items",
        empty="Nothing is held. Unknown codes and units wait here and apply themselves once the missing fact is loaded.",
    )


def quarantine_grid() -> Grid:
    """What could not be understood."""
    return Grid(
        "Quarantined: could not be understood",
        [
            column("at", "Received"),
            column("code", "Code"),
            column("reason", "Reason"),
            column("source", "Source"),
            column("name", "Message"),
            column("site", "Site"),
        ],
        plural="quarantined items",
        empty="Nothing is quarantined. Messages that can't be understood are kept here whole, with the reason, for replay.",
    )


def expiring_grid(choose: Choose) -> Grid:
    """Lots that expired or soon will."""
    return Grid(
        "Expired or expiring within 90 days",
        [
            column("left", "Days left", **_DAYS_LEFT),
            column("expiry", "Expiry"),
            column("site", "Site"),
            column("item", "Item", link=True),
            column("place", "Place"),
            column("lot", "Lot"),
            column("quantity", "On hand", num=True),
            column("risk", "Will not be used", num=True),
            column("unit", "Unit", sortable=False),
        ],
        plural="lots",
        choose=choose,
        empty="No lot on hand expires within 90 days.",
    )


def recalls_grid() -> Grid:
    """Recall notices, and at which sites each holds."""
    return Grid(
        "Recalls: in force at a site once its partition has read the notice",
        [
            unfold_column(),
            column("notice", "Notice"),
            column("classification", "Class"),
            column("state", "State"),
            column("sites", "Effective"),
            column("pending", "Pending at"),
            column("lots", "Lots"),
            column("reason", "Reason"),
        ],
        plural="notices",
        empty="No recall notice was loaded.",
    )
