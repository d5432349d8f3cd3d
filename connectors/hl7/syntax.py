"""How the text of one message is read below its fields: picking repetitions, components and subcomponents, and decoding escapes.

Works on the text of a field, knows no segment. What is read from a field depends on its text and on this alone, so that what has
been read may be kept under both (`kept`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from connectors.hl7.delimiters import STANDARD, Delimiters, unescape
from connectors.hl7.paths import PATHS, Path

NULL: Final = '""'
"""HL7's null: "delete what you hold". An empty or absent field says nothing and reads as an empty string."""

KEPT_MAX: Final = 4096
"""Drugs, places, units and senders come again and again: this many of the latest field texts are kept as read."""
KEPT_CHARS_MAX: Final = 300
"""Longer texts are read anew each time, so that what is kept stays small."""

_WHOLE: Final = PATHS["1"]

T = TypeVar("T")


class Syntax:
    """Delimiters and character set of a message. Equal ones are one object (`syntax_of`), compared by identity."""

    __slots__ = ("charset", "delimiters")

    def __init__(self, delimiters: Delimiters, charset: str) -> None:
        """`charset` is the Python codec the message was decoded with; "" for plain ASCII."""
        self.delimiters = delimiters
        self.charset = charset

    def pick(self, text: str, path: Path) -> str:
        """The decoded text at a path inside a field; "" when it is not there."""
        if text.isalnum():  # no delimiter and no escape sign is a letter or digit (`delimiters_of` refuses such)
            return text if path[7] else ""
        _, _, _, repetition, component, subcomponent, _, _ = path
        if component < 0:
            return text
        _, component_sign, repetition_sign, escape_sign, subcomponent_sign, _ = self.delimiters
        if repetition_sign in text:
            parts = text.split(repetition_sign, repetition + 1)
            text = parts[repetition] if repetition < len(parts) else ""
        elif repetition:
            return ""
        if component_sign in text:
            parts = text.split(component_sign, component + 1)
            text = parts[component] if component < len(parts) else ""
        elif component:
            return ""
        if subcomponent_sign in text:
            parts = text.split(subcomponent_sign, subcomponent + 1)
            text = parts[subcomponent] if subcomponent < len(parts) else ""
        elif subcomponent:
            return ""
        if escape_sign in text:
            return unescape(text, self.delimiters, self.charset or "utf-8")
        return text

    def as_sent(self, text: str, path: Path) -> str:
        """The text at a path inside a field as sent: no deeper than the path names, nothing decoded."""
        _, _, _, repetition, component, subcomponent, depth, _ = path
        steps = ((self.delimiters.repetition, repetition), (self.delimiters.component, component))
        for sign, index in (*steps, (self.delimiters.subcomponent, subcomponent))[: 0 if component < 0 else depth]:
            parts = text.split(sign)
            text = parts[index] if index < len(parts) else ""
        return text

    def trimmed(self, text: str, path: Path = _WHOLE) -> str:
        """The decoded text at a path without blanks round it, HL7's null as ""."""
        if path[7] and text.isalnum():  # no delimiter, escape sign or blank is a letter or digit
            return text
        found = self.pick(text, path).strip()
        return "" if found == NULL else found

    def repetitions(self, text: str, path: Path = _WHOLE) -> list[str]:
        """The decoded text at a path in every repetition of a field; an empty field has none."""
        return [self.pick(part, path) for part in text.split(self.delimiters.repetition)] if text else []

    def components(self, text: str) -> list[str]:
        """The decoded components (of each the first subcomponent) of a field's first repetition; an empty field has none."""
        if not text:
            return []
        _, component_sign, repetition_sign, escape_sign, subcomponent_sign, _ = self.delimiters
        if repetition_sign in text:
            text = text[: text.index(repetition_sign)]
        parts = text.split(component_sign)
        if escape_sign in text or subcomponent_sign in text:
            return [self.pick(part, _WHOLE) for part in parts]
        return parts


@lru_cache(maxsize=256)
def syntax_of(delimiters: Delimiters, charset: str) -> Syntax:
    """The one syntax of these delimiters and this character set."""
    return Syntax(delimiters, charset)


PLAIN: Final = syntax_of(STANDARD, "")
"""HL7's recommended delimiters in plain ASCII: nearly every message."""


def kept(read: Callable[[str, Syntax], T]) -> Callable[[str, Syntax], T]:
    """Keep what a pure function reads from field texts."""
    remembered = lru_cache(maxsize=KEPT_MAX)(read)

    def reading(text: str, syntax: Syntax) -> T:
        return remembered(text, syntax) if len(text) <= KEPT_CHARS_MAX else read(text, syntax)

    return reading
