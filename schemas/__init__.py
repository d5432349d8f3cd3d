"""Contracts of Wardstock: events, commands, reference data, codes, units, keys.

This package owns what crosses a boundary. It imports nothing else of the project.
"""
