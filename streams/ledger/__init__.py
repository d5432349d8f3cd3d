"""The stock ledger of one site partition: double-entry, append-only, ordered by event time.

A *card* is one item at one place. Its history is a table of entries in ledger order (occurred, device sequence, kind rank,
event key); balances, usable stock and the par trigger are a fold of that history. What arrives late is put in its place and
everything behind it is folded again, so the result never depends on arrival.
"""
