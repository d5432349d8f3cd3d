"""Items that look like one that is there already: the same drug, strength and form under another name.

Names are compared by their words in any order (rapidfuzz, `token_sort_ratio`), spelled-out and abbreviated units alike, and only
among items of the same base unit and strength: `amox 250 mg` and `amox 500 mg` differ in two letters and are two drugs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from rapidfuzz import fuzz, process

from schemas.reference import Item
from schemas.units import canonical_unit

SCORE_MIN: Final = 88.0
"""Of 100. `docs/item-master.md` names it; lower ones are mostly other salts and other makers' names."""
_WORDS: Final = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|%")


class Likes:
    """Finds items that look like another one."""

    def __init__(self, items: Iterable[Item]) -> None:
        """`items` are those that are there."""
        self._names: defaultdict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for item in items:
            self._names[_group(item)][item.id] = normal_name(item.name)

    def like(self, item: Item) -> list[tuple[str, int]]:
        """Ids of items that look like this one, the most alike first, each with its score."""
        others = {id_: name for id_, name in self._names.get(_group(item), {}).items() if id_ != item.id}
        found = process.extract(normal_name(item.name), others, scorer=fuzz.token_sort_ratio, score_cutoff=SCORE_MIN, limit=3)
        return [(str(id_), round(score)) for _, score, id_ in found]


def normal_name(name: str) -> str:
    """A name as words in small letters, numbers apart from units, units by their one name."""
    return " ".join(word if word[0].isdigit() else canonical_unit(word) for word in _WORDS.findall(name.casefold()))


def _group(item: Item) -> tuple[str, ...]:
    """What must be equal: base unit, strength, and the numbers in the name."""
    strength = "" if item.strength_amount is None else f"{Decimal(item.strength_amount).normalize():f}"
    numbers = sorted(word for word in _WORDS.findall(item.name) if word[0].isdigit())
    return (item.base_unit, strength, canonical_unit(item.strength_unit or ""), *numbers)
