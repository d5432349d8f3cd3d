"""Walking files and folders in one fixed order, and saying which files are left out and why.

Left out, and reported: hidden files, files that go along with data rather than hold it (`README*`, `*.md`, `*.tsv`, `*.csv`,
`*.truth`), and the whole folder of a hub. A file that is named directly is always taken, and so are `*.csv` and `*.tsv` where a
folder is said to hold reports.
Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.hub_folder import MARKER

SIDECAR_SUFFIXES: Final = (".md", ".tsv", ".csv", ".truth")
TABLE_SUFFIXES: Final = (".tsv", ".csv")
SIDECAR_PREFIX: Final = "readme"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file to read. `name` is its path below the given folder, with `/`, as text (`in_text`)."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a part of one, that was not turned into messages. `code` is stable, `reason` is for a person."""

    name: str
    code: str
    reason: str


def in_text(name: str) -> str:
    r"""A file's name as text that can be stored: bytes that are no UTF-8 are shown as `\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def walk(paths: Iterable[Path], *, tables: bool = False) -> Iterator[FileEntry | Skipped]:
    """Every file of the paths: the paths in the order given, the files below each by name (code point order).

    With `tables`, tables are data and not sidecars.
    """
    for path in paths:
        if path.is_dir():
            yield from _below(path, tables=tables)
        elif path.is_file():
            yield FileEntry(path, in_text(path.name))
        else:
            what = "is neither a file nor a folder" if path.exists() else "does not exist"
            yield Skipped(in_text(str(path)), "not_found", f"{in_text(str(path))} {what}.")


def _below(folder: Path, *, tables: bool) -> Iterator[FileEntry | Skipped]:
    try:
        found = sorted((in_text(path.relative_to(folder).as_posix()), path) for path in folder.rglob("*") if not path.is_dir())
    except OSError as error:
        yield Skipped(in_text(str(folder)), "unreadable", f"{in_text(str(folder))} can't be listed: {error.strerror or error}.")
        return
    hubs = tuple(name.removesuffix(MARKER) for name, _ in found if name == MARKER or name.endswith(f"/{MARKER}"))
    for hub in hubs:
        where = hub.rstrip("/") or in_text(str(folder))
        yield Skipped(where, "hub_folder", f"{where} is left out: it is a hub's own folder, with its secret key, no messages.")
    for name, path in found:
        if name.startswith(hubs):
            continue
        reason = _left_out(name, tables=tables)
        if reason is not None:
            yield Skipped(name, "sidecar" if not reason.startswith("hidden") else "hidden", f"{name} is left out: {reason}.")
        elif not path.is_file():
            yield Skipped(name, "not_a_file", f"{name} is left out: it is no regular file.")
        else:
            yield FileEntry(path, name)


def _left_out(name: str, *, tables: bool) -> str | None:
    """Why a file below a folder is left out; None when it is taken."""
    if any(part.startswith(".") for part in name.split("/")):
        return "hidden files are not data"
    last = name.rsplit("/", 1)[-1].lower()
    if tables and last.endswith(TABLE_SUFFIXES):
        return None
    if last.startswith(SIDECAR_PREFIX) or last.endswith(SIDECAR_SUFFIXES):
        return "README*, *.md, *.tsv, *.csv and *.truth go along with data, they hold no messages"
    return None
