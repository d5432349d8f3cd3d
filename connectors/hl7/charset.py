"""Which character set a message is written in: byte order mark, else MSH-18, else UTF-8, else what the bytes can only be.

Owns the decision and the decoding; it never fails and never changes the bytes. A declared character set that the bytes
contradict is not believed: a feed that declares ISO IR87 and sends UTF-8, Shift-JIS or EUC-JP is read as what it sends. That is
more than looks: the second byte of a Shift-JIS character may be `|` or `^`, so a wrong reading would move fields.
Source: HL7 v2.8.2 §2.14.9.18 (MSH-18) and table 0211.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

FALLBACK: Final = "latin-1"
"""Reads any byte, so that decoding can't fail."""

_UTF_8: Final = "utf-8"
_WINDOWS: Final = "cp1252"
_SINGLE_BYTE: Final = ("iso8859", "cp125")
_LATIN_1: Final = ("iso8859-1", FALLBACK)
_ISO_2022: Final = "iso2022_jp_ext"
_JAPANESE: Final = (_ISO_2022, "shift_jis", "cp932", "euc_jp")
_ESCAPE_BYTE: Final = b"\x1b"
_HEADER_BYTES_MAX: Final = 4096
"""MSH-18 is looked for in this many bytes of the header."""

_WIDE_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_HEADERS: Final = (
    (re.compile(rb"(?:[\x00-\x20]\x00){0,8}(?:M\x00S|[FB]\x00H)\x00[HS]\x00[^\x00]\x00"), "utf-16-le"),
    (re.compile(rb"(?:\x00[\x00-\x20]){0,8}\x00(?:M\x00S|[FB]\x00H)\x00[HS]\x00[^\x00]"), "utf-16-be"),
)
_NARROW_HEADERS: Final = (b"MSH", b"FHS", b"BHS")
_ISO_2022_ESCAPE: Final = re.compile(rb"\x1b(?:\$[@B]|\$\([DOPQ]|\([IJ])")
_ROMAN: Final = (b"\x1b(J", b"\x1b(B")
"""JIS X 0201 Roman is read as ASCII: its ¥ and overline are the bytes of `\\` and `~`, and delimiters stay delimiters."""
_KATAKANA: Final = re.compile(rb"[\xa1-\xdf]+")
_TO_7_BITS: Final = bytes(byte & 0x7F for byte in range(256))
_THREE_BYTES_OF_UTF_8: Final = re.compile(rb"[\xe0-\xf4][\x80-\xbf][\x80-\xbf]")
_C1_CONTROL: Final = re.compile(rb"[\x80-\x9f]")
_JAPANESE_LETTER: Final = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
_KANA_RUN: Final = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]{3}")
_HALF_WIDTH: Final = re.compile(r"[\uff61-\uff9f]")
_NO_JAPANESE: Final = re.compile(r"[\x80-\xa0\ue000-\uf8ff]")

