"""The ER7 reader: bytes of one HL7 v2 message in, an indexed view out.

It splits the message into segments and fields once and goes deeper only where asked. It owns reading and nothing else: it knows
no message structure, changes no byte (`bytes(message)` is what came in) and judges no content.
Source: HL7 v2.8.2 chapter 2 (§2.5 to §2.8). Line ends may be CR, LF, CRLF or mixed; a line that is no segment (three capitals or
digits and the field separator) belongs to the field before it. Further departures that are read are in `delimiters.py` (MSH-2),
`lineends.py`, `charset.py` and `repair.py` (names of segments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.hl7.charset import codec_of, decode
from connectors.hl7.delimiters import ENCODING_CHARS_MAX, STANDARD, Delimiters, delimiters_of
from connectors.hl7.lineends import MAY_END_LINES, MAY_END_TEXT, with_line_ends, without_entities
from connectors.hl7.paths import PATHS
from connectors.hl7.repair import KNOWN, as_segment, is_name
from connectors.hl7.syntax import PLAIN, Syntax, syntax_of

_STANDARD_HEADER: Final = "MSH|^~\\&|"
_SKIPPED_BEFORE_HEADER: Final = "\ufeff\x00\x0b\x1c \t\r\n"
_END_OF_BLOCK: Final = "\x1c"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_OTHER_SEPARATOR: Final = re.compile(r"[ \t]*([A-Z][A-Z0-9]{2})([^\w\s.,:;()'\"\\/-])")
_OTHER_SEPARATORS_MIN: Final = 3
"""A line of text may begin with a segment's name; one with `|` after it or as many signs of one kind is meant as a segment."""

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
    """Read one message. Raises `Er7Error` when the bytes hold no header segment with usable delimiters, or several messages.

    `charset` is a Python codec that reads the bytes whatever the message says of itself; one they contradict is not believed.
    """
    text, charset = decode(data, charset)
    if not text.startswith(_STANDARD_HEADER):
        text, delimiters = _header(text)
        syntax = syntax_of(delimiters, charset)
    else:
        syntax = syntax_of(STANDARD, charset) if charset else PLAIN
    separator = syntax.delimiters.field
    rows, index = _plain_rows(text, separator)
    if not rows:
        rows = [segment.split(separator) for segment in _segments(with_line_ends(text, separator), separator)]
        index = _indexed(rows)
    if len(index["MSH"]) > 1:
        reason = "there are several MSH segments where one message is expected: send each message, or a batch, by itself"
        raise Er7Error("several_messages", reason)
    rows[0].insert(1, separator)
    return Message(data, rows, index, syntax)


def _header(text: str) -> tuple[str, Delimiters]:
    """The text from its header on, and the delimiters it names. Raises `Er7Error`."""
    if not text.startswith("MSH"):
        text = text.lstrip(_SKIPPED_BEFORE_HEADER)
    if text[:3].upper() == "MSH":
        text = "MSH" + text[3:].lstrip(" \t")
    if not text:
        raise Er7Error("empty", "the message is empty")
    if not text.startswith("MSH"):
        raise Er7Error("no_msh", "the message does not begin with an MSH segment, so it is no HL7 v2 message")
    header = _LINE_END.split(text, maxsplit=1)[0]
    if len(header) < 5:
        raise Er7Error("msh_too_short", "MSH ends before its delimiters (MSH-1 and MSH-2)")
    encoding = header.split(header[3], 2)[1].strip()
    delimiters = delimiters_of(header[3], encoding) if len(encoding) <= ENCODING_CHARS_MAX else None
    if delimiters is None:
        reason = f"MSH-1 and MSH-2 name no usable delimiters: {header[3:9]!r}; HL7 recommends '|^~\\\\&|', each sign once"
        raise Er7Error("bad_delimiters", reason)
    if "&amp;" in encoding:
        text = without_entities(text)
    return text, delimiters


def _segments(text: str, separator: str) -> list[str]:
    """Cut text with any line ends into segments; a line that is no segment continues the one before, its line end kept.

    A bare name without a separator is a segment only after a line end that certainly ends segments. Raises `Er7Error` for a
    line after such an end that is a segment with another separator.
    """
    if "\r" not in text and "\n" not in text:
        return [text]
    certain = ("\r", "\r\n") if "\r" in text else ("\n",)
    lines = _lines(text)
    _, _, rest = next(lines)
    head, stop = text[:rest], rest
    found: list[str] = []
    for line_end, start, end in lines:
        line = text[start:end]
        if not line.strip(" \t"):
            continue
        segment = as_segment(line, separator, may_be_bare=line_end in certain)
        if segment is not None:
            found.append(head + text[rest:stop])
            head, rest = segment, end
        elif line_end in certain:
            _refuse_other_separator(line)
        stop = end
    found.append(head + text[rest:stop])
    return found


def _lines(text: str) -> Iterator[tuple[str, int, int]]:
    """The line end before, the beginning and the end of each line."""
    line_end, start = "", 0
    for match in _LINE_END.finditer(text):
        yield line_end, start, match.start()
        line_end, start = match.group(), match.end()
    yield line_end, start, len(text)


def _refuse_other_separator(line: str) -> None:
    """Raises `Er7Error` when a line is a segment with another separator than MSH-1: what it says must not get lost in a field."""
    match = _OTHER_SEPARATOR.match(line)
    if match is None or match[1] not in KNOWN:
        return
    if match[2] == STANDARD.field or line.count(match[2]) >= _OTHER_SEPARATORS_MIN:
        reason = f"segment {match[1]} has {match[2]!r} after its name and not the separator of MSH-1: correct it at the sender"
        raise Er7Error("other_separator", reason)


def _plain_rows(text: str, separator: str) -> tuple[list[Row], dict[str, list[Row]]]:
    """Rows and rows by name where every line is a segment beyond doubt, which nearly all are; none where one is not."""
    rows: list[Row] = []
    index: dict[str, list[Row]] = {}
    if _END_OF_BLOCK in text:
        return rows, index
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines = text.rstrip("\r").split("\r")
    if len(lines) == 1 or lines[0].endswith(MAY_END_LINES) or lines[-1].endswith(MAY_END_TEXT):
        return rows, index
    for line in lines:  # one after the other: of a long text the first line that is no segment ends it
        row = line.split(separator)
        name = row[0]
        if name in index:
            index[name].append(row)
        elif len(row) > 1 and len(name) == 3 and is_name(name):
            index[name] = [row]
        else:
            return [], {}
        rows.append(row)
    return rows, index


def _indexed(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by segment name, in order."""
    index: dict[str, list[Row]] = {}
    for row in rows:
        index.setdefault(row[0], []).append(row)
    return index
