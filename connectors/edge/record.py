"""One kept request as bytes: framed, numbered, and signed together with the one before it.

A frame is four bytes of length, the signature (HMAC-SHA-256, RFC 2104 and FIPS 180-4, 32 bytes) and the content. The content
holds the signature of the record before, so that no record can be changed, left out or put in without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

FIRST: Final = bytes(32)
"""What stands for the signature before the first record."""
CONTENT_BYTES_MAX: Final = 8 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")
_SIGNATURE_BYTES: Final = 32
HEAD_BYTES: Final = _LENGTH.size + _SIGNATURE_BYTES


class Request(msgspec.Struct, frozen=True):
    """A request as it was received: where it goes at the hub, and its bytes. `received_at` is RFC 3339, UTC."""

    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: str


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A kept request: its number (from 1), and the signature of the one before it."""

    number: int
    before: bytes
    request: Request


class Framed(NamedTuple):
    """A record in a file: its signature, and where its frame starts and ends."""

    record: Record
    signature: bytes
    start: int
    end: int


class FrameError(ValueError):
    """The bytes at a place are no record signed with the key. `is_torn`: they end before it does."""

    def __init__(self, reason: str, place: int, *, is_torn: bool = False) -> None:
        super().__init__(reason)
        self.place = place
        self.is_torn = is_torn


def frame(record: Record, key: bytes) -> tuple[bytes, bytes]:
    """The frame of a record, and its signature."""
    content = msgspec.msgpack.encode(record)
    signature = hmac.digest(key, content, hashlib.sha256)
    return _LENGTH.pack(len(content)) + signature + content, signature


def read_frame(data: bytes, start: int, key: bytes) -> Framed:
    """The record whose frame starts at a place. Raises `FrameError`."""
    content_at = start + HEAD_BYTES
    is_blank = not any(data[start:content_at]) and not any(data[start:])
    if len(data) < content_at or is_blank:
        raise FrameError("it ends within the head of a record", start, is_torn=True)
    (length,) = _LENGTH.unpack_from(data, start)
    if length > CONTENT_BYTES_MAX or len(data) < content_at + length:
        raise FrameError("it ends within a record", start, is_torn=True)
    content, signature = data[content_at : content_at + length], data[start + _LENGTH.size : content_at]
    if not hmac.compare_digest(signature, hmac.digest(key, content, hashlib.sha256)):
        raise FrameError("the record is not signed with this spool's key: somebody changed it", start)
    return Framed(msgspec.msgpack.decode(content, type=Record), signature, start, content_at + length)


def read_frames(data: bytes, key: bytes) -> Iterator[Framed]:
    """All records of a file, each behind the one before it. Raises `FrameError`."""
    place = 0
    before: Framed | None = None
    while place < len(data):
        found = read_frame(data, place, key)
        if before is not None and (found.record.before, found.record.number) != (before.signature, before.record.number + 1):
            raise FrameError("the record does not follow the one before it: somebody took one out or put one in", place)
        yield found
        before, place = found, found.end


def stands_behind(data: bytes, place: int, key: bytes) -> bool:
    """Whether a whole signed record stands anywhere behind a place: then what stands at the place was changed, not torn off."""
    for start in range(place + 1, len(data) - HEAD_BYTES):
        (length,) = _LENGTH.unpack_from(data, start)
        if 0 < length <= len(data) - start - HEAD_BYTES:
            try:
                read_frame(data, start, key)
            except (FrameError, msgspec.DecodeError):
                continue
            return True
    return False
