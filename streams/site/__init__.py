"""The site processor: an ordered line of stages over one state, one module each."""
