"""Stage ledger, for stock reports: the lines of one report that count one card are parts of one count.

A stock system counts products; an item may have several. Each line that has no lot posts the total of the report's lines so far,
behind the one before it, so that the last one to be folded stands, whichever waited for what.
"""

from __future__ import annotations

import msgspec

from schemas.kinds import EventKind
from streams.ledger.model import OrderKey
from streams.site.desk import Desk
from streams.site.tables import ReportTotal
from streams.site.work import Work


def as_total(desk: Desk, work: Work, order: OrderKey) -> tuple[Work, OrderKey]:
    """The count to post for a line of a report, and its place in the ledger; any other event as it is."""
    event = work.event
    if event.kind is not EventKind.COUNT or event.lines < 2 or event.lot:
        return work, order
    report = event.part_of or event.event_key
    key = (event.site, report, work.location, work.item.id)
    before = desk.reports.get(key) or ReportTotal(0, 0, 0)
    now = ReportTotal(before.quantity + work.quantity, before.lines + 1, max(before.order_us, order[0]))
    desk.reports.put(key, now)
    return msgspec.structs.replace(work, quantity=now.quantity), (now.order_us, order[1], order[2], report, now.lines)
