"""From what a profile says of a report to what the reader runs on, with everything that is wrong said at once.

Checked here and not by the contract: that columns are columns, formats state what they must, words have one meaning, and rows
have an identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connectors.hl7.profiles.patterns import pattern_faults
from connectors.report.formats import FormatError, Numbers, TimeFormat, numbers, time_format
from schemas.report import NEEDED_FACTS, REPORT_FACTS, ColumnFact, ReportAction, ReportMap

Place = tuple[str | int, ...]

_SYSTEMS: Final = ("local", "ndc", "gtin", "hibc", "rxnorm")
_CODECS: Final = {"utf-8": "utf-8-sig", "windows-1252": "cp1252"}
_TAB_WORD: Final = "tab"
_OCCURRED: Final = "occurred"
_EXPIRY: Final = "expiry"
_TELLING: Final = {
    _OCCURRED: "the time", "device_sequence": "the device's own number", "serial": "the serial number",
    "begin_count": "what was there before", "actual_begin_count": "what was counted before",
}  # fmt: skip
"""Facts that tell rows without an id apart, where a report states them: the columns of the key must be theirs too."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report ready to be read. `spans` are first and behind-last character of each column of a fixed-width report."""

    map: ReportMap
    encoding: str
    delimiter: str
    quote: str | None
    skip_lines: int
    header: bool
    spans: dict[str, tuple[int, int]] | None
    ignored: tuple[re.Pattern[str], ...]
    ignored_without: tuple[str, ...]
    ends_with: re.Pattern[str] | None
    numbers: Numbers
    facts: dict[str, ColumnFact]
    formats: dict[str, tuple[TimeFormat, ...]]
    actions: dict[str, ReportAction]
    """By word in capitals."""
    key: tuple[str, ...]
    columns: tuple[str, ...]
    """Every column that is read, each once."""

    @property
    def codec(self) -> str:
        """Python's codec of the encoding."""
        return _CODECS.get(self.encoding, self.encoding)


def compile_report(stated: ReportMap) -> Report:
    """A report that has no `report_faults`."""
    facts = stated.facts or {}
    spans = None
    if stated.format == "fixed":
        spans = {name: _span(span) for name, span in (stated.columns or {}).items()}
    delimiter = stated.delimiter or ","
    return Report(
        map=stated,
        encoding=stated.encoding or "utf-8",
        delimiter="\t" if delimiter.lower() == _TAB_WORD else delimiter,
        quote='"' if stated.quote is None else stated.quote or None,
        skip_lines=stated.skip_lines or 0,
        header=_has_header(stated),
        spans=spans,
        ignored=tuple(re.compile(rule.matches) for rule in stated.ignore or () if rule.matches is not None),
        ignored_without=tuple(rule.empty for rule in stated.ignore or () if rule.empty is not None),
        ends_with=None if stated.ends_with is None else re.compile(stated.ends_with),
        numbers=numbers(stated.numbers),
        facts=facts,
        formats={name: tuple(map(time_format, fact.formats)) for name, fact in facts.items() if fact.formats},
        actions={word.upper(): action for word, action in (stated.actions or {}).items()},
        key=stated.key or (),
        columns=tuple(dict.fromkeys(name for _, name in _read_columns(stated))),
    )


def report_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    """Everything that is wrong with a report, each with its place in it."""
    yield from _shape_faults(stated)
    yield from _column_faults(stated)
    yield from _fact_faults(stated)
    yield from _action_faults(stated)
    yield from _identity_faults(stated)


def _has_header(stated: ReportMap) -> bool:
    return stated.format != "fixed" if stated.header is None else stated.header


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first) - 1, int(last)


def _read_columns(stated: ReportMap) -> list[tuple[Place, str]]:
    """Every column that is named to be read, with its place."""
    found: list[tuple[Place, str]] = [(("facts", name), column) for name, fact in _facts(stated) for column in fact.columns]
    found += [(("actions", word), column) for word, action in (stated.actions or {}).items() for column in action.quantity or ()]
    found += [(("ignore", number), rule.empty) for number, rule in enumerate(stated.ignore or ()) if rule.empty is not None]
    return found + [(("key",), column) for column in stated.key or ()]


def _facts(stated: ReportMap) -> list[tuple[str, ColumnFact]]:
    return list((stated.facts or {}).items())


