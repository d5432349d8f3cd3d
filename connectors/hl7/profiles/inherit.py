"""A profile together with its bases: what it does not say, its base says, part by part.

Settings and fields are taken one by one. A profile's only layout of a message type, when it has no condition of its own, amends
every layout its base has of that type: codes and fields are merged. Several layouts, or one with a condition, replace the base's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeVar

from schemas.profile import KindMap, MessageMap, Profile
from schemas.report import ReportMap

DEPTH_MAX: Final = 8
"""Bases of bases; more is a ring or a mistake."""

T = TypeVar("T")


class BaseError(ValueError):
    """A base that is not known, or that leads back to the profile. The text says which."""


def resolved(profile: Profile, known: Callable[[str], Profile | None]) -> Profile:
    """The profile with everything it inherits. Raises `BaseError`."""
    chain = [profile]
    while chain[-1].base is not None:
        name = chain[-1].base
        if name in {one.profile for one in chain}:
            msg = f"base {name} leads back to the profile itself"
            raise BaseError(msg)
        if len(chain) > DEPTH_MAX:
            msg = f"stands on more than {DEPTH_MAX} bases"
            raise BaseError(msg)
        base = known(name)
        if base is None:
            msg = f"base {name} is no profile that is known"
            raise BaseError(msg)
        chain.append(base)
    found = chain.pop()
    while chain:
        found = _over(chain.pop(), found)
    return dataclasses.replace(found, base=None)


def _over(own: Profile, base: Profile) -> Profile:
    """A profile over its resolved base."""
    merged = _first_stated(own, base)
    messages = dict(base.messages or {})
    for type_, layouts in (own.messages or {}).items():
        below = messages.get(type_, ())
        amends = len(layouts) == 1 and not layouts[0].when
        messages[type_] = tuple(_layout(layouts[0], one) for one in below) if amends and below else layouts
    report = base.report if own.report is None else own.report if base.report is None else _report(own.report, base.report)
    return dataclasses.replace(merged, messages=messages or None, units=_joined(own.units, base.units), report=report)


def _report(own: ReportMap, base: ReportMap) -> ReportMap:
    """A report over its base: settings, columns, facts and actions are taken one by one."""
    return dataclasses.replace(
        _first_stated(own, base),
        columns=_joined(own.columns, base.columns),
        facts=_joined(own.facts, base.facts),
        actions=_joined(own.actions, base.actions),
    )


def _layout(own: MessageMap, base: MessageMap) -> MessageMap:
    kind = own.kind if base.kind is None or own.kind is None else _kind(own.kind, base.kind)
    return dataclasses.replace(
        _first_stated(own, base),
        kind=kind or base.kind,
        fields=_joined(own.fields, base.fields),
        texts=(*(own.texts or ()), *(base.texts or ())) or None,
    )


def _kind(own: KindMap, base: KindMap) -> KindMap:
    return dataclasses.replace(_first_stated(own, base), codes=_joined(own.codes, base.codes))


def _first_stated(own: T, base: T) -> T:
    """Every field of `own` that is stated, else of `base`."""
    stated: dict[str, Any] = {
        field.name: value
        for field in dataclasses.fields(own)  # type: ignore[arg-type]  # contracts are dataclasses
        if (value := getattr(own, field.name)) is not None
    }
    return dataclasses.replace(base, **stated)  # type: ignore[type-var]


def _joined(own: dict[str, T] | None, base: dict[str, T] | None) -> dict[str, T] | None:
    return {**(base or {}), **(own or {})} or None
