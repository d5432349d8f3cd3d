"""What follows at the end of an event from what it did to openings and transforms: clocks end with the fact that started them,
and recalls follow what lots are made of, as it is known then."""

from __future__ import annotations

from streams.ledger.model import CardKey
from streams.site import beyond_use, genealogy, recall
from streams.site.desk import Desk


def settle(desk: Desk) -> list[CardKey]:
    """Do what the event left to do; returns the cards that changed."""
    touched: list[CardKey] = []
    for site, event_key in desk.prepared.taken_back:
        touched += beyond_use.taken_back(desk, site, event_key)
        genealogy.forget(desk, site, event_key)
    desk.prepared.taken_back.clear()
    if desk.prepared.to_review:
        wanted = dict.fromkeys(desk.prepared.to_review)
        desk.prepared.to_review.clear()
        touched += recall.review(desk, wanted)
    return touched
