"""How a hub's own folder is known: by the file that names its format and hub. It holds a secret key and is never data."""

from typing import Final

MARKER: Final = "wardstock.json"
"""Its name."""
