"""What reference data says about lots: the rule by which they are drawn, where unusable stock lies, when a date ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.kinds import LocationKind
from schemas.reference import DRAWING_COMPLIANCE

Rule = tuple[str, float, int | None]
"""How lots are drawn, the share of removals that keep to it, and the hours after which what expired has been taken away."""
DEFAULT_RULE: Final[Rule] = ("fefo", float(DRAWING_COMPLIANCE), None)
"""Where no record says how lots are drawn."""
_GATHERING: Final = frozenset({LocationKind.QUARANTINE, LocationKind.RETURN_BIN})
_AS_IT_COMES: Final[Rule] = ("random", 0.0, None)


@dataclass(frozen=True, slots=True)
class Settings:
    """Drawing rules by site, place and item (`""`: all of them), zones by site, and places by site and path with their kind."""

    rules: Mapping[tuple[str, str, str], Rule] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def rule(self, site: str, place: str, item: str) -> Rule:
        """The rule at a place: that of the nearest place that has a record, and there of the item before all items.

        Stock on its way is taken as it comes: each load for its own place.
        """
        for path in _upwards(place):
            for named in (item, ""):
                found = self.rules.get((site, path, named))
                if found is not None:
                    return (found[0], found[1], None) if self._gathers(site, place) else found
            if path and self.kinds.get((site, path)) == LocationKind.TRANSIT:
                return _AS_IT_COMES
        return DEFAULT_RULE

    def _gathers(self, site: str, place: str) -> bool:
        """Whether a place is where what expired is taken to."""
        return any(self.kinds.get((site, path)) in _GATHERING for path in _upwards(place))

    def isolates(self, site: str, place: str) -> bool:
        """Whether a place is for stock that may not be used."""
        return any(self.kinds.get((site, path)) == LocationKind.QUARANTINE for path in _upwards(place))

    def end_of(self, site: str, day: str) -> str:
        """The instant (text that sorts) after the last second of an ISO date at a site."""
        try:
            zone: Any = ZoneInfo(self.zones.get(site, "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            zone = UTC
        if day >= "9999":
            return day
        end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), zone)
        return end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def settings_of(records: Iterable[tuple[str, Mapping[str, Any]]]) -> Settings:
    """The settings from reference records in force: kind and fields. Records of other kinds are passed over."""
    rules: dict[tuple[str, str, str], Rule] = {}
    zones: dict[str, str] = {}
    kinds: dict[tuple[str, str], str] = {}
    for kind, fields in records:
        if kind == "site":
            zones[str(fields["id"])] = str(fields.get("zone", "UTC"))
        elif kind == "location":
            kinds[str(fields["site"]), str(fields["path"])] = str(fields["kind"])
        elif kind == "drawing_rule":
            where = (str(fields["site"]), str(fields.get("location") or ""), str(fields.get("item") or ""))
            compliance = fields.get("compliance")
            share = float(DRAWING_COMPLIANCE if compliance is None else compliance)
            hours = fields.get("expired_hours")
            rules[where] = (str(fields.get("rule") or "fefo"), share, None if hours is None else int(hours))
    return Settings(rules, zones, kinds)


def _upwards(place: str) -> Iterable[str]:
    """The place, the places above it, and the whole site."""
    while place:
        yield place
        place = place.rpartition("/")[0]
    yield ""
