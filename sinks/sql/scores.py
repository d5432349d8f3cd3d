"""Feeds the scores of users (`sinks.controlled.anomaly`) from the tables: removals past their time, and what became of them.

Users leave under the names that `name_of` gives them. Nothing of it is stored, opens a case or is published.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.ids import derived_id
from sinks.controlled.anomaly import PEER_REMOVALS_MIN, PEERS_MIN, RUN_LENGTH, Removal, Standing, standings
from sinks.controlled.model import PATIENT, REVERSAL, Move, Row
from sinks.sql import controlled_data as data
from sinks.sql.filters import shown
from sinks.sql.mining import watermark
from sinks.sql.rows import instant_text
from sinks.sql.tables import ALERTS, CASES

_REMOVES: Final = frozenset({"vend", "dispense", "administer"})
_CLOSURE_MINUTES: Final = 480
_LATENESS_MINUTES: Final = 60
_ALL: Final = 10_000
"""Certainty, in ten thousandths."""


def scores(connection: Connection, name_of: Callable[[str], str], site: str | None = None) -> list[Row]:
    """A row for each user and concern, the highest score of a site first."""
    rows: list[Row] = []
    for name in data.site_names(connection, site):
        made, clock = removals(connection, name)
        rows += [row for standing in standings(made) for row in _rows(name, standing, name_of(standing.user), clock)]
    return [shown(row) for row in rows]


def users(connection: Connection, site: str | None = None) -> list[str]:
    """Everybody who is scored, by name: what a role needs to open the pseudonyms."""
    return sorted({one.user for name in data.site_names(connection, site) for one in removals(connection, name)[0]})


def _rows(site: str, standing: Standing, name: str, clock: str | None) -> list[Row]:
    bound = min(_ALL, -(-standing.removals * 10_000 // RUN_LENGTH))
    head: Row = {
        "site": site, "user": name, "removals": standing.removals, "peers": standing.peers,
        "peer_removals": standing.peer_removals,
    }  # fmt: skip
    tail: Row = {"false_signal_at_most": f"{bound // 10_000}.{bound % 10_000:04}", "run_length": RUN_LENGTH, "as_of": clock}
    if not standing.scores:
        why = f"too few to compare with: {PEERS_MIN} other users and {PEER_REMOVALS_MIN} removals of theirs are needed"
        none = dict.fromkeys(("concern", "events", "expected", "score", "highest", "signals", "first_signal", "last_signal"))
        return [{**head, **none, "note": why, **tail}]
    return [
        {
            **head, "concern": one.concern, "events": one.events,
            "expected": f"{Decimal(round(one.expected * 100)).scaleb(-2):.2f}", "score": str(one.level),
            "highest": str(one.highest), "signals": len(one.signals), "first_signal": one.signals[0] if one.signals else None,
            "last_signal": one.signals[-1] if one.signals else None, "note": None, **tail,
        }
        for one in standing.scores
    ]  # fmt: skip


def removals(connection: Connection, site: str) -> tuple[list[Removal], str | None]:
    """Removals of controlled items by named users that are past their time to be accounted for; up to when that is judged."""
    clock = watermark(connection, site)
    if clock is None:
        return [], None
    patience = _patience(connection, site)
    until = instant_text(datetime.fromisoformat(clock) - patience)
    master = data.master_of(connection)
    moves = data.moves_of(connection, site, master.items)
    taken = [one for one in moves if _is_removal(one) and one.occurred <= until]
    cancelled = {one.corrects for one in moves if one.kind == REVERSAL and one.from_account == PATIENT}
    unaccounted = _unaccounted(connection, site)
    overridden = _overridden(connection, site)
    wasted = _wasted(connection, site, taken, patience, clock)
    places = _registered(connection, site)
    found: dict[str, Removal] = {}
    for move in taken:
        concerns = {
            "unaccounted": move.event_id in unaccounted, "cancelled": move.event_id in cancelled,
            "wasted": move.event_id in wasted, "override": derived_id("alert", site, "override", move.cause) in overridden,
        }  # fmt: skip
        found[move.event_id] = Removal(
            move.actor or "", (move.occurred, move.event_id), (places(move.left or ""), move.item),
            frozenset(name for name, has in concerns.items() if has),
        )  # fmt: skip
    return list(found.values()), clock


def _is_removal(move: Move) -> bool:
    return move.kind in _REMOVES and move.to_account == PATIENT and move.left is not None and bool(move.actor)


def _patience(connection: Connection, site: str) -> timedelta:
    """How long a removal may be open: the site's window and its time for late events, as the closure has them."""
    record = next((one for one in data.documents(connection, "site")["site"] if one["id"] == site), {})
    minutes = record.get("closure_minutes", _CLOSURE_MINUTES) + record.get("lateness_minutes", _LATENESS_MINUTES)
    return timedelta(minutes=minutes)


def _unaccounted(connection: Connection, site: str) -> set[str]:
    here = (CASES.c.site == site, CASES.c.kind == "unaccounted_removal")
    cases = (msgspec.json.decode(text) for text in connection.execute(sa.select(CASES.c.document).where(*here)).scalars())
    return {case["event_id"] for case in cases if (case.get("facts") or {}).get("open") not in (None, "0")}


def _overridden(connection: Connection, site: str) -> set[str]:
    said = sa.select(ALERTS.c.alert_id).where(ALERTS.c.site == site, ALERTS.c.kind == "override")
    return set(connection.execute(said).scalars())


def _wasted(connection: Connection, site: str, taken: Iterable[Move], patience: timedelta, clock: str) -> set[str]:
    """Removals behind which a waste of the same patient's item follows in time: the last removal at or before each waste."""
    of: dict[tuple[str | None, str], list[tuple[str, str]]] = defaultdict(list)
    for move in sorted(taken, key=lambda one: (one.occurred, one.event_id)):
        of[move.patient, move.item].append((move.occurred, move.event_id))
    found: set[str] = set()
    for waste in data.handled(connection, site, ("", clock), "waste"):
        before = of.get((waste.patient, waste.item)) if waste.patient and not waste.taken_back and not waste.note else None
        at = bisect_right(before, (waste.occurred, "\uffff")) if before else 0
        if before and at:
            occurred, event_id = before[at - 1]
            if datetime.fromisoformat(waste.occurred) - datetime.fromisoformat(occurred) <= patience:
                found.add(event_id)
    return found


def _registered(connection: Connection, site: str) -> Callable[[str], str]:
    """The nearest registered place at or above a path: what removals of one cabinet have in common."""
    paths = {one["path"] for one in data.documents(connection, "location")["location"] if one["site"] == site}

    def place(path: str) -> str:
        parts = path.split("/")
        return next((up for n in range(len(parts), 0, -1) if (up := "/".join(parts[:n])) in paths), path)

    return place
