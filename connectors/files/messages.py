"""Files as raw messages: what `ingest` reads. Every file ends as messages or as a stated reason why not.

The source of a message is its file's name below the given folder; messages of a capture keep what the capture says of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from connectors.files.capture import merge
from connectors.files.detect import CAPTURE, HEAD_BYTES, detect
from connectors.files.folder import FileEntry, Skipped, walk
from connectors.files.split import is_splittable, split
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON, FHIR_JSON, HL7_ER7, REPORT, SCAN_JSON, CaptureError, RawMessage

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Largest file that is read (captures have no limit: they are read line by line)."""

FORMATS: Final = {"hl7": HL7_ER7, "fhir": FHIR_JSON, "cabinet": CABINET_JSON, "scan": SCAN_JSON, "report": REPORT}
"""Forced formats; with `auto` each file's content decides."""
AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class _Reading:
    content_type: str | None
    site: str | None
    now: datetime
    profile: str


def messages_of(
    paths: Iterable[Path],
    *,
    format: str,  # noqa: A002  # the word of the command line
    site: str | None,
    now: datetime,
    profile: str = "standard",
) -> Iterator[RawMessage | Skipped]:
    """The raw messages of files and folders, in the order of `walk`. `now` is the time of receipt of all but captured messages.

    `format` is `auto` or one of `FORMATS`; a forced format is taken at its word for every file. `site` is the default of messages
    that don't say theirs. Raises `ValueError` for another format.
    """
    if format != AUTO and format not in FORMATS:
        msg = f"unknown format {format!r}; choose one of {', '.join((*FORMATS, AUTO))}"
        raise ValueError(msg)
    return _all(list(walk(paths, tables=FORMATS.get(format) == REPORT)), _Reading(FORMATS.get(format), site, now, profile))


def _all(entries: list[FileEntry | Skipped], reading: _Reading) -> Iterator[RawMessage | Skipped]:
    """Captures first, merged by their own times of receipt, then every other file, which is received now."""
    captures = [entry for entry in entries if isinstance(entry, FileEntry) and _is_capture(entry, reading)]
    yield from _captured(captures, reading)
    for entry in entries:
        if isinstance(entry, Skipped):
            yield entry
        elif entry not in captures:
            yield from _read(entry, reading)


def _is_capture(entry: FileEntry, reading: _Reading) -> bool:
    """Whether a file is recorded traffic; one that can't be read is told when it is read."""
    if reading.content_type is not None:
        return False
    try:
        with entry.path.open("rb") as file:
            return detect(entry.name, file.read(HEAD_BYTES)) == CAPTURE
    except OSError:
        return False


def _read(entry: FileEntry, reading: _Reading) -> Iterator[RawMessage | Skipped]:
    try:
        with entry.path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        yield Skipped(entry.name, "unreadable", f"{entry.name} can't be read: {error.strerror or error}.")
        return
    if len(data) > FILE_BYTES_MAX:
        yield _too_large(entry.name, f"has more than {FILE_BYTES_MAX} bytes")
        return
    content_type = reading.content_type or detect(entry.name, data)
    if content_type == CAPTURE:
        yield from _captured(entry, reading)
    elif content_type != HL7_ER7 and is_splittable(content_type, data):
        yield from _parts(entry, content_type, data, reading)
    elif len(data) <= BODY_BYTES_MAX:
        yield _message(entry.name, content_type, data, reading)
    elif is_splittable(content_type, data):
        yield from _parts(entry, content_type, data, reading)
    else:
        yield _too_large(entry.name, f"has {len(data)} bytes")


def _parts(entry: FileEntry, content_type: str, data: bytes, reading: _Reading) -> Iterator[RawMessage | Skipped]:
    unit = "messages" if content_type == HL7_ER7 else "lines"
    for part in split(content_type, data):
        name = f"{entry.name}, {unit} {part.first} to {part.last}" if part.body != data else entry.name
        if len(part.body) > BODY_BYTES_MAX:
            yield _too_large(name, f"has {len(part.body)} bytes")
        else:
            yield _message(entry.name, content_type, part.body, reading, name)


def _captured(captures: list[FileEntry], reading: _Reading) -> Iterator[RawMessage | Skipped]:
    """The messages of all captures by time of receipt; a line that can't be used is left out with its reason."""
    bad: list[CaptureError] = []
    try:
        merged = merge([entry.path for entry in captures], bad)
    except OSError as error:
        yield Skipped("captures", "unreadable", f"a capture can't be read: {error.strerror or error}.")
        return
    for fault in bad:
        yield Skipped(str(fault).split(",", 1)[0], "bad_capture_line", f"{fault}.")
    for message in merged:
        yield replace(message, site=reading.site) if message.site is None and reading.site is not None else message


def _message(source: str, content_type: str, body: bytes, reading: _Reading, name: str | None = None) -> RawMessage:
    return RawMessage(
        body=body,
        source=source,
        connector="file",
        content_type=content_type,
        received_at=reading.now,
        profile=reading.profile,
        site=reading.site,
        name=name or source,
    )


def _too_large(name: str, size: str) -> Skipped:
    reason = f"{name} {size}; one message holds at most {BODY_BYTES_MAX}. Cut it into several files."
    return Skipped(name, "too_large", reason)
