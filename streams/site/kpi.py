"""Stage kpi: counters of each site, published as indicators on ticks.

First indicators: inventory accuracy (counts that found what the ledger said), share of transactions accepted, needs that were
stock-outs. Each states the counts it is made of and the tick it is as of.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas.codec import encode
from schemas.keys import encode_key
from schemas.records import Kpi
from schemas.topics import KPIS
from streams.site.desk import Desk
from streams.times import MINUTE_US

PUBLISH_EVERY_US: Final = 60 * MINUTE_US
KPI_FORMULAS: Final[tuple[tuple[str, str, str], ...]] = (
    ("inventory_accuracy", "counts_exact", "counts"),
    ("stock_out_share", "stock_outs", "needs_opened"),
    ("needs_closed_share", "needs_closed", "needs_opened"),
    ("posted_share", "posted", "items"),
)
"""Name, numerator, denominator: names of counters."""


def publish(desk: Desk) -> None:
    """Publish the indicators of every site of the partition, at most once an hour of ticks."""
    last = desk.clock.get(("kpi",)) or 0
    if desk.now_us - last < PUBLISH_EVERY_US:
        return
    desk.clock.put(("kpi",), desk.now_us)
    counters: dict[str, dict[str, int]] = {}
    for key, counted in desk.counters.scan(()):
        counters.setdefault(str(key[0]), {})[str(key[1])] = counted
    for site in sorted(counters):
        for name, numerator, denominator in KPI_FORMULAS:
            over, under = counters[site].get(numerator, 0), counters[site].get(denominator, 0)
            value = (Decimal(over) / Decimal(under)).quantize(Decimal("0.0001")) if under else None
            record = Kpi(site=site, kpi=name, value=value, numerator=over, denominator=under, as_of=desk.at)
            desk.emit(KPIS, encode_key((site, name)), encode(record), "Kpi", site)
