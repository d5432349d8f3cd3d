"""The business identity of a fact: what makes two messages the same fact, and two facts different (design: identity).

A key holds the sender's own names of the fact, never its control id or time of sending, which a resend changes. Parts are kept as
sent. A fact without an order number is identified by its patient and everything that bears on stock.
"""

from __future__ import annotations

from schemas.events import StockEvent
from schemas.ids import fingerprint


def key_of(*parts: str) -> str:
    """One key of several parts, joined with `|`; parts that contain it are escaped, so that no two lists give one key."""
    key = "|".join(parts)
    if "\\" not in key and key.count("|") == len(parts) - 1:
        return key
    return "|".join(map(_escaped, parts))


def _escaped(part: str) -> str:
    """A part that contains the separator or the escape sign."""
    return part.replace("\\", "\\\\").replace("|", "\\|")


def reversal_key(original: str) -> str:
    """The key of the event that takes `original` back."""
    return f"rev|{original}"


def replacement_key(original: str, event: StockEvent) -> str:
    """The key of the event that stands in for `original`: a second, different correction has another."""
    return f"{original}|U|{content(event)}"


def content(event: StockEvent) -> str:
    """Fingerprint of everything that bears on stock."""
    return fingerprint(
        event.kind,
        *(f"{code.system}:{code.value}" for code in event.codes),
        event.quantity,
        event.unit,
        event.lot,
        event.expiry,
        event.occurred.isoformat(),
        event.no_effect is None,
        *event.location_codes,
        "→",
        *event.to_location_codes,
    )


class Ordinals:
    """Numbers facts of one message that share a key but differ in content: one dose drawn from two lots is two facts.

    The same content under the same key stays one fact.
    """

    __slots__ = ("_digests", "_first")

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], StockEvent] = {}
        self._digests: dict[tuple[str, str], dict[str, int]] = {}

    def distinct(self, action: str, key: str, event: StockEvent) -> str:
        """`key` for the first content seen under it with this action, `key|#2` for the second, and so on."""
        seen = (action, key)
        first = self._first.setdefault(seen, event)
        if first is event:
            return key
        digests = self._digests.setdefault(seen, {content(first): 1})
        place = digests.setdefault(content(event), len(digests) + 1)
        return key if place == 1 else f"{key}|#{place}"
