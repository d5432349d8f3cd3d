"""What the page shows, read from the views: bounded rows, already in words. Runs in a worker thread; knows no page element.

A row's `badges` maps a column to its badge class, `notes` to the small text below its value, and `details` are the lines that
unfold. The overview is read once for all open pages while the projection and the clock stand still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sinks.sql.summaries import DECISION_STATES
from sinks.sql.views import Views
from sinks.tower import words

ITEM_ROWS_MAX: Final = 300
WORK_ROWS_MAX: Final = 200
LOT_ROWS_MAX: Final = 200
MOVEMENT_ROWS_MAX: Final = 50
ATTENTION_ROWS_MAX: Final = 8
"""Most rows of a list on the page. A longer list is cut, and the page says `Showing N of M`."""

EXPIRING_WITHIN_DAYS: Final = 90

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """The first rows of a list, and how many there are."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person is looking at. `site` empty: the whole network."""

    tab: str = "network"
    site: str = ""
    item: str = ""
    place: str = ""
    search: str = ""
    order: str = "need"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the network, the same for everyone who looks. `stamp` is the reader's stamp it was read at."""

    stamp: tuple[int, str]
    as_of: datetime | None
    outcomes: Row
    ledger: Row
    sites: list[Row]
    decisions: Listing
    short: Listing
    tabs: dict[str, dict[str, int]]
    names: dict[str, str]
    zones: dict[str, str]


