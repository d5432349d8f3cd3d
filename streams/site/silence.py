"""Feeds that must not fall silent: a rule about absence, on the highest tick seen.

A feed is watched when reference data says so. It is heard with every event of its own that reaches the site. When it has said
nothing for longer than it may, an alert is given and a case opens, whose places' balances are stale; both end by themselves when
it speaks again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.ids import derived_id
from schemas.reference import FeedWatch
from streams.site.desk import Desk
from streams.site.policies import is_here
from streams.site.tables import FeedState, Timer
from streams.times import MINUTE_US, from_us, to_us

CASE_KIND: Final = "feed_silent"
_RESOLUTION_US: Final = MINUTE_US
"""A feed that speaks often is noted once in this time."""


def heard(desk: Desk, site: str, source: str, at: datetime) -> None:
    """A watched feed said something that was received at this instant."""
    if desk.catalog.feed_watch(site, source) is None:
        return
    key, at_us = (site, source), to_us(at)
    state = desk.feeds.get(key) or FeedState(0)
    if at_us - state.heard_us < (1 if state.silent else _RESOLUTION_US):
        return
    desk.feeds.put(key, FeedState(at_us))
    if state.silent:
        desk.case_close(_case_id(site, source), site, "the feed spoke again")
        desk.alert(site, "feed_resumed", f"{source} speaks again", source, str(at_us))
        watch(desk, site, source)


def watch(desk: Desk, site: str, source: str) -> None:
    """Look at a feed when its time is up: it is watched from now on, its watch has changed, or it spoke again."""
    rule = desk.catalog.feed_watch(site, source)
    if rule is None or not is_here(desk, site):
        return
    state = desk.feeds.get((site, source))
    if state is None:
        state = FeedState(desk.now_us)
        desk.feeds.put((site, source), state)
    desk.schedule(state.heard_us + rule.silent_after_minutes * MINUTE_US, Timer("silence", (site, source)))


def look(desk: Desk, timer: Timer) -> None:
    """Its time is up: it spoke meanwhile, or it is silent."""
    site, source = timer.subject
    rule, state = desk.catalog.feed_watch(site, source), desk.feeds.get((site, source))
    if rule is None or state is None or state.silent or not is_here(desk, site):
        return
    if not state.heard_us:  # watched before the first tick said what time it is
        state = FeedState(desk.now_us)
        desk.feeds.put((site, source), state)
    due = state.heard_us + rule.silent_after_minutes * MINUTE_US
    if due > desk.now_us:
        desk.schedule(due, timer)
        return
    desk.feeds.put((site, source), FeedState(state.heard_us, silent=True))
    since = from_us(state.heard_us)
    text = f"{source} has said nothing for {rule.silent_after_minutes} minutes (since {since:%Y-%m-%d %H:%M} UTC)"
    desk.alert(site, CASE_KIND, text, source, str(state.heard_us))
    facts = {"source": source, "since": since.isoformat(), "locations": list(rule.locations)}
    desk.case_open(_case_id(site, source), site, CASE_KIND, _stale(rule, text), reopen=True, facts=facts)


def ended(desk: Desk, site: str, source: str) -> None:
    """A feed is not watched any more: what was said of its silence ends."""
    desk.case_close(_case_id(site, source), site, "the feed is not watched any more")
    desk.feeds.delete((site, source))


def _stale(rule: FeedWatch, text: str) -> str:
    where = ", ".join(rule.locations) or "all places of the site"
    return f"{text}; balances of {where} are stale until it speaks again"


def _case_id(site: str, source: str) -> str:
    return derived_id("case", CASE_KIND, site, source)
