"""Whether a text can be a recall's lot number: one that stands on no package would block nothing, and nobody would see it."""

from __future__ import annotations

import unicodedata
from typing import Final

from schemas.codes import normalise_lot

LOT_CHARACTERS_MAX: Final = 100
"""GS1 has 20 (AI 10), HL7 v2.5 20 (RXD-18); longer is a list or a text in the wrong place."""
_SHOWN: Final = 40


def lot_fault(text: str) -> str | None:
    """What is wrong with a lot number, in words; None when nothing is."""
    if len(text) > LOT_CHARACTERS_MAX:
        return f"{text[:_SHOWN]!a}… has {len(text)} characters, and no lot number has more than {LOT_CHARACTERS_MAX}"
    if any(unicodedata.category(char).startswith("C") for char in text):
        return f"{text!a} holds a character that can't be seen, so it would fit no lot: type it anew"
    return None if normalise_lot(text) else f"{text!r} is no lot number"