@dataclass(slots=True)
class Reader:
    """Reads views for the pages of one hub. However many pages are open, the overview is read once in `keep_seconds`."""

    views: Views
    now: Callable[[], datetime | None]
    keep_seconds: float = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: Overview | None = None
    _kept_since: float = 0

    def stamp(self) -> tuple[int, str]:
        """Changes whenever anything on a page might: the projection's revision, and the minute of the hub's clock."""
        instant = self._as_of()
        return self.views.revision(), "" if instant is None else f"{instant:%Y-%m-%dT%H:%M}"

    def _as_of(self) -> datetime | None:
        """The hub's clock, else the newest event time."""
        instant = self.now()
        if instant is None:
            newest = self.views.newest_event()
            instant = datetime.fromisoformat(newest) if newest else None
        return instant

    def overview(self) -> Overview:
        """The overview; the same object while nothing changed or it is younger than `keep_seconds`."""
        with self._lock:
            stamp, since = self.stamp(), time.monotonic()
            kept = self._kept
            if kept is None or (kept.stamp != stamp and since - self._kept_since >= self.keep_seconds):
                kept = self._kept = self._read_overview(stamp)
                self._kept_since = since
            return kept

    def _read_overview(self, stamp: tuple[int, str]) -> Overview:
        views, now = self.views, self._as_of()
        sites = views.network_summary(now)
        names = {item["id"]: item["name"] for item in views.reference("item")}
        zones = {site["site"]: site["zone"] for site in sites}
        waiting = [_command_row(each, names, zones, now) for each in views.commands(state="decision", limit=ATTENTION_ROWS_MAX)]
        cases = [_case_row(each, names, zones, now) for each in views.cases(limit=ATTENTION_ROWS_MAX)]
        urgent = [each for each in views.commands(limit=ATTENTION_ROWS_MAX) if each["urgency"] != "routine"]
        counted = {name: sum(site["commands"][name] for site in sites) for name in ("routine", "critical", "stock_out")}
        notices = sum(1 for notice in views.reference("recall") if not notice.get("released"))
        expiring = 0 if now is None else views.expiring_count(now, within_days=EXPIRING_WITHIN_DAYS)
        return Overview(
            stamp=stamp,
            as_of=now,
            outcomes=views.outcomes_summary(),
            ledger=views.ledger_summary(),
            sites=sites,
            decisions=Listing(
                rows=[_attention(row) for row in [*waiting, *cases][:ATTENTION_ROWS_MAX]],
                total=sum(site["decisions"] for site in sites),
            ),
            short=Listing(
                rows=[_attention(_command_row(each, names, zones, now)) for each in urgent],
                total=counted["critical"] + counted["stock_out"],
            ),
            tabs={
                "": {
                    "commands": sum(counted.values()),
                    "cases": sum(site["open_cases"] for site in sites),
                    "held": views.count("holds") + views.count("quarantine"),
                    "expiring": expiring,
                    "recalls": notices,
                },
                **{site["site"]: {**_tab_counts(site), "recalls": notices} for site in sites},
            },
            names=names,
            zones=zones,
        )

    # ---- lists ------------------------------------------------------------------------------------------------------

    def items(self, scope: Scope) -> Listing:
        """The items of a site at their places."""
        filters = {"site": scope.site, "search": scope.search}
        found = self.views.positions(**filters, order=scope.order, descending=scope.descending, limit=ITEM_ROWS_MAX)
        return Listing(rows=[_item_row(each) for each in found], total=self.views.count("positions", **filters))

    def lots(self, scope: Scope) -> Listing:
        """The lots of an item at every place of the site, the chosen place first."""
        found = self.views.stock(site=scope.site, item=scope.item, limit=LOT_ROWS_MAX)
        found.sort(key=lambda row: row["location"] != scope.place)
        days = {}
        instant = self._as_of()
        if instant is not None:
            dated = self.views.expiring(instant, within_days=3_650, site=scope.site, item=scope.item)
            days = {(row["location"], row["product"], row["lot"], row["expiry"]): row["days"] for row in dated}
        total = self.views.count("stock", site=scope.site, item=scope.item)
        return Listing(rows=[_lot_row(each, days) for each in found], total=total)

    def places(self, scope: Scope) -> Listing:
        """The positions of an item everywhere in the network, the chosen site's first."""
        found = self.views.positions(item=scope.item, limit=LOT_ROWS_MAX)
        found.sort(key=lambda row: (row["site"] != scope.site, row["location"] != scope.place))
        return Listing(rows=[_item_row(each) for each in found], total=self.views.count("positions", item=scope.item))

    def movements(self, scope: Scope, zone: str) -> Listing:
        """The last movements of an item at a site, newest first."""
        filters = {"site": scope.site, "item": scope.item}
        found = self.views.movements(**filters, newest_first=True, limit=MOVEMENT_ROWS_MAX)
        return Listing(rows=[_movement_row(each, zone) for each in found], total=self.views.count("movements", **filters))

    def commands(self, scope: Scope, seen: Overview) -> Listing:
        """Needs and commands, open ones first, the most urgent first."""
        site = scope.site or None
        found = self.views.commands(state="all", site=site, limit=WORK_ROWS_MAX)
        rows = [_command_row(each, seen.names, seen.zones, seen.as_of) for each in found]
        return Listing(rows=rows, total=self.views.count("commands", state="all", site=site))

    def cases(self, scope: Scope, seen: Overview) -> Listing:
        """Open cases, oldest first."""
        site = scope.site or None
        found = self.views.cases(site=site, limit=WORK_ROWS_MAX)
        rows = [_case_row(each, seen.names, seen.zones, seen.as_of) for each in found]
        return Listing(rows=rows, total=self.views.count("cases", site=site))

    def holds(self, scope: Scope, seen: Overview) -> Listing:
        """Items that wait for a fact."""
        site = scope.site or None
        found = self.views.holds(site=site, limit=WORK_ROWS_MAX)
        return Listing(rows=[_hold_row(each, seen.zones) for each in found], total=self.views.count("holds", site=site))

    def quarantine(self, scope: Scope, seen: Overview) -> Listing:
        """What could not be understood."""
        site = scope.site or None
        found = self.views.quarantine(site=site, limit=WORK_ROWS_MAX)
        return Listing(
            rows=[_quarantine_row(each, seen.zones) for each in found], total=self.views.count("quarantine", site=site)
        )

    def expiring(self, scope: Scope, seen: Overview) -> Listing:
        """Lots that expired or soon will."""
        if seen.as_of is None:
            return Listing(rows=[], total=0)
        filters = {"within_days": EXPIRING_WITHIN_DAYS, "site": scope.site or None}
        found = self.views.expiring(seen.as_of, **filters, limit=WORK_ROWS_MAX)
        return Listing(rows=[_expiring_row(each) for each in found], total=self.views.expiring_count(seen.as_of, **filters))

    def recalls(self, scope: Scope, seen: Overview) -> Listing:
        """Recall notices, those in force first, and at which sites each is effective and pending."""
        found = self.views.recalls()
        found.sort(key=lambda notice: bool(notice.get("released")))
        sites = self.views.recall_sites(site=scope.site or None)
        rows = [_recall_row(notice, [row for row in sites if row["notice"] == notice["id"]], seen.zones) for notice in found]
        return Listing(rows=rows[:WORK_ROWS_MAX], total=len(rows))


# ---- rows -----------------------------------------------------------------------------------------------------------


def _named(item: str | None, names: dict[str, str]) -> str:
    return words.DASH if not item else names.get(item, item)


