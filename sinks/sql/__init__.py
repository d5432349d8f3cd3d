"""SQL projection of the hub's topics: derived data, rebuilt from the log at any time. Imports `schemas` only."""

from sinks.sql.engine import open_engine
from sinks.sql.projection import PROJECTED_TOPICS, Projection, ProjectionError
from sinks.sql.views import Views

__all__ = ["PROJECTED_TOPICS", "Projection", "ProjectionError", "Views", "open_engine"]
