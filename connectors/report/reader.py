"""The rows of a report: bytes into named cells, line by line. It knows no facts.

What makes the whole report unreadable (its encoding, its header, its end) raises `Fault`; a line that can't be read is a row
with a fault, and reading goes on with the next line. A quote that is never closed must not swallow rows: a row of several lines
is believed only when it has exactly as many cells as it should and none of its further lines looks like a row by itself; else
its first line is refused and the next line is read for itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.json_items import Fault
from connectors.report.compile import Report
from schemas.report import ROWS_MAX

RECORD_LINES_MAX: Final = 50
"""Lines of one row, whose quoted cells may hold line ends."""
_NOTHING: Final = "nothing of this report is taken; correct the profile when the report has changed, then replay"
_PATTERN_TEXT_MAX: Final = 400
_SHOWN_COLUMNS_MAX: Final = 12
_SHOWN_CHARS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins at, and its cells by column, trimmed; or why it can't be read."""

    line: int
    cells: dict[str, str]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str


def rows_of(body: bytes, report: Report) -> list[Row]:
    """The rows of a report in order. Raises `Fault` when the report as a whole can't be read."""
    lines = _lines(_text(body, report))
    _check_end(lines, report)
    rest = lines[report.skip_lines :]
    reading = _fixed(rest, report) if report.spans is not None else _delimited(rest, report)
    rows: list[Row] = []
    for row in reading:
        if row.fault is None and _says_nothing(row, report):
            continue
        if len(rows) == ROWS_MAX:
            reason = f"the report has more than {ROWS_MAX} rows: export it for a shorter time"
            raise Fault("too_many_items", reason)
        rows.append(row)
    return rows


def _says_nothing(row: Row, report: Report) -> bool:
    """Whether a row is empty, or has nothing in a column that the profile says all rows have."""
    return not any(row.cells.values()) or any(not row.cells.get(column) for column in report.ignored_without)


def _text(body: bytes, report: Report) -> str:
    if report.encoding == "utf-16" and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        reason = "the report has no UTF-16 mark, so its byte order is not known: state utf-16-le or utf-16-be in the profile"
        raise Fault("bad_encoding", reason)
    try:
        text = body.decode(report.codec)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        reason = f"the report is not {report.encoding}, as the profile says: byte {error.start} (about line {line}) is not"
        raise Fault("bad_encoding", reason) from None
    if "\0" in text:
        reason = f"the report holds zero characters: it is no {report.encoding} text, or was damaged on its way"
        raise Fault("bad_encoding", reason)
    return text.removeprefix("\ufeff")


def _lines(text: str) -> list[_Line]:
    """The lines with their ends, numbered from 1; only CR, LF and CRLF end a line."""
    return [_Line(number, line) for number, line in enumerate(io.StringIO(text, newline=""), start=1)]


def _check_end(lines: Sequence[_Line], report: Report) -> None:
    if report.ends_with is None:
        return
    last = next((line.text.strip() for line in reversed(lines) if line.text.strip()), "")
    if not report.ends_with.fullmatch(last[:_PATTERN_TEXT_MAX]):
        reason = "the report does not end as the profile says (`ends_with`): it was cut off on its way; have it sent again"
        raise Fault("cut_off", reason)


def _is_ignored(text: str, report: Report) -> bool:
    stripped = text.rstrip("\r\n")
    return not stripped.strip() or any(pattern.fullmatch(stripped[:_PATTERN_TEXT_MAX]) for pattern in report.ignored)


# ---- fixed width --------------------------------------------------------------------------------------------------


def _fixed(lines: Sequence[_Line], report: Report) -> Iterator[Row]:
    spans = report.spans or {}
    rows = (line for line in lines if not _is_ignored(line.text, report))
    head = None
    if report.header:
        head = next(rows, None)
        if head is None:
            raise _headless()
        _check_heading(head, report, spans)
    for line in rows:
        if head is not None and line.text.rstrip() == head.text.rstrip():
            continue
        if "\t" in line.text:
            reason = f"line {line.number} holds a tab, so its columns don't stand where the profile says"
            yield Row(line.number, {}, Fault("bad_row", reason))
        else:
            yield Row(line.number, _cut(line.text, spans))


def _cut(text: str, spans: dict[str, tuple[int, int]]) -> dict[str, str]:
    text = text.rstrip("\r\n")
    return {name: text[first:behind].strip() for name, (first, behind) in spans.items()}


