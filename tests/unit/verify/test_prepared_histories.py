"""Random histories in which containers are opened and stock is made of stock: late, twice, taken back, recalled, without a policy.

As `test_histories`, with a second item that is made of the first and goes into other things itself. Verify derives balances,
usable stock, beyond-use instants and blocks anew, as the history grows and at cuts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.kinds import OPENING_KINDS
from schemas.preparation import BeyondUsePolicy
from schemas.reference import RecallNotice
from tests.support.facts import BY_ITEM, BY_PRODUCT, day, decision, part, reversal, told, transform
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE, WARD, item, policy
from tests.unit.verify.logs import RecordedHub
from tests.unit.verify.test_histories import BY_TEVA, LOTS, Rough
from topology.verify.run import verify

SYRINGE = "syringe"
MADE = {"P1": None, "P2": day(3), "A1": None}
"""Lots of what is made; one has the number of a lot of the other item."""
PLACES = (POCKET, STORE, WARD)
EVENTS = (*(kind.value for kind in OPENING_KINDS), "transform")


class Prepared(Rough):
    """A rough history of a hospital that opens, mixes and repackages."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.hub.learn(item(SYRINGE, form="syringe"))
        self.hub.learn(policy(STORE, item=SYRINGE, critical=1))
        if seed % 3:
            self._policy()

    def _event(self, step: int) -> Any:
        chance = self.random.random()
        if chance < 0.06:
            early = f"k{step + self.random.randint(1, 4)}"
            return reversal(self.random.choice([*self.keys[-12:], early]), at=self.now, key=f"k{step}")
        if chance < 0.25:
            return self._opening(step)
        return self._transform(step) if chance < 0.5 else super()._event(step)

    def _change(self) -> None:
        chance = self.random.random()
        if chance < 0.3:
            self._policy()
        elif chance < 0.5:
            self._trace()
        elif chance < 0.8:
            self._recall()
        else:
            super()._change()

    def _policy(self) -> None:
        pick = self.random
        scope: dict[str, str] = pick.choice([{}, {"item": ITEM}, {"form": "syringe"}, {"product": "amox-hospira"}])
        self.hub.learn(BeyondUsePolicy(site=SITE, event=pick.choice(EVENTS), minutes=pick.choice([10, 300, 3_000]), **scope))

    def _recall(self) -> None:
        pick = self.random
        self.hub.learn(
            RecallNotice(
                id=pick.choice(["R1", "R2"]), classification=pick.choice(["I", "II"]),
                products=(pick.choice(["amox-hospira", "amox-teva"]),), lots=tuple(pick.sample(sorted(LOTS), 2)),
                released=pick.choice([None, None, None, "FDA"]),
            )
        )  # fmt: skip

    def _trace(self) -> None:
        """A person found out what a lot was made of, or closes some other case."""
        cases = self.hub.open_cases("recall_trace") or self.hub.open_cases("recall_inspect")
        if cases:
            self.hub.say(decision(self.random.choice(cases).case_id, "close", "p1", self.now))

    def _opening(self, step: int) -> Any:
        pick = self.random
        kind, at = pick.choice(sorted(OPENING_KINDS)), self._at()
        lot = pick.choice([None, *LOTS])
        until = pick.choice([None, None, at + timedelta(minutes=pick.choice([0, 5, 700]))])
        return told(
            kind, pick.choice([0, 1, 1, 3]), place=pick.choice(PLACES), at=at, key=self._key(step), lot=lot, beyond_use=until,
            container=pick.choice([*(f"c{number}" for number in range(1, 9)), None]), codes=pick.choice([BY_ITEM, BY_PRODUCT, BY_TEVA]),
            received_at=max(at, self.now), expiry=LOTS[lot] if lot and pick.random() < 0.3 else None,
        )  # fmt: skip

    def _transform(self, step: int) -> Any:
        pick = self.random
        at = self._at()
        used = [self._part(pick.random() < 0.3, made=False, at=at) for _ in range(pick.randint(1, 3))]
        made = [self._part(pick.random() < 0.8, made=True, at=at) for _ in range(pick.randint(1, 2))]
        return transform(*used, *made, place=pick.choice(PLACES), at=at, key=self._key(step), received_at=max(at, self.now))

    def _part(self, of_syringes: bool, *, made: bool, at: Any) -> Any:
        pick = self.random
        more: dict[str, Any] = {"place": pick.choice([None, None, *PLACES, "LATEPLACE"])}
        if pick.random() < 0.2:
            more["container"] = pick.choice(["c1", "c4"])
        if made and pick.random() < 0.3:
            more["beyond_use"] = at + timedelta(minutes=pick.choice([1, 60, 4_000]))
        if of_syringes:
            lot = pick.choice([*MADE] if made else [None, *MADE])
            return part(pick.choice([1, 2]), made=made, code=f"{SYRINGE}-1", lot=lot, expiry=MADE[lot] if lot else None, **more)
        lot = pick.choice([*LOTS] if made else [None, *LOTS])
        return part(pick.choice([1, 2]), made=made, codes=pick.choice([BY_ITEM, BY_PRODUCT, BY_TEVA]), lot=lot, **more)

    def _at(self) -> Any:
        return self.now - timedelta(minutes=self.random.choice([0, 0, 3, 30, 200, 2_000]))

    def _key(self, step: int) -> str:
        key = self.random.choice(self.keys) if self.keys and self.random.random() < 0.05 else f"k{step}"
        self.keys.append(key)
        return key


