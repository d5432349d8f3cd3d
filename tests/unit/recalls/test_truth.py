"""Against the truth: in a small pharmacy whose true lots are known, everyone who was given the recalled lot is on the list."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import StockEvent
from tests.support.facts import minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import OTHER_POCKET, POCKET, STORE
from tests.unit.recalls.support import look, notice, patients

LOTS = ("BAD1", "FINE2")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("receive", "receive", "refill", "refill", "vend", "vend", "vend", "return", "count", "lot_count", "unload", "load", "error", "move")),
        st.sampled_from(LOTS), st.integers(1, 2), st.sampled_from((POCKET, OTHER_POCKET)), st.booleans(), st.sampled_from((0, 1)),
    ),
    min_size=12,
    max_size=40,
)  # fmt: skip


class Pharmacy:
    """A store and two pockets with their true contents; each step tells the hub what happened, with or without the lot."""

    def __init__(self) -> None:
        self.true: dict[str, Counter[str]] = {STORE: Counter(), POCKET: Counter(), OTHER_POCKET: Counter()}
        self.given: dict[str, str] = {}
        self.told: list[StockEvent] = []
        self.at = 0

    def say(self, kind: str, quantity: int, place: str, lot: str | None, **more: Any) -> None:
        self.told.append(told(kind, quantity, place=place, at=minutes(self.at), lot=lot, **more))

    def step(self, kind: str, wanted: str, quantity: int, place: str, stated: bool, later: int) -> None:
        """One step, of the lot wanted or else of the other; one that the true contents don't allow is left out."""
        self.at += later
        here, store = self.true[place], self.true[STORE]
        origin = {"refill": store, "load": store, "vend": here, "move": here, "error": here}.get(kind)
        lot = wanted if origin is None or origin[wanted] >= quantity else next(one for one in LOTS if one != wanted)
        label = lot if stated else None
        match kind:
            case "receive":
                store[lot] += quantity
                self.say("receive", quantity, STORE, label)
            case "refill" | "load" if store[lot] >= quantity and (kind == "refill" or not here.total()):
                store[lot] -= quantity
                here[lot] += quantity
                self.say(kind, quantity, place, label)
            case "vend" if here[lot] >= quantity:
                here[lot] -= quantity
                patient = f"p{len(self.given)}"
                self.given[patient] = lot
                self.say("vend", quantity, place, label, patient=patient)
            case "return" if lot in self.given.values():
                here[lot] += quantity
                self.say("return", quantity, place, label)
            case "count":
                self.say("count", here.total(), place, None)
            case "lot_count":
                self.say("count", here[lot], place, lot)
            case "unload" if here.total() and len(+here) == 1:
                only = next(iter(+here))
                self.say("unload", here.total(), place, only if stated else None)
                store[only] += here.total()
                here.clear()
            case "move" if here[lot] >= quantity:
                here[lot] -= quantity
                other = OTHER_POCKET if place == POCKET else POCKET
                self.true[other][lot] += quantity
                self.say("put_away", quantity, place, label, to=other)
            case "error":
                self.say("vend", quantity, place, label, patient="nobody", key=f"error|{len(self.told)}")
                self.told.append(reversal(self.told[-1].event_key, at=minutes(self.at)))


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, shuffle=st.randoms(use_true_random=False))
def test_everyone_who_was_given_the_lot_is_on_the_list(steps: list[Any], shuffle: Any) -> None:
    """Lots are hidden at random, several steps share an instant, and what was told arrives in any order."""
    pharmacy = Pharmacy()
    for lot in LOTS:
        pharmacy.step("receive", lot, 9, STORE, steps[0][4], 1)
    for step in steps:
        pharmacy.step(*step)
    arrived = list(pharmacy.told)
    shuffle.shuffle(arrived)
    hub = SiteHub()
    hub.hear(*arrived)
    found = patients(look(hub, notice("BAD1")))
    affected = {patient for patient, lot in pharmacy.given.items() if lot == "BAD1"}
    assert affected <= found.keys()
    assert "nobody" not in found

