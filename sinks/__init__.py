"""Sinks: topics out. Imports `schemas` only."""
