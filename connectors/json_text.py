"""What a parsed JSON value must be before anything reads it: texts of whole characters, nested within a limit.

JSON may write half a UTF-16 surrogate pair (`\\ud800`). Python reads it as a text that nothing can write again, so every JSON
edge asks here once for each item. It knows no event kind.
"""

from __future__ import annotations

from typing import Final

import msgspec

DEPTH_MAX: Final = 64
"""Deepest nesting of objects and lists in FHIR and EPCIS; the deepest published FHIR example has 14."""
HALF_CHARACTER: Final = "half a UTF-16 surrogate pair (\\ud800 to \\udfff): no character"


def is_text(value: object) -> bool:
    """Whether every text in a value, names of members included, can be written in UTF-8 (RFC 8259 §8.2).

    Raises `RecursionError` for a value nested about as deep as a parser follows: ask `is_deeper` first where nesting is usual.
    """
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def is_deeper(value: object, depth_max: int) -> bool:
    """Whether objects and lists are nested more than `depth_max` deep."""
    level: list[object] = [value]
    for _ in range(depth_max):
        if not level:
            return False
        below: list[object] = []
        for node in level:
            members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            below.extend(member for member in members if isinstance(member, (dict, list)))
        level = below
    return bool(level)
