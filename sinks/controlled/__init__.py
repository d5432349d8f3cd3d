"""Controlled substances as auditors and pharmacists read them: balances, evidence, inventories, forms, scores. Pure."""
