"""Cutting one raw body into the messages it holds, every message with its own bytes.

Knows FHS/BHS/BTS/FTS batches (HL7 v2.8.2 §2.10.3), MLLP blocks (VT … FS CR), several messages in a row, and text before the first
header (`[SOM]`, a line of a log). It judges no message: a member that can't be read stays a member, and spoils no other.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from connectors.hl7.charset import wide_codec
from connectors.hl7.repair import KNOWN

_ENVELOPE: Final = ("FHS", "BHS", "BTS", "FTS")
_BEFORE_NAME: Final = "\ufeff\xef\xbb\xbf \t"
_HEADER: Final = r"(?:(?:[Mm][Ss][Hh]|[FfBb][Hh][Ss]|[BbFf][Tt][Ss])[^\w\s]|[Mm][Ss][Hh][ \t]{1,80}[^\w\s][ \t]{0,80}[^\w\s])"
_START: Final = re.compile(
    r"(?:^|[\r\n\x0b\x1c\x00\]>])"
    rf"(?=(?:\ufeff|\xef\xbb\xbf)?[ \t]{{0,80}}(?:{_HEADER}|(?:MSH|FHS|BHS|BTS|FTS)(?:[\r\n]|$)))"
)
"""Where a header begins: at the start of a line or block, or after the start of a block as text (`_BLOCK_MARKS`)."""
_BLOCK_MARKS: Final = ("[SOM]", "<SOM>", "[SOB]", "<SOB>", "[SB]", "<SB>", "[VT]", "<VT>")
_BLOCK_MARK_CHARS_MAX: Final = 5
_INLINE_START: Final = re.compile(r"(?=MSH[^\w\s][^\w\s]{2})")
_AFTER_TEXT: Final = re.compile(r"[\r\n](?![ \t]{0,80}[A-Z][A-Z0-9]{2}[^\w\s])[^\r\n]{0,200}?(?=MSH[^\w\s][^\w\s]{2})")
"""Where a header begins on a later line, after text that is no segment: the lines of a log."""
_APART: Final = r"(?:[\s\x00]|\\[rnRN]|<(?i:CR|LF|BR ?/?)>|\[(?i:CR)\]|&#(?:13|[xX]0?[dD]);)"
_ON_ONE_LINE: Final = re.compile(rf"{_APART}(?={_HEADER})")
"""Where a header begins in a body without line ends: after a blank or a line end that was written out."""
_SEGMENT_LIKE: Final = re.compile(r"(?:^|[\r\n])[ \t]*[A-Z][A-Z0-9]{2}[^\w\s]")
_LINE_END_INSIDE: Final = re.compile(r"[\r\n](?=[^\r\n\x00\x1c])")
_UNIT_BYTES: Final = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_AFTER_BLANK: Final = re.compile(rf"{_APART}(?=([A-Z][A-Z0-9]{{2}})[^\w\s])")
_QUOTES: Final = ('"', "'", "`")
"""A body that was published in quotes has one before its first header and one at its end."""
_FRAMING: Final = "\x0b\x1c"
_HEAD_CHARS: Final = 200
_MORE_THAN_ONE: Final = (b"\x1c", b"BTS", b"FTS")
"""What a body that begins with a message has besides where it is not one message."""
_COUNT: Final = re.compile(r"\s*(\d{1,9})\s*(?:$|[\\<\[&])")
"""A trailer's count, also before a line end that was written out."""


class Batch(NamedTuple):
    """The members of a raw body in order, and what is wrong with the envelope round them (they go on all the same)."""

    members: tuple[bytes, ...]
    problems: tuple[str, ...] = ()
    enveloped: bool = False


