"""A profile by the name of a shipped one or the path of a YAML file, ready to try."""

from __future__ import annotations

from pathlib import Path

from connectors.hl7.profiles.compile import Compiled, ProfileError, compile_profile
from connectors.hl7.profiles.document import Document, ProfileFault, read_document
from connectors.hl7.profiles.shipped import compiled_shipped, shipped
from schemas.profile import Profile
from topology.errors import InputRefusedError


def open_profile(name: str) -> Compiled:
    """The profile; its bases are shipped, or stand in YAML files beside it. Raises `InputRefusedError` with lines and reasons."""
    found = compiled_shipped(name)
    if found is not None:
        return found
    path = Path(name)
    if not path.is_file():
        msg = f"there is no shipped profile {name!r} ({', '.join(sorted(shipped()))}) and no file of that name"
        raise InputRefusedError(msg)
    document = _document(path)
    beside = {one.profile: one for file in sorted(path.parent.glob("*.y*ml")) if file != path for one in _profile(file)}
    try:
        return compile_profile(document.profile, lambda base: shipped().get(base) or beside.get(base))
    except ProfileError as error:
        # A layout that amends several of its base has its faults once for each of them.
        once = {(document.line(place), reason): place for place, reason in reversed(error.faults)}
        faults = [ProfileFault(line, ".".join(map(str, place)), reason) for (line, reason), place in sorted(once.items())]
        raise InputRefusedError(_told(path, faults)) from None


def _document(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise InputRefusedError(msg) from None
    document = read_document(text)
    if not isinstance(document, Document):
        raise InputRefusedError(_told(path, document))
    return document


def _profile(path: Path) -> list[Profile]:
    """The profile in a file beside the one that is tried, when it is one."""
    try:
        return [_document(path).profile]
    except InputRefusedError:
        return []


def _told(path: Path, faults: list[ProfileFault]) -> str:
    lines = [f"{path}:{fault.line}: {fault.field}: {fault.reason}".replace(": : ", ": ") for fault in faults]
    return "the profile can't be used\n" + "\n".join(dict.fromkeys(lines))
