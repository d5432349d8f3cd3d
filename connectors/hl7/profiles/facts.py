"""Facts of one item, read where a profile says they stand.

Every reader takes the item's scope and a field map and gives the hub's own type; what can't be used raises `FieldError`, which
names the path that was read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from connectors.hl7.fields import FieldError, codes, expiry, lot, number_of, places
from connectors.hl7.paths import PATHS
from connectors.hl7.profiles.scope import Scope
from schemas.codes import LOCAL, Code
from schemas.profile import FieldMap
from schemas.units import canonical_unit

_COMPONENT: Final = 2
"""The depth of a path that names a component."""


def text(scope: Scope, field: FieldMap | None) -> str | None:
    """The text of a fact, translated by the map's codes; None when nothing is said."""
    if field is None:
        return None
    parts = [part for path in field.paths if (part := scope.value(path))]
    found = field.join.join(parts) if field.join is not None else next(iter(parts), "")
    found = found or field.value or ""
    return (field.codes or {}).get(found, found) or None


def item_codes(scope: Scope, field: FieldMap | None) -> tuple[Code, ...]:
    """The codes of the item: of a whole field all it names, of a component that one. Codes of other systems are left out."""
    if field is None:
        return ()
    found: dict[tuple[str, str], Code] = {}
    for path in field.paths:
        for code in _codes_at(scope, path):
            named = dataclasses.replace(code, system=field.system) if field.system and code.system == LOCAL else code
            if field.systems is None or named.system in field.systems:
                found.setdefault((named.system, named.value), named)
        if found:
            break
    return tuple(found.values())


def _codes_at(scope: Scope, path: str) -> tuple[Code, ...]:
    segment, step = scope.segment(path), PATHS[path]
    if segment is None:
        return ()
    if step.depth < _COMPONENT:
        return codes(segment, step.field)
    value = scope.value(path)
    return (Code(system=LOCAL, value=value),) if value else ()


def number(scope: Scope, paths: Sequence[str], *, absolute: bool = False) -> Decimal | None:
    """The number at the first of the paths that says something. Raises `FieldError`."""
    for path in paths:
        stated = scope.value(path)
        if stated:
            try:
                return number_of(stated.lstrip("-") if absolute else stated)
            except FieldError as error:
                raise FieldError(error.code, f"{path} is {error.reason}") from None
    return None


def total(scope: Scope, paths: Sequence[str]) -> Decimal | None:
    """The sum of signed numbers at the paths; None when one of them is missing. Raises `FieldError`."""
    found = Decimal(0)
    for path in paths:
        stated = scope.value(path)
        if not stated:
            return None
        try:
            amount = number_of(stated.lstrip("-"))
        except FieldError as error:
            raise FieldError(error.code, f"{path} is {error.reason}") from None
        found += -amount if stated.startswith("-") else amount
    if found < 0:
        raise FieldError("negative_quantity", f"{' + '.join(paths)} is {found}; nothing can be there less than nothing")
    return found


def unit(scope: Scope, field: FieldMap | None, units: dict[str, str]) -> str | None:
    """The unit, in the hub's spelling where the profile gives one."""
    found = text(scope, field)
    return None if found is None else units.get(canonical_unit(found), found)


def place_codes(scope: Scope, field: FieldMap | None) -> tuple[str, ...]:
    """Codes of a place: of a whole field all its depths, of a component that one; several paths one after the other."""
    if field is None:
        return ()
    if field.join is not None or field.codes:
        found = text(scope, field)
        return (found,) if found else ()
    named: dict[str, None] = {}
    for path in field.paths:
        segment, step = scope.segment(path), PATHS[path]
        if segment is None:
            continue
        if step.depth < _COMPONENT:
            named.update(dict.fromkeys(places((segment, step.field))))
        elif value := scope.value(path):
            named[value] = None
    return tuple(named) or ((field.value,) if field.value else ())


def lot_number(scope: Scope, field: FieldMap | None) -> str | None:
    """The lot; None when several are stated for one quantity."""
    for path in field.paths if field else ():
        segment, step = scope.segment(path), PATHS[path]
        if segment is None:
            continue
        found = lot(segment, step.field) if step.depth < _COMPONENT else scope.value(path)
        if found:
            return found
    return None


def expiry_date(scope: Scope, field: FieldMap | None) -> date | None:
    """The expiry. Raises `FieldError` for an impossible date."""
    for path in field.paths if field else ():
        segment, step = scope.segment(path), PATHS[path]
        if segment is not None and (found := expiry(segment, step.field)):
            return found
    return None
