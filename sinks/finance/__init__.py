"""What the ledger is worth: cost layers, valuation, turns, journal, charges. Pure rules on `schemas`; knows no SQL."""
