"""Dispensing cabinets: JSON transactions in the hub's published schema become stock events."""
