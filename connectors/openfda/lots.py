"""Lot numbers in the free text of an enforcement report (`code_info`), by stated patterns; what is left over is for a person.

1. Expiry clauses (`Exp 10/15`, `(Exp. Oct 2015)`, `Expiry: 2015-10-31`) are cut out.
2. A list begins behind `Lot`, `Lots`, `Lot #`, `Lot No.`, `Batch`, `Control #`; a text without any such word is one list.
3. An entry is 2 to 30 letters, digits, hyphens, slashes or dots with a digit among them, and neither a date nor an NDC. Entries
   stand between commas, semicolons, blanks, `and` and `&`; anything else ends the list.
4. A range (`A1 through A9`, `A1 - A9`) is not expanded: nobody knows which numbers lie in it. Two like halves around a hyphen
   (`A100-A120`) are taken as one number and may be a range.
5. `All lots` is what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from schemas.codes import normalise_lot

_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE: Final = (
    rf"(?:\d{{1,2}}/\d{{1,2}}/\d{{2,4}}|\d{{1,2}}/\d{{2,4}}|\d{{4}}[-/]\d{{1,2}}(?:[-/]\d{{1,2}})?|\d{{1,2}}[-\s]{_MONTH}[-\s]\d{{2,4}}"
    rf"|{_MONTH}[-/\s]?\d{{1,2}},\s*\d{{4}}|{_MONTH}[-/\s]?\d{{2,4}})"
)
_EXPIRY: Final = re.compile(
    rf"[(\[]?\bexp(?:iry|iration|ires|iring)?\b[.:]?\s*(?:dates?)?\s*[:.]?\s*{_DATE}(?:\s*(?:,|&|-|and|to|through)\s*{_DATE})*[)\]]?",
    re.IGNORECASE,
)
_ALL: Final = re.compile(r"\ball\s+(?:lots?|batch(?:es)?)(?:\s+(?:numbers?|codes?))?\b", re.IGNORECASE)
_WORD: Final = re.compile(
    r"\b(?:lots?|batch(?:es)?|control)(?![a-z])(?:\s*(?:numbers?|nos?\b\.?|codes?|#s?))*(?:\(s\))?\s*[:#.]*", re.IGNORECASE
)
_BEGIN: Final = "\x02"
_TOKEN: Final = re.compile(r"[^\s,;]+")
_ENTRY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9/.\-]{1,29}")
_NDC: Final = re.compile(r"\d{4,6}-\d{3,4}(?:-\d{1,2})?")
_RANGE: Final = frozenset({"through", "thru", "to", "-", "–", "—"})
_JOINS: Final = frozenset({"and", "&"})
CHARACTERS_MAX: Final = 100_000
"""Longest text that is read for lots; more is left to a person."""


@dataclass(frozen=True, slots=True)
class FoundLots:
    """Lots of a text as written, each once; whether it says all lots; what is unsure; what was not understood of it.

    `ranged`: it names, or may name, a range, so that `lots` may not be all of them.
    """

    lots: tuple[str, ...]
    all_lots: bool
    unsure: tuple[str, ...]
    rest: str
    ranged: bool = False


def lots_in(text: str) -> FoundLots:
    """Read the lots of a `code_info`. Never raises: what is not of the patterns is in `rest`."""
    if len(text) > CHARACTERS_MAX:
        return FoundLots((), all_lots=False, unsure=(f"the text has more than {CHARACTERS_MAX} characters",), rest=text)
    cut = _EXPIRY.sub(" ", text)
    all_lots = _ALL.search(cut) is not None
    cut = _WORD.sub(f" {_BEGIN} ", _ALL.sub(" ", cut))
    unsure = ["the text says all lots"] if all_lots else []
    listing = _BEGIN not in cut and not all_lots
    lots: dict[str, str] = {}
    rest: list[str] = []
    ranged = False
    for token in _TOKEN.findall(cut):
        bare = token.strip("().:#[]*")
        if token == _BEGIN:
            listing = True
        elif listing and bare.lower() in _RANGE:
            ranged = True
            rest.append(token)
        elif listing and _is_entry(bare):
            lots.setdefault(normalise_lot(bare), bare)
        elif bare and not (listing and bare.lower() in _JOINS):
            rest.append(token)
            listing = listing and _is_dated(bare)
    if ranged:
        unsure.append("it names a range of lots, which is not expanded: list its lots")
    doubtful = [lot for lot in lots.values() if _may_be_range(lot)]
    unsure += [f"{lot} may be a range: if it is, list its lots" for lot in doubtful]
    if lots and _BEGIN not in cut:
        unsure.append("no word such as Lot stands before the numbers")
    if not lots and not all_lots:
        unsure.append("no lot number was found")
    if rest:
        unsure.append("part of the text was not understood")
    return FoundLots(tuple(lots.values()), all_lots, tuple(unsure), " ".join(rest), ranged or bool(doubtful))


def _is_entry(text: str) -> bool:
    if not _ENTRY.fullmatch(text) or not any(character.isdigit() for character in text):
        return False
    return not _is_dated(text) and not _NDC.fullmatch(text)


def _may_be_range(lot: str) -> bool:
    first, _, last = lot.partition("-")
    return len(first) == len(last) > 1 and all(any(character.isdigit() for character in part) for part in (first, last))


def _is_dated(text: str) -> bool:
    return re.fullmatch(_DATE, text, re.IGNORECASE) is not None
