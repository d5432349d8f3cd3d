"""Which files hold which kind of record, and their rows as text. It knows no field's meaning."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas.reference import DESK_KINDS, REFERENCE_KINDS
from topology.reference_files.model import FILE_BYTES_MAX, ROWS_MAX, Cell, Problem, Row
from topology.reference_files.yaml_rows import yaml_rows

_YAML: Final = frozenset({".yaml", ".yml"})
_OWN_FORM: Final = frozenset({"profile"}) | DESK_KINDS
"""Kinds that are no rows: a profile is a file of its own (`topology/reference_files/profiles.py`), changes are proposed."""


def kind_of(name: str) -> str | None:
    """The kind that a file or a key is named after, in singular or plural; None when there is no such kind."""
    wanted = name.strip().lower().replace("-", "_")
    return next((kind for kind in REFERENCE_KINDS if kind not in _OWN_FORM and wanted in _spellings(kind)), None)


def _spellings(kind: str) -> tuple[str, ...]:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("ch") else f"{kind}s"
    return (kind, plural)


def files_of(paths: Sequence[Path], problems: list[Problem]) -> list[Path]:
    """The reference files that the paths name, each once; a folder stands for the files in it."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            problems.append(_file_problem(path, "does not exist"))
            continue
        try:
            for file in _in_folder(path) if path.is_dir() else [path]:
                found.setdefault(file.resolve(), file)
        except OSError as error:
            problems.append(_file_problem(path, f"can't be read: {error.strerror or error}"))
    if not found and not problems:
        problems.append(Problem(file=", ".join(map(str, paths)), line=0, field="", reason="holds no reference file"))
    return list(found.values())


def _in_folder(folder: Path) -> Iterator[Path]:
    """The files of a folder by name; hidden files, notes (README, *.md) and the folders in it are left out."""
    for path in sorted(folder.iterdir()):
        is_note = path.name.upper().startswith("README") or path.suffix.lower() == ".md"
        if not (is_note or path.name.startswith(".") or path.is_dir()):
            yield path


def rows_of(path: Path, problems: list[Problem]) -> list[Row]:
    """The rows of one file. What is wrong with the file itself is added to the problems."""
    suffix = path.suffix.lower()
    if suffix != ".csv" and suffix not in _YAML:
        problems.append(_file_problem(path, "is neither .csv nor .yaml; reference data is read from these"))
        return []
    kind = kind_of(path.stem)
    if kind is None and suffix == ".csv":
        problems.append(_file_problem(path, f"is named after no kind of record; the kinds are {_kinds()}"))
        return []
    text = _text(path, problems)
    if text is None:
        return []
    rows = _csv_rows(path, kind or "", text, problems) if suffix == ".csv" else yaml_rows(path, kind, kind_of, text, problems)
    if len(rows) > ROWS_MAX:
        problems.append(Problem(file=str(path), line=rows[ROWS_MAX].line, field="", reason=f"has more than {ROWS_MAX} rows"))
    return rows[:ROWS_MAX]


def _text(path: Path, problems: list[Problem]) -> str | None:
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            problems.append(_file_problem(path, f"is {size} bytes, more than {FILE_BYTES_MAX}; split it"))
            return None
        data = path.read_bytes()
    except OSError as error:
        problems.append(_file_problem(path, f"can't be read: {error.strerror or error}"))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = "is not UTF-8; save it as CSV UTF-8 or in a UTF-8 editor"
        problems.append(Problem(file=str(path), line=line, field="", reason=reason))
        return None


def _csv_rows(path: Path, kind: str, text: str, problems: list[Problem]) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    columns: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(path, kind, start, cells, problems)
                if not columns:
                    return []
            elif any(cell.strip() for cell in cells[len(columns) :]):
                reason = f"has {len(cells)} cells, the header {len(columns)}; quote a cell that holds a comma"
                problems.append(Problem(file=str(path), line=start, field="", reason=reason))
            else:
                named = zip(columns, cells, strict=False)
                filled = {name: Cell(value=cell.strip(), line=start) for name, cell in named if cell.strip()}
                rows.append(Row(kind=kind, file=str(path), line=start, cells=filled))
    except csv.Error as error:
        problems.append(Problem(file=str(path), line=reader.line_num, field="", reason=f"is not CSV: {error}"))
    if columns is None:
        problems.append(_file_problem(path, "is empty; its first line must name the columns"))
    return rows


def _columns(path: Path, kind: str, line: int, cells: list[str], problems: list[Problem]) -> list[str]:
    """The header's names; empty when they can't be used."""
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = REFERENCE_KINDS[kind].codec.type.__dataclass_fields__
    unknown = f"is no column of {kind}; the columns are {', '.join(known)}"
    faults = [(name, unknown) for name in dict.fromkeys(names) if name not in known]
    faults += [(name, "stands twice in the header") for name in dict.fromkeys(names) if names.count(name) > 1]
    problems += [Problem(file=str(path), line=line, field=name, reason=reason) for name, reason in faults]
    return [] if faults else names


def _kinds() -> str:
    return ", ".join(_spellings(kind)[-1] for kind in REFERENCE_KINDS if kind not in _OWN_FORM)


def _file_problem(path: Path, reason: str) -> Problem:
    return Problem(file=str(path), line=0, field="", reason=reason)
