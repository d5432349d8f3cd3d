"""The rows of one kind of segment in recorded messages, for learning what its columns mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Message, read
from connectors.hl7.mapper import message_type
from connectors.hl7.profiles.learn import Row


@dataclass(frozen=True, slots=True)
class Recorded:
    """Rows of one segment, and the message type that most of them came in."""

    segment: str
    message_type: str
    rows: list[Row]


def rows_of(bodies: Iterable[tuple[str, bytes]], segment: str | None) -> Recorded | None:
    """The rows of a segment, or of the most frequent Z segment; None when there is none.

    Messages that can't be read are left out.
    """
    messages: list[tuple[str, Message]] = []
    for name, body in bodies:
        members = split(body).members
        for number, member in enumerate(members, start=1):
            try:
                messages.append((name if len(members) == 1 else f"{name}, message {number}", read(member)))
            except Er7Error:
                continue
    names = Counter(one.name for _, message in messages for one in message if one.name.startswith("Z") or one.name == segment)
    wanted = segment or next((name for name, _ in names.most_common(1)), None)
    if wanted is None or not names[wanted]:
        return None
    rows: list[Row] = []
    types: Counter[str] = Counter()
    for name, message in messages:
        for one in message.segments(wanted):
            rows.append(Row(name, one.fields(), bool(message.get("PID-3").strip())))
            types["^".join(filter(None, message_type(message)))] += 1
    return Recorded(wanted, types.most_common(1)[0][0], rows)
