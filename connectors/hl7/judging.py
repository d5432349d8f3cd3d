"""What a profile says of a message before it is mapped for good: only whether it can be read, for senders who want to be told."""

from __future__ import annotations

from connectors.hl7.profiles.compile import Compiled
from connectors.hl7.profiles.trial import refusals


def judge_by(compiled: Compiled, content: bytes) -> str | None:
    """Why the message, or an item of it, can't be read by the profile; None when all can."""
    found = refusals(content, compiled)
    return "; ".join(dict.fromkeys(found[:3])) or None
