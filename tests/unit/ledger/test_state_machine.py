"""A site, step by step: facts, time, duplicates, reversals and restarts in any order, compared after every step.

Between steps the hub has heard some facts and not others; what it holds must always be what the reference ledger derives from
exactly the facts heard so far.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.support.facts import START
from tests.support.hub import SiteHub
from tests.support.reference_ledger import Fact
from tests.unit.ledger.histories import END as LAST
from tests.unit.ledger.histories import (
    LEVELS,
    POLICIES,
    SPAN_MINUTES,
    assert_same_needs,
    assert_same_stock,
    assert_same_usable,
    event_of,
    facts,
    truth,
)


class SiteMachine(RuleBasedStateMachine):
    """What can happen to a site, and what must hold whatever has happened."""

    waiting = Bundle("waiting")
    heard = Bundle("heard")

    @initialize()
    def open_the_hospital(self) -> None:
        self.hub = SiteHub(*POLICIES)
        self.known: list[Fact] = []
        self.number = 0

    def _hear(self, fact: Fact) -> None:
        self.hub.tell(event_of(fact))
        self.known.append(fact)

    @rule(target=waiting, data=st.data())
    def something_happens_and_its_message_is_on_its_way(self, data: Any) -> Fact:
        self.number += 1
        return data.draw(facts(self.number))

    @rule(target=heard, fact=consumes(waiting))
    def its_message_arrives(self, fact: Fact) -> Fact:
        self._hear(fact)
        return fact

    @rule(fact=heard)
    def a_message_arrives_again(self, fact: Fact) -> None:
        before = self.hub.image()
        self.hub.tell(event_of(fact))
        changed = [one[0] for one in self.hub.image() if one not in before]
        assert set(changed) <= {"counters"} | self._due_tables(), changed

    @staticmethod
    def _due_tables() -> set[str]:
        """Tables that due timers may write with any event."""
        return {"cards", "history", "lots", "timers", "needs", "commands", "clock", "cases", "changed"}

    @rule(fact=heard, later=st.integers(1, 3_000))
    def a_fact_is_taken_back(self, fact: Fact, later: int) -> None:
        self._hear(Fact(f"undo|{fact.key}", "reversal", fact.occurred + timedelta(minutes=later), undoes=fact.key))

    @rule(target=heard, fact=consumes(waiting), later=st.integers(1, 3_000))
    def a_reversal_arrives_before_its_fact(self, fact: Fact, later: int) -> Any:
        self._hear(Fact(f"undo|{fact.key}", "reversal", fact.occurred + timedelta(minutes=later), undoes=fact.key))
        self._hear(fact)
        return multiple()

    @rule(at=st.integers(0, SPAN_MINUTES))
    def time_passes(self, at: int) -> None:
        self.hub.tick(START + timedelta(minutes=at))

    @rule()
    def the_hub_restarts(self) -> None:
        self.hub.restart()

    @invariant()
    def stock_is_what_the_facts_heard_so_far_add_up_to(self) -> None:
        assert_same_stock(self.hub, truth(self.known))

    def teardown(self) -> None:
        """Time runs out: every lateness and every expiry has passed."""
        if not hasattr(self, "hub"):
            return
        self.hub.tick(LAST)
        self.hub.tick(LAST + timedelta(days=1))
        assert_same_usable(self.hub, truth(self.known))
        assert_same_needs(self.hub, truth(self.known))
        assert set(LEVELS) >= {command.location for command in self.hub.open_commands()}


TestSiteMachine = SiteMachine.TestCase
TestSiteMachine.settings = settings(
    max_examples=40, stateful_step_count=20, derandomize=True, deadline=None, database=None
)  # fmt: skip
