"""EPCIS 2.0 (JSON-LD) in: what trading partners announce."""
