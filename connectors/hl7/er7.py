"""The ER7 reader: bytes of one HL7 v2 message in, an indexed view out.

It splits the message into segments and fields once and goes deeper only where asked. It owns reading and nothing else: it knows
no message structure, changes no byte (`bytes(message)` is what came in) and judges no content.
Source: HL7 v2.8.2 chapter 2 (§2.5 to §2.8). Line ends may be CR, LF, CRLF or mixed; a line that is no segment (three capitals or
digits and the field separator) belongs to the field before it. Further departures are in `connectors/hl7/repair.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.hl7.charset import codec_of, decode
from connectors.hl7.delimiters import STANDARD, Delimiters, delimiters_of
from connectors.hl7.paths import PATHS
from connectors.hl7.repair import as_segment, is_name, unfolded
from connectors.hl7.syntax import PLAIN, Syntax, syntax_of

_STANDARD_HEADER: Final = "MSH|^~\\&|"
_SKIPPED_BEFORE_HEADER: Final = "\ufeff\x0b \t\r\n"
_END_OF_BLOCK: Final = "\x1c"
_LINE_END: Final = re.compile(r"(\r\n|\r|\n)")

Row = list[str]


class Er7Error(ValueError):
    """Bytes that are no HL7 v2 message. `code` is a stable name, `reason` a sentence a person can act on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Segment:
    """One segment. Paths are relative: `segment.get("5.1")`."""

    __slots__ = ("_row", "name", "syntax")

    def __init__(self, row: Row, syntax: Syntax) -> None:
        self._row = row
        self.name = row[0]
        self.syntax = syntax

    def field(self, number: int) -> str:
        """A whole field as sent; "" when absent."""
        row = self._row
        return row[number] if number < len(row) else ""

    def get(self, path: str) -> str:
        """The decoded text at a path such as `5`, `5.1`, `3(2).4.1`; "" when absent, `NULL` for HL7's null."""
        step = PATHS[path]
        text = self.field(step[2])
        return self.syntax.pick(text, step) if text else ""

    def value(self, path: str) -> str:
        """The trimmed text at a path, with HL7's null as ""."""
        step = PATHS[path]
        row = self._row
        text = row[step[2]] if step[2] < len(row) else ""
        return self.syntax.trimmed(text, step) if text else ""

    def raw(self, path: str) -> str:
        """The text at a path as sent, escapes and deeper delimiters kept."""
        return self.raws(path)[0]

    def raws(self, *paths: str) -> list[str]:
        """The texts at several paths as sent."""
        found = []
        row = self._row
        for path in paths:
            step = PATHS[path]
            text = row[step[2]] if step[2] < len(row) else ""
            found.append(self.syntax.as_sent(text, step) if text and step[6] else text)
        return found

    def repetitions(self, path: str) -> list[str]:
        """The decoded text at a path in every repetition of its field; an absent field has none."""
        step = PATHS[path]
        return self.syntax.repetitions(self.field(step[2]), step)

    def components(self, field: int) -> list[str]:
        """The decoded components (of each the first subcomponent) of a field's first repetition; an absent field has none."""
        return self.syntax.components(self.field(field))

    def fields(self) -> tuple[str, ...]:
        """All fields as sent; index 0 is the name, the others have HL7's numbers."""
        return tuple(self._row)


