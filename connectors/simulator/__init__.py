"""A seeded, deterministic hospital pharmacy network: true wire formats in, and the truth they must add up to.

Independent of the hub's own code: it imports `schemas` only and keeps its own ledger. Public: `Knobs`, `Outage`, `KnobError`,
`build_network`, `write_reference`, `simulate`, `messages`, `write_simulation`.
"""

from connectors.simulator.knobs import KnobError, Knobs, Outage
from connectors.simulator.network import build_network
from connectors.simulator.plan import Network, SitePlan
from connectors.simulator.reference_csv import write_reference
from connectors.simulator.simulation import Simulation, Summary, messages, outages_of, simulate, sources_of, write_simulation

__all__ = [
    "KnobError",
    "Knobs",
    "Network",
    "Outage",
    "Simulation",
    "SitePlan",
    "Summary",
    "build_network",
    "messages",
    "outages_of",
    "simulate",
    "sources_of",
    "write_reference",
    "write_simulation",
]
