"""From a profile to what the mapper runs on: layouts that are complete, with everything a profile may get wrong said at once.

Checked here and not by the contract: that paths are paths, that a layout says what an item is, that zones, character sets and
patterns exist.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.hl7.charset import codec_of
from connectors.hl7.er7 import Message
from connectors.hl7.paths import PATHS
from connectors.hl7.profiles.document import Place
from connectors.hl7.profiles.inherit import BaseError, resolved
from connectors.hl7.profiles.patterns import pattern_faults
from connectors.report.compile import Report, compile_report, report_faults
from schemas.profile import FIELD_NAMES, Effect, FieldMap, MessageMap, Profile
from schemas.units import canonical_unit

DEFAULT_STARTS: Final = ("ORC",)
CABINET_SEGMENTS: Final = ("ZPM", "ZPL")
"""Segments that state what a dispensing cabinet did or wants."""
_NEEDED: Final = ("item", "quantity")

Fault = tuple[Place, str]
"""A place in the profile's document, and what is wrong there."""


class ProfileError(ValueError):
    """A profile that can't be used. `faults` are places and reasons."""

    def __init__(self, profile: str, faults: list[Fault]) -> None:
        shown = "; ".join(f"{'.'.join(map(str, place)) or 'profile'} {reason}" for place, reason in faults[:5])
        super().__init__(f"profile {profile} can't be used: {shown}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout of one message type, complete."""

    map: MessageMap
    conditions: tuple[tuple[str, re.Pattern[str]], ...]
    reads: frozenset[str]
    codes: dict[str, Effect]
    """Effects by code in capitals."""

    @property
    def fields(self) -> dict[str, FieldMap]:
        """Where facts stand."""
        return self.map.fields or {}

    def leaves_out(self, message: Message) -> bool:
        """Whether the message has segments of a cabinet that this layout does not read."""
        if self.map.no_effect is not None or self.map.family is not None:  # a family tells of each such segment itself
            return False
        return any(message.has(name) and name not in self.reads for name in CABINET_SEGMENTS)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile ready to map with. `codec` and `zone` are none where messages and sites decide."""

    id: str
    profile: Profile
    codec: str | None
    zone: tzinfo | None
    production: frozenset[str]
    receivers: frozenset[str]
    units: dict[str, str]
    layouts: dict[str, tuple[Layout, ...]]
    report: Report | None = None

    def layouts_of(self, kind: str, trigger: str) -> tuple[Layout, ...]:
        """The layouts of a message type: of the exact one, else of the type with any trigger event."""
        return self.layouts.get(f"{kind}^{trigger}") or self.layouts.get(kind) or ()

    def is_receiver(self, application: str, facility: str) -> bool:
        """Whether MSH-5 and MSH-6 mean this hub; a profile that names no receiver takes all, and so does an empty MSH-5."""
        if not self.receivers or not application:
            return True
        return not self.receivers.isdisjoint((application.upper(), f"{application}|{facility}".upper()))


def compile_profile(profile: Profile, known: Callable[[str], Profile | None]) -> Compiled:
    """The profile with its bases, checked. Raises `ProfileError` with everything that is wrong."""
    try:
        whole = resolved(profile, known)
    except BaseError as error:
        raise ProfileError(profile.profile, [(("base",), str(error))]) from None
    faults = list(_faults(whole))
    if faults:
        raise ProfileError(profile.profile, faults)
    layouts = {type_: tuple(map(_layout, maps)) for type_, maps in (whole.messages or {}).items()}
    return Compiled(
        id=whole.profile,
        profile=whole,
        codec=_codec(whole.charset) if whole.charset else None,
        zone=ZoneInfo(whole.zone) if whole.zone else None,
        production=frozenset(code.upper() for code in whole.production or ("P",)),
        receivers=frozenset(name.upper() for name in whole.receivers or ()),
        units={canonical_unit(sent): ours for sent, ours in (whole.units or {}).items()},
        layouts=layouts,
        report=compile_report(whole.report) if whole.report is not None else None,
    )


def _layout(map_: MessageMap) -> Layout:
    conditions = tuple((one.path, re.compile(one.matches)) for one in map_.when or ())
    codes = {code.upper(): effect for code, effect in ((map_.kind.codes if map_.kind else None) or {}).items()}
    return Layout(map_, conditions, frozenset(PATHS[path].segment for _, path in _stated_paths(map_)), codes)


def _faults(profile: Profile) -> Iterator[Fault]:
    if profile.zone is not None:
        try:
            ZoneInfo(profile.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield ("zone",), f"{profile.zone!r} is not an IANA time zone such as America/Chicago"
    if profile.charset is not None and not _codec(profile.charset):
        yield ("charset",), f"{profile.charset!r} is neither of HL7 table 0211 nor a Python codec"
    if profile.report is not None:
        for place, reason in report_faults(profile.report):
            yield ("report", *place), reason
    for type_, layouts in (profile.messages or {}).items():
        for number, map_ in enumerate(layouts):
            for place, reason in _map_faults(map_):
                yield ("messages", type_, number, *place), reason
        if any(not map_.when for map_ in layouts[:-1]):
            yield ("messages", type_), "has a layout after one without `when`, which can never be meant"


def _map_faults(map_: MessageMap) -> Iterator[Fault]:
    for name in map_.fields or {}:
        if name not in FIELD_NAMES:
            yield ("fields", name), f"is no fact of an item; there are {', '.join(FIELD_NAMES)}"
    yield from _path_faults(map_)
    for number, condition in enumerate(map_.when or ()):
        for reason in pattern_faults(condition.matches):
            yield ("when", number, "matches"), reason
    if map_.family is None and map_.no_effect is None:
        yield from _missing(map_)
        yield from _kind_faults(map_)


def _missing(map_: MessageMap) -> Iterator[Fault]:
    """What a layout of its own has to say."""
    for stated, what in (
        (map_.each, "which segment is an item (`each`)"),
        (map_.feed, "which feed it is (`feed`)"),
        (map_.key, "what makes an item the same fact when it is sent again (`key`)"),
        (map_.key_kind, "the kind of its keys (`key_kind`)"),
    ):
        if not stated:
            yield (), f"does not say {what}, and no base does"
    for name in _NEEDED:
        if name not in (map_.fields or {}):
            yield ("fields",), f"does not say where the {name} stands, and no base does"


def _kind_faults(map_: MessageMap) -> Iterator[Fault]:
    kind = map_.kind
    if kind is None or (kind.path is None and kind.absent is None):
        yield (), "does not say what an item means (`kind`), and no base does"
        return
    if kind.path is not None and not kind.codes:
        yield ("kind",), "names a field of codes but no code"
    for code, effect in (kind.codes or {}).items():
        if (effect.kind is None) == (effect.no_effect is None):
            yield ("kind", "codes", code), "needs a kind, or no_effect with a reason, and not both"


def _path_faults(map_: MessageMap) -> Iterator[Fault]:
    for place, path in _stated_paths(map_):
        try:
            PATHS[path]
        except ValueError as error:
            yield place, str(error)


def _stated_paths(map_: MessageMap) -> list[tuple[Place, str]]:
    """Every path a layout names, with its place in the document."""
    stated: list[tuple[Place, str]] = [(("key",), path) for path in map_.key or ()]
    stated += [(("when", number, "path"), condition.path) for number, condition in enumerate(map_.when or ())]
    if map_.kind is not None and map_.kind.path is not None:
        stated.append((("kind", "path"), map_.kind.path))
    for name, field in (map_.fields or {}).items():
        stated += [(("fields", name), path) for path in field.paths]
    for number, rule in enumerate(map_.texts or ()):
        stated += [(("texts", number, "paths"), path) for path in rule.paths]
    return stated


def _codec(charset: str) -> str:
    """The Python codec of a character set's name; "" when there is none."""
    found = codec_of(charset)
    if found:
        return found
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return ""
