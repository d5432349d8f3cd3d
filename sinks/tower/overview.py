"""What stands above every tab and on the first one: the three promises, what needs a decision, and a card for each site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nicegui import ui

from sinks.tower import words
from sinks.tower.grid import Grid, column
from sinks.tower.snapshot import Overview, Row

_OUTCOMES: Final = ("accepted", "duplicate", "held", "quarantined")


class Promises:
    """The three promises as counters: nothing lost (the equation), counted once, explained."""

    def __init__(self) -> None:
        with ui.element("section").classes("promises").props('aria-label="The three promises"'):
            with ui.element("div").classes("promise equation"):
                ui.label("Nothing lost").classes("promise-name")
                with ui.element("div").classes("terms"):
                    self._terms = {"received": _term("received", "")}
                    for place, name in enumerate(_OUTCOMES):
                        self._terms[name] = _term(name, "+" if place else "=")
                    self._verdict = ui.label("").classes("verdict").props('role="status"')
            self._once = _promise("Counted once")
            self._explained = _promise("Explained")

    def show(self, seen: Overview) -> None:
        """Bring the counters up to date."""
        outcomes, ledger = seen.outcomes, seen.ledger
        self._terms["received"].set_text(words.number(outcomes["received"]))
        for name in _OUTCOMES:
            self._terms[name].set_text(words.number(outcomes["counts"][name]))
        holds = outcomes["adds_up"]
        self._verdict.set_text(
            "✓ adds up" if holds else f"✗ does not add up: {words.counted(outcomes['messages_open'], 'message')}"
        )
        self._verdict.classes(replace=f"verdict {'good' if holds else 'bad'}")
        repeats = words.counted(outcomes["counts"]["duplicate"], "repeat")
        self._once.set_text(f"{words.counted(ledger['movements'], 'entry', 'entries')} · {repeats} recognised")
        entries = f"{words.number(ledger['movements_with_cause'])} of {words.number(ledger['movements'])} entries"
        commands = f"{words.number(ledger['commands_with_proof'])} of {words.number(ledger['commands'])} commands"
        self._explained.set_text(f"{entries} · {commands}")


def _term(name: str, sign: str) -> ui.label:
    """One term of the equation."""
    if sign:
        ui.label(sign).classes("sign")
    with ui.element("div").classes("term"):
        value = ui.label("–").classes("term-value").mark(f"promise-{name}")
        ui.label(name).classes("term-name")
    return value


def _promise(name: str) -> ui.label:
    """A promise told in one line."""
    with ui.element("div").classes("promise"):
        ui.label(name).classes("promise-name")
        return ui.label("–").classes("promise-line")


class Network:
    """What needs a decision, what is short, and the sites."""

    def __init__(self, *, choose_site: Callable[[str], Any], choose_row: Callable[[Row], Any]) -> None:
        """`choose_site` is called with a site id, `choose_row` with a row of one of the two lists."""
        self._choose_site = choose_site
        self._cards: dict[str, _Card] = {}
        with ui.element("div").classes("first-look"):
            columns = [column("what", "What"), column("site", "Site"), column("item", "Item", link=True), column("text", "About")]
            columns.append(column("age_minutes", "Waiting", num=True, **{":format": "(value, row) => row.age"}))
            self._decisions = Grid(
                "Needs a decision",
                columns,
                plural="decisions",
                choose=choose_row,
                empty="Nothing waits for a decision. Commands to approve and open cases appear here.",
            )
            self._short = Grid(
                "Short right now",
                columns,
                plural="open needs",
                choose=choose_row,
                empty="No stock-out and nothing critical. Items at or below their critical level appear here.",
            )
        with ui.element("h2").classes("cards-head"):
            ui.label("Sites")
        self._empty = ui.label(
            "No site yet. Load the item master and sites with `wardstock reference load DIR`, then connect a feed, "
            "or look at a simulated network with `wardstock demo`."
        ).classes("empty")
        self._grid = ui.element("div").classes("cards")

    def show(self, seen: Overview) -> None:
        """Bring lists and cards up to date; a card that is on the page stays the same element."""
        self._decisions.show(seen.decisions)
        self._short.show(seen.short)
        self._empty.set_visibility(not seen.sites)
        for site in seen.sites:
            name = site["site"]
            if name not in self._cards:
                with self._grid:
                    self._cards[name] = _Card(name, self._choose_site)
            self._cards[name].show(site)


class _Card:
    """One site: what can be given, what is short, what expires, what waits."""

    def __init__(self, site: str, choose: Callable[[str], Any]) -> None:
        self._card = ui.element("button").classes("card").props(f'type="button" data-site="{site}"')
        self._card.on("click", lambda: choose(site))
        self._stats: dict[str, ui.label] = {}
        with self._card:
            with ui.element("div").classes("card-head"):
                self._name = ui.label("").classes("card-name")
                self._badge = ui.label("").classes("badge")
            with ui.element("div").classes("stats"):
                for name in ("Available", "Constrained", "Expiring ≤ 30 d", "Needs a decision"):
                    with ui.element("div").classes("stat"):
                        self._stats[name] = ui.label("").classes("stat-value")
                        ui.label(name).classes("stat-name")
            self._needs = ui.label("").classes("card-line")
            self._more = ui.label("").classes("card-line muted")

    def show(self, site: Row) -> None:
        """Bring the card up to date."""
        self._name.set_text(site["name"] if site["mode"] == "live" else f"{site['name']} · {site['mode']}")
        commands = site["commands"]
        badge, text = _verdict(site)
        self._badge.set_text(text)
        self._badge.classes(replace=f"badge badge-{badge}")
        self._stat("Available", f"{words.number(site['usable'])} / {words.number(site['positions'])}", "")
        self._stat("Constrained", words.number(site["constrained"]), "warn" if site["constrained"] else "")
        self._stat("Expiring ≤ 30 d", words.number(site["expiring_30"]), "warn" if site["expiring_30"] else "")
        self._stat("Needs a decision", words.number(site["decisions"]), "stop" if site["decisions"] else "")
        needs = [f"{words.number(commands[name])} {label}" for name, label in _NEEDS if commands[name]]
        self._needs.set_text("Open needs: " + (" · ".join(needs) or "none"))
        newest = words.local_time(site["newest_event"], site["zone"])[5:] if site["newest_event"] else "none yet"
        self._more.set_text(
            f"{words.number(site['expired'])} expired · {words.number(site['held'])} held · "
            f"{words.number(site['quarantined'])} quarantined · last event {newest}"
        )

    def _stat(self, name: str, value: str, tone: str) -> None:
        self._stats[name].set_text(value)
        self._stats[name].classes(replace=f"stat-value {tone}")


_NEEDS: Final = (("stock_out", "stock-out"), ("critical", "critical"), ("routine", "routine"))


def _verdict(site: Row) -> tuple[str, str]:
    """The one thing to say about a site: badge class and words."""
    if site["commands"]["stock_out"]:
        return words.STOP, f"■ {site['commands']['stock_out']} stock-out"
    if site["decisions"]:
        return words.WARN, f"▲ {site['decisions']} to decide"
    if site["commands"]["critical"]:
        return words.WARN, f"▲ {site['commands']['critical']} critical"
    return words.OK, "✓ In supply"
