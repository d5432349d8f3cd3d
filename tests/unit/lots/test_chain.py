"""One place's chain against every way its history can have happened, written out; and small cases worked out by hand."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.lots import chain as module
from sinks.lots.chain import Chain
from sinks.lots.drawing import Drawing, Purpose
from tests.unit.lots.every_way import Fact, Rule, Way, every_way

AT = "2026-03-02"
PURPOSES = {"leave": Purpose.USE, "expire": Purpose.EXPIRED, "unload": Purpose.ALL}
LOTS = st.sampled_from((1, 2, 3))
FACTS = st.lists(
    st.one_of(
        st.builds(Fact, st.just("come"), st.integers(1, 3), LOTS),
        st.builds(Fact, st.just("come"), st.integers(1, 2), st.sampled_from((1, 2, None))),
        st.builds(Fact, st.sampled_from(("leave", "leave", "leave", "expire", "unload")), st.integers(1, 3)),
        st.builds(Fact, st.just("leave"), st.integers(1, 2), LOTS),
        st.builds(Fact, st.just("count"), st.integers(0, 3), LOTS),
        st.builds(Fact, st.just("count"), st.integers(1, 6)),
        st.builds(Fact, st.just("rest"), st.just(0), st.none(), st.sampled_from(((1,), (1, 2))), st.sampled_from(((), ((2, 1),), ((2, 2), (3, 1))))),
        st.builds(Fact, st.just("empty")),
    ),
    max_size=7,
)
RULES = st.builds(
    Rule,
    st.sampled_from(("fefo", "fifo", "random")),
    st.sampled_from((Fraction(0), Fraction(1, 3), Fraction(9, 10), Fraction(1))),
    st.permutations((0, 1, 2)).map(lambda order: (9, *order)),
    st.sampled_from((frozenset(), frozenset({1}), frozenset({1, 2}))),
)


def chain_of(rule: Rule) -> Chain:
    ends = tuple(("1999" if lot in rule.gone else "2999") + str(end) for lot, end in enumerate(rule.ends))
    return Chain(Drawing(rule.name, rule.compliance, ends, exact=True), 10**6, Fraction(0))


def tell(chain: Chain, facts: list[Fact]) -> list[int]:
    """Tell the chain the facts; returns the steps that took something."""
    took = []
    for number, fact in enumerate(facts):
        key = str(number)
        match fact.kind:
            case "come":
                chain.arrive(key, [(Fraction(1), ((fact.lot or 0, fact.quantity),))])
            case "count" if fact.lot is not None:
                chain.count_lot(key, fact.lot, fact.quantity)
            case "count":
                chain.count_all(key, fact.quantity, AT)
            case "rest":
                chain.count_rest(key, fact.listed, dict(fact.booked))
            case "empty":
                chain.empty(key)
            case _ if fact.lot is not None:
                chain.leave_lot(key, fact.lot, fact.quantity, PURPOSES[fact.kind], AT)
                took.append(number)
            case _:
                chain.leave(key, fact.quantity, PURPOSES[fact.kind], AT)
                took.append(number)
    return took


def shares(ways: list[Way], of) -> dict[tuple[tuple[int, int], ...], Fraction]:
    """How likely each outcome is, over all ways."""
    total = sum(way.weight for way in ways)
    found: Counter[tuple[tuple[int, int], ...]] = Counter()
    for way in ways:
        found[tuple(sorted(Counter(of(way)).items()))] += way.weight / total
    return {lots: chance for lots, chance in found.items() if chance}


def tallied(pairs) -> dict[tuple[tuple[int, int], ...], Fraction]:
    found: Counter[tuple[tuple[int, int], ...]] = Counter()
    for chance, lots in pairs:
        found[tuple(sorted(lots))] += chance
    return {lots: chance for lots, chance in found.items() if chance}


@settings(max_examples=300, deadline=None)
@given(FACTS, RULES)
def test_a_chain_is_equal_to_writing_out_every_way(facts: list[Fact], rule: Rule) -> None:
    """What lies there now, what each removal took by all that is known, and what none of them took: equal fractions."""
    ways = every_way(facts, rule)
    chain = chain_of(rule)
    took = tell(chain, facts)
    assert tallied((chance, state[0]) for state, chance in chain.now.items()) == shares(ways, lambda way: way.left)
    for place, step in enumerate(took):
        assert tallied(chain.smoothed(step)) == shares(ways, lambda way, place=place: way.taken[place])
    total = sum(way.weight for way in ways)
    for lot in (1, 2):
        none = sum((way.weight for way in ways if all(lot not in taken for taken in way.taken)), Fraction(0)) / total
        assert chain.none(took, lambda edge, lot=lot: any(one == lot for one, _ in edge[3])) == none


def two_lots(compliance: Fraction = Fraction(9, 10)) -> Chain:
    """Two of lot 1, which ends first, and two of lot 2."""
    chain = chain_of(Rule("fefo", compliance, (9, 0, 1)))
    tell(chain, [Fact("come", 2, 1), Fact("come", 2, 2)])
    return chain


def test_one_of_two_lots_is_drawn_by_the_rule_or_by_its_share() -> None:
    """9/10 + 1/10 · 2/4."""
    chain = two_lots()
    assert {lots: chance for chance, lots in chain.leave("v", 1, Purpose.USE, AT)} == {
        ((1, 1),): Fraction(19, 20), ((2, 1),): Fraction(1, 20),
    }  # fmt: skip


def test_a_later_count_of_one_lot_says_which_lot_was_taken_before() -> None:
    """1/20 that the count fits, 19/20 that it is one off (1/1000)."""
    chain = two_lots()
    chain.leave("v", 1, Purpose.USE, AT)
    chain.count_lot("c", 2, 1)
    sure = Fraction(1000, 1019)
    assert {lots: chance for chance, lots in chain.smoothed(2)} == {((2, 1),): sure, ((1, 1),): 1 - sure}
    assert chain.now[((1, 2), (2, 1)), ()] == sure


def test_a_stated_lot_that_only_some_states_can_give_weighs_those() -> None:
    """Both of lot 1 were taken after the unknown one, so that was of lot 2, unless one of lot 1 came unreported (1/1000 squared).

    1/20 · (9/10 + 1/10 · 2/3) against 19/20 · 1/1000000.
    """
    chain = two_lots()
    chain.leave("v", 1, Purpose.USE, AT)
    chain.leave_lot("s", 1, 2, Purpose.USE, AT)
    fits, not_ = Fraction(1, 20) * Fraction(29, 30), Fraction(19, 20) / 10**6
    assert {lots: chance for chance, lots in chain.smoothed(2)}[((2, 1),)] == fits / (fits + not_)


def test_what_was_taken_and_came_back_lies_there_as_before() -> None:
    chain = two_lots()
    before = dict(chain.now)
    chain.leave("v", 1, Purpose.USE, AT, back=True)
    chain.bring_back("r", "v", 1, None, last=True)
    assert chain.now == before
    assert chain.smoothed(2) == chain.smoothed(3), "it is what had been taken"


def test_a_return_that_states_its_lot_says_what_had_been_taken() -> None:
    chain = two_lots()
    chain.leave("v", 1, Purpose.USE, AT, back=True)
    chain.bring_back("r", "v", 1, 2, last=True)
    assert {lots: chance for chance, lots in chain.smoothed(2)}[((2, 1),)] == Fraction(1, 20) / (Fraction(1, 20) + Fraction(19, 20) / 1000)


def test_more_states_than_there_is_room_for_keep_the_likely_ones_and_say_what_was_dropped() -> None:
    free, bound = two_lots(), two_lots()
    bound._states_max = 2
    for chain in (free, bound):
        for number in range(2):
            chain.leave(str(number), 1, Purpose.USE, AT)
    assert len(bound.now) == 2 < len(free.now)
    assert set(bound.now) == set(sorted(free.now, key=lambda state: -free.now[state])[:2])
    assert 0 < bound.dropped < Fraction(1, 5)


def test_a_long_history_without_a_scan_or_count_keeps_fewer_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty lots of one, half of them drawn at random: more pasts than anybody can write out."""
    monkeypatch.setattr(module, "EDGES_MAX", 2_000)
    chain = Chain(Drawing("random", 0, ("9",) * 41))
    for lot in range(1, 41):
        chain.arrive(str(lot), [(1.0, ((lot, 1),))])
    for number in range(20):
        chain.leave(f"v{number}", 1, Purpose.USE, AT)
    assert len(chain.now) <= module.STATES_MIN
    assert sum(chain.now.values()) == pytest.approx(1)


def test_a_draw_of_many_lots_is_random_in_the_first_three_and_then_by_the_rule() -> None:
    """Twelve lots of one, eight taken: 12 · 11 · 10 ways, not 12!/4!."""
    drawing = Drawing("random", 0, ("9",) * 13, exact=True)
    drawn = drawing.draws(tuple((lot, 1) for lot in range(1, 13)), 8, Purpose.USE, frozenset())
    assert sum(chance for chance, _ in drawn) == 1
    assert len(drawn) <= 12 * 11 * 10 // 6
