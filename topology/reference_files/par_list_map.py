"""The map of a cabinet's par list: a small YAML file that says which column holds what, and how the list is written.

It owns what a person is told about a map that is none: each fault by its place, with what to write there. It reads no list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from connectors.field_faults import quoted
from topology.errors import InputRefusedError

_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""All scalars stay text: a column may be named `5`, `on` or `2026-05-01`."""
_NOTHING: Final = ("", "~", "null", "Null", "NULL")
_Column = Annotated[str, Field(min_length=1)]


class Columns(BaseModel):
    """Header names of the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    device: _Column
    code: _Column
    minimum: _Column
    par: _Column
    pocket: _Column | None = None
    maximum: Annotated[_Column | None, Field(description="without it, par")] = None
    critical: Annotated[_Column | None, Field(description="without it, 0")] = None
    unit: Annotated[_Column | None, Field(description="without it, the item's base unit")] = None


class ParListMap(BaseModel):
    """How a cabinet writes its par list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Columns
    delimiter: Annotated[str, Field(pattern='^[^"\r\n]$')] = ","
    encoding: Annotated[str, Field(pattern="^(utf-8|latin-1|windows-1252|utf-16)$")] = "utf-8"
    code_system: str = "local"


_EXAMPLE: Final = "columns: {device: Station, code: MedID, minimum: Min, par: Par}"
_TO_WRITE: Final = {
    "columns": f"which column holds what, e.g. {_EXAMPLE}",
    "columns.device": "the header of the column with the cabinet's name",
    "columns.code": "the header of the column with the product's code",
    "columns.minimum": "the header of the column with the level at which to refill",
    "columns.par": "the header of the column with the level to refill to",
    "delimiter": 'one character between cells, e.g. ";" or "\\t"; not the quote',
    "encoding": "utf-8, latin-1, windows-1252 or utf-16",
    "code_system": "the system of the codes, e.g. local or ndc",
}


def read_map(path: Path) -> ParListMap:
    """The map. Raises `InputRefusedError` naming what is wrong and what to write."""
    value = _yaml(path)
    if not isinstance(value, dict) or not value:
        what = "is empty" if value in (None, {}, *_NOTHING) else "holds no fields with values"
        msg = f"{path} {what}: write {_TO_WRITE['columns']}"
        raise InputRefusedError(msg)
    try:
        return ParListMap.model_validate(_stated(value))
    except ValidationError as error:
        msg = f"{path} is no map of a par list: {'; '.join(map(_fault, error.errors(include_url=False)))}"
        raise InputRefusedError(msg) from None


def _yaml(path: Path) -> Any:
    """The document as lists and mappings of texts. Raises `InputRefusedError`."""
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_LOADER)  # noqa: S506  # it makes texts, lists and mappings only
    except OSError as error:
        msg = f"{path} can't be read: {error.strerror or error}"
    except UnicodeDecodeError:
        msg = f"{path} can't be read: it is not UTF-8"
    except (yaml.YAMLError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        msg = f"{path} can't be read: it is not YAML{where}{f' ({problem})' if problem else ''}; write {_EXAMPLE}"
    raise InputRefusedError(msg)


def _stated(value: Any) -> Any:
    """The same without fields that say nothing."""
    if not isinstance(value, dict):
        return value
    return {name: _stated(inner) for name, inner in value.items() if inner not in _NOTHING}


def _fault(detail: ErrorDetails) -> str:
    """One fault of a map: its place, what is wrong there, and what to write."""
    place = [str(part) for part in detail["loc"]]
    name = ".".join(place)
    if detail["type"] == "missing":
        return f"{name} is missing: write {_TO_WRITE[name]}"
    if detail["type"] == "extra_forbidden":
        return f"{quoted(name)} is not known: there are {', '.join(_names(place))}"
    found = detail["input"]
    shown = "a list" if isinstance(found, list) else "fields with values" if isinstance(found, dict) else quoted(found)
    wanted = _TO_WRITE.get(name, "the header of a column")
    return f"{name} can't be {shown}: write {wanted}"


def _names(place: list[str]) -> Iterator[str]:
    """The fields beside one."""
    yield from (Columns if len(place) > 1 else ParListMap).model_fields
