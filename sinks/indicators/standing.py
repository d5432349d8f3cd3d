"""Which entries stand: what a reversal took back is left out whole, with the reversal. Decides nothing else.

A reversal voids its fact at the fact's own time, so leaving both out gives the ledger the same sums (the hub's movement
contract: `corrects` of a reversal names the event it takes back). The variance of a count and what later moved it (`variance`)
are one entry: their sum, which is the same whatever arrived when. Lots that became known (`identify`) are entries like others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from schemas.kinds import EventKind
from sinks.indicators.model import Entry

REVERSAL: Final = "reversal"
VARIANCE: Final = "variance"
IDENTIFY: Final = "identify"
OPENING: Final = "opening"
BOOKKEEPING: Final = frozenset({REVERSAL, VARIANCE, IDENTIFY, OPENING})
"""Kinds of entries that are nobody's transaction."""
_RANK: Final = {kind.value: rank for rank, kind in enumerate(EventKind)}
"""Order of what happened at one instant, as in the ledger (design: order of the ledger): a receipt before its put-away."""
GIVEN: Final = frozenset({"vend", "dispense", "administer"})


def taken_back(entries: Iterable[Entry]) -> frozenset[str]:
    """Event ids that a reversal took back."""
    return frozenset(entry.corrects for entry in entries if entry.kind == REVERSAL and entry.corrects)


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """Entries that stand, in event order. The order of arrival changes nothing."""
    given = list(entries)
    gone = taken_back(given)
    kept = [entry for entry in given if entry.kind != REVERSAL and entry.event_id not in gone]
    kept = [*(entry for entry in kept if not is_variance(entry)), *_variances(entry for entry in kept if is_variance(entry))]
    return sorted(kept, key=lambda entry: (entry.occurred, _RANK.get(entry.kind, len(_RANK)), entry.event_id, entry.movement_id))


def is_variance(entry: Entry) -> bool:
    """Whether a count wrote it, or moved it later."""
    return VARIANCE in (entry.from_account, entry.to_account)


def _variances(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for what a count found more or less of a lot at a place; none where it comes to nothing."""
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    like: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        place, more = (entry.to_account, 1) if entry.from_account == VARIANCE else (entry.from_account, -1)
        key = (entry.event_id, place, entry.item, entry.product, entry.lot)
        sums[key] += more * entry.quantity
        like.setdefault(key, entry)
    return [
        replace(
            like[key], movement_id="|".join(key), kind=VARIANCE, quantity=abs(net), corrects=None,
            from_account=VARIANCE if net > 0 else key[1], to_account=key[1] if net > 0 else VARIANCE,
        )
        for key, net in sums.items()
        if net
    ]  # fmt: skip
