"""Units of measure: the many spellings of one unit become one name.

Synonyms only: nothing here converts. A factor between two units belongs to an item and a version (reference data).
Spellings come from UCUM, HL7 table 0292 usage and ANSI X12 element 355.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "each": ("ea", "each", "unit_each", "1", "{each}", "pc", "pcs", "piece", "un"),
    "tablet": ("tab", "tabs", "tablet", "tablets", "{tbl}", "{tablet}", "tbl"),
    "capsule": ("cap", "caps", "capsule", "capsules", "{capsule}", "{cap}"),
    "vial": ("vial", "vials", "vl", "{vial}", "vi"),
    "ampule": ("amp", "ampule", "ampoule", "ampul", "{ampule}", "{ampul}"),
    "syringe": ("syr", "syringe", "{syringe}", "srn"),
    "bag": ("bag", "bags", "{bag}"),
    "bottle": ("bottle", "btl", "bot", "{bottle}"),
    "pen": ("pen", "pens", "{pen}"),
    "inhaler": ("inhaler", "inh", "{inhaler}"),
    "patch": ("patch", "patches", "{patch}"),
    "suppository": ("supp", "suppository", "{suppository}"),
    "puff": ("puff", "puffs", "{puff}", "actuation", "{actuation}"),
    "dose": ("dose", "doses", "{dose}"),
    "mL": ("ml", "milliliter", "millilitre", "milliliters"),
    "L": ("l", "liter", "litre"),
    "mg": ("mg", "milligram", "milligrams"),
    "mcg": ("mcg", "ug", "µg", "μg", "microgram", "micrograms"),
    "g": ("g", "gm", "gram", "grams"),
    "unit": ("unit", "units", "iu", "[iu]", "u", "[arb'u]"),
    "mEq": ("meq",),
    "mmol": ("mmol",),
    "box": ("box", "bx", "{box}"),
    "pack": ("pack", "pk", "package", "{package}", "pkg"),
    "carton": ("carton", "ctn", "ct"),
    "case": ("case", "cs", "ca"),
    "tube": ("tube", "tb", "tu", "{tube}"),
    "application": ("application", "appl", "{application}"),
    "drop": ("drop", "drops", "gtt", "[drp]"),
    "spray": ("spray", "sprays", "{spray}"),
}
_CANONICAL: Final = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (*spellings, name.lower())}

KNOWN_UNITS: Final = frozenset(_SPELLINGS)


@lru_cache(maxsize=4_096)
def canonical_unit(text: str) -> str:
    """The one name of a unit, or the text itself (trimmed, lower case) when it is not known."""
    key = text.strip().lower()
    return _CANONICAL.get(key, key)
