"""Verify: derives stock and needs from the logs a second time, by other code than the hub's, and compares.

It shares contracts (`schemas`) with the hub and no rule: nothing here imports a processor, a fold or the engine.
"""
