"""Profiles of HL7 v2 sources: reading them from files, putting them together with their bases, and mapping messages by them."""
