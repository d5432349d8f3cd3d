"""MLLP framing without I/O: bytes in as they arrive, whole blocks out (HL7 v2 Transport Specification: MLLP, release 1).

A block is VT, content, FS, CR. Content is handed out untouched. Bytes between blocks are dropped and counted; a block over the
limit is skipped to its end and reported with its first bytes, so that its sender can be told. The limit bounds the memory.
"""

from __future__ import annotations

from typing import Final, NamedTuple

START: Final = b"\x0b"
END: Final = b"\x1c\r"
OVERSIZE_HEAD_BYTES: Final = 4096
"""How much of a block over the limit is kept: enough for its header."""

_BETWEEN_BLOCKS: Final = b"\r\n"


def frame(content: bytes) -> bytes:
    """Content as one block."""
    return START + content + END


class Block(NamedTuple):
    """One block. `oversize`: it was over the limit and `content` is only its beginning."""

    content: bytes
    oversize: bool = False


class Deframer:
    """Collects the blocks of one connection."""

    __slots__ = ("_buffer", "_content_bytes_max", "_head", "_inside", "_scanned", "garbage_bytes", "skipped_bytes")

    def __init__(self, content_bytes_max: int) -> None:
        self._content_bytes_max = content_bytes_max
        self._buffer = bytearray()
        self._inside = False
        self._scanned = 0
        self._head: bytes | None = None
        self.garbage_bytes = 0
        self.skipped_bytes = 0

    @property
    def partial(self) -> bool:
        """Whether a block has begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that `data` completes, in order."""
        self._buffer += data
        blocks: list[Block] = []
        while True:
            if not self._inside and not self._enter():
                return blocks
            block = self._leave()
            if block is None:
                return blocks
            blocks.append(block)

    def _enter(self) -> bool:
        """Drop what stands before the next block's start; False when none has come."""
        at = self._buffer.find(START)
        dropped = self._buffer[: at if at >= 0 else len(self._buffer)]
        self.garbage_bytes += len(dropped.strip(_BETWEEN_BLOCKS))
        del self._buffer[: len(dropped) + (at >= 0)]
        self._inside = at >= 0
        self._scanned = 0
        return self._inside

    def _leave(self) -> Block | None:
        """The block the buffer completes; None while its end has not come."""
        at = self._buffer.find(END, self._scanned)
        length = at if at >= 0 else len(self._buffer)
        if self._head is None and length > self._content_bytes_max:
            self._head = bytes(self._buffer[:OVERSIZE_HEAD_BYTES])
        if at < 0:
            if self._head is not None:
                keep = 1 if self._buffer.endswith(END[:1]) else 0
                self.skipped_bytes += len(self._buffer) - keep
                del self._buffer[: len(self._buffer) - keep]
            self._scanned = max(0, len(self._buffer) - 1)
            return None
        block = Block(bytes(self._buffer[:at])) if self._head is None else Block(self._head, oversize=True)
        if self._head is not None:
            self.skipped_bytes += at
        del self._buffer[: at + len(END)]
        self._inside = False
        self._head = None
        return block
