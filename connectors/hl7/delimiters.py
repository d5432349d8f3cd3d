"""The five delimiters of a message, taken from its header segment, and the escape sequences they need.

Owns MSH-1/MSH-2 (BHS, FHS alike) and the escape sequences of HL7 v2.8.2 §2.7. Pure functions of text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class Delimiters(NamedTuple):
    """Separators in the order field, component, repetition, escape, subcomponent. `encoding` is MSH-2 as sent."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    encoding: str


STANDARD: Final = Delimiters("|", "^", "~", "\\", "&", "^~\\&")
"""What HL7 recommends and nearly everybody sends."""

FORMAT_REPEAT_MAX: Final = 100
"""Most blank lines or blanks a single formatting command (`.sp`, `.sk`) yields."""
ENCODING_CHARS_MAX: Final = 24
"""A longer MSH-2 is none, and callers don't ask: four signs, or five, with room for an escape sign escaped thrice and `&amp;`."""

_DEFAULTS: Final = "^~\\&"
_SIGNS_MAX: Final = 5
_WRITTEN_AMPERSAND: Final = "&amp;"
_NEVER_A_DELIMITER: Final = re.compile(r"[\w\s\x00-\x1f]")


@lru_cache(maxsize=256)
def delimiters_of(field: str, encoding: str) -> Delimiters | None:
    """Delimiters from MSH-1 and MSH-2, or None when they can't be used (letters, blanks, one sign in two roles, too many signs).

    Read although not as HL7 v2.8.2 §2.5.4 has it: a short MSH-2 (HL7's recommended signs for the rest), an escape sign that
    repeats itself (`^~\\\\&`: escaped twice on the way), one that got lost on the way (`^~&`), and `&amp;` for `&`. A fifth sign
    is the truncation character of v2.7.
    """
    signs = encoding.replace(_WRITTEN_AMPERSAND, "&")
    if len(signs) >= 4 and signs[2] == signs[3]:
        signs = signs[:3] + signs[3:].lstrip(signs[2])
    if signs[2:] == _DEFAULTS[3]:
        signs = signs[:2] + _DEFAULTS[2:]
    if len(signs) > _SIGNS_MAX:
        return None
    component, repetition, escape, subcomponent = tuple(signs[:4] + _DEFAULTS[len(signs) :])
    used = (field, component, repetition, escape, subcomponent)
    if len(set(used)) != len(used) or any(_NEVER_A_DELIMITER.match(sign) for sign in {*used, *signs[4:]}):
        return None
    return Delimiters(*used, encoding)


@lru_cache(maxsize=256)
def _escape_pattern(sign: str, *, doubled: bool) -> re.Pattern[str]:
    """Matches the escape sequences that have a meaning; all others (\\Z..\\, \\C..\\, \\M..\\, unpaired signs) stay text."""
    mark = re.escape(sign)
    begin, end = (rf"(?P<mark>{mark}{mark}?)", "(?P=mark)") if doubled else (mark, mark)
    meaning = r"([FSTREPHN])|X((?:[0-9A-Fa-f]{2})++)|\.(br|ce|fi|nf|sp|sk|in|ti)[ ]?([+-]?\d{0,4})"
    return re.compile(f"{begin}(?:{meaning}){end}")


def unescape(text: str, delimiters: Delimiters, charset: str = "utf-8") -> str:
    """Decode every escape sequence that has a meaning in plain text. `\\X..\\` holds bytes of `charset`.

    A sender whose MSH-2 has the escape sign twice writes it twice here as well.
    """

    def decoded(match: re.Match[str]) -> str:
        letter, hexadecimal, command, count = match.groups()[-4:]
        if letter is not None:
            return _letter(letter, delimiters)
        if hexadecimal is not None:
            return _bytes(bytes.fromhex(hexadecimal), charset)
        return _format(command, count)

    doubled = delimiters.encoding[2:4] == 2 * delimiters.escape
    return _escape_pattern(delimiters.escape, doubled=doubled).sub(decoded, text)


def escape(text: str, delimiters: Delimiters) -> str:
    """Escape the delimiters and line ends in `text`, so that it can stand in a field."""
    escapes = {
        delimiters.escape: "E",
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        "\r": "X0D",
        "\n": "X0A",
    }
    sign = delimiters.escape
    return "".join(f"{sign}{escapes[char]}{sign}" if char in escapes else char for char in text)


def _letter(letter: str, delimiters: Delimiters) -> str:
    """The text of a one-letter sequence; highlighting (H, N) has none."""
    return {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "P": "#",
    }.get(letter, "")


def _bytes(data: bytes, charset: str) -> str:
    """Bytes of a hexadecimal sequence as text of the message's character set, else of Latin-1."""
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return data.decode("latin-1")


def _format(command: str, count: str) -> str:
    """A formatting command of FT data as line ends and blanks; indents and fill modes have no plain text."""
    repeat = min(abs(int(count)) if count.strip("+-") else 1, FORMAT_REPEAT_MAX)
    return {"br": "\n", "ce": "\n", "sp": "\n" * repeat, "sk": " " * repeat}.get(command, "")
