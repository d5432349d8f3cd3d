"""What a site has its own way with controlled substances, and its calendar: its records, else the defaults."""

from __future__ import annotations

from schemas.controlled import ControlledPolicy
from schemas.partition import partition_of
from schemas.records import Case
from streams.site.desk import Desk


def policy_of(desk: Desk, site: str) -> ControlledPolicy:
    """The site's policy; the defaults without one."""
    found: ControlledPolicy | None = desk.catalog.held("controlled_policy", site)
    return found or ControlledPolicy(site=site)


def zone_of(desk: Desk, site: str) -> str:
    """The site's time zone."""
    record = desk.catalog.site(site)
    return record.zone if record is not None else "UTC"


def is_here(desk: Desk, site: str) -> bool:
    """Whether a site is this partition's own. Reference data is heard by every partition: only one may ask anything by it."""
    return partition_of(site) == desk.partition


def is_pharmacist(desk: Desk, person: str, site: str) -> bool:
    """Whether a person is a pharmacist of a site."""
    return any(role.role == "pharmacist" and (not role.sites or site in role.sites) for role in desk.catalog.roles_of(person))


def is_addressed(desk: Desk, case: Case) -> bool:
    """Whether a pharmacist has said anything in a case."""
    return any(is_pharmacist(desk, one.actor, case.site) for one in case.decisions)
