"""Profiles of HL7 v2 sources and of reports among the reference files: one a YAML file, checked as a whole with its bases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from connectors.hl7.profiles.compile import ProfileError, compile_profile
from connectors.hl7.profiles.document import DOCUMENT_BYTES_MAX, Document, is_profile, read_document
from connectors.hl7.profiles.shipped import shipped
from schemas.profile import Profile
from topology.reference_files.model import Placed, Problem, Row

KIND: Final = "profile"
_YAML: Final = frozenset({".yaml", ".yml"})


def take_profiles(paths: Sequence[Path], known: Collection[str], problems: list[Problem]) -> tuple[list[Placed], list[Path]]:
    """The profiles among the files, and the files that are none. `known` are the ids of profiles the hub has."""
    documents: list[tuple[Path, Document]] = []
    others: list[Path] = []
    for path in paths:
        text = _text(path)
        if text is None or not is_profile(text):
            others.append(path)
            continue
        document = read_document(text)
        if isinstance(document, Document):
            documents.append((path, document))
        else:
            problems += [Problem(file=str(path), line=fault.line, field=fault.field, reason=fault.reason) for fault in document]
    own = {document.profile.profile: document.profile for _, document in documents}
    placed: list[Placed] = []
    for path, document in documents:
        found = _faults(path, document, own, known)
        problems += found
        if not found:
            row = Row(kind=KIND, file=str(path), line=document.line(("profile",)), cells={})
            placed.append(Placed(kind=KIND, id=document.profile.profile, record=document.profile, row=row))
    return placed, others


def _text(path: Path) -> str | None:
    """The text of a file that may be a profile; None for all others, whose own reader says what is wrong with them."""
    if path.suffix.lower() not in _YAML:
        return None
    try:
        return path.read_text(encoding="utf-8-sig") if path.stat().st_size <= DOCUMENT_BYTES_MAX else None
    except (OSError, UnicodeDecodeError):
        return None


def _faults(path: Path, document: Document, own: dict[str, Profile], known: Collection[str]) -> list[Problem]:
    name = document.profile.profile
    if name in shipped():
        reason = f"{name} is a profile that comes with the hub: give yours another name and write `base: {name}`"
        return [Problem(file=str(path), line=document.line(("profile",)), field="profile", reason=reason)]
    try:
        compile_profile(document.profile, lambda base: own.get(base) or shipped().get(base))
    except ProfileError as error:
        if _stands_on_known(document.profile, own, known):
            return []  # its base is on the hub already; a layout that stays incomplete is told by the first message
        # A layout that amends several of its base has its faults once for each of them.
        once = {(document.line(place), reason): place for place, reason in reversed(error.faults)}
        return [
            Problem(file=str(path), line=line, field=".".join(map(str, place)), reason=reason)
            for (line, reason), place in sorted(once.items())
        ]
    return []


def _stands_on_known(profile: Profile, own: dict[str, Profile], known: Collection[str]) -> bool:
    """Whether a base is a profile that the hub has and the files don't."""
    base, steps = profile.base, 0
    while base is not None and steps <= len(own):
        if base not in own and base not in shipped():
            return base in known
        base, steps = (own.get(base) or shipped()[base]).base, steps + 1
    return False