def _tab_counts(site: Row) -> dict[str, int]:
    """How many entries each tab has when one site is looked at."""
    return {
        "commands": sum(site["commands"].values()),
        "cases": site["open_cases"],
        "held": site["held"] + site["quarantined"],
        "expiring": site["expired"] + site["expiring_90"],
    }


def _attention(row: Row) -> Row:
    """A row of the two lists on the first screen, without what unfolds."""
    return {name: value for name, value in row.items() if name != "details"}


def _item_row(found: Row) -> Row:
    need, badge = words.urgency_badge(found["urgency"] or ("routine" if found["open_command"] else None))
    minimum, par = found["minimum"], found["par"]
    return {
        "id": f"{found['site']}|{found['location']}|{found['item']}",
        "site": found["site"],
        "item_id": found["item"],
        "place": found["location"],
        "item": found["item_name"] or found["item"],
        "on_hand": found["on_hand"],
        "usable": found["usable"],
        "allocated": found["allocated"],
        "due": found["due"],
        "unit": found["unit"],
        "minimum": minimum,
        "levels": words.DASH if minimum is None else f"{minimum:,} / {words.DASH if par is None else f'{par:,}'}",
        "days_to_stock_out": found["days_to_stock_out"],
        "need": need or words.DASH,
        "need_rank": found["urgency_rank"],
        "badges": {"need": badge} if need else {},
    }


def _lot_row(found: Row, days: dict[Any, int]) -> Row:
    left = days.get((found["location"], found["product"], found["lot"], found["expiry"]))
    label, badge = (
        ("No expiry date", words.MUTED) if found["expiry"] is None else words.days_left(left) if left is not None else ("", "")
    )
    return {
        "id": "|".join(str(found[name]) for name in ("location", "product", "lot", "expiry", "status")),
        "place": found["location"],
        "lot": found["lot"],
        "product": found["product"],
        "expiry": found["expiry"] or words.DASH,
        "left": label or words.DASH,
        "status": words.plain(found["status"]),
        "quantity": found["quantity"],
        "unit": found["unit"],
        "badges": {
            **({"left": badge} if label else {}),
            "status": words.OK if found["status"] == "available" else words.STOP,
        },
    }


def _movement_row(found: Row, zone: str) -> Row:
    return {
        "id": found["movement_id"],
        "occurred": words.local_time(found["occurred"], zone),
        "kind": words.plain(found["kind"]),
        "quantity": found["quantity"],
        "unit": found["unit"],
        "from": words.account(found["from_account"]),
        "to": words.account(found["to_account"]),
        "lot": found["lot"],
        "actor": found["actor"] or words.DASH,
        "witness": found["witness"] or words.DASH,
    }


def _command_details(found: Row) -> list[str]:
    verb = "Destroy" if found["kind"] == "destroy" else "Take"
    lots = [
        f"{verb} {lot['quantity']:,} of lot {lot['lot']} at {lot['location']}"
        + (f", expires {lot['expiry']}" if lot.get("expiry") else ", no expiry date")
        for lot in found.get("lots", ())
    ]
    approvals = [
        f"{words.plain(each['action'])} by {each['actor']} at {each['at']}"
        + (f": {each['reason']}" if each.get("reason") else "")
        for each in found.get("approvals", ())
    ]
    known = {"Supplier": found.get("supplier"), "Approval by": found.get("approval_role"), "Document": found.get("document")}
    return [
        f"Command {found['command_id']}, revision {found['revision']}",
        *(f"{name}: {value}" for name, value in known.items() if value),
        *([f"Reason: {found['reason']}"] if found.get("reason") else []),
        *lots,
        *approvals,
        *words.fact_lines(found["proof"]),
    ]


def _command_row(found: Row, names: dict[str, str], zones: dict[str, str], now: datetime | None) -> Row:
    urgency, urgency_class = words.urgency_badge(found["urgency"])
    state, state_class = words.state_badge(found["state"])
    closed = found.get("closed_at")
    minutes = words.minutes_between(found["opened_at"], datetime.fromisoformat(closed) if closed else now)
    lots = found.get("lots", ())
    return {
        "id": found["command_id"],
        "site": found["site"],
        "item_id": found["item"],
        "place": found["location"],
        "what": state if found["state"] in DECISION_STATES else urgency,
        "urgency": "Closed" if closed else urgency,
        "item": _named(found["item"], names),
        "kind": words.plain(found["kind"]),
        "state": state,
        "quantity": found["quantity"],
        "unit": found["unit"],
        "lots": ", ".join(lot["lot"] for lot in lots) or words.DASH,
        "from": found.get("source_location") or found.get("supplier") or words.DASH,
        "opened": words.local_time(found["opened_at"], zones.get(found["site"], "UTC")),
        "age": words.age(minutes),
        "age_minutes": minutes,
        "text": f"{words.plain(found['kind'])} {found['quantity']:,} {found['unit']}" + _in_shadow(found),
        "details": _command_details(found),
        "badges": {
            "urgency": words.MUTED if closed else urgency_class,
            "state": state_class,
            "what": state_class if found["state"] in DECISION_STATES else urgency_class,
        },
        "notes": {"item": found["location"]},
    }


