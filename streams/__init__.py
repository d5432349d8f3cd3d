"""Pure processors: events and state in, records out. No clock, no random, no I/O; imports `schemas` only."""
