"""Proposing a layout of cabinet transactions from recorded traffic, by conservation.

What a pocket held, and what was moved, must be what it holds next. Every row is a segment of one kind (ZPM). Among its numeric
columns the pair is sought for which begin ± amount = next begin holds in pockets that are told apart by further columns; which
way a code moves follows from which sign holds. Rows are ordered by their time stamp. Nothing is assumed of positions or code
letters, and everything proposed comes with how often it held and where it did not.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Final

ROWS_MAX: Final = 4_000
"""Rows looked at; more add nothing."""
PAIRS_MIN: Final = 20
SHARE_MIN: Final = 0.8
"""A layout is proposed when at least so many pairs of rows of one pocket, and this share of them, keep the law."""
COUNTER_EXAMPLES_MAX: Final = 5
_MOVING_MIN: Final = 0.3
_VALUED_MIN: Final = 0.9
_CODE: Final = re.compile(r"[A-Za-z_]{1,12}")
_NUMBER: Final = re.compile(r"-?\d{1,7}")
_TIME: Final = re.compile(r"(?:19|20)\d{10}(?:\d{2})?(?:[.+-].*)?")
_RULES: Final = ("=0", "=amount", "-", "+", "0")
"""In the order in which one is taken when several hold equally often: what empties a pocket also subtracts all it held."""


@dataclass(frozen=True, slots=True)
class Row:
    """One segment: where it stood, its fields as sent (index 0 is its name), and whether the message named a patient."""

    name: str
    fields: Sequence[str]
    patient: bool


@dataclass(slots=True)
class Evidence:
    """How a code moves: the rule that held most often, in how many of its pairs, where it did not, how often with a patient."""

    rule: str
    held: int
    pairs: int
    rows: int
    patients: int
    against: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Learned:
    """A layout: columns by number, and the evidence of every code."""

    begin: int
    amount: int
    code: int
    time: int
    pocket: tuple[int, ...]
    held: int
    pairs: int
    codes: dict[str, Evidence]


class _Table:
    """The columns of the rows: first components, numbers, which of them are what."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        width = max(len(row.fields) for row in rows)
        self.texts = [[_first(row.fields[at]) if at < len(row.fields) else "" for row in rows] for at in range(width)]
        self.numbers = [[int(text) if _NUMBER.fullmatch(text) else None for text in column] for column in self.texts]
        self.columns = range(1, width)

    def share(self, at: int, pattern: re.Pattern[str]) -> float:
        """How much of a column matches a pattern, of all rows."""
        return sum(bool(pattern.fullmatch(text)) for text in self.texts[at]) / len(self.rows)

    def distinct(self, at: int) -> int:
        """How many values a column has."""
        return len(set(self.texts[at]))


def _first(field_text: str) -> str:
    """The first component of a field's first repetition, in any of the usual delimiters."""
    return re.split(r"[\^&~]", field_text, maxsplit=1)[0].strip()


def learn(rows: Sequence[Row]) -> Learned | None:
    """The layout that explains most; None when none explains enough."""
    if len(rows) < PAIRS_MIN:
        return None
    table = _Table(rows[:ROWS_MAX])
    times = [at for at in table.columns if table.share(at, _TIME) >= _VALUED_MIN]
    codes = [at for at in table.columns if table.share(at, _CODE) >= _VALUED_MIN and 2 <= table.distinct(at) <= 20]
    if not times or not codes:
        return None
    time = max(times, key=table.distinct)
    numeric = [at for at in table.columns if at != time and table.share(at, _NUMBER) >= 0.5 and table.distinct(at) > 2]
    order = sorted(range(len(table.rows)), key=lambda at: (table.texts[time][at], at))
    best: Learned | None = None
    for begin, amount in permutations(numeric, 2):
        for code in codes:
            found = _best_pocket(table, order, (begin, amount, code, time), set(codes) | set(times))
            if found is not None and (best is None or found.held * best.pairs > best.held * found.pairs):
                best = found
    return best if best and best.pairs >= PAIRS_MIN and best.held >= SHARE_MIN * best.pairs else None


def _best_pocket(table: _Table, order: Sequence[int], columns: tuple[int, int, int, int], never: set[int]) -> Learned | None:
    """The columns that tell pockets apart: added one by one as long as the law holds better with them."""
    begin, amount, _, _ = columns
    candidates = [
        at
        for at in table.columns
        if at not in never and at not in (begin, amount) and 1 < table.distinct(at) <= len(table.rows) / 3
    ]
    best: Learned | None = None
    chosen: tuple[int, ...] = ()
    while True:
        tried = [_explained(table, order, columns, (*chosen, at)) for at in candidates if at not in chosen]
        better = max((one for one in tried if one is not None), key=lambda one: one.held / one.pairs, default=None)
        if better is None or (best is not None and better.held / better.pairs <= best.held / best.pairs + 0.005):
            return best
        best, chosen = better, better.pocket


def _explained(
    table: _Table, order: Sequence[int], columns: tuple[int, int, int, int], pocket: tuple[int, ...]
) -> Learned | None:
    """How far the law holds with these columns; None when there is too little that moves to say so."""
    begin, amount, code, time = columns
    pairs = list(_pairs(table, order, begin, amount, pocket))
    moving = sum(table.numbers[begin][first] != table.numbers[begin][second] for first, second in pairs)
    if len(pairs) < PAIRS_MIN or moving < _MOVING_MIN * len(pairs):
        return None
    by_code: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for first, second in pairs:
        named = table.texts[code][first]
        totals[named] += 1
        by_code[named].update(_rules_kept(table, begin, amount, first, second))
    rules = {named: max(_RULES, key=lambda rule: (counts[rule], -_RULES.index(rule))) for named, counts in by_code.items()}
    held = sum(by_code[named][rule] for named, rule in rules.items())
    if len(set(rules.values())) < 2:
        return None
    evidence = {
        named: Evidence(rules.get(named, ""), by_code[named][rules[named]] if named in rules else 0, totals[named], count, 0)
        for named, count in Counter(table.texts[code]).items()
    }
    for at, row in enumerate(table.rows):
        evidence[table.texts[code][at]].patients += row.patient
    for first, second in pairs:
        one = evidence[table.texts[code][first]]
        if one.rule not in _rules_kept(table, begin, amount, first, second) and len(one.against) < COUNTER_EXAMPLES_MAX:
            one.against.append(_counter_example(table, begin, amount, first, second))
    return Learned(begin, amount, code, time, pocket, held, len(pairs), evidence)


def _pairs(table: _Table, order: Sequence[int], begin: int, amount: int, pocket: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Rows that follow each other in one pocket."""
    lines: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in order:
        if table.numbers[begin][at] is not None and table.numbers[amount][at] is not None:
            lines[tuple(table.texts[column][at] for column in pocket)].append(at)
    for line in lines.values():
        yield from pairwise(line)


def _rules_kept(table: _Table, begin: int, amount: int, first: int, second: int) -> list[str]:
    """The rules that one pair of rows keeps."""
    before, moved, after = table.numbers[begin][first] or 0, abs(table.numbers[amount][first] or 0), table.numbers[begin][second]
    kept = {"-": after == before - moved, "+": after == before + moved, "=amount": after == moved, "=0": after == 0}
    kept["0"] = after == before
    return [rule for rule in _RULES if kept[rule]]


def _counter_example(table: _Table, begin: int, amount: int, first: int, second: int) -> str:
    before, moved, after = (table.texts[column][at] for column, at in ((begin, first), (amount, first), (begin, second)))
    return f"{table.rows[first].name}: {before} with {moved}, then {table.rows[second].name}: {after}"
