"""The look-back of a recall: every place and every patient it surely or possibly concerns, each with its reason. Pure.

Surely: stock of a covered lot lay at the place, or was given to the patient. Possibly: stock of an unknown lot was given from a
place that could hold a covered lot (`places`), or a fitting lot number of a product that nobody stated. What was made of such
stock is followed to those who got it (`making`). Nobody is left out because it is unlikely. What a patient brought back is shown
and not subtracted: it does not say what was taken before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from schemas.reference import RecallNotice
from sinks.recalls.making import followed, in_containers
from sinks.recalls.places import STOCK, Place, Places, Pocket
from sinks.recalls.scope import UNKNOWN_LOT, Made, Move, Names, Scope, scope_of, standing

PATIENT: Final = "patient"
SURE: Final = "sure"
POSSIBLE: Final = "possible"
_UNPLACED: Final = ("transit", "suspense")
"""Accounts of stock that left for, or came from, a place nobody named."""
_END: Final = "9999"
"""After every instant."""


@dataclass(slots=True)
class _Given:
    """What one patient was given of one lot at one place for one reason."""

    first: Move
    certainty: str
    reason: str
    moves: list[Move] = field(default_factory=list)


class Chances(Protocol):
    """How likely what is possible is. It never decides who is on a list."""

    def given(self, moves: Iterable[Move], scope: Scope) -> Decimal | None:
        """That any of these removals of one item at a site took of a covered lot; None where nothing is known."""

    def lay(self, site: str, item: str, account: str, scope: Scope) -> Decimal | None:
        """That a covered lot ever lay at a place; None where nothing is known."""


def lookback(
    notice: RecallNotice, products_of: Mapping[str, frozenset[str]], moves: Iterable[Move], chances: Chances | None = None
) -> list[dict[str, Any]]:
    """Lines of a look-back: places, then patients, what is sure first.

    `products_of` names all products of each item that has a product of the notice; `moves` are all entries of these items, in any
    order. `about` is `place` or `patient`, `certainty` `sure` or `possible`; quantities are base units, instants as given. Of a
    place `quantity` is what lies there by the ledger, of a patient what was given; `returned` is what the patient brought back.
    `probability` stands beside what is possible, of what `chances` knows: that the patient was given, or the place ever held, a
    covered lot.
    """
    counted = in_containers(standing(moves))
    scope, places = followed(scope_of(notice, products_of, counted), counted)
    lines = [*_places(scope, places, counted, chances), *_patients(scope, places, counted, chances)]
    return sorted(lines, key=lambda line: (line["about"] == PATIENT, line["certainty"] == POSSIBLE))


def _patients(scope: Scope, places: Places, moves: list[Move], chances: Chances | None) -> Iterator[dict[str, Any]]:
    """One line a patient, place, lot and certainty; one line an entry where no patient is named."""
    found: dict[tuple[str | None, ...], _Given] = {}
    returned: dict[tuple[str, str, str], int] = {}
    for move in moves:
        if move.source == PATIENT and move.patient and scope.names(move) is not Names.OTHER and move.target.startswith(STOCK):
            key = (move.site, move.item, move.patient)
            returned[key] = returned.get(key, 0) + move.quantity
        judged = _judged(scope, places, move) if move.target == PATIENT else None
        if judged is None:
            continue
        certainty, reason = judged
        who = move.patient or f"\x1f{move.event_id}"
        group = (move.site, move.item, who, move.source, move.product, move.lot_key, certainty)
        found.setdefault(group, _Given(move, certainty, reason)).moves.append(move)
    for given in found.values():
        one = given.first
        likely = chances.given(given.moves, scope) if chances and given.certainty == POSSIBLE else None
        yield {
            "about": PATIENT, "certainty": given.certainty, "probability": likely, "site": one.site, "patient": one.patient,
            "location": one.source.removeprefix(STOCK), "item": one.item, "product": one.product, "lot": one.lot,
            "quantity": sum(move.quantity for move in given.moves), "unit": one.unit,
            "returned": returned.get((one.site, one.item, one.patient or ""), 0),
            "first": one.occurred, "last": given.moves[-1].occurred, "orders": _told(move.order_id for move in given.moves),
            "given_by": _told(move.actor for move in given.moves), "reason": given.reason,
        }  # fmt: skip


def _judged(scope: Scope, places: Places, move: Move) -> tuple[str, str] | None:
    """Certainty and reason of something that was given; None when it surely was of no covered lot."""
    match scope.names(move):
        case Names.COVERED if move.lot_key == UNKNOWN_LOT:
            return SURE, "all lots are recalled; this one was given without a lot"
        case Names.COVERED | Names.MADE:
            made = scope.made_of(move)
            origin = "" if made is None else f", made of {made.origin}" + ("" if made.sure else ", possibly recalled")
            return POSSIBLE if scope.names(move) is Names.MADE else SURE, f"lot {move.lot} was given{origin}"
        case Names.NUMBER:
            return POSSIBLE, f"lot {move.lot} was given, and of which product it was is not stated"
        case Names.UNKNOWN:
            source = places.could_hold(move)
            return None if source is None else (POSSIBLE, f"given without a lot from a place that could hold it: {source.reason}")
        case _:
            return None


def _places(scope: Scope, places: Places, moves: list[Move], chances: Chances | None) -> Iterator[dict[str, Any]]:
    """One line a place that surely held, or could hold, a covered lot."""
    touching: dict[Place, list[Move]] = {}
    for move in moves:
        for account in {move.source, move.target}:
            if (account.startswith(STOCK) or account in _UNPLACED) and scope.names(move) is not Names.OTHER:
                touching.setdefault((move.site, move.item, account), []).append(move)
    for place, here in sorted(touching.items()):
        pocket = places.pockets[place]
        sure = [move for move in here if scope.names(move) is Names.COVERED]
        if place[2] in _UNPLACED:
            sure = sure if _held(pocket, sure) > 0 else []
        concerned = sure or (here if place[2].startswith(STOCK) and pocket.sources else [])
        if concerned:
            line = _place(place, pocket, concerned, here, sure=bool(sure), made=scope.made_of(concerned[-1]))
            yield {**line, "probability": chances.lay(*place, scope) if chances and not sure else None}


def _place(
    place: Place, pocket: Pocket, concerned: list[Move], here: list[Move], *, sure: bool, made: Made | None
) -> dict[str, Any]:
    told = {id(move) for move in concerned}
    unknown = _held(pocket, [move for move in here if id(move) not in told]) if sure else 0
    last = max(concerned, key=lambda move: move.occurred)
    lots = ", ".join(_told(move.lot for move in concerned if move.lot_key != UNKNOWN_LOT)) or None
    if sure and not place[2].startswith(STOCK):
        reason = f"lot {lots} left for a place that nobody named"
    elif sure:
        reason = f"lot {lots} lay here" if lots else "stock of a recalled product lay here"
        reason += f", made of {made.origin}" if made is not None else ""
    else:
        reason = _possible(pocket)
    return {
        "about": "place", "certainty": SURE if sure else POSSIBLE, "site": place[0], "location": place[2].removeprefix(STOCK),
        "item": place[1], "lot": lots, "quantity": _held(pocket, concerned), "unknown_lot_quantity": unknown, "unit": last.unit,
        "first": concerned[0].occurred, "last": last.occurred, "reason": reason,
    }  # fmt: skip


def _possible(pocket: Pocket) -> str:
    """The reason that holds now, else the newest one that held."""
    now = pocket.could_hold(_END)
    if now is not None:
        return now.reason
    newest = max(pocket.sources, key=lambda one: one.since)
    ended = pocket.first_emptied(newest.since)
    return f"{newest.reason}; verified empty on {ended[:10]}" if ended else newest.reason


def _held(pocket: Pocket, moves: Iterable[Move]) -> int:
    """What lies there of the lots that these entries name, by the ledger."""
    return sum(pocket.lots[lot] for lot in {(move.product, move.lot_key) for move in moves})


def _told(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
