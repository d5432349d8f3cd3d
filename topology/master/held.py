"""The item master as the hub holds it, and what a change makes of it. Reads; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.codec import encode
from schemas.master import GOVERNED, MasterRecord
from schemas.reference import REFERENCE_KINDS
from sinks.sql.views import Views
from topology.reference_files.model import ReferenceRecord
from topology.reference_known import records_of

_NOTHING: Final[tuple[object, ...]] = (None, "", [])
_REFERRED_TO: Final = ("site", "location", "supplier", "par_policy")


@dataclass(frozen=True, slots=True)
class Held:
    """Records of the item master by kind and id, and the ids of everything else that may be referred to."""

    records: Mapping[tuple[str, str], object]
    ids: Mapping[str, set[str]]

    def of(self, *kinds: str) -> list[ReferenceRecord]:
        """Records of some kinds."""
        return [(kind, id_, record) for (kind, id_), record in self.records.items() if kind in kinds]

    def after(self, changes: Iterable[MasterRecord]) -> Held:
        """What the item master is once a change has taken effect."""
        records = dict(self.records)
        ids = {kind: set(found) for kind, found in self.ids.items()}
        for change in changes:
            if change.after is None:
                records.pop((change.kind, change.id), None)
                ids.setdefault(change.kind, set()).discard(change.id)
            else:
                records[change.kind, change.id] = REFERENCE_KINDS[change.kind].codec.validate(change.after)
                ids.setdefault(change.kind, set()).add(change.id)
        return Held(records, ids)


def held_by(views: Views) -> Held:
    """The item master in the hub's tables."""
    records = {(kind, id_): record for kind in GOVERNED for _, id_, record in records_of(kind, views.reference(kind))}
    others = {kind: {id_ for _, id_, _ in records_of(kind, views.reference(kind))} for kind in _REFERRED_TO}
    governed = {kind: {id_ for name, id_ in records if name == kind} for kind in GOVERNED}
    return Held(records, {**others, **governed})


def plain(record: object) -> dict[str, Any]:
    """A record as the JSON value that stands in the log."""
    value: dict[str, Any] = msgspec.json.decode(encode(record))
    return value


def differences(change: str, held: Held, wanted: Sequence[tuple[str, str, object | None]]) -> list[MasterRecord]:
    """Records of a change: those that are wanted otherwise than they are held (none wanted: taken away), numbered from 1."""
    order = {kind: place for place, kind in enumerate(REFERENCE_KINDS)}
    found = []
    for kind, id_, record in sorted(wanted, key=lambda one: (order[one[0]], one[1])):
        current = held.records.get((kind, id_))
        before, after = (None if one is None else plain(one) for one in (current, record))
        if before != after:
            found.append((kind, id_, before, after))
    return [
        MasterRecord(change=change, number=number, kind=kind, id=id_, before=before, after=after)
        for number, (kind, id_, before, after) in enumerate(found, start=1)
    ]


def fields_of(record: MasterRecord) -> list[tuple[str, Any, Any]]:
    """Field, before and after of what a record changes; all stated fields of a new one or of one that is taken away."""
    before, after = record.before or {}, record.after or {}
    pairs = [(name, before.get(name), after.get(name)) for name in REFERENCE_KINDS[record.kind].codec.type.__dataclass_fields__]
    return [(name, old, new) for name, old, new in pairs if _is_other(old, new)]


def _is_other(before: Any, after: Any) -> bool:
    """Whether a value differs; nothing, an empty text and an empty list say the same."""
    return before != after and not (before in _NOTHING and after in _NOTHING)
