"""Cells become values of the field's type, strictly: what a spreadsheet mangled is named, not repaired."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from schemas.codes import Code, CodeError, normalise_gtin
from schemas.preparation import RecipeInput
from schemas.reference import BASE_UNITS_MAX, REFERENCE_KINDS, PackageLevel
from topology.reference_files.model import Cell

Converter = Callable[[Cell], object]

_MANGLED: Final = re.compile(r"[+-]?\d+(?:[.,]0+|(?:[.,]\d+)?[eE]\+\d+)", re.ASCII)
_NEVER_NUMBERS: Final = frozenset(
    "id item product products supplier site sites ndc gtin levels sku value codes facility_codes lots".split()  # noqa: SIM905
)
"""Fields whose texts identify something: a number format in them is a spreadsheet's doing."""
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}
_DIGITS_MAX: Final = 30
"""Characters of a number; a longer text is no quantity, cost or count."""


class CellError(ValueError):
    """A cell can't be a value of its field. The text says why."""


def converted(type_: type[Any], name: str, cell: Cell) -> object:
    """The value of a cell for the field `name` of `type_`. Raises `CellError`."""
    if name in _NEVER_NUMBERS:
        for text in [cell.value] if isinstance(cell.value, str) else cell.value:
            _refuse_mangled(text)
    return _CONVERTERS[type_][name](cell)


def required_fields(type_: type[Any]) -> list[str]:
    """Fields without a default."""
    return [field.name for field in fields(type_) if _is_required(field)]


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _refuse_mangled(text: str) -> None:
    for part in text.split(";"):
        value = part.rpartition("=")[2].strip()
        if _MANGLED.fullmatch(value):
            msg = f"{value!r} looks like a code a spreadsheet turned into a number; format the column as text and enter it again"
            raise CellError(msg)


def _converter(hint: Any) -> Converter:
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return _converter(next(arm for arm in get_args(hint) if arm is not types.NoneType))
    if origin is tuple:
        element = get_args(hint)[0]
        one = _ELEMENTS.get(element, str)
        return lambda cell: tuple(one(text) for text in _parts(cell))
    scalars: dict[object, Callable[[str], object]] = {int: _integer, Decimal: _decimal, bool: _boolean, date: _date}
    scalar = scalars.get(hint, str)
    return lambda cell: scalar(_single(cell))


def _parts(cell: Cell) -> list[str]:
    texts = cell.value.split(";") if isinstance(cell.value, str) else cell.value
    return [text.strip() for text in texts if text.strip()]


def _single(cell: Cell) -> str:
    if isinstance(cell.value, list):
        msg = "must be one value, not a list"
        raise CellError(msg)
    return cell.value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text) if len(text) <= _DIGITS_MAX else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > _DIGITS_MAX:
        msg = f"{text[:_DIGITS_MAX]!r} is not a number (a point for decimals, nothing between thousands)"
        raise CellError(msg)
    return value


def _integer(text: str) -> int:
    value = _decimal(text)
    if value != value.to_integral_value():
        msg = f"{text!r} is not a whole number"
        raise CellError(msg)
    return int(value)


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        msg = f"{text!r} is not true or false"
        raise CellError(msg)
    return value


def _date(text: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    msg = f"{text!r} is not a date written like 2026-05-31"
    raise CellError(msg)


def _code(text: str) -> Code:
    system, mark, value = text.partition("=")
    if not (mark and system.strip() and value.strip()):
        msg = f"{text!r} is not a code written as system=value, e.g. ndc=0409-4713-02"
        raise CellError(msg)
    return Code(system=system.strip().lower(), value=value.strip())


def _level(text: str) -> PackageLevel:
    gtin, _, stated = text.partition("=")
    try:
        number, quantity = normalise_gtin(gtin), _integer(stated.strip())
    except CodeError as error:
        msg = f"{text!r} is not a package written as gtin=base units, e.g. 50304094713026=250: {error}"
        raise CellError(msg) from None
    if not 1 <= quantity <= BASE_UNITS_MAX:
        msg = f"{text!r}: a package holds at least 1 base unit, and at most {BASE_UNITS_MAX}"
        raise CellError(msg)
    return PackageLevel(gtin=number, quantity=quantity)


def _recipe_input(text: str) -> RecipeInput:
    item, mark, stated = text.rpartition("=")
    quantity = _integer(stated.strip()) if mark and item.strip() else 0
    if not 1 <= quantity <= BASE_UNITS_MAX:
        msg = f"{text!r} is not an input written as item=base units, e.g. heparin-5000-vial=2 (at most {BASE_UNITS_MAX})"
        raise CellError(msg)
    return RecipeInput(item=item.strip(), quantity=quantity)


_ELEMENTS: Final[dict[object, Callable[[str], object]]] = {
    Code: _code, date: _date, int: _integer, PackageLevel: _level, RecipeInput: _recipe_input,
}  # fmt: skip
_CONVERTERS: Final[dict[type[Any], dict[str, Converter]]] = {
    kind.codec.type: {name: _converter(hint) for name, hint in get_type_hints(kind.codec.type).items()}
    for kind in REFERENCE_KINDS.values()
}
