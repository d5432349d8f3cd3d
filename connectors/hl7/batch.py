"""Cutting one raw body into the messages it holds, every message with its own bytes.

Knows FHS/BHS/BTS/FTS batches (HL7 v2.8.2 §2.10.3), MLLP blocks (VT … FS CR), several messages in a row, and text before the first
header (`[SOM]`). It judges no message: a member that can't be read stays a member, and spoils no other.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_UTF16: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ENVELOPE: Final = ("FHS", "BHS", "BTS", "FTS")
_BEFORE_NAME: Final = "\ufeff\xef\xbb\xbf \t"
_START: Final = re.compile(
    r"(?:^|[\r\n\x0b\x1c])(?=(?:\ufeff|\xef\xbb\xbf)?[ \t]{0,80}(?:MSH|FHS|BHS|BTS|FTS)(?:[^\w\s]|[\r\n]|$))",
)
_INLINE_START: Final = re.compile(r"(?=MSH[^\w\s][^\w\s]{2})")
_SEGMENT_LIKE: Final = re.compile(r"(?:^|[\r\n])[ \t]*[A-Z][A-Z0-9]{2}[^\w\s]")
_FRAMING: Final = "\x0b\x1c"
_HEAD_CHARS: Final = 100
_COUNT: Final = re.compile(r"\d{1,9}")


class Batch(NamedTuple):
    """The members of a raw body in order, and what is wrong with the envelope round them (they go on all the same)."""

    members: tuple[bytes, ...]
    problems: tuple[str, ...] = ()
    enveloped: bool = False


def split(body: bytes) -> Batch:
    """Cut a raw body into members. A body with no header at all is its own only member; an empty envelope has none."""
    if body.startswith(b"MSH") and body.find(b"MSH", 3) < 0 and b"\x1c" not in body and b"FTS" not in body and b"BTS" not in body:
        return Batch((body,))
    mark, codec = next(((mark, codec) for mark, codec in _UTF16 if body.startswith(mark)), (b"", "latin-1"))
    try:
        text = body[len(mark) :].decode(codec)
    except UnicodeDecodeError:
        return Batch((body,))
    starts = [match.end() for match in _START.finditer(text)]
    if not any(_name(text[start : start + _HEAD_CHARS]) == "MSH" for start in starts):
        starts = sorted({*starts, *(match.start() for match in _INLINE_START.finditer(text))})
    if not starts:
        return Batch((body,))
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    members = [text[: starts[0]]] if _SEGMENT_LIKE.search(text[: starts[0]]) else []
    for piece in pieces:
        member = _after_envelope(piece) if _name(piece[:_HEAD_CHARS]) in _ENVELOPE else piece
        if member:
            members.append(_unframed(member))
    enveloped = any(_name(piece[:_HEAD_CHARS]) in _ENVELOPE for piece in pieces)
    return Batch(tuple(mark + member.encode(codec) for member in members), tuple(_problems(pieces)), enveloped)


def _name(piece: str) -> str:
    """The segment name a piece begins with, byte order mark and blanks left out."""
    return piece.lstrip(_BEFORE_NAME)[:3]


def _unframed(member: str) -> str:
    """A member without the block signs of MLLP round it."""
    trimmed = member.rstrip("\r\n" + _FRAMING)
    ended = member[len(trimmed) :]
    return member if not any(sign in ended for sign in _FRAMING) else trimmed + ended.split("\x1c")[0].split("\x0b")[0]


def _after_envelope(piece: str) -> str:
    """Segments that follow an envelope segment without a message header: kept as a member, which then is refused by name."""
    rest = re.split(r"[\r\n]", piece, maxsplit=1)[1:]
    return rest[0] if rest and _SEGMENT_LIKE.search(rest[0]) else ""


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
    declared = parts[1].strip() if len(parts) > 1 else ""
    if not _COUNT.fullmatch(declared) or int(declared) == found:
        return []
    return [f"{field} declares {int(declared)} {what}, {found} came"]
