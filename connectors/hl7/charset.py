"""Which character set a message is written in: byte order mark, else MSH-18, else UTF-8, else Latin-1.

Owns the decision and the decoding; it never fails and never changes the bytes. A declared character set that the bytes
contradict is not believed: a feed that declares ISO IR87 and sends UTF-8 is read as UTF-8.
Source: HL7 v2.8.2 §2.14.9.18 (MSH-18) and table 0211.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

FALLBACK: Final = "latin-1"
"""Reads any byte, so that decoding can't fail."""

_UNDECLARED: Final = "utf-8"
_SINGLE_BYTE: Final = ("iso8859", "cp125")
_ESCAPE_BYTE: Final = b"\x1b"
_HEADER_BYTES_MAX: Final = 4096
"""MSH-18 is looked for in this many bytes of the header."""

_MARKS: Final = (
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"M\x00S\x00H\x00", "utf-16-le"),
    (b"\x00M\x00S\x00H", "utf-16-be"),
)

_LATIN: Final = {f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))}
_TABLE_0211: Final[dict[str, str]] = {
    "ASCII": "ascii",
    **_LATIN,
    **{f"ISO-{name.replace('/', '-')}": codec for name, codec in _LATIN.items()},
    "ISO IR6": "iso2022_jp_ext",
    "ISO IR13": "shift_jis",
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS-1252": "cp1252",
}
_CURRENT: Final = ("8859/", "ISO IR87", "ISO IR13", "GB 18030-2000", "KS X 1001", "BIG-5", "UNICODE UTF-", "WINDOWS")
"""Names to write, of those that are read."""
_LOOKUP: Final = {re.sub(r"[\s_]", "", name): codec for name, codec in _TABLE_0211.items()}


def codec_of(declared: str) -> str:
    """The Python codec of a table 0211 name (case and blanks don't count), or "" when it is not known."""
    return _LOOKUP.get(re.sub(r"[\s_]", "", declared).upper(), "")


def decode(data: bytes, stated: str | None = None) -> tuple[str, str]:
    """The text of a message without its byte order mark, and the codec that reads it. Never fails.

    `stated` is a codec that is tried before anything the message says of itself.
    """
    if stated is not None:
        try:
            return data.decode(stated).lstrip("\ufeff"), stated
        except (UnicodeError, LookupError):
            pass
    if data.isascii() and _ESCAPE_BYTE not in data and b"\x00" not in data:
        return data.decode("ascii"), ""
    if data.startswith(codecs.BOM_UTF8):
        return _first_that_reads(data[len(codecs.BOM_UTF8) :], "utf-8")
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _first_that_reads(data, codec)
    declared = _declared(data)
    if declared and declared[0].startswith(_SINGLE_BYTE):
        # Latin letters that happen to be valid UTF-8 are rare: a feed that declares Latin-1 and sends UTF-8 is read as UTF-8.
        declared.insert(0, _UNDECLARED)
    return _first_that_reads(data, *declared, _UNDECLARED)


def _first_that_reads(data: bytes, *candidates: str) -> tuple[str, str]:
    """Decode with the first codec that accepts the bytes, at last with Latin-1."""
    for codec in candidates:
        try:
            return data.decode(codec), codec
        except UnicodeError:
            continue
    return data.decode(FALLBACK), FALLBACK


def _declared(data: bytes) -> list[str]:
    """Codecs of MSH-18's repetitions, the most capable (last declared) first; UTF-16/32 without a mark are not believed."""
    start = data.find(b"MSH", 0, _HEADER_BYTES_MAX)
    if start < 0 or len(data) <= start + 3:
        return []
    header = data[start : start + _HEADER_BYTES_MAX].splitlines()[0]
    fields = header.split(data[start + 3 : start + 4])
    if len(fields) < 18:
        return []
    return [codec for codec in codecs_of(fields[17].decode(FALLBACK)) if codec not in ("utf-16", "utf-32")]


def codecs_of(declared: str) -> list[str]:
    """The Python codecs that MSH-18's repetitions name, the most capable (last declared) first."""
    found = [codec_of(name) for name in reversed(re.split(r"[~^]", declared))]
    return [codec for codec in found if codec]


def name_of(codec: str) -> str:
    """The table 0211 name of a Python codec; "" when it has none."""
    return next((name for name, known in _TABLE_0211.items() if known == codec and name.startswith(_CURRENT)), "")
