"""HL7 v2 feeds: reading ER7, cutting batches, mapping pharmacy messages, and MLLP in both directions. Imports `schemas` only."""
