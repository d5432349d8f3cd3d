"""Feeds: bytes in, raw messages and mapped events out. Imports `schemas` only."""
