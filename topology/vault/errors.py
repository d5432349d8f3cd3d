"""Why the vault does not open. No text of it holds an identifier.

HubError
└── VaultError   its key is missing or another one, its file is damaged, or its access log can't be written
"""

from __future__ import annotations

from topology.errors import HubError


class VaultError(HubError):
    """The vault can't be used; the text says what to do."""
