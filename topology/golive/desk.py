"""The go-live desk: the mode of a site from its preparation to its cut-over and back, each change a decision in the log.

What moves stock (a pocket's count, taking one back) goes through the same intake as everything else. Nothing is remembered
between calls: what the hub's tables say counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from threading import RLock
from typing import Any, Final, TypeVar, cast

from schemas.golive import Comparison, GoLive, ModeChange, PocketCount, SiteMode
from schemas.reference import Role
from sinks.sql import golive as asked
from topology.downtime.desk import DowntimeHub
from topology.errors import InputRefusedError, UnknownNameError
from topology.golive.words import KINDS, Words
from topology.reference_known import records_of

S = TypeVar("S", bound=Callable[..., Any])
GoLiveHub = DowntimeHub
"""What the desk needs of a hub: its tables, a load of records, and an intake that is followed to its end."""
SHOWN_MAX: Final = 10
"""Pockets that a refusal names."""
_MAY: Final = {
    "prepare": ("pharmacist", "engineer", "steward"), "shadow": ("pharmacist", "engineer", "steward"),
    "cut_over": ("pharmacist",), "roll_back": ("pharmacist", "engineer"),
}  # fmt: skip
"""Who may decide what. Whoever finds that it goes wrong may go back."""


def alone(step: S) -> S:
    """One step of a desk at a time: what a step has read is still so when it writes."""

    @wraps(step)
    def taken(self: GoLiveDesk, *args: Any, **kwargs: Any) -> Any:
        with self.one:
            return step(self, *args, **kwargs)

    return cast("S", taken)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a site is, and what stands in the way of its cut-over."""

    record: GoLive
    counted: int
    uncounted: tuple[tuple[str, str], ...]
    stuck: int
    last: Comparison | None

    @property
    def in_the_way(self) -> list[str]:
        """What has to be done first, in words."""
        found = []
        if self.uncounted:
            named = ", ".join(f"{item} at {place}" for place, item in self.uncounted[:SHOWN_MAX])
            more = f" and {len(self.uncounted) - SHOWN_MAX} more" if len(self.uncounted) > SHOWN_MAX else ""
            found.append(f"{len(self.uncounted)} pockets have no opening count ({named}{more}): count them or declare them empty")
        if self.stuck:
            hours = self.record.stuck_hours
            found.append(f"{self.stuck} items are held or in quarantine for more than {hours} h: `wardstock holds`, `quarantine`")
        return found


