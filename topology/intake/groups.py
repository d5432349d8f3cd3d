"""A group of received messages as bytes: what is written to the journal with one sync.

A frame is four marking bytes, the length and the CRC-32 (ISO 3309) of the content, and the content: the messages as MessagePack.
A group is written only when the one before it is on disk, so a torn group is always the last one of its file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.raw import RawMessage

_MARK: Final = b"WSJ1"
_HEAD: Final = struct.Struct(">4sII")
HEAD_BYTES: Final = _HEAD.size
CONTENT_BYTES_MAX: Final = 32 * 1024 * 1024
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[RawMessage])


class Torn(ValueError):  # noqa: N818  # named for what it says about the bytes
    """The bytes end before the group does, or are not those that were written: nobody was told that the group is stored."""


def encode_group(messages: Sequence[RawMessage]) -> bytes:
    """The frame of a group."""
    content = _ENCODER.encode(messages)
    return _HEAD.pack(_MARK, len(content), zlib.crc32(content)) + content


def group_length(head: bytes) -> int:
    """How many bytes the frame has whose head this is. Raises `Torn`."""
    if len(head) < HEAD_BYTES:
        raise Torn
    mark, length, _ = _HEAD.unpack_from(head)
    if mark != _MARK or length > CONTENT_BYTES_MAX:
        raise Torn
    return HEAD_BYTES + int(length)


def decode_group(data: bytes, start: int = 0) -> tuple[list[RawMessage], int]:
    """The messages of the frame at a place, and where it ends. Raises `Torn`."""
    end = start + group_length(data[start : start + HEAD_BYTES])
    content = data[start + HEAD_BYTES : end]
    if len(data) < end or zlib.crc32(content) != _HEAD.unpack_from(data, start)[2]:
        raise Torn
    return _DECODER.decode(content), end


def stands_behind(data: bytes, start: int) -> bool:
    """Whether a whole group stands anywhere behind a place: then what stands at the place was damaged, not torn off."""
    place = data.find(_MARK, start + 1)
    while place >= 0:
        try:
            decode_group(data, place)
        except (Torn, msgspec.DecodeError):
            place = data.find(_MARK, place + 1)
        else:
            return True
    return False