class Group:
    """Segments that belong together, in their order; a whole message is one as well."""

    __slots__ = ("_index", "_rows", "syntax")

    def __init__(self, rows: list[Row], index: dict[str, list[Row]], syntax: Syntax) -> None:
        self._rows = rows
        self._index = index
        self.syntax = syntax

    @property
    def delimiters(self) -> Delimiters:
        """The delimiters of the message."""
        return self.syntax.delimiters

    def get(self, path: str) -> str:
        """The decoded text at a path such as `PID-3.1`, `RXA[2]-5.1`; "" when absent, `NULL` for HL7's null."""
        step = PATHS[path]
        rows = self._index.get(step[0])
        if rows is None or step[1] >= len(rows):
            return ""
        row = rows[step[1]]
        if step[2] >= len(row):
            return ""
        value = row[step[2]]
        return self.syntax.pick(value, step) if value else ""

    def raw(self, path: str) -> str:
        """The text at a path as sent, escapes and deeper delimiters kept."""
        step = PATHS[path]
        rows = self._index.get(step.segment, ())
        if step.nth >= len(rows) or step.field >= len(rows[step.nth]):
            return ""
        return self.syntax.as_sent(rows[step.nth][step.field], step)

    def field(self, name: str, number: int) -> str:
        """A whole field of the first segment of a name as sent; "" when absent."""
        rows = self._index.get(name)
        return rows[0][number] if rows and number < len(rows[0]) else ""

    def segments(self, *names: str) -> list[Segment]:
        """The segments of one name or several, in the order of the message."""
        rows = self._index.get(names[0], ()) if len(names) == 1 else [row for row in self._rows if row[0] in names]
        return [Segment(row, self.syntax) for row in rows]

    def segment(self, name: str) -> Segment | None:
        """The first segment of a name."""
        rows = self._index.get(name)
        return Segment(rows[0], self.syntax) if rows else None

    def has(self, *names: str) -> bool:
        """Whether a segment of one of the names is there."""
        return not self._index.keys().isdisjoint(names)

    def __iter__(self) -> Iterator[Segment]:
        return (Segment(row, self.syntax) for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def groups(self, *starts: str) -> list[Group]:
        """Cut into groups, each from a segment with one of the names to the next such segment: `groups("ORC")` are the orders."""
        found: list[list[Row]] = []
        for row in self._rows:
            if row[0] in starts:
                found.append([row])
            elif found:
                found[-1].append(row)
        return [Group(rows, _indexed(rows), self.syntax) for rows in found]

    def lines(self, *, without: str) -> list[str]:
        """The segments as text, their fields joined with `|` whatever the delimiters, all but those of one name."""
        return ["|".join(row) for row in self._rows if row[0] != without]


class Message(Group):
    """One message. `bytes(message)` are the bytes it was read from."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes, rows: list[Row], index: dict[str, list[Row]], syntax: Syntax) -> None:
        super().__init__(rows, index, syntax)
        self._data = data

    def __bytes__(self) -> bytes:
        return self._data

    @property
    def charset(self) -> str:
        """The Python codec that reads the message, and writes an answer its sender can read."""
        return self.syntax.charset or codec_of(self.get("MSH-18")) or "utf-8"


def read(data: bytes, charset: str | None = None) -> Message:
    """Read one message. Raises `Er7Error` when the bytes hold no header segment with usable delimiters.

    `charset` is a Python codec that reads the bytes whatever the message says of itself; one they contradict is not believed.
    """
    text, charset = decode(data, charset)
    if not text.startswith(_STANDARD_HEADER):
        text, delimiters = _header(text)
        syntax = syntax_of(delimiters, charset)
    else:
        syntax = syntax_of(STANDARD, charset) if charset else PLAIN
    separator = syntax.delimiters.field
    if "\n" not in text and _END_OF_BLOCK not in text:
        lines = text.split("\r")
        if not lines[-1]:
            lines.pop()
        if len(lines) == 1:
            lines = unfolded(lines[0], separator).split("\r")
        rows = [line.split(separator) for line in lines]
        index: dict[str, list[Row]] = {}
        for row in rows:
            name = row[0]
            if name in index:
                index[name].append(row)
            elif len(row) > 1 and len(name) == 3 and is_name(name):
                index[name] = [row]
            else:
                break
        else:
            rows[0].insert(1, separator)
            return Message(data, rows, index, syntax)
    if "\r" not in text and "\n" not in text:
        text = unfolded(text, separator)
    rows = [segment.split(separator) for segment in _segments(text, separator)]
    rows[0].insert(1, separator)
    return Message(data, rows, _indexed(rows), syntax)


def _header(text: str) -> tuple[str, Delimiters]:
    """The text from its header on, and the delimiters it names. Raises `Er7Error`."""
    if not text.startswith("MSH"):
        text = text.lstrip(_SKIPPED_BEFORE_HEADER)
    if text[:3].upper() == "MSH":
        text = f"MSH{text[3:].lstrip(' ')}"
    if not text:
        raise Er7Error("empty", "the message is empty")
    if not text.startswith("MSH"):
        raise Er7Error("no_msh", "the message does not begin with an MSH segment, so it is no HL7 v2 message")
    header = _LINE_END.split(text, maxsplit=1)[0]
    if len(header) < 5:
        raise Er7Error("msh_too_short", "MSH ends before its delimiters (MSH-1 and MSH-2)")
    delimiters = delimiters_of(header[3], header.split(header[3], 2)[1].strip())
    if delimiters is None:
        raise Er7Error("bad_delimiters", f"MSH-1 and MSH-2 name no usable delimiters: {header[3:9]!r}")
    return text, delimiters


def _segments(text: str, separator: str) -> list[str]:
    """Cut text with any line ends into segments; a line that is no segment continues the one before, its line end kept.

    A bare name without a separator is a segment only after a line end that certainly ends segments.
    """
    pieces = _LINE_END.split(text.rstrip(_END_OF_BLOCK + "\r\n"))
    bare_after = ("\r", "\r\n") if "\r" in text else ("\n",)
    found: list[list[str]] = [[pieces[0]]]
    pending: list[str] = []
    for line_end, line in zip(pieces[1::2], pieces[2::2], strict=True):
        pending.append(line_end)
        if not line.strip(" \t"):
            pending.append(line)
            continue
        segment = as_segment(line, separator, may_be_bare=line_end in bare_after)
        if segment is not None:
            found.append([segment])
        else:
            found[-1] += (*pending, line)
        pending.clear()
    return ["".join(parts) for parts in found]


def _indexed(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by segment name, in order."""
    index: dict[str, list[Row]] = {}
    for row in rows:
        index.setdefault(row[0], []).append(row)
    return index
