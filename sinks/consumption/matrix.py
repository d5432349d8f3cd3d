"""The ABC-VEN matrix: which items deserve the most attention, by what they cost and by what their absence does."""

from __future__ import annotations

from typing import Final

_CATEGORY: Final = {"I": ("AV", "AE", "AN", "BV", "CV"), "II": ("BE", "CE", "BN"), "III": ("CN",)}


def category(abc: str, ven: str) -> str | None:
    """Category I, II or III of an item (Devnani et al. 2010, PMC3021698); None where its cost or the committee's word is missing.

    `abc` is A, B or C by annual value, `ven` is V (vital), E (essential) or N (non-essential).
    """
    return next((name for name, pairs in _CATEGORY.items() if f"{abc}{ven}" in pairs), None)
