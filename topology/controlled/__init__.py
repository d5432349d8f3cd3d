"""Controlled substances at the edge of the hub: the views' questions, pseudonyms of staff, the printable evidence."""
