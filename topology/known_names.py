"""Whether a site or place that a question names is there: a mistyped name must not look like a site without a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sinks.sql.views import Views
from topology.errors import UnknownNameError

_SITES_SHOWN: Final = 10
_NOT_OF_A_SITE: Final = frozenset({"outcomes_summary", "command", "trace", "recalls", "heard"})
"""Views without a site, and that of the feeds of one, which answers a row for any."""
_ALWAYS: Final = frozenset({"indicators", "consumption", "controlled_balance"})
_OF_A_PLACE: Final = frozenset({"stock", "positions", "movements", "expiring"}) | _ALWAYS
_OF_AN_ITEM: Final = frozenset({"expiring", "consumption", "lots"})


def refuse_unknown(views: Views, view: str, given: Mapping[str, str | int], rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises `UnknownNameError` when the answer has no rows and its site is not known, or when its place is not known.

    A site that has rows is known, or has told something, whether or not its record is in force.
    """
    if view in _NOT_OF_A_SITE:
        return
    site = str(given["site"]) if "site" in given else None
    if site is not None and not rows:
        known = [str(row["id"]) for row in views.sites()]
        if site not in known and not views.heard(site)["feeds"]:
            raise UnknownNameError(_no_site(site, known))
    if view in _OF_AN_ITEM and not rows and "item" in given and views.reference("item"):
        _refuse_unknown_item(views, str(given["item"]))
    if view in _OF_A_PLACE and "location" in given and (view in _ALWAYS or not rows):
        place = str(given["location"])
        if not _is_place(views, site, place):
            msg = f"no place {place} at {site or 'any site'}: `wardstock positions` lists places, written like main/fridge"
            raise UnknownNameError(msg)


def _refuse_unknown_item(views: Views, item: str) -> None:
    if all(str(row["id"]) != item for row in views.reference("item")):
        msg = f"there is no item {item}: `wardstock positions` lists items by their ids"
        raise UnknownNameError(msg)


def _no_site(site: str, known: Sequence[str]) -> str:
    if not known:
        return f"there is no site {site}: none is loaded yet, `wardstock reference load` takes a file of sites"
    more = " and others" if len(known) > _SITES_SHOWN else ""
    return f"there is no site {site}: ask for {', '.join(known[:_SITES_SHOWN])}{more}"


def _is_place(views: Views, site: str | None, place: str) -> bool:
    """Whether a registered place is this one, lies below it or holds it, or something ever moved there."""
    paths = (str(row["path"]) for row in views.reference("location") if site in (None, row["site"]))
    if place.endswith("/"):
        return False
    if any(f"{path}/".startswith(f"{place}/") or place.startswith(f"{path}/") for path in paths):
        return True
    return bool(views.movements(site=site, location=place, limit=1))
