"""Opening counts: pockets as they were counted when a site begins."""
