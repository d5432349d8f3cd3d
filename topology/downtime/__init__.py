"""Downtime: packs that are fresh when the network goes, paper keyed in afterwards, and where paper, devices and ledger differ."""
