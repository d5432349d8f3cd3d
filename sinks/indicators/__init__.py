"""Indicators mined from the ledger: pure rules from typed inputs to ratios of exact sums. Imports `schemas` only."""
