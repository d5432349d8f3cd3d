"""What a recalled lot was made into: the outputs of transforms, in as many steps as there are. Pure.

An output is surely concerned when an input was; possibly, when an input was possibly of a recalled lot, or of an unknown lot from
a place that could hold one (`places`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sinks.recalls.places import STOCK, Places
from sinks.recalls.scope import UNKNOWN_LOT, Lots, Made, Move, Names, Scope

TRANSFORM: Final = "transform"
"""The kind of entry, and the account, of stock that becomes other stock."""


def followed(scope: Scope, moves: list[Move]) -> tuple[Scope, Places]:
    """The scope with everything that was made of what it covers, and the places as they are judged with it."""
    events = _events(moves)
    while True:
        places = Places(scope, moves)
        made = _made(scope, places, events)
        if made == scope.made:
            return scope, places
        scope = replace(scope, made=made, made_items=frozenset((site, item) for site, item, _ in made))


def in_containers(moves: list[Move]) -> list[Move]:
    """The entries with the lot of a container filled in, where an entry names the container alone and others say its one lot."""
    named: dict[tuple[str, str, str], set[tuple[str, str, str]]] = {}
    for move in moves:
        if move.container and move.lot_key != UNKNOWN_LOT:
            named.setdefault((move.site, move.item, move.container), set()).add((move.product, move.lot, move.lot_key))
    found = []
    for move in moves:
        of = named.get((move.site, move.item, move.container or ""), set()) if move.lot_key == UNKNOWN_LOT else set()
        if len(of) == 1:
            product, lot, lot_key = next(iter(of))
            move = replace(move, product=product, lot=lot, lot_key=lot_key)  # noqa: PLW2901  # the same entry, known better
        found.append(move)
    return found


def _events(moves: Iterable[Move]) -> dict[tuple[str, str], tuple[list[Move], list[Move]]]:
    """Inputs and outputs of each transform."""
    found: dict[tuple[str, str], tuple[list[Move], list[Move]]] = {}
    for move in moves:
        if move.kind == TRANSFORM:
            used, made = found.setdefault((move.site, move.event_id), ([], []))
            (used if move.source.startswith(STOCK) else made).append(move)
    return found


def _made(scope: Scope, places: Places, events: dict[tuple[str, str], tuple[list[Move], list[Move]]]) -> Lots:
    """Lots that were made of what the scope covers."""
    found: dict[tuple[str, str, str], dict[str, Made]] = {}
    for used, made in events.values():
        best = max((one for move in used if (one := _of(scope, places, move)) is not None), default=None)
        for move in made if best is not None else ():
            of_number = found.setdefault((move.site, move.item, move.lot_key), {})
            of_number[move.product] = max(best, of_number.get(move.product, best))
    return found


def _of(scope: Scope, places: Places, move: Move) -> Made | None:
    """What is to be feared of something that was made with this entry."""
    names = scope.names(move)
    name = f"lot {move.lot} of {move.item}"
    if names is Names.COVERED:
        return Made(sure=True, origin=name)
    if names in (Names.MADE, Names.NUMBER):
        return Made(sure=False, origin=name)
    if names is Names.UNKNOWN and places.could_hold(move) is not None:
        return Made(sure=False, origin=f"an unknown lot of {move.item}")
    return None
