"""What loading gives: records in dependency order, and problems by file, line and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A larger file is a problem; split it."""
ROWS_MAX: Final = 1_000_000
"""Rows of one file that are read; the next one is a problem."""
PROBLEMS_MAX: Final = 1_000
"""Problems reported; the rest are counted in the last one."""

ReferenceRecord = tuple[str, str, object]
"""Kind, id, record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to correct. `line` is the file's own line number, 0 when the file as a whole is meant."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field}: {self.reason}" if self.field else f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Everything read. With problems the records are not to be used: nothing is half-loaded."""

    records: list[ReferenceRecord]
    problems: list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record as a file has it, before it is validated. Empty cells are left out."""

    kind: str
    file: str
    line: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The text of one field, or its list of texts, with its line."""

    value: str | list[str]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A validated record and where it came from."""

    kind: str
    id: str
    record: object
    row: Row

    def problem(self, field: str, reason: str) -> Problem:
        """A problem with one field of this record."""
        cell = self.row.cells.get(field)
        return Problem(file=self.row.file, line=cell.line if cell else self.row.line, field=field, reason=reason)
