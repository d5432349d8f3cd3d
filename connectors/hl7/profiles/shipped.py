"""The profiles that come with the hub, and the one place where a feed's profile is looked up and compiled."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from connectors.hl7.profiles.compile import Compiled, ProfileError, compile_profile
from connectors.hl7.profiles.document import Document, read_document
from schemas.mapping import MappingContext
from schemas.profile import Profile

STANDARD: Final = "standard"
_FOLDER: Final = "shipped"
COMPILED_MAX: Final = 256


@cache
def shipped() -> dict[str, Profile]:
    """The shipped profiles by id. Raises `ValueError` when one of them is not a profile (a test keeps that from happening)."""
    found: dict[str, Profile] = {}
    for file in sorted(files(__package__).joinpath(_FOLDER).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            document = read_document(file.read_text(encoding="utf-8"))
            if not isinstance(document, Document):
                msg = f"{file.name}: {document[0]}"
                raise ValueError(msg)
            found[document.profile.profile] = document.profile
    return found


@cache
def compiled_shipped(name: str) -> Compiled | None:
    """A shipped profile, compiled; None when there is none of that name."""
    profile = shipped().get(name)
    return None if profile is None else compile_profile(profile, shipped().get)


class Profiles:
    """Profiles by name for one mapper: the shipped ones, whose names nobody else can take, then those of the reference data."""

    def __init__(self) -> None:
        self._compiled: dict[str, tuple[tuple[Profile, ...], Compiled]] = {}

    def find(self, name: str, context: MappingContext) -> Compiled | None:
        """The compiled profile a feed names; None when it is not known. Raises `ProfileError` when it can't be used."""
        if (found := compiled_shipped(name)) is not None:
            return found
        own = context.profile(name)
        if own is None:
            return None
        chain = _chain(own, context)
        kept = self._compiled.get(name)
        if kept is not None and len(kept[0]) == len(chain) and all(a is b for a, b in zip(kept[0], chain, strict=True)):
            return kept[1]
        compiled = compile_profile(own, lambda base: shipped().get(base) or context.profile(base))
        if len(self._compiled) >= COMPILED_MAX:
            self._compiled.clear()
        self._compiled[name] = (chain, compiled)
        return compiled


def _chain(profile: Profile, context: MappingContext) -> tuple[Profile, ...]:
    """The profile and those of its bases that are reference data: when one of them changes, it is compiled anew."""
    found = [profile]
    while found[-1].base and len(found) < 10 and (base := context.profile(found[-1].base)) is not None:
        found.append(base)
    return tuple(found)


__all__ = ["STANDARD", "ProfileError", "Profiles", "compiled_shipped", "shipped"]
