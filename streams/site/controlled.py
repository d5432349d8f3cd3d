"""Stage controlled: what must be true when a controlled substance is handled.

First rules: a waste needs a second, distinct person; a begin count that a person verified and that differs from the ledger is a
discrepancy. Facts always post; these cases never close themselves. Open ones are said again when the site's policy says so.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.site.deadlines import one_business_day_us
from streams.site.desk import Desk
from streams.site.policies import is_addressed, policy_of, zone_of
from streams.site.tables import Timer
from streams.times import HOUR_US, from_us

_DESTROYING = frozenset({EventKind.WASTE, EventKind.DISCARD})
_KEPT: Final = ("address_by", "loss")
"""Facts of a case that stay when what is known of it changes."""
BUSINESS_DAY: Final = "business_day"
"""The step of escalation at which a pharmacist should have addressed the case, by what site policies ask for."""


def case(desk: Desk, site: str, case_id: str, kind: str, text: str, **about: Any) -> None:
    """Open a case about a controlled substance, or write into it what changed. It is said again while nobody closes it."""
    held = desk.cases.get((site, case_id))
    if held is not None:
        kept: dict[str, Any] = {name: held.facts[name] for name in _KEPT if name in held.facts}
        desk.case_note(case_id, site, text, {**(about.get("facts") or {}), **kept})
        return
    policy = policy_of(desk, site)
    by = one_business_day_us(desk.now_us, zone_of(desk, site), policy)
    facts = {**(about.pop("facts", None) or {}), "address_by": from_us(by).isoformat()}
    desk.case_open(case_id, site, kind, text, facts=facts, **about)
    for hours in policy.escalation_hours:
        desk.schedule(desk.now_us + hours * HOUR_US, Timer("overdue", (site, case_id, str(hours))))
    if by - desk.now_us not in {hours * HOUR_US for hours in policy.escalation_hours}:
        desk.schedule(by, Timer("overdue", (site, case_id, BUSINESS_DAY)))


def overdue(desk: Desk, site: str, case_id: str, hours: str) -> None:
    """A case is open for so long: say so, once for each step."""
    held = desk.cases.get((site, case_id))
    if held is None or held.state != "open" or (hours == BUSINESS_DAY and is_addressed(desk, held)):
        return
    duty = "a theft or significant loss is told to the DEA in writing within one business day"
    since = "one business day and is not addressed by a pharmacist" if hours == BUSINESS_DAY else f"{hours} hours"
    text = f"open for {since}: {held.text} ({duty})"
    about = {name: value for name in ("location", "item") if (value := getattr(held, name))}
    desk.alert(site, "case_overdue", text, case_id, hours, **about)
    desk.count(site, "cases_overdue")


def check(desk: Desk, event: StockEvent, item: Item, location: str) -> None:
    """Open the cases that a posted event of a controlled item asks for."""
    if item.schedule is None or event.kind not in _DESTROYING:
        return
    if event.witness and event.witness != event.actor:
        return
    case_id = derived_id("case", "unwitnessed_waste", event.site, event.event_key)
    found = "the witness is the same person" if event.witness else "no witness is named"
    text = f"{item.name} (schedule {item.schedule}) was wasted at {location} and {found}: have a second person confirm it"
    about = {"location": location, "item": item.id, "event_id": event.event_id, "raw": event.raw}
    case(desk, event.site, case_id, "unwitnessed_waste", text, **about)
    desk.count(event.site, "unwitnessed_wastes")
