"""The normalise processor: raw messages in, canonical events for the site log out."""
