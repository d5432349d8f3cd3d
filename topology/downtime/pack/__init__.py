"""Downtime packs: what a ward needs to know when no screen does, as one page to print and CSV files beside it."""
