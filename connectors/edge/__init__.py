"""A spool near cabinets and scanners: keeps what they send through an outage, and hands it to the hub in order."""
