"""How the simulated hands draw lots, and what is told of it: first expiry first unless a knob says otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from connectors.simulator import KnobError, Knobs, build_network
from connectors.simulator.catalogue import load_catalogue
from connectors.simulator.drawing import Drawing
from connectors.simulator.truth import Card, Lot
from schemas.raw import CABINET_JSON
from tests.unit.simulator.runs import SMALL, rows, run

BOX = load_catalogue()[0].boxes[0]
FIRST, LATER, OVER = Lot("A", BOX, "", 100), Lot("B", BOX, "", 200), Lot("C", BOX, "", 10)


def card(**lots: int) -> Card:
    found = Card("p", BOX.item, None)
    found.lots = {{"A": FIRST, "B": LATER, "C": OVER}[name]: quantity for name, quantity in lots.items()}
    found.total = sum(lots.values())
    return found


def drawing(rule: str, careless: float = 0.0) -> Drawing:
    return Drawing(rule, careless, Random(1))


def test_by_the_rule_usable_lots_are_taken_first_expiry_or_first_come_first() -> None:
    assert drawing("fefo").take(card(C=1, B=2, A=2), 3, 50) == [(FIRST, 2), (LATER, 1)]
    assert drawing("fifo").take(card(C=1, B=2, A=2), 3, 50) == [(LATER, 2), (FIRST, 1)]


def test_nobody_takes_more_than_is_usable() -> None:
    for rule in ("fefo", "fifo", "random"):
        assert sum(quantity for _, quantity in drawing(rule).take(card(C=5, A=1), 3, 50)) == 1
        assert drawing(rule).take(card(C=5), 3, 50) == []


def test_at_random_a_lot_is_taken_by_its_share_expired_or_not() -> None:
    """Shares 1/10, 3/10, 6/10 of 4,000 draws: three standard deviations are below 0.024."""
    hands = drawing("random")
    taken = Counter(hands.take(card(C=1, B=3, A=6), 1, 50)[0][0].number for _ in range(4_000))
    assert {lot: round(count / 4_000, 2) for lot, count in taken.items()} == pytest.approx({"C": 0.1, "B": 0.3, "A": 0.6}, abs=0.024)


def test_the_careless_share_of_removals_takes_what_comes_to_hand() -> None:
    """Of 4,000 a quarter, and of these half from the lot that ends later."""
    hands = drawing("fefo", 0.25)
    later = sum(hands.take(card(A=4, B=4), 1, 50)[0][0] is LATER for _ in range(4_000))
    assert later / 4_000 == pytest.approx(0.125, abs=0.016)


def test_hands_change_the_truth_and_scanners_do_not() -> None:
    assert run(replace(SMALL, unscanned=0.6)).truth == run(SMALL).truth
    assert run(replace(SMALL, careless=0.3)).truth != run(SMALL).truth


def test_what_is_told_without_lot_is_told_at_once_for_all_lots() -> None:
    """As many units leave and enter the pockets as truly did, told in fewer transactions than lots were moved."""
    made = run(replace(SMALL, unscanned=1.0, careless=0.5))
    kinds = {"vend", "refill", "load"}
    told = [row for message in made.of_type(CABINET_JSON) for row in rows(message) if row["action"] in kinds]
    assert not any("lot" in row or "expiry" in row for row in told)
    true = [line for line in made.movements if line["kind"] in kinds and "/cab1" in line["location"]]
    assert sum(abs(line["quantity"]) for line in true) == sum(row["quantity"] for row in told)
    assert len(told) < len(true)
    counts = [row for message in made.of_type(CABINET_JSON) for row in rows(message) if row["action"] == "count"]
    assert len({(row["device"], row["pocket"], row["occurred"]) for row in counts}) == len(counts)


def test_no_order_brings_back_of_a_lot_more_than_it_took_of_it() -> None:
    """Also where more doses than needed were taken, of two lots (seed 30 has such a case)."""
    made = run(replace(SMALL, careless=0.8, days=30, sites=1, seed=30))
    out: Counter[tuple[str, str]] = Counter()
    for row in (row for message in made.of_type(CABINET_JSON) for row in rows(message) if row["action"] in {"vend", "return"}):
        whose = (f"{row['facility']} {row['order_id']}", row["lot"])
        out[whose] += row["quantity"] if row["action"] == "vend" else -row["quantity"]
        assert out[whose] >= 0, row


def test_scans_keep_their_lots() -> None:
    made = run(replace(SMALL, unscanned=1.0))
    assert {line["lot"] for line in made.movements if line["kind"] == "receive"} <= {
        lot for lot in {line["lot"] for line in made.movements} if any(lot.encode() in message.body for message in made.messages)
    }


def test_the_reference_data_says_how_lots_are_drawn_where_a_knob_does() -> None:
    [rule] = build_network(Knobs(sites=1, careless=0.2, drawing="fifo")).reference["drawing_rule"]
    assert (rule.site, rule.location, rule.item, rule.rule, str(rule.compliance)) == ("north", "", "", "fifo", "0.8")
    assert "drawing_rule" not in build_network(Knobs(sites=1)).reference


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(KnobError, match="drawing is lifo, expected fefo, fifo, random"):
        Knobs(drawing="lifo")
