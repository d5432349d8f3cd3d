"""Hypothesis strategies that build a contract from its type hints and the limits written beside them."""

from __future__ import annotations

import re
import types
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

INSTANTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ALPHABET = st.characters(codec="utf-8", exclude_categories=["C"])
TEXT = st.text(ALPHABET, min_size=1, max_size=12)
PATTERNED = (
    "main", "icu/cab1/d3/p07", "Ä b/2|x", "0123", "approve", "reject", "acknowledged", "shipped", "open", "closed",
    "07:00", "ZPM", "ZPM-6.1", "OMS^O05", "50304094713026", "11-20",
)  # fmt: skip
"""Texts from which those are taken that match a field's pattern."""
_SCALARS: dict[Any, st.SearchStrategy] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(1, 10_000),
    bytes: st.binary(max_size=8),
    date: st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    datetime: INSTANTS,
    Decimal: st.decimals(0, 10_000, places=3),
    Any: TEXT,
}


@lru_cache(maxsize=100)
def sample_of(type_: type) -> st.SearchStrategy:
    """Instances of a contract."""
    hints = get_type_hints(type_, include_extras=True)
    return st.builds(type_, **{field.name: _of(hints[field.name]) for field in fields(type_)})


def _of(hint: Any) -> st.SearchStrategy:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _limited(arguments[0], arguments[1:])
    if origin in {Union, types.UnionType}:
        return st.one_of([st.none() if argument is types.NoneType else _of(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT if arguments[0] is str else _of(arguments[0]), _of(arguments[1]), max_size=2)
    if origin is Literal:
        return st.sampled_from(arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if hasattr(hint, "__dataclass_fields__"):
        return sample_of(hint)
    return _SCALARS[hint]


def _limited(hint: Any, limits: tuple[Any, ...]) -> st.SearchStrategy:
    """Values inside the limits; of an optional field the limits are its value's."""
    if get_origin(hint) in {Union, types.UnionType}:
        arms = [st.none() if arm is types.NoneType else _limited(arm, limits) for arm in get_args(hint)]
        return st.one_of(arms)
    pieces = [piece for limit in limits for piece in (limit.metadata if isinstance(limit, FieldInfo) else [])]
    found = {
        name: getattr(piece, name)
        for piece in pieces
        for name in ("pattern", "ge", "gt", "le", "min_length", "max_length")
        if getattr(piece, name, None) is not None
    }
    if hint is str and "pattern" in found:
        return st.sampled_from([text for text in PATTERNED if re.search(found["pattern"], text)])
    if hint is str and found.keys() & {"min_length", "max_length"}:
        return st.text(ALPHABET, min_size=found.get("min_length", 1), max_size=min(found.get("max_length", 12), 12))
    lowest = found.get("ge", found.get("gt", -1) + 1)
    if hint is int:
        return st.integers(lowest, found.get("le", 10_000))
    if hint is Decimal:
        return st.decimals(lowest, found.get("le", 10_000), places=3)
    return _of(hint)
