"""Patterns that a profile states: they must be patterns, and must not be able to stop a hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NESTED_REPEAT: Final = re.compile(r"\([^()]*[*+{][^()]*\)\s*[*+{]")


def pattern_faults(pattern: str) -> Iterator[str]:
    """What is wrong with a pattern: it is none, or may take for ever on a long text."""
    if _NESTED_REPEAT.search(pattern):
        yield "repeats something that repeats, which can take for ever: write it without"
        return
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"is no pattern: {error}"
