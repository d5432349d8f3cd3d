"""Capture files: recorded raw traffic, one message a line, read and written as streams.

A capture of any length is read in constant memory; one that is not in order of `received_at` costs an index of its lines.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from schemas.raw import BODY_BYTES_MAX, CAPTURE_LINE_BYTES_MAX, CaptureError, RawMessage, from_capture_line, to_capture_line


def read_capture(path: Path) -> Iterator[RawMessage]:
    """The messages of a capture, in file order. Raises `CaptureError` at the first line that can't be used, naming it."""
    for result in capture_results(path):
        if isinstance(result, CaptureError):
            raise result
        yield result


def capture_results(path: Path) -> Iterator[RawMessage | CaptureError]:
    """As `read_capture`, but a line that can't be used is a value, and reading goes on behind it."""
    for number, _, line in _lines(path):
        try:
            yield _message(line)
        except CaptureError as error:
            yield CaptureError(f"{path.name}, line {number}: {error}")


def write_capture(path: Path, messages: Iterable[RawMessage]) -> int:
    """Write a capture and return how many messages it holds. The file appears whole and synced to disk, or not at all."""
    partial = path.with_name(path.name + ".part")
    count = 0
    try:
        with partial.open("wb") as file:
            for message in messages:
                file.write(to_capture_line(message) + b"\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def merge(captures: Sequence[Path], bad: list[CaptureError] | None = None) -> Iterator[RawMessage]:
    """The messages of several captures by `received_at`; ties in the order of the captures, then of their lines.

    A line that can't be used is added to `bad`, and the others go on; without `bad` it raises `CaptureError`. Either happens
    before the first message of any capture is given out.
    """
    return heapq.merge(*[_in_order(path, bad) for path in captures], key=attrgetter("received_at"))


def _in_order(path: Path, bad: list[CaptureError] | None) -> Iterator[RawMessage]:
    """One capture by `received_at`: as it stands when every line is good and in order, else through an index of its lines."""
    last: datetime | None = None
    sorted_whole = True
    for number, _, line in _lines(path):
        try:
            received_at = _message(line).received_at
        except CaptureError as error:
            named = CaptureError(f"{path.name}, line {number}: {error}")
            if bad is None:
                raise named from None
            bad.append(named)
            sorted_whole = False
            continue
        sorted_whole = sorted_whole and (last is None or last <= received_at)
        last = received_at
    return read_capture(path) if sorted_whole else _by_index(path, _index(path))


def _index(path: Path) -> list[tuple[datetime, int, int]]:
    """Time of receipt, number and offset of the good lines, in order of receipt."""
    index: list[tuple[datetime, int, int]] = []
    for number, offset, line in _lines(path):
        with contextlib.suppress(CaptureError):
            index.append((_message(line).received_at, number, offset))
    return sorted(index)


def _by_index(path: Path, index: list[tuple[datetime, int, int]]) -> Iterator[RawMessage]:
    with path.open("rb") as file:
        for _, _, offset in index:
            file.seek(offset)
            yield _message(file.readline(CAPTURE_LINE_BYTES_MAX + 1).strip())


def _message(line: bytes) -> RawMessage:
    """The message of one line within the limits. Raises `CaptureError` without place."""
    if len(line) > CAPTURE_LINE_BYTES_MAX:
        msg = f"longer than {CAPTURE_LINE_BYTES_MAX} bytes"
        raise CaptureError(msg)
    try:
        message = from_capture_line(line)
    except RecursionError:
        msg = "not a JSON object: nested too deeply"
        raise CaptureError(msg) from None
    if len(message.body) > BODY_BYTES_MAX:
        msg = f"its body has {len(message.body)} bytes, more than {BODY_BYTES_MAX}"
        raise CaptureError(msg)
    return message


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(number, offset, text) of the lines that are not empty. Of an overlong line one byte more than the limit is given."""
    with path.open("rb") as file:
        offset = 0
        number = 0
        while line := file.readline(CAPTURE_LINE_BYTES_MAX + 1):
            number += 1
            content = line.strip() if len(line) <= CAPTURE_LINE_BYTES_MAX else line
            if content:
                yield number, offset, content
            offset += len(line)
            while line and not line.endswith(b"\n"):
                line = file.readline(CAPTURE_LINE_BYTES_MAX + 1)
                offset += len(line)
