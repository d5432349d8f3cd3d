"""Prometheus metrics of a running hub, read from what it has durable. No label ever carries patient data."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from topology.downtime.keeper import Ages
from topology.running import RunningHub


def metrics_text(live: RunningHub, packs: Ages | None = None) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    labels = ("source", "outcome", "code")
    ingest = Gauge("wardstock_ingest_total", "Items by source, outcome and reason", labels, registry=registry)
    summary = live.views.outcomes_summary()
    for row in summary["reasons"]:
        ingest.labels(row["source"], row["outcome"], row["code"]).set(row["items"])
    Gauge("wardstock_backlog_events", "Events stored and not folded yet", registry=registry).set(live.backlog())
    Gauge("wardstock_handler_faults_total", "Events whose handling raised", registry=registry).set(live.handler_faults())
    Gauge("wardstock_storing", "1 while the hub can store", registry=registry).set(0 if live.failing else 1)
    shown = 0 if live.not_projecting else 1
    Gauge("wardstock_projecting", "1 while what people read is kept up to date", registry=registry).set(shown)
    Gauge("wardstock_taking_in", "1 while MLLP feeds and drop folders work", registry=registry).set(0 if live.not_taking else 1)
    Gauge("wardstock_open_commands", "Open replenishment commands", registry=registry).set(live.views.count("commands"))
    Gauge("wardstock_open_cases", "Open cases", registry=registry).set(live.views.count("cases"))
    if packs is not None:
        age = Gauge("wardstock_downtime_pack_age_seconds", "Age of a site's pack; -1 without one", ("site",), registry=registry)
        for site, seconds in packs().items():
            age.labels(site).set(seconds)
    return generate_latest(registry)