def _in_shadow(found: Row) -> str:
    """Beside what nobody must act upon: the site is not live."""
    return " (shadow)" if found.get("shadow") else ""


def _case_row(found: Row, names: dict[str, str], zones: dict[str, str], now: datetime | None) -> Row:
    minutes = words.minutes_between(found["opened_at"], now)
    return {
        "id": found["case_id"],
        "site": found["site"],
        "item_id": found.get("item") or "",
        "place": found.get("location") or words.DASH,
        "what": "Case: " + words.plain(found["kind"]),
        "kind": words.plain(found["kind"]),
        "item": _named(found.get("item"), names),
        "text": found["text"] + _in_shadow(found),
        "opened": words.local_time(found["opened_at"], zones.get(found["site"], "UTC")),
        "age": words.age(minutes),
        "age_minutes": minutes,
        "details": [f"Case {found['case_id']}", *words.fact_lines(found.get("facts") or {})],
        "badges": {"kind": words.WARN, "what": words.WARN},
        "notes": {"item": found.get("location") or ""},
    }


def _hold_row(found: Row, zones: dict[str, str]) -> Row:
    return {
        "id": f"{found['site']}|{found['event_id']}",
        "since": words.local_time(found["since"], zones.get(found["site"], "UTC")),
        "site": found["site"],
        "source": found["source"],
        "kind": words.plain(found["kind"]),
        "waits_for": found["waits_for"],
        "reason": found["reason"],
    }


def _quarantine_row(found: Row, zones: dict[str, str]) -> Row:
    return {
        "id": f"{found['raw_partition']}|{found['raw_offset']}|{found['raw_index']}",
        "at": words.local_time(found["at"], zones.get(found["site"] or "", "UTC")),
        "site": found["site"] or words.DASH,
        "source": found["source"],
        "name": found["name"] or f"raw {found['raw_partition']}@{found['raw_offset']}, item {found['raw_index'] + 1}",
        "code": words.plain(found["code"]),
        "reason": found["reason"],
        "badges": {"code": words.STOP},
    }


def _expiring_row(found: Row) -> Row:
    label, badge = words.days_left(found["days"])
    return {
        "id": "|".join(str(found[name]) for name in ("site", "location", "product", "lot", "expiry", "status", "item")),
        "site": found["site"],
        "item_id": found["item"],
        "place": found["location"],
        "left": label,
        "days": found["days"],
        "expiry": found["expiry"],
        "item": found["item_name"] or found["item"],
        "lot": found["lot"],
        "quantity": found["quantity"],
        "risk": found["risk"],
        "unit": found["unit"],
        "badges": {"left": badge},
    }


def _recall_row(notice: Row, sites: list[Row], zones: dict[str, str]) -> Row:
    pending = [row["site"] for row in sites if row["state"] == "pending"]
    effective = len(sites) - len(pending)
    released = notice.get("released")
    return {
        "id": notice["id"],
        "notice": notice["id"],
        "classification": f"Class {notice['classification']}",
        "state": f"Released by {released}" if released else "In force",
        "sites": f"{effective} of {words.counted(len(sites), 'site')}",
        "pending": ", ".join(pending) or "None",
        "lots": "All lots" if notice.get("all_lots") else ", ".join(notice.get("lots") or ()),
        "reason": notice.get("reason") or words.DASH,
        "details": [_reading_line(row, zones) for row in sites],
        "badges": {"pending": words.WARN if pending else words.OK, "state": words.MUTED if released else words.STOP},
    }


def _reading_line(row: Row, zones: dict[str, str]) -> str:
    if row["state"] == "pending":
        return f"{row['site']}: pending, its partition has not read this notice yet"
    since = "before its first tick" if row["at"] is None else words.local_time(row["at"], zones.get(row["site"], "UTC"))
    place = "" if row["offset"] is None else f", at offset {row['offset']} of partition {row['partition']} of its log"
    return f"{row['site']}: effective since {since}{place}, revision {row['revision']}"
