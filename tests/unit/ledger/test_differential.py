"""The site processor against the plain ledger on random histories, compared after every step.

Method: `differential.history` makes the steps of a seed, in order of arrival; both hear each of them. A disagreement is told with
the fewest steps that still show it. WARDSTOCK_DIFFERENTIAL_HISTORIES says how many seeds there are.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.support.plain_ledger import GIVEN, OPENINGS, Notice, Told
from tests.unit.ledger.differential import Step, Tick, disagreement, history, smallest

HISTORIES = int(os.environ.get("WARDSTOCK_DIFFERENTIAL_HISTORIES", "400"))
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_hub_agrees_with_the_plain_ledger_after_every_step_of_any_history(batch: int) -> None:
    for seed in range(batch, HISTORIES, BATCHES):
        steps = history(seed)
        try:
            found = disagreement(steps)
        except Exception as error:
            error.add_note(f"history {seed}")
            raise
        if found is not None:
            fewest = smallest(steps)
            shown = "\n".join(f"  {shown_step(step)}" for step in fewest)
            last = disagreement(fewest)
            assert last is not None
            pytest.fail(f"history {seed}: {last.about}\n{shown}\n  hub    {last.hub}\n  ledger {last.ledger}")


def shown_step(step: Step) -> str:
    """A step with what it states."""
    stated = {name: value for name, value in vars(step).items() if value not in (None, "", ())}
    return f"{type(step).__name__} " + ", ".join(f"{name}={value}" for name, value in stated.items())


def test_the_histories_hold_what_they_are_to_be_judged_by() -> None:
    """Everything that makes a ledger hard is in the first 300: a generator that forgot it would prove nothing."""
    seen: Counter[str] = Counter()
    for seed in range(300):
        heard: dict[str, Told] = {}
        now = 0.0
        for step in history(seed):
            if isinstance(step, Tick):
                now = max(now, step.at.timestamp())
            elif isinstance(step, Notice):
                seen["released" if step.released else "recalled"] += 1
            else:
                seen.update(_features(step, heard, now))
                heard.setdefault(step.key, step)
    assert all(seen[name] >= 10 for name in EXPECTED), {name: seen[name] for name in EXPECTED if seen[name] < 10}


EXPECTED = (
    "late", "duplicate", "conflict", "reversal", "early reversal", "second reversal", "reversal of a reversal",
    "reversal behind a count", "count of a lot", "count of a place", "count of nothing", "verified begin", "expected begin", "version",
    "early version", "unknown lot", "recalled", "released", "open", "puncture", "thaw", "out_of_fridge", "transform",
    "count of a container", "given of a container", "transform taken back", "opening taken back",
)  # fmt: skip


def _features(told: Told, heard: dict[str, Told], now: float) -> set[str]:
    found = {told.kind}
    if told.key in heard:
        found.add("duplicate" if heard[told.key] == told else "conflict")
    if told.occurred.timestamp() < now:
        found.add("late")
    if told.kind == "reversal":
        found |= _of_reversal(told, heard)
    elif not told.lot:
        found.add("unknown lot")
    if told.kind == "count":
        found.add("count of a lot" if told.lot else "count of a place" if told.quantity else "count of nothing")
    if told.container and told.kind in {"count", *GIVEN}:
        found.add("count of a container" if told.kind == "count" else "given of a container")
    if told.begin is not None:
        found.add("verified begin" if told.begin_verified else "expected begin")
    if told.replaces:
        found.add("version" if told.replaces in heard else "early version")
    return found


def _of_reversal(told: Told, heard: dict[str, Told]) -> set[str]:
    named = heard.get(told.undoes or "")
    if named is not None and (named.parts or named.kind in OPENINGS):
        return {"transform taken back" if named.parts else "opening taken back"}
    if named is None:
        return {"early reversal"}
    if named.kind == "reversal":
        return {"reversal of a reversal"}
    again = any(one.undoes == told.undoes for one in heard.values() if one.key != told.key)
    counts = (one for one in heard.values() if one.kind == "count" and (one.place, one.item) == (named.place, named.item))
    behind = any(one.occurred > named.occurred for one in counts)
    return {"second reversal"} if again else {"reversal behind a count"} if behind else {"reversal"}
