"""Going live: opening counts, the mode of a site, comparison with the system before, and the figures before and after."""