class GoLiveDesk:
    """Steps of going live. Raises `InputRefusedError` with the reason where one is not allowed."""

    def __init__(self, hub: GoLiveHub) -> None:
        """Steps of one desk follow each other, whoever takes them."""
        self.hub = hub
        self.one = RLock()

    # ---- decisions -------------------------------------------------------------------------------------------------

    @alone
    def prepare(
        self, *, site: str, by: str, reason: str, now: datetime, accept_percent: Decimal, stuck_hours: int
    ) -> GoLive:  # fmt: skip
        """A site begins to prepare: it publishes nothing that may be executed until its cut-over."""
        held = self.record(site)
        if held is not None and held.mode is not SiteMode.PREPARING:
            msg = f"site {site} is {held.mode.value}, and was prepared before: `wardstock golive status` shows how it came to it"
            raise InputRefusedError(msg)
        if held is not None:
            self._role(site, by, "prepare")
            return self._write(replace(held, accept_percent=accept_percent, stuck_hours=stuck_hours))
        made = GoLive(
            site=site, mode=SiteMode.PREPARING, changes=(), accept_percent=accept_percent, stuck_hours=stuck_hours
        )  # fmt: skip
        return self._decided(made, SiteMode.PREPARING, self._role(site, by, "prepare"), by, reason, now)

    @alone
    def shadow(self, *, site: str, by: str, reason: str, now: datetime) -> GoLive:
        """A prepared site begins to be compared with the system that is to be replaced."""
        held = self._prepared(site)
        if held.mode is not SiteMode.PREPARING:
            msg = f"site {site} is {held.mode.value}: only one that prepares begins its shadow time"
            raise InputRefusedError(msg)
        return self._decided(held, SiteMode.SHADOW, self._role(site, by, "shadow"), by, reason, now)

    @alone
    def cut_over(self, *, site: str, by: str, reason: str, now: datetime, override: str | None = None) -> GoLive:
        """A site goes live: from now on its commands may be executed, and those that are open become so now."""
        held = self._prepared(site)
        if held.mode is not SiteMode.SHADOW:
            msg = f"site {site} is {held.mode.value}: only one that runs in shadow goes live"
            raise InputRefusedError(msg)
        role = self._role(site, by, "cut_over")
        standing = self.standing(site, now)
        override = (override or "").strip() or None
        if standing.in_the_way and override is None:
            msg = f"{'; '.join(standing.in_the_way)}. To go live all the same, say why with --override"
            raise InputRefusedError(msg)
        return self._decided(held, SiteMode.LIVE, role, by, reason, now, override=override, standing=standing)

    @alone
    def roll_back(self, *, site: str, by: str, reason: str, now: datetime) -> GoLive:
        """A live site goes back to shadow: open commands are withdrawn, and none is published."""
        held = self._prepared(site)
        if held.mode is not SiteMode.LIVE:
            msg = f"site {site} is {held.mode.value}: there is nothing to roll back"
            raise InputRefusedError(msg)
        return self._decided(held, SiteMode.SHADOW, self._role(site, by, "roll_back"), by, reason, now)

    # ---- what stands -----------------------------------------------------------------------------------------------

    def records(self) -> list[GoLive]:
        """Sites that have a mode, by id."""
        return sorted((one for one in self.kept("go_live") if isinstance(one, GoLive)), key=lambda one: one.site)

    def record(self, site: str) -> GoLive | None:
        """The mode of a site, or none: then it is live. Raises `UnknownNameError` for a site that there is not."""
        if site not in {row["id"] for row in self.hub.views.sites()}:
            msg = f"there is no site {site}"
            raise UnknownNameError(msg)
        return next((one for one in self.records() if one.site == site), None)

    def standing(self, site: str, now: datetime) -> Standing:
        """Where a site is, and what stands in the way of its cut-over."""
        held = self._prepared(site)
        counted = {(one.location, one.item) for one in self.counts(site)}
        engine = self.hub.views.engine
        uncounted = tuple(sorted(asked.pockets(engine, site) - counted - self.in_transit(site)))
        stuck = asked.stuck(engine, site, now - timedelta(hours=held.stuck_hours))
        comparisons = self.comparisons(site)
        return Standing(held, len(counted), uncounted, stuck, comparisons[-1] if comparisons else None)

    def counts(self, site: str, *, all_of_them: bool = False) -> list[PocketCount]:
        """Counts of pockets that stand, or all, in the order in which they were keyed."""
        rows = self.kept("pocket_count", f"{site}|")
        found = [one for one in rows if isinstance(one, PocketCount) and (all_of_them or one.taken_back_by is None)]
        return sorted(found, key=lambda one: one.number)

    def comparisons(self, site: str) -> list[Comparison]:
        """Comparisons of a site, the oldest first."""
        found = [one for one in self.kept("comparison", f"{site}|") if isinstance(one, Comparison)]
        return sorted(found, key=lambda one: one.number)

    def words(self, site: str) -> Words:
        """The words of a site, as they are understood now."""
        views = self.hub.views
        held = [record for kind in KINDS for record in records_of(kind, views.reference(kind))]
        return Words(site, held, asked.pockets(views.engine, site))

    def in_transit(self, site: str) -> set[tuple[str, str]]:
        """Places and items on their way: nobody can count them where they are."""
        places = [row["path"] for row in self.hub.views.reference("location") if row["site"] == site and row["kind"] == "transit"]
        paths = ("transit", *places)
        found = asked.pockets(self.hub.views.engine, site)
        return {one for one in found if any(one[0] == path or one[0].startswith(f"{path}/") for path in paths)}

    def kept(self, kind: str, below: str = "") -> Iterable[object]:
        """Records of a kind, of all or below an id."""
        views = self.hub.views
        rows = views.reference_below(kind, below) if below else views.reference(kind)
        return [record for _, _, record in records_of(kind, rows)]

    def roles(self, site: str, by: str) -> set[str]:
        """The roles of a person at a site. Raises `InputRefusedError` when there are none."""
        found = [one for one in self.kept("role") if isinstance(one, Role) and (not one.sites or site in one.sites)]
        own = {str(one.role) for one in found if one.person == by}
        if not own:
            msg = f"{by or 'nobody'} has no role at site {site}: name a person of the hub's roles with --by"
            raise InputRefusedError(msg)
        return own

    # ---- within ----------------------------------------------------------------------------------------------------

    def _prepared(self, site: str) -> GoLive:
        held = self.record(site)
        if held is None:
            msg = f"site {site} is live, and was never prepared: `wardstock golive prepare --site {site}` begins it"
            raise InputRefusedError(msg)
        return held

    def _role(self, site: str, by: str, step: str) -> str:
        """The role by which a person decides. Raises `InputRefusedError` when it is none of those that may."""
        own = self.roles(site, by)
        found = next((role for role in _MAY[step] if role in own), None)
        if found is None:
            what, may = step.replace("_", " "), " or ".join(_MAY[step])
            msg = f"{by} is {', '.join(sorted(own))} at site {site}: {what} is decided by {may}"
            raise InputRefusedError(msg)
        return found

    def _decided(
        self, held: GoLive, mode: SiteMode, role: str, by: str, reason: str, now: datetime, *, override: str | None = None,
        standing: Standing | None = None,
    ) -> GoLive:  # fmt: skip
        change = ModeChange(
            number=len(held.changes) + 1, mode=mode, by=by, role=role, at=now, reason=reason.strip(), override=override,
            uncounted=len(standing.uncounted) if standing is not None else 0, stuck=standing.stuck if standing is not None else 0,
            agreement=agreement(standing.last) if standing is not None else None,
        )  # fmt: skip
        return self._write(replace(held, mode=mode, changes=(*held.changes, change)))

    def _write(self, record: GoLive) -> GoLive:
        self.hub.load_reference([("go_live", record.site, record)])
        return record


def agreement(last: Comparison | None) -> Decimal | None:
    """The share of lines that agreed, in percent of two decimals; none where nothing was compared."""
    if last is None or not last.lines:
        return None
    return (Decimal(100) * last.agree / last.lines).quantize(Decimal("0.01"))
