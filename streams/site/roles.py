"""Who may decide what at a site: approving and cancelling commands, closing cases. A person is stated, not authenticated.

The rule of every decision is the same: the role, held for the site. A case is closed by a pharmacist; one that is not of a
controlled substance also by who works it: a buyer what a delivery lacks or has too much, an engineer what the hub failed on.
Where the hub holds no role record at all nobody could close a case: there, anybody may.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from schemas.records import Case
from streams.site.desk import Desk

PHARMACIST: Final = "pharmacist"
MAY_CANCEL: Final = (PHARMACIST, "buyer")
_ALSO_CLOSES: Final = {
    "receipt_over": "buyer", "receipt_short": "buyer", "receipt_wrong_item": "buyer", "delivery_short": "buyer",
    "handler_fault": "engineer",
}  # fmt: skip


def lacks(desk: Desk, actor: str, site: str, needed: Collection[str]) -> str | None:
    """Why a person may not decide, with the role that is needed and how to get it; None when the person may."""
    held = {role.role for role in desk.catalog.roles_of(actor) if not role.sites or site in role.sites}
    if held & set(needed):
        return None
    has = f" ({actor} is {', '.join(sorted(held))} there)" if held else ""
    line = f"{actor},{next(iter(needed))},{site}"
    return (
        f"{actor} does not hold the role {' or '.join(needed)} at {site}{has}: have one who does decide, or load a role record "
        f"(roles.csv: person,role,sites; the line {line})"
    )


def may_not_close(desk: Desk, actor: str, case: Case) -> str | None:
    """Why a person may not close a case; None when the person may."""
    if not desk.catalog.has_roles():
        return None
    item = desk.catalog.item(case.item) if case.item else None
    also = _ALSO_CLOSES.get(case.kind)
    is_controlled = item is not None and item.schedule is not None
    needed = (PHARMACIST,) if also is None or is_controlled else (PHARMACIST, also)
    return lacks(desk, actor, case.site, needed)