def split(body: bytes) -> Batch:
    """Cut a raw body into members. A body with no header at all is its own only member; an empty envelope has none."""
    capitals = body.upper()  # names in small letters are read as well
    if body.startswith(b"MSH") and capitals.find(b"MSH", 3) < 0 and not any(sign in capitals for sign in _MORE_THAN_ONE):
        return Batch((body,))
    mark, wide = wide_codec(body)
    whole = len(body) - (len(body) - len(mark)) % _UNIT_BYTES.get(wide, 1)
    codec = wide or "latin-1"
    try:
        text = body[len(mark) : whole].decode(codec, "surrogatepass")
    except UnicodeDecodeError:
        return Batch((body,))
    starts = _starts(text)
    if not starts:
        return Batch((body,))
    ends = [_before_mark(text, start) for start in starts[1:]]
    pieces = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    members = [text[: starts[0]]] if _SEGMENT_LIKE.search(text[: starts[0]]) else []
    for piece in pieces:
        member = _after_envelope(piece) if _name(piece[:_HEAD_CHARS]) in _ENVELOPE else piece
        if member:
            members.append(_unframed(member))
    enveloped = any(_name(piece[:_HEAD_CHARS]) in _ENVELOPE for piece in pieces)
    quote = text[: starts[0]].strip()
    if members and quote in _QUOTES and members[-1].rstrip().endswith(quote):
        members[-1] = members[-1].rstrip()[:-1]
    cut = [mark + member.encode(codec, "surrogatepass") for member in members]
    if cut:
        cut[-1] += body[whole:]
    return Batch(tuple(cut), tuple(_problems(pieces)), enveloped)


def _starts(text: str) -> list[int]:
    """Where messages and envelope segments begin, in order."""
    starts = [
        match.end()
        for match in _START.finditer(text)
        if match[0] not in ("]", ">") or _before_mark(text, match.end()) < match.end()
    ]
    first = _INLINE_START.search(text, 0, min(starts, default=len(text)))
    no_message = not any(_name(text[start : start + _HEAD_CHARS]) == "MSH" for start in starts)
    if no_message:
        starts += [match.end() for match in _AFTER_TEXT.finditer(text)]
    if first is not None and (no_message or not _SEGMENT_LIKE.search(text[: first.start()])):
        starts.append(first.start())
    if starts and not _LINE_END_INSIDE.search(text):
        starts += [match.end() for match in _ON_ONE_LINE.finditer(text)]
    return sorted(set(starts))


def _before_mark(text: str, at: int) -> int:
    """Where the start of a block, written as text, begins before a place; the place where none does."""
    before = text[max(0, at - _BLOCK_MARK_CHARS_MAX) : at].upper()
    return at - next((len(mark) for mark in _BLOCK_MARKS if before.endswith(mark)), 0)


def _name(piece: str) -> str:
    """The segment name a piece begins with, byte order mark and blanks left out."""
    return piece.lstrip(_BEFORE_NAME)[:3].upper()


def _unframed(member: str) -> str:
    """A member without the block signs of MLLP round it."""
    trimmed = member.rstrip("\r\n" + _FRAMING)
    ended = member[len(trimmed) :]
    return member if not any(sign in ended for sign in _FRAMING) else trimmed + ended.split("\x1c")[0].split("\x0b")[0]


def _after_envelope(piece: str) -> str:
    """Segments that follow an envelope segment without a message header: kept as a member, which then is refused by name."""
    line, *rest = re.split(r"[\r\n]", piece, maxsplit=1)
    if rest and _SEGMENT_LIKE.search(rest[0]):
        return rest[0]
    return next((line[match.end() :] for match in _AFTER_BLANK.finditer(line) if match[1] in KNOWN), "")


def _problems(pieces: list[str]) -> list[str]:
    """Trailer counts that don't match what came: BTS-1 counts messages, FTS-1 batches."""
    problems: list[str] = []
    messages = batches = 0
    for piece in pieces:
        name = _name(piece[:_HEAD_CHARS])
        if name == "MSH":
            messages += 1
        elif name == "BHS":
            batches += 1
            messages = 0
        elif name == "BTS":
            problems += _count_problem("BTS-1", piece, messages, "messages")
            messages = 0
        elif name == "FTS":
            problems += _count_problem("FTS-1", piece, batches, "batches")
    return problems


def _count_problem(field: str, trailer: str, found: int, what: str) -> list[str]:
    """One trailer's count against what was found; a trailer without a number says nothing."""
    line = re.split(r"[\r\n]", trailer.lstrip(_BEFORE_NAME), maxsplit=1)[0]
    parts = line.split(line[3:4] or "|")
    declared = _COUNT.match(parts[1]) if len(parts) > 1 else None
    if declared is None or int(declared[1]) == found:
        return []
    return [f"{field} declares {int(declared[1])} {what}, {found} came"]
