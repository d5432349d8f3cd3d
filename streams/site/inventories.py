"""Stage controlled, inventories: a new one is due at most two years after the last (21 CFR 1304.11(c)).

Only where a site has a policy or a recorded inventory. It is said before it is due, and is a case when it is overdue; the record
of a newer inventory closes the case.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from schemas.controlled import ControlledInventory
from schemas.ids import derived_id
from streams.site.deadlines import months_later
from streams.site.desk import Desk
from streams.site.policies import is_here, policy_of, zone_of
from streams.site.tables import Timer
from streams.times import end_of_day_us, local_date, start_of_day_us

KIND: Final = "inventory_due"


def changed(desk: Desk, site: str) -> None:
    """A policy or an inventory was recorded or withdrawn."""
    if not is_here(desk, site):
        return
    if desk.now_us:
        look(desk, site)
    else:
        desk.schedule(1, Timer("inventory", (site,)))


def look(desk: Desk, site: str) -> None:
    """Say what is due, close what was done, and look again when that may change."""
    newest = _newest(desk, site)
    has_policy = desk.catalog.held("controlled_policy", site) is not None
    case_id = derived_id("case", KIND, site)
    if newest is None and not has_policy:
        desk.case_close(case_id, site, "neither policy nor inventory is recorded any more")
        return
    policy, zone = policy_of(desk, site), zone_of(desk, site)
    if newest is None:
        text = "no inventory of controlled substances is recorded: record the last one (21 CFR 1304.11)"
        _say(desk, site, case_id, "none", text)
        return
    due = months_later(newest, policy.inventory_months)
    overdue_us = end_of_day_us(due, zone)
    notice_us = start_of_day_us(due - timedelta(days=policy.inventory_notice_days), zone)
    last = f"the last inventory of controlled substances was taken on {newest.isoformat()}"
    if desk.now_us >= overdue_us:
        _say(desk, site, case_id, due.isoformat(), f"{last}: the next was due on {due.isoformat()} (21 CFR 1304.11(c))")
        return
    desk.case_close(case_id, site, f"inventory of {newest.isoformat()}")
    if desk.now_us >= notice_us:
        text = f"{last}: the next is due by {due.isoformat()} (21 CFR 1304.11(c))"
        desk.alert(site, "inventory_due", text, due.isoformat())
    for at in (notice_us, overdue_us):
        if at > desk.now_us:
            desk.schedule(at, Timer("inventory", (site,)))


def _say(desk: Desk, site: str, case_id: str, about: str, text: str) -> None:
    held = desk.cases.get((site, case_id))
    if held is None or held.state != "open":
        desk.case_open(case_id, site, KIND, text, reopen=True)
        desk.alert(site, "inventory_overdue", text, about)
    else:
        desk.case_note(case_id, site, text, held.facts)


def _newest(desk: Desk, site: str) -> date | None:
    """The newest recorded inventory; one that is dated later than today is not believed yet."""
    records: list[ControlledInventory] = desk.catalog.all_of("controlled_inventory", site)
    today = local_date(desk.now_us, zone_of(desk, site))
    return max((one.taken_on for one in records if one.taken_on <= today), default=None)