@pytest.mark.parametrize("seed", range(40))
def test_a_history_with_openings_and_transforms_is_verified_as_it_grows_and_at_cuts(seed: int) -> None:
    rough = Prepared(seed)
    for step in rough.grow():
        if step % 40 == 39:
            assert verify(rough.hub.logs()).differences == []
    for one in (ITEM, SYRINGE):
        assert rough.hub.accounts_total(one) == 0
    for _ in range(2):
        assert verify(rough.hub.logs(cut=rough.random.randint(10, rough.hub.offset))).differences == []


def test_the_histories_hold_what_they_are_to_be_judged_by() -> None:
    seen: dict[str, int] = {}
    for seed in range(12):
        rough = Prepared(seed)
        for _ in rough.grow():
            pass
        for kind in ("recall_trace", "beyond_use_unknown", "unusable_used", "unusable_given", "container_not_opened", "recall"):
            seen[kind] = seen.get(kind, 0) + len([case for case in rough.hub.latest("cases") if case.kind == kind])
        for movement in rough.hub.all("stock.movements"):
            if "transform" in (movement.from_account, movement.to_account):
                seen[movement.kind] = seen.get(movement.kind, 0) + 1
    assert all(seen.get(kind, 0) >= 5 for kind in ("recall_trace", "beyond_use_unknown", "unusable_used", "recall")), seen
    assert all(seen.get(kind, 0) >= 5 for kind in (*EVENTS, "reversal")), seen


def test_verify_notices_a_beyond_use_instant_that_is_wrong() -> None:
    hub = RecordedHub()
    hub.hear(told("receive", 5, place=STORE, lot="L1"))
    hub.hear(told("open", 1, place=STORE, lot="L1", container="c1", beyond_use=told("null").occurred + timedelta(days=1)))
    logs = hub.logs()
    assert verify(logs).differences == []
    balance = [record for record in logs.all("stock.balances") if b'"container":"c1"' in (record.value or b"")][-1]
    logs.change(balance, beyond_use=None)
    assert {one.check for one in verify(logs).differences} == {"beyond_use"}


@pytest.mark.parametrize("seed", range(4))
def test_the_same_log_gives_the_same_bytes_whenever_the_state_is_flushed(seed: int) -> None:
    rough = Prepared(seed)
    for _ in rough.grow():
        pass
    again = SiteHub(reference=(), flush_every=1)
    for number, record in enumerate(rough.hub.log):
        if number % 50 == 49:
            again.restart()
        again.feed(record)
    assert again.outputs == rough.hub.outputs
    assert again.image() == rough.hub.image()
