"""Walking files and folders in one fixed order, and saying which files are left out and why.

Left out, and reported: hidden files, and files that go along with data rather than hold it (`README*`, `*.md`, `*.tsv`, `*.csv`,
`*.truth`). A file that is named directly is always taken. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SIDECAR_SUFFIXES: Final = (".md", ".tsv", ".csv", ".truth")
SIDECAR_PREFIX: Final = "readme"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file to read. `name` is its path below the given folder, with `/`."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a part of one, that was not turned into messages. `code` is stable, `reason` is for a person."""

    name: str
    code: str
    reason: str


def walk(paths: Iterable[Path]) -> Iterator[FileEntry | Skipped]:
    """Every file of the paths: the paths in the order given, the files below each by name (code point order)."""
    for path in paths:
        if path.is_dir():
            yield from _below(path)
        elif path.is_file():
            yield FileEntry(path, path.name)
        else:
            what = "is neither a file nor a folder" if path.exists() else "does not exist"
            yield Skipped(str(path), "not_found", f"{path} {what}.")


def _below(folder: Path) -> Iterator[FileEntry | Skipped]:
    try:
        found = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if not path.is_dir())
    except OSError as error:
        yield Skipped(str(folder), "unreadable", f"{folder} can't be listed: {error.strerror or error}.")
        return
    for name, path in found:
        reason = _left_out(name)
        if reason is not None:
            yield Skipped(name, "sidecar" if not reason.startswith("hidden") else "hidden", f"{name} is left out: {reason}.")
        elif not path.is_file():
            yield Skipped(name, "not_a_file", f"{name} is left out: it is no regular file.")
        else:
            yield FileEntry(path, name)


def _left_out(name: str) -> str | None:
    """Why a file below a folder is left out; None when it is taken."""
    if any(part.startswith(".") for part in name.split("/")):
        return "hidden files are not data"
    last = name.rsplit("/", 1)[-1].lower()
    if last.startswith(SIDECAR_PREFIX) or last.endswith(SIDECAR_SUFFIXES):
        return "README*, *.md, *.tsv, *.csv and *.truth go along with data, they hold no messages"
    return None
