"""Governance of the item master: changes are proposed, checked, approved by another person, and can be taken back."""
