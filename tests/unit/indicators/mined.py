"""What a hub in memory has said, in the tables of a projection, and the figures mined from them."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from schemas.log import LogRecord
from schemas.topics import REFERENCE, SITE_LOG
from sinks.indicators.model import History
from sinks.indicators.report import Question, figures
from sinks.sql import PROJECTED_TOPICS, Projection
from sinks.sql.mining import read_history
from tests.support.hub import SiteHub
from tests.support.world import SITE

Figures = dict[tuple[str, str, str], tuple[Fraction, Fraction]]
"""Numerator and denominator by indicator, location and period."""


def projected(hub: SiteHub) -> Projection:
    """The tables of everything a hub has heard and said."""
    written = Projection("sqlite://")
    offsets: Counter[str] = Counter()

    def record(topic: str, key: bytes, value: bytes | None, headers: tuple[tuple[str, str], ...] = ()) -> LogRecord:
        offsets[topic] += 1
        return LogRecord(topic=topic, partition=0, offset=offsets[topic], key=key, value=value, headers=headers)

    changes = [one for one in hub.log if dict(one.headers)["ce_type"] == "ReferenceChange"]
    said = [record(one.topic, one.key, one.value) for one in hub.outputs if one.topic in PROJECTED_TOPICS]
    heard = [record(SITE_LOG, one.key, one.value, one.headers) for one in hub.log]
    written.apply([*(record(REFERENCE, one.key, one.value) for one in changes), *said, *heard])
    return written


def mined(hub: SiteHub) -> History:
    """The history of the hub's site, as the rules take it."""
    written = projected(hub)
    with written.engine.connect() as connection:
        return read_history(connection, SITE)


def daily(told: History, *leave_out: str) -> Figures:
    """Figures by location and day, without what is zero on both sides."""
    found = {
        (one.indicator.name, one.location, one.period): (one.numerator, one.denominator)
        for one in figures(told, Question(period="day", by=("location",)))
        if one.indicator.name not in leave_out
    }
    return {key: pair for key, pair in found.items() if any(pair)}
