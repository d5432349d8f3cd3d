"""A learned layout as the text of a profile, with its evidence in comments: for a person to check, correct and load."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from connectors.hl7.profiles.learn import Evidence, Learned, Row
from schemas.units import KNOWN_UNITS, canonical_unit

_BY_RULE: Final = {
    "-": ("vend", "expire"), "+": ("return", "refill"), "=amount": ("count", "count"), "=0": ("unload", "unload"),
}  # fmt: skip
"""A kind for a rule, with a patient and without: the sign is evidence, the word is a guess."""
_SAYS: Final = {
    "-": "begin - amount = next begin", "+": "begin + amount = next begin", "=amount": "amount = next begin",
    "=0": "0 = next begin", "0": "begin = next begin",
}  # fmt: skip


def proposal(learned: Learned, rows: Sequence[Row], *, name: str, message_type: str) -> str:
    """The YAML of a profile of this name."""
    segment = rows[0].fields[0]
    place, item, pocket = _places(learned, rows)
    lines = [
        f"# Proposed from {len(rows)} {segment} segments: {learned.held} of {learned.pairs} pairs keep",
        "# begin ± amount = next begin. The signs are evidence; the words for the codes, and every field below, are guesses:",
        "# check each line before you load it.",
        f"profile: {name}",
        f"title: Proposed from recorded {segment} segments",
        "base: standard",
        "messages:",
        f"  {message_type}:",
        f"    each: {segment}",
        "    starts: [ORC]",
        "    feed: cabinet",
        "    kind:",
        f"      path: {segment}-{learned.code}",
        "      codes:",
        *(line for code in sorted(learned.codes) for line in _code(code, learned.codes[code])),
        "    fields:",
        *(f"      {fact}: {_path(segment, columns)}" for fact, columns in _fields(learned, rows, place, item, pocket)),
        "    key_kind: cabinet",
        f"    key: [{', '.join(f'{segment}-{column}' for column in _key(learned))}]",
    ]
    left = _left(learned, rows, {column for _, columns in _fields(learned, rows, place, item, pocket) for column in columns})
    if left:
        lines.append(f"# Not understood: {', '.join(f'{segment}-{column} ({shown})' for column, shown in left)}")
    return "\n".join(lines) + "\n"


def _code(code: str, evidence: Evidence) -> list[str]:
    """One code with its evidence."""
    with_patient = evidence.patients * 2 >= evidence.rows
    if not evidence.pairs:
        return [
            f"        # {code}: {evidence.rows} rows, none followed by another of its pocket: not known, so it will be refused"
        ]
    told = f"{_SAYS[evidence.rule]} in {evidence.held} of {evidence.pairs}; a patient in {evidence.patients} of {evidence.rows}"
    if evidence.rule == "0":
        effect = "waste" if with_patient else "{no_effect: the pocket holds what it held before}"
    else:
        effect = _BY_RULE[evidence.rule][0 if with_patient else 1]
    lines = [f"        {_quoted(code)}: {effect:<10} # {told}"]
    return lines + [f"        #   against: {example}" for example in evidence.against]


def _quoted(code: str) -> str:
    return code if re.fullmatch(r"[A-Za-z_]+", code) else f'"{code}"'


def _path(segment: str, columns: Sequence[int]) -> str:
    paths = [f"{segment}-{column}" for column in columns]
    return paths[0] if len(paths) == 1 else f"{{paths: [{', '.join(paths)}], join: /}}"


def _places(learned: Learned, rows: Sequence[Row]) -> tuple[int | None, int | None, tuple[int, ...]]:
    """The column of the place, of the item, and those that make the pocket's name.

    Besides the columns that tell pockets apart there are those that never change within one: its item, its cabinet. The item is
    the one written as code and text, else the longest; the place the one with the fewest values.
    """
    unit = _unit(learned, rows)
    columns = [column for column in (*learned.pocket, *_fixed(learned, rows)) if column != unit]
    texts = {column: [_at(row, column) for row in rows] for column in columns}
    coded = {column: (sum("^" in text for text in texts[column]), sum(map(len, texts[column]))) for column in columns}
    item = max(columns, key=coded.__getitem__, default=None)
    others = [column for column in columns if column != item]
    place = min(others, key=lambda column: (len(set(texts[column])), -coded[column][1]), default=None)
    return place, item, tuple(column for column in learned.pocket if column not in (place, item))


def _fixed(learned: Learned, rows: Sequence[Row]) -> list[int]:
    """Columns without a meaning yet that have one value in each pocket, and more than one in all."""
    found = []
    for column in _free(learned, rows):
        values: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for row in rows:
            values[tuple(_at(row, one) for one in learned.pocket)].add(_at(row, column))
        if all(len(some) == 1 for some in values.values()) and len(set.union(*values.values())) > 1:
            found.append(column)
    return found


def _fields(
    learned: Learned, rows: Sequence[Row], place: int | None, item: int | None, pocket: tuple[int, ...]
) -> list[tuple[str, tuple[int, ...]]]:
    """The facts that were found, and their columns."""
    actor, witness = _people(learned, rows)
    found: list[tuple[str, tuple[int, ...]]] = [("quantity", (learned.amount,)), ("begin_count", (learned.begin,))]
    found.append(("occurred", (learned.time,)))
    for fact, column in (
        ("item", item),
        ("location", place),
        ("unit", _unit(learned, rows)),
        ("actor", actor),
        ("witness", witness),
    ):
        if column is not None:
            found.append((fact, (column,)))
    if pocket:
        found.append(("pocket", pocket))
    return found


def _unit(learned: Learned, rows: Sequence[Row]) -> int | None:
    """The column whose values are units of measure."""
    for column in _free(learned, rows):
        values = {canonical_unit(_first(_at(row, column))) for row in rows} - {""}
        if values and values <= KNOWN_UNITS:
            return column
    return None


def _people(learned: Learned, rows: Sequence[Row]) -> tuple[int | None, int | None]:
    """User and witness: a column with few values in every row, and one that is seldom filled, and then with some of the same."""
    free = _free(learned, rows)
    values = {column: {_first(_at(row, column)) for row in rows} - {""} for column in free}
    valued = {column: sum(bool(_at(row, column)) for row in rows) / len(rows) for column in free}
    for actor in free:
        for witness in free:
            seldom = 0 < valued[witness] < 0.5 and valued[actor] > 0.9
            if actor != witness and seldom and len(values[actor]) > 1 and values[witness] <= values[actor]:
                return actor, witness
    return None, None


def _free(learned: Learned, rows: Sequence[Row]) -> list[int]:
    """Columns that have no meaning yet."""
    taken = {learned.begin, learned.amount, learned.code, learned.time, *learned.pocket}
    return [column for column in range(1, max(len(row.fields) for row in rows)) if column not in taken]


def _left(learned: Learned, rows: Sequence[Row], used: set[int]) -> list[tuple[int, str]]:
    """What was filled and is not understood, with how many values it has."""
    found = []
    for column in _free(learned, rows):
        values = {_at(row, column) for row in rows} - {""}
        if values and column not in used:
            found.append((column, f"{len(values)} value{'s' if len(values) > 1 else ''}"))
    return found


def _key(learned: Learned) -> tuple[int, ...]:
    """What makes a transaction the same: code, pocket, time and begin count."""
    return (learned.code, *learned.pocket, learned.time, learned.begin)


def _at(row: Row, column: int) -> str:
    return row.fields[column].strip() if column < len(row.fields) else ""


def _first(text: str) -> str:
    return re.split(r"[\^&~]", text)[0].strip()