def _shape_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    if stated.format is None:
        yield (), "does not say whether it is delimited or fixed (`format`), and no base does"
    delimiter = stated.delimiter or ","
    if len(delimiter) != 1 and delimiter.lower() != _TAB_WORD:
        yield ("delimiter",), f"{delimiter!r} is neither one character nor the word tab"
    elif delimiter in "\r\n" or delimiter == (stated.quote or '"') or stated.quote in ("\r", "\n"):
        yield ("delimiter",), "can't be the quote or a line end"
    if stated.format == "delimited" and not _has_header(stated) and stated.width is None:
        yield (), "has no header and does not say how many columns a row has (`width`)"
    try:
        numbers(stated.numbers)
    except FormatError as error:
        yield ("numbers",), str(error)
    for number, rule in enumerate(stated.ignore or ()):
        if (rule.matches is None) == (rule.empty is None):
            yield ("ignore", number), "needs either `matches` or `empty`"
        elif rule.matches is not None:
            for reason in pattern_faults(rule.matches):
                yield ("ignore", number), reason
    for reason in pattern_faults(stated.ends_with or ""):
        yield ("ends_with",), reason


def _column_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    """Columns that the report does not have."""
    if stated.format == "fixed":
        for name, span in (stated.columns or {}).items():
            first, behind = _span(span)
            if behind <= first:
                yield ("columns", name), f"{span} ends before it begins"
        for place, column in _read_columns(stated):
            if column not in (stated.columns or {}):
                yield place, f"reads column {column!r}, which `columns` does not place"
    elif not _has_header(stated) and stated.width is not None:
        for place, column in _read_columns(stated):
            if not (column.isascii() and column.isdigit() and 1 <= int(column) <= stated.width):
                yield place, f"reads column {column!r}; without a header columns are 1 to {stated.width}"


def _fact_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    facts = dict(_facts(stated))
    for name in NEEDED_FACTS:
        if name not in facts or not (facts[name].columns or facts[name].value):
            yield ("facts",), f"does not say where the {name} stands, and no base does"
    for name, fact in facts.items():
        if name not in REPORT_FACTS:
            yield ("facts", name), f"is no fact of a transaction; there are {', '.join(REPORT_FACTS)}"
        elif name in (_OCCURRED, _EXPIRY):
            yield from _format_faults(stated, name, fact)
        elif fact.formats:
            yield ("facts", name), "has formats, which only times and dates have"
    system = facts.get("code_system")
    if system is not None:
        for word in filter(None, (system.value, *(system.codes or {}).values())):
            if word not in _SYSTEMS:
                yield ("facts", "code_system"), f"{word!r} is no code system; there are {', '.join(_SYSTEMS)}"


def _format_faults(stated: ReportMap, name: str, fact: ColumnFact) -> Iterator[tuple[Place, str]]:
    if fact.columns and not fact.formats:
        yield ("facts", name), "does not say how it is written (`formats`)"
    for text in fact.formats or ():
        try:
            found = time_format(text)
        except FormatError as error:
            yield ("facts", name), f"format {text!r}: {error}"
            continue
        if name == _OCCURRED and not found.is_time:
            yield ("facts", name), f"format {text!r} does not state year, month, day, hour (of 24, or with %p) and minute"
        elif not found.is_date:
            yield ("facts", name), f"format {text!r} does not state year and month"
        if "y" in found.stated and stated.two_digit_years_from is None:
            yield ("facts", name), f"format {text!r} has a year of two digits: say which with `two_digit_years_from`"


def _action_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    words: dict[str, str] = {}
    facts = stated.facts or {}
    if not stated.actions:
        yield (), "does not say what the words of the action mean (`actions`), and no base does"
    for word, action in (stated.actions or {}).items():
        place: Place = ("actions", word)
        if (action.action is None) == (action.no_effect is None):
            yield place, "needs an action, or no_effect with a reason, and not both"
        if action.takes_back and not ({"reverses", "transaction_id"} & set(facts)):
            yield place, "takes back a transaction, and no fact says which: map `reverses` or `transaction_id`"
        other = words.setdefault(word.upper(), word)
        if other != word:
            yield place, f"is the same word as {other!r}; capitals do not count"


def _identity_faults(stated: ReportMap) -> Iterator[tuple[Place, str]]:
    """Rows need something that makes them the same when they are reported again."""
    facts = stated.facts or {}
    if "transaction_id" not in facts and not stated.key:
        yield (), "says neither where the transaction_id stands nor which columns make a row the same again (`key`)"
    for name, what in _TELLING.items() if stated.key else ():
        missing = [column for column in (facts[name].columns if name in facts else ()) if column not in (stated.key or ())]
        if missing:
            yield ("key",), f"leaves out {what} ({', '.join(missing)}): different rows would be one"
