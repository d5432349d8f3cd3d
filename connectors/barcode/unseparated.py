"""Element strings whose FNC1 separators may have been lost on the way, as keyboard wedges do.

Every way to cut the text that keeps all GS1 rules is a reading. The one with the most evidence (right check digits, dates that
exist) is taken when it stands alone; otherwise nothing is guessed. Example: `1021072911172405310100693570007182` is
(10)21072911 (17)240531 (01)00693570007182.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.barcode.elements import (
    Element,
    ElementError,
    application_identifier,
    checked,
    evidence,
    predefined_length,
    read_elements,
)

STEPS_MAX: Final = 5_000
"""Cuts tried at most; a text that needs more is ambiguous."""

_OPEN_ENDED: Final = frozenset({"10", "21", "30", "37"})
"""Variable-length AIs of medicine packages, inside whose value another element may have begun."""
_MAY_FOLLOW: Final = frozenset({"01", "02", "10", "11", "13", "15", "17", "21", "30", "37"})


class _Steps:
    """How many cuts may still be tried."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STEPS_MAX


def read_unseparated(data: str, year: int) -> tuple[Element, ...]:
    """The one best reading. Raises `ElementError`: `ambiguous` with two of the readings, or the rule the plain reading breaks."""
    if not data:
        raise ElementError("no_data", "it holds no GS1 element string")
    steps = _Steps()
    best: list[tuple[Element, ...]] = []
    most = -1
    for reading in _readings(data, year, (), steps):
        found = evidence(reading, year)
        if found > most:
            best, most = [reading], found
        elif found == most:
            best.append(reading)
    if steps.left <= 0:
        raise ElementError("ambiguous", "it has no FNC1 separators and can be cut in too many ways")
    if not best:
        read_elements(data, year)  # says which rule is broken, unless it is one about combinations
        raise ElementError("no_reading", "it can't be cut into GS1 element strings that keep their rules")
    if len(best) > 1:
        raise ElementError("ambiguous", f"it has no FNC1 separators and may mean {shown(best[0])} or {shown(best[1])}")
    return best[0]


def shown(elements: tuple[Element, ...]) -> str:
    """Elements in the human-readable form."""
    return "".join(f"({ai}){value}" for ai, value in elements)


def _readings(rest: str, year: int, before: tuple[Element, ...], steps: _Steps) -> Iterator[tuple[Element, ...]]:
    """All readings of `rest` after `before`, each AI at most once."""
    if not rest:
        if _belongs_together(before):
            yield before
        return
    try:
        ai = application_identifier(rest)
    except ElementError:
        return
    if any(ai == earlier for earlier, _ in before):
        return
    for end in _ends(ai, rest):
        steps.left -= 1
        if steps.left <= 0:
            return
        try:
            element = checked(ai, rest[len(ai) : end], year)
        except ElementError:
            continue
        yield from _readings(rest[end:], year, (*before, element), steps)


def _ends(ai: str, rest: str) -> Iterator[int]:
    """Where the element string at the start of `rest` may end, the whole rest first."""
    length = predefined_length(ai)
    if length:
        yield length
        return
    yield len(rest)
    if ai in _OPEN_ENDED:
        for end in range(len(ai) + 1, len(rest) - 2):
            if rest[end : end + 2] in _MAY_FOLLOW:
                yield end


def _belongs_together(elements: tuple[Element, ...]) -> bool:
    """GS1's rules on combinations: (02) comes with (37) and without (01), (37) not with (01) (General Specifications §4.13)."""
    ais = {ai for ai, _ in elements}
    if "01" in ais:
        return not ais & {"02", "37"}
    return ("02" in ais) <= ("37" in ais)