_LATIN: Final = {f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))}
_TABLE_0211: Final[dict[str, str]] = {
    "ASCII": "ascii",
    **_LATIN,
    "ISO IR6": _ISO_2022,
    "ISO IR13": "shift_jis",
    "ISO IR14": _ISO_2022,
    "ISO IR87": _ISO_2022,
    "ISO IR159": _ISO_2022,
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": _UTF_8,
    "UNICODE UTF-8": _UTF_8,
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
}
_OTHER_NAMES: Final[dict[str, str]] = {
    "UTF-8": _UTF_8,
    "UTF-16": "utf-16",
    "US-ASCII": "ascii",
    **{f"ISO-{name}": codec for name, codec in _LATIN.items()},
    **{f"WINDOWS-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"CP{page}": f"cp{page}" for page in range(1250, 1259)},
    "LATIN1": "iso8859-1",
    "LATIN-1": "iso8859-1",
    "ISO-2022-JP": _ISO_2022,
    "SHIFT-JIS": "shift_jis",
    "SJIS": "shift_jis",
    "MS932": "cp932",
    "CP932": "cp932",
    "WINDOWS-31J": "cp932",
    "EUC-JP": "euc_jp",
    "EUC-KR": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
}
"""Names that table 0211 does not have and senders write all the same."""
_CURRENT: Final = ("8859/", "ISO IR87", "ISO IR13", "GB 18030-2000", "KS X 1001", "BIG-5", "UNICODE UTF-", "WINDOWS")
"""Names to write, of those that are read."""
_NO_LETTER: Final = re.compile(r"[\s_/-]")
_NAMES: Final = {**_TABLE_0211, **_OTHER_NAMES}
_LOOKUP: Final = {_NO_LETTER.sub("", name): codec for name, codec in _NAMES.items()}


def codec_of(declared: str) -> str:
    """The Python codec of a table 0211 name (case, blanks and dashes don't count), or "" when it is not known."""
    return _LOOKUP.get(_NO_LETTER.sub("", declared).upper(), "")


def decode(data: bytes, stated: str | None = None) -> tuple[str, str]:
    """The text of a message without its byte order mark, and the codec that reads it ("" for plain ASCII). Never fails.

    `stated` is a codec that is tried before anything the message says of itself.
    """
    if stated is not None:
        text = _read(data, stated)
        if text is not None and ("MSH" in text or b"MSH" not in data):
            return text.lstrip("\ufeff"), stated
    if data.isascii() and _ESCAPE_BYTE not in data and b"\x00" not in data:
        return data.decode("ascii"), ""
    if data.startswith(codecs.BOM_UTF8):
        return _first_that_reads(data[len(codecs.BOM_UTF8) :], [])
    mark, wide = wide_codec(data)
    if wide:
        return data[len(mark) :].decode(wide, "replace"), wide[:6] if mark else wide  # the shorter name writes a mark too
    return _first_that_reads(data, _declared(data))


def wide_codec(data: bytes) -> tuple[bytes, str]:
    """Byte order mark and codec of a body in UTF-16 or UTF-32, told by its mark or its header; both empty for others."""
    if data[:3] in _NARROW_HEADERS:
        return b"", ""
    for mark, codec in _WIDE_MARKS:
        if data.startswith(mark):
            return mark, codec
    return b"", next((codec for header, codec in _WIDE_HEADERS if header.match(data)), "")


def _first_that_reads(data: bytes, declared: list[str]) -> tuple[str, str]:
    """Decode with the first codec that accepts the bytes and is not contradicted by them, at last with Latin-1."""
    for codec in _candidates(data, declared):
        text = _read(data, codec)
        if text is not None:
            return text, codec
    text = _with_surrogates(data)
    if text is not None:
        return text, _UTF_8
    text, codec = _japanese(data, believed=not declared or declared[0] in _JAPANESE, declared=bool(declared))
    if text:
        return text, codec
    if _C1_CONTROL.search(data):  # no one sends C1 controls: these bytes are the quotes and the euro sign of Windows
        text = _read(data, _WINDOWS) or ""
    if text:
        return text, _WINDOWS
    return data.decode(FALLBACK), next((codec for codec in declared if codec in _LATIN_1), FALLBACK)


def _candidates(data: bytes, declared: list[str]) -> Iterator[str]:
    """Codecs in the order of belief."""
    if _ESCAPE_BYTE in data and _ISO_2022_ESCAPE.search(data):
        yield _ISO_2022
    if declared and (declared[0].startswith(_SINGLE_BYTE) or _THREE_BYTES_OF_UTF_8.search(data)):
        yield _UTF_8  # text in another character set that happens to be valid UTF-8 is rare
    yield from (codec for codec in declared if codec not in _LATIN_1)
    yield _UTF_8


def _read(data: bytes, codec: str) -> str | None:
    """The text of the bytes in a codec; None when they are none in it."""
    try:
        return _iso_2022(data) if codec.startswith("iso2022_jp") else data.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _iso_2022(data: bytes) -> str:
    """Text of ISO 2022 with Japanese sets; a katakana byte of ISO IR13 (8 bits) is written as one of seven."""
    data = data.replace(*_ROMAN)
    if _ISO_2022_ESCAPE.search(data):
        data = _KATAKANA.sub(lambda found: b"\x1b(I" + found.group(0).translate(_TO_7_BITS) + b"\x1b(B", data)
    return data.decode(_ISO_2022)


def _with_surrogates(data: bytes) -> str | None:
    """UTF-8 in which characters beyond U+FFFF are two surrogates of three bytes each; one that stands alone becomes U+FFFD."""
    try:
        text = data.decode(_UTF_8, "surrogatepass")
    except UnicodeError:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _japanese(data: bytes, *, believed: bool, declared: bool) -> tuple[str, str]:
    """Shift-JIS or EUC-JP where the bytes can be only one of them; two empty texts otherwise.

    Without a Japanese declaration three kana in a row are asked for: no text of another language reads as such.
    """
    readings = []
    for codecs_ in (("shift_jis", "cp932"), ("euc_jp",)):
        for codec in codecs_:
            text = _read(data, codec)
            if text is not None and not _NO_JAPANESE.search(text) and _JAPANESE_LETTER.search(text):
                readings.append((text, codec))
                break
    if len(readings) > 1:
        readings = [reading for reading in readings if not _HALF_WIDTH.search(reading[0])]
    if len(readings) != 1:
        return "", ""
    return readings[0] if (believed and declared) or _KANA_RUN.search(readings[0][0]) else ("", "")


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
    return next((name for name, known in _NAMES.items() if known == codec and name.startswith(_CURRENT)), "")
