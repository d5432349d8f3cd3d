"""Line ends and ends of messages as some engines write them, read where the reading is certain.

A message may come on one line, its segments apart by blanks or by a line end that was written out (`\\r`, `<CR>`); it may have
padding or the mark of a block's end after its last segment, or have been escaped for XML as a whole. What begins a segment on one
line must be a name that HL7 knows, or one with Z: free text in a field never becomes a segment. Pure functions of text, each
linear in its length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from connectors.hl7.repair import is_known

_WRITTEN_OUT: Final = (
    "\\\\r\\\\n", "\\\\r", "\\\\n", "\\r\\n", "\\r", "\\n", "\\x0d\\", "<cr><lf>", "<cr>", "<lf>", "[cr]",
    "&#13;", "&#xd;", "&#x0d;", "<br>", "<br/>", "<br />", "\u240d\u240a", "\u240d", "\u240a",
)  # fmt: skip
"""Line ends as text, in small letters, the longer before those they end with."""
_WRITTEN_OUT_CHARS_MAX: Final = max(len(mark) for mark in _WRITTEN_OUT)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_END_SIGNS: Final = "\r\n\x00\x04\x1a\x1c"
"""Line ends, padding, end of transmission, end of file, end of block."""
_END_MARKS: Final = ("[eom]", "<eom>", "[eob]", "<eob>", "<eb>", "[eb]", "<fs>", "[fs]")
_END_MARKS_MAX: Final = 8
"""Ends of a message or block as text, and how many of them are looked for one after the other."""
MAY_END_LINES: Final = tuple(sorted({form for mark in _WRITTEN_OUT for form in (mark, mark.upper())}))
"""A header segment that ends so may have its line ends written out."""
MAY_END_TEXT: Final = ("\x00", "\x04", "\x1a", "]", ">")
"""A message that ends so may have more after its last segment than HL7 has."""
_ENTITY: Final = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,6})|#[xX]([0-9A-Fa-f]{1,5}));")
_ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def with_line_ends(text: str, separator: str) -> str:
    """Text without what follows the last segment, its segments apart by line ends wherever segments are certain to begin.

    On one line a segment begins with a name HL7 knows (or one with Z) and the separator, after blanks or a written-out line end.
    On several, a written-out line end is taken away where it stands at the end of every line.
    """
    text = _without_end(text)
    if "\r" not in text and "\n" not in text:
        return _unfolded(text, separator)
    mark = _written_end(_LINE_END.split(text, maxsplit=1)[0].rstrip())
    lines = [line.rstrip(" \t") for line in _LINE_END.split(text)] if mark else []
    if not mark or not all(_written_end(line) == mark for line in lines[:-1] if line):
        return text
    return _without_end("\r".join(line[: -len(mark)] if _written_end(line) == mark else line for line in lines))


def without_entities(text: str) -> str:
    """The text of a message that was escaped for XML or HTML as a whole; unchanged where one `&` is not of an entity."""
    plain, replaced = _ENTITY.subn(_entity, text)
    return plain if replaced == text.count("&") else text


def _entity(match: re.Match[str]) -> str:
    """The character of an entity; one that has none stays as written."""
    name, decimal, hexadecimal = match.groups()
    code = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else 0
    if name:
        return _ENTITIES[name]
    return match.group() if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else chr(code)


def _without_end(text: str) -> str:
    """Text without the ends of block and message, the padding and the line ends after its last segment."""
    for _ in range(_END_MARKS_MAX):
        text = text.rstrip(_END_SIGNS)
        tail = text[-len(_END_MARKS[0]) :].lower()
        if not tail.endswith(_END_MARKS):
            break
        text = text[: -next(len(mark) for mark in _END_MARKS if tail.endswith(mark))]
    return text


@lru_cache(maxsize=64)
def _beginning(separator: str) -> re.Pattern[str]:
    """What a segment may begin with (blanks before the separator, small letters), where a blank or line end may have ended."""
    return re.compile(rf"(?<=[\s\\;>\]rnRN\u240d\u240a])([A-Za-z][A-Za-z0-9]{{2}})[ \t]*{re.escape(separator)}")


def _unfolded(text: str, separator: str) -> str:
    """Text on one line as one with line ends. Pieces are cut off as they are found, so that the time stays linear."""
    found: list[str] = []
    start = 0
    for match in _beginning(separator).finditer(text):
        at = match.start()
        apart = at > start and (text[at - 1].isspace() or _written_end(text[max(start, at - _WRITTEN_OUT_CHARS_MAX) : at]))
        if apart and is_known(match.group(1)):
            found.append(_without_written_end(text[start:at]))
            start = at
    found.append(_without_written_end(text[start:]) if found else text[start:])
    return "\r".join(found)


def _written_end(text: str) -> str:
    """The written-out line end that text ends with; "" when it ends with none."""
    tail = text[-_WRITTEN_OUT_CHARS_MAX:].lower()
    if not tail.endswith(_WRITTEN_OUT):
        return ""
    return next(mark for mark in _WRITTEN_OUT if tail.endswith(mark))


def _without_written_end(text: str) -> str:
    """Text without blanks and a written-out line end (or the written-out end of the message) after it."""
    text = _without_end(text.rstrip())
    mark = _written_end(text)
    return _without_end(text[: -len(mark)].rstrip()) if mark else text
