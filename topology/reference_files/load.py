"""From paths to records: read, validate row by row, check across all files. Every problem is reported, not only the first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
from pydantic import ValidationError

from connectors.field_faults import quoted, sentence
from schemas.codec import encode
from schemas.codes import CodeError, normalise_gtin
from schemas.events import ReferenceChange
from schemas.reference import REFERENCE_KINDS, Product
from topology.reference_files.cells import CellError, converted, required_fields
from topology.reference_files.checks import check_all
from topology.reference_files.files import files_of, rows_of
from topology.reference_files.model import PROBLEMS_MAX, Loaded, Placed, Problem, ReferenceRecord, Row
from topology.reference_files.profiles import take_profiles

_ID_FORM: Final = "begins or ends with a blank, or holds a line break"
_FORMS: Final = dict.fromkeys(("path", "location", "source"), "is not a path of segments like main/fridge")
"""What the patterns of the reference contracts mean, by field; all other patterns are those of ids."""


def load_reference(
    paths: Sequence[Path], known: Mapping[str, Collection[str]] | None = None, held: Sequence[ReferenceRecord] = ()
) -> Loaded:
    """Read reference files and folders of them.

    `known` names by kind the ids that the hub already has; records may refer to these too. `held` are the records it has whose
    codes no other item may claim. Never raises for bad files.
    """
    problems: list[Problem] = []
    placed: list[Placed] = []
    attempted: dict[str, set[str]] = {kind: set(ids) for kind, ids in (known or {}).items()}
    profiles, files = take_profiles(files_of(paths, problems), (known or {}).get("profile", ()), problems)
    placed += profiles
    for path in files:
        for row in rows_of(path, problems):
            one = _placed(row, problems)
            if one is not None:
                placed.append(one)
            attempted.setdefault(row.kind, set()).add(one.id if one is not None else _claimed_id(row))
    order = {kind: place for place, kind in enumerate(REFERENCE_KINDS)}
    placed.sort(key=lambda one: order[one.kind])
    problems += check_all(placed, attempted, held)
    problems.sort(key=lambda problem: (problem.file, problem.line))
    return Loaded(records=[(one.kind, one.id, one.record) for one in placed], problems=_bounded(problems))


def reference_changes(records: Iterable[ReferenceRecord], first_revision: int) -> list[ReferenceChange]:
    """One change a record, with revisions rising from `first_revision`; the record as the JSON value that `encode` writes."""
    return [
        ReferenceChange(revision=revision, kind=kind, id=id_, record=msgspec.json.decode(encode(record)))
        for revision, (kind, id_, record) in enumerate(records, start=first_revision)
    ]


def _placed(row: Row, problems: list[Problem]) -> Placed | None:
    """The row's record; None, with problems added, when the row is not one."""
    kind = REFERENCE_KINDS[row.kind]
    type_ = kind.codec.type
    values: dict[str, object] = {}
    found: list[Problem] = []
    for name, cell in row.cells.items():
        if name not in type_.__dataclass_fields__:
            reason = f"is no field of {row.kind}; the fields are {', '.join(type_.__dataclass_fields__)}"
            found.append(Problem(file=row.file, line=cell.line, field=name, reason=reason))
            continue
        try:
            values[name] = converted(type_, name, cell)
        except CellError as error:
            found.append(Problem(file=row.file, line=cell.line, field=name, reason=str(error)))
    missing = [name for name in required_fields(type_) if name not in row.cells]
    found += [Problem(file=row.file, line=row.line, field=name, reason="is missing") for name in missing]
    if not found:
        try:
            record = _normal(kind.codec.validate(values))
            return Placed(kind=row.kind, id=kind.id_of(record), record=record, row=row)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                field, reason = sentence(detail)
                if detail["type"] == "string_pattern_mismatch":
                    reason = f"{quoted(detail['input'])} {_FORMS.get(field, _ID_FORM)}"
                line = row.cells[field].line if field in row.cells else row.line
                found.append(Problem(file=row.file, line=line, field=field, reason=reason))
    problems += found
    return None


def _normal(record: object) -> object:
    """The record with its GTIN as 14 digits; a GTIN that is none stays for the checks to name."""
    if isinstance(record, Product) and record.gtin:
        try:
            return replace(record, gtin=normalise_gtin(record.gtin))
        except CodeError:
            return record
    return record


def _claimed_id(row: Row) -> str:
    """The id a bad row meant to have, so that what refers to it is not called wrong as well."""
    cells = (row.cells.get(name) for name in REFERENCE_KINDS[row.kind].id_fields)
    return "|".join(cell.value if cell and isinstance(cell.value, str) else "" for cell in cells)


def _bounded(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= PROBLEMS_MAX:
        return problems
    reason = f"{len(problems) - PROBLEMS_MAX} more problems are not listed"
    return [*problems[:PROBLEMS_MAX], Problem(file=problems[PROBLEMS_MAX].file, line=0, field="", reason=reason)]
