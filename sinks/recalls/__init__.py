"""What a recall notice means for places and patients. Pure rules over ledger entries; no SQL, no output."""