def _check_heading(head: _Line, report: Report, spans: dict[str, tuple[int, int]]) -> None:
    """The header must name the columns at their places. Raises `Fault`."""
    found = _cut(head.text, spans)
    wrong = [f"{_shown([found[name]])} instead of {name!r}" for name in report.columns if found[name] != name]
    if wrong:
        moved = ", ".join(wrong[:_SHOWN_COLUMNS_MAX])
        raise Fault("other_header", f"the header in line {head.number} has {moved}: columns have moved; {_NOTHING}")


# ---- delimited ----------------------------------------------------------------------------------------------------


def _delimited(lines: Sequence[_Line], report: Report) -> Iterator[Row]:
    """Rows of named cells. The header is the first line that is not ignored; one that comes again is no row."""
    at = 0
    if report.header:
        while at < len(lines) and _is_ignored(lines[at].text, report):
            at += 1
        if at == len(lines):
            raise _headless()
        count, names = _header(lines, at, report)
        at += count
    else:
        names = [str(number) for number in range(1, (report.map.width or 0) + 1)]
    while at < len(lines):
        if _is_ignored(lines[at].text, report):
            at += 1
            continue
        count, cells = _record(lines, at, report)
        if cells is None or (count > 1 and not _is_one_row(lines[at + 1 : at + count], cells, len(names), report)):
            reason = f"line {lines[at].number} has a quote that does not close where a cell ends: nothing of this line is taken"
            yield Row(lines[at].number, {}, Fault("bad_row", reason))
            at += 1
            continue
        if not (report.header and cells[: len(names)] == names):
            yield _row(lines[at].number, cells, names)
        at += count


def _record(lines: Sequence[_Line], at: int, report: Report) -> tuple[int, list[str] | None]:
    """The record that begins at a place: of how many lines it is, and its trimmed cells; None when its quotes are wrong."""
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for line in lines[at : at + RECORD_LINES_MAX]:
            taken += 1
            yield line.text

    quoting = csv.QUOTE_NONE if report.quote is None else csv.QUOTE_MINIMAL
    try:
        cells = next(csv.reader(texts(), delimiter=report.delimiter, quotechar=report.quote or '"', quoting=quoting, strict=True))
    except (csv.Error, StopIteration):
        return 1, None
    return taken, [cell.strip() for cell in cells]


def _is_one_row(further: Sequence[_Line], cells: Sequence[str], width: int, report: Report) -> bool:
    """Whether a record of several lines is a row: it has its cells, and none of its `further` lines has as many by itself."""
    alone = (_record([line], 0, report)[1] for line in further)
    return _width(cells, width) == width and not any(found is not None and _width(found, width) == width for found in alone)


def _width(cells: Sequence[str], width: int) -> int:
    """How many cells a row has, without empty ones behind its last column."""
    found = len(cells)
    while found > width and not cells[found - 1]:
        found -= 1
    return found


def _header(lines: Sequence[_Line], at: int, report: Report) -> tuple[int, list[str]]:
    """The names of the columns. Raises `Fault` when one that the profile reads is not there, or is there twice."""
    number = lines[at].number
    count, cells = _record(lines, at, report)
    names = cells or []
    names = names[: _width(names, 1)]
    missing = [column for column in report.columns if column not in names]
    if missing:
        reason = f"the header in line {number} has no column {_shown(missing)}; it has {_shown(names)}: {_NOTHING}"
        raise Fault("other_header", reason)
    twice = [column for column in report.columns if names.count(column) > 1]
    if twice:
        reason = f"the header in line {number} has {_shown(twice)} twice, so nothing says which is meant: {_NOTHING}"
        raise Fault("other_header", reason)
    return count, names


def _row(line: int, cells: list[str], names: list[str]) -> Row:
    width = _width(cells, len(names))
    if width != len(names):
        reason = f"line {line} has {width} cells for {len(names)} columns: a delimiter in it is not quoted, or it was cut off"
        return Row(line, {}, Fault("bad_row", reason))
    return Row(line, dict(zip(names, cells, strict=False)))


def _headless() -> Fault:
    return Fault("other_header", f"the report ends before its header: {_NOTHING}")


def _shown(names: Sequence[str]) -> str:
    """Names of columns as short, printable text."""
    shown = ", ".join(ascii(name[:_SHOWN_CHARS_MAX]) if not name.isprintable() else repr(name[:_SHOWN_CHARS_MAX])
                      for name in names[:_SHOWN_COLUMNS_MAX])  # fmt: skip
    return f"{shown} and {len(names) - _SHOWN_COLUMNS_MAX} more" if len(names) > _SHOWN_COLUMNS_MAX else shown or "nothing"
