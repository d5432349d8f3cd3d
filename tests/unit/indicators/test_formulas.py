"""Every indicator on a handmade history, with the arithmetic stated."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from sinks.indicators.catalogue import INDICATORS
from sinks.indicators.classes import abc, classes
from sinks.indicators.model import Entry, Reference, Reversal, Stuck
from sinks.indicators.periods import day_start
from sinks.indicators.report import Question, figures
from sinks.indicators.standing import standing
from sinks.sql.indicators import rounded
from tests.unit.indicators.handmade import REFERENCE, SITE, at, count, day, entry, history, need, ratio

POCKET = "icu/cab1/p1"


def test_an_indicator_without_anything_to_divide_by_has_no_value_and_says_why() -> None:
    found = figures(history(), Question())
    assert [one.indicator.name for one in found] == list(INDICATORS)
    for one in found:
        assert (one.numerator, one.denominator, one.value) == (0, 0, None)
        assert one.reason == one.indicator.nothing


# ---- inventory accuracy -----------------------------------------------------------------------------------------


def test_accuracy_is_exact_counts_of_all_counts() -> None:
    """Three counts, one of which found 2 less: 2 ÷ 3."""
    told = history([entry("c2", "count", 2, POCKET, "variance", 2)], counts=(count("c1", 1), count("c2", 2), count("c3", 3)))
    assert ratio("inventory_accuracy", told) == (2, 3, Fraction(200, 3))


def test_a_late_event_that_explains_the_variance_makes_the_count_exact() -> None:
    """The count found 2 less; a vend of 2 before it arrives late and moves the variance back: −2 + 2 = 0."""
    moved = [
        entry("v", "vend", 2, POCKET, "patient", 1),
        entry("c", "count", 2, POCKET, "variance", 2),
        entry("c", "variance", 2, "variance", POCKET, 2, corrects="c|||"),
    ]
    assert ratio("inventory_accuracy", history(moved, counts=(count("c", 2),)))[:2] == (1, 1)


def test_lots_that_were_mistaken_for_one_another_are_a_variance() -> None:
    """One lot 3 over and the other 3 short: the total is right, the count is not."""
    told = [entry("c", "count", 3, "variance", POCKET, 1), entry("c", "count", 3, POCKET, "variance", 1, lot="L2")]
    assert ratio("inventory_accuracy", history(told, counts=(count("c", 1),)))[:2] == (0, 1)


def test_what_had_moved_without_lot_explains_lots_of_one_count() -> None:
    """30 left without lot: 10 of the one and 20 of the other are missing, as the ledger said of the place. 21 are one too many."""
    def told(missing: int) -> list[Entry]:
        return [
            entry("c", "count", 30, "variance", POCKET, 1, lot="unknown"), entry("c", "count", 10, POCKET, "variance", 1),
            entry("c", "count", missing, POCKET, "variance", 1, lot="L2"),
        ]  # fmt: skip

    assert ratio("inventory_accuracy", history(told(20), counts=(count("c", 1),)))[:2] == (1, 1)
    assert ratio("inventory_accuracy", history(told(21), counts=(count("c", 1),)))[:2] == (0, 1)


def test_a_count_that_was_taken_back_is_no_count() -> None:
    told = history(counts=(count("c1", 1), count("c2", 2)), reversals=(Reversal("key|c1", at(3)),))
    assert ratio("inventory_accuracy", told)[:2] == (1, 1)


def test_of_the_versions_of_one_count_the_highest_counts() -> None:
    told = history(counts=(count("c1", 1, version=1, fact="f"), count("c2", 1, version=2, fact="f")))
    assert ratio("inventory_accuracy", told)[:2] == (1, 1)


def test_the_lines_of_one_report_about_one_item_are_one_count() -> None:
    """The first product's line posts 5 short, the second's brings the total up again: net 0."""
    told = [entry("a", "count", 5, POCKET, "variance", 1), entry("b", "count", 5, "variance", POCKET, 1)]
    assert ratio("inventory_accuracy", history(told, counts=(count("a", 1, report="r"), count("b", 1, report="r"))))[:2] == (1, 1)


# ---- stock-out frequency ----------------------------------------------------------------------------------------


def test_a_stock_out_is_a_fall_to_nothing_at_a_place_with_a_policy() -> None:
    """10 in, then 6 and 4 out: one stock-out in two lines. A second pocket without policy does not count."""
    told = [
        entry("r", "refill", 10, "main", POCKET, 0),
        entry("v1", "vend", 6, POCKET, "patient", 1),
        entry("v2", "vend", 4, POCKET, "patient", 2),
        entry("r2", "refill", 1, "main", "icu/cab1/p9", 0),
        entry("u", "unload", 1, "icu/cab1/p9", "main", 3),
    ]
    assert ratio("stock_out_frequency", history(told)) == (1, 2, 50)


def test_stock_that_expires_is_a_stock_out_at_the_sites_midnight() -> None:
    """Dated day 1: out from the midnight that begins day 2, 48 hours after the start, and not a microsecond before."""
    told = [entry("r", "refill", 10, "main", POCKET, 0, expiry=day(1)), entry("v", "vend", 1, POCKET, "patient", 1, expiry=day(1))]
    assert ratio("stock_out_frequency", history(told, until=47.9))[:2] == (0, 1)
    assert ratio("stock_out_frequency", history(told, until=48))[:2] == (1, 1)


def test_what_is_missing_of_an_expired_lot_is_missing_of_the_others() -> None:
    """4 of a good lot in, 4 of an old one that nobody saw come out: nothing is left, also when the old lot has expired."""
    told = [
        entry("r", "refill", 4, "main", POCKET, 0, lot="GOOD"),
        entry("v", "vend", 4, POCKET, "patient", 1, lot="OLD", expiry=day(0)),
        entry("v2", "vend", 4, POCKET, "patient", 30, lot="GOOD"),
        entry("v3", "vend", 1, POCKET, "patient", 31, lot="OLD", expiry=day(0)),
        entry("r2", "refill", 5, "main", POCKET, 32, lot="GOOD"),
    ]
    assert ratio("stock_out_frequency", history(told))[:2] == (1, 3), "4 + 5 in, 9 out: it was 0, and fell no further"


def test_what_is_exchanged_at_one_instant_is_no_stock_out() -> None:
    told = [
        entry("r", "refill", 5, "main", POCKET, 0), entry("v", "vend", 5, POCKET, "patient", 1),
        entry("r2", "refill", 5, "main", POCKET, 1, lot="L2"),
    ]  # fmt: skip
    assert ratio("stock_out_frequency", history(told))[:2] == (0, 1)


def test_stock_out_days_are_days_that_ended_with_nothing_of_a_month_of_thirty() -> None:
    """`domain` §3.1, OpenLMIS-8071: April with stock from the 13th to the 19th is 24, all of May without is 30.

    The last line brings the as-of time to 1 June.
    """
    april, june = (day_start(date(2026, month, 1), "America/New_York") for month in (4, 6))
    hours = (april - at(0)).total_seconds() / 3600
    told = [
        entry("r1", "refill", 1, "main", POCKET, 1), entry("v1", "vend", 1, POCKET, "patient", 2),
        entry("r2", "refill", 1, "main", POCKET, hours + 12 * 24 + 9), entry("v2", "vend", 1, POCKET, "patient", hours + 18 * 24 + 9),
    ]  # fmt: skip
    until = (june - at(0)).total_seconds() / 3600
    found = {one.period: one for one in figures(history(told, until=until), Question(period="month")) if "days" in one.indicator.name}
    assert [(found[name].denominator, found[name].value) for name in ("2026-04", "2026-05")] == [(30, 24), (31, 30)]


# ---- expiry write-off rate --------------------------------------------------------------------------------------


def test_write_offs_are_over_average_inventory_at_cost() -> None:
    """100 units at 2 lie for 10 days, 10 units (20 of value) are taken out as expired after 5.

    200 × 5 + 180 × 5 = 1,900 value-days, over 10 days 190 on average: 20 ÷ 190.
    """
    told = history(
        [entry("r", "receive", 100, "supplier", "main", 0), entry("x", "expire", 10, "main", "waste", 120)], until=240
    )
    assert ratio("expiry_write_off_rate", told) == (20, 1900, Fraction(2000, 190))


def test_a_discard_counts_from_the_day_after_its_date_and_waste_of_a_dose_never() -> None:
    told = [
        entry("r", "receive", 100, "supplier", "main", 0),
        entry("d1", "discard", 1, "main", "waste", 23.9, expiry=day(0)),
        entry("d2", "discard", 2, "main", "waste", 24, expiry=day(0)),
        entry("w", "waste", 5, "patient", "waste", 24, expiry=day(0)),
    ]
    assert ratio("expiry_write_off_rate", history(told))[0] == 2 * 2


def test_what_has_no_known_cost_is_on_neither_side() -> None:
    told = [entry("r", "receive", 9, "supplier", "main", 0, item="none"), entry("x", "expire", 9, "main", "waste", 9, item="none")]
    assert ratio("expiry_write_off_rate", history(told, until=24)) == (0, 0, None)


# ---- receiving-to-available -------------------------------------------------------------------------------------


def test_units_received_straight_into_a_usable_place_waited_for_nothing() -> None:
    assert ratio("receiving_to_available_time", history([entry("r", "receive", 7, "supplier", "main", 0)])) == (0, 7, 0)


def test_units_wait_in_quarantine_first_in_first_out() -> None:
    """5 at hour 0 and 5 at hour 2; 6 are put away at hour 3: 5 waited 180 minutes, 1 waited 60: 960 ÷ 6. Other lots don't matter."""
    told = [
        entry("r1", "receive", 5, "supplier", "main/quarantine", 0),
        entry("r2", "receive", 5, "supplier", "main/quarantine", 2),
        entry("r3", "receive", 5, "supplier", "main/quarantine", 0, lot="L2"),
        entry("p", "put_away", 6, "main/quarantine", "main", 3, lot="l-1"),
    ]
    assert ratio("receiving_to_available_time", history(told)) == (5 * 180 + 60, 6, 160)


def test_units_keep_their_beginning_from_one_waiting_place_to_the_next_and_the_destroyed_leave() -> None:
    """2 of 5 are discarded in quarantine, 3 go on to the cart at hour 1 and reach the pocket at hour 2: 3 × 120."""
    told = [
        entry("r", "receive", 5, "supplier", "main/quarantine", 0),
        entry("d", "discard", 2, "main/quarantine", "waste", 0.5),
        entry("p", "pick", 3, "main/quarantine", "transit", 1),
        entry("q", "put_away", 3, "transit", POCKET, 2),
    ]
    assert ratio("receiving_to_available_time", history(told))[:2] == (360, 3)


# ---- shortage response, supplier fill ---------------------------------------------------------------------------


def test_a_need_is_answered_by_the_first_supply_or_by_its_closing() -> None:
    """Opened at 1, refilled at 3: 120 minutes. Opened at 5 and closed at 6 without supply: 60. Open or cancelled ones don't count."""
    told = history(
        [entry("r", "refill", 1, "main", POCKET, 3), entry("c", "count", 9, "variance", POCKET, 2)],
        needs=(need("n1", 1, 4), need("n2", 5, 6), need("n3", 7), need("n4", 7, 8, state="cancelled")),
    )
    assert ratio("shortage_response_time", told) == (180, 2, 90)


def purchase(id_: str, opened: float, closed: float | None = None, **more: object) -> object:
    return need(id_, opened, closed, **{"kind": "purchase", "location": "main", "supplier": "acme", **more})


def test_supplier_fill_is_units_and_full_lines_of_purchases_that_are_due() -> None:
    """10 of 10, then 4 of 10 due after two days, then one not due yet: 14 ÷ 20 units, 1 ÷ 2 lines. More than ordered adds nothing."""
    told = history(
        [entry("r1", "receive", 12, "supplier", "main", 5), entry("r2", "receive", 4, "supplier", "main", 30)],
        needs=(purchase("n1", 0, 5), purchase("n2", 24), purchase("n3", 72, item="amox")),
        until=73,
    )
    assert ratio("supplier_fill_units", told) == (14, 20, 70)
    assert ratio("supplier_fill_lines", told) == (1, 2, 50)


def test_a_receipt_counts_for_the_command_it_names() -> None:
    """The late remainder of the first order arrives after the second was opened."""
    told = history(
        [entry("r1", "receive", 4, "supplier", "main", 5), entry("r2", "receive", 6, "supplier", "main", 30, order_id="n1")],
        needs=(purchase("n1", 0, 5), purchase("n2", 24, 26)),
    )
    assert ratio("supplier_fill_units", told)[:2] == (10, 20)


def test_what_was_never_ordered_is_not_the_suppliers() -> None:
    states = ("awaiting_supplier", "awaiting_approval", "rejected", "cancelled")
    told = history(needs=tuple(purchase(state, n, 9, state=state) for n, state in enumerate(states)), until=900)
    assert ratio("supplier_fill_units", told) == (0, 0, None)


# ---- transfers --------------------------------------------------------------------------------------------------


def test_transfers_are_on_time_within_a_day_and_lost_units_are_sent_but_not_received() -> None:
    """10 sent: 5 arrive at 24 h exactly, 3 at 25 h, 1 is lost on the way, 1 still travels: 5 ÷ 10. Sent at 30 h: not due."""
    told = [
        entry("p", "pick", 10, "main", "transit", 0),
        entry("a", "put_away", 5, "transit", POCKET, 24),
        entry("b", "put_away", 3, "transit", POCKET, 25),
        entry("c", "count", 1, "transit", "variance", 26),
        entry("p2", "pick", 9, "main", "transit", 30),
        entry("direct", "refill", 9, "main", POCKET, 30),
    ]
    assert ratio("transfer_efficiency", history(told, until=31)) == (5, 10, 50)


def test_what_another_site_has_received_within_a_day_is_on_time() -> None:
    """10 sent to a site: 6 are there after 20 h, 1 after 30, 3 are written off after 80: 6 ÷ 10, at the place they left."""
    way = "transit/river/T1"
    told = [
        entry("s", "transfer_out", 10, "main", way, 0),
        entry("a", "transfer_received", 6, way, "site:river", 20),
        entry("b", "transfer_received", 1, way, "site:river", 30),
        entry("l", "transfer_loss", 3, way, "variance", 80),
    ]
    assert ratio("transfer_efficiency", history(told, until=90)) == (6, 10, 60)


# ---- standard workflow ------------------------------------------------------------------------------------------


def test_the_standard_share_leaves_out_overrides_suspense_corrections_broken_rules_and_what_is_stuck() -> None:
    """Of 8: one plain vend and one exact count are standard. The fact that was taken back counts as its reversal."""
    told = history(
        [
            entry("ok", "vend", 1, POCKET, "patient", 1),
            entry("override", "vend", 1, POCKET, "patient", 2),
            entry("lost", "refill", 1, "suspense", POCKET, 3),
            entry("undone", "vend", 1, POCKET, "patient", 4),
            entry("undo", "reversal", 1, "patient", POCKET, 4, corrects="undone"),
            entry("recalled", "vend", 1, POCKET, "patient", 5),
            entry("c", "variance", 1, POCKET, "variance", 5),
        ],
        counts=(count("c", 5),), overridden=frozenset({"key|override"}), broken=frozenset({"recalled"}),
        stuck=(Stuck(SITE, at(6)), Stuck(SITE, at(7))), reversals=(Reversal("key|undone", at(6)),),
    )  # fmt: skip
    assert ratio("standard_workflow_share", told) == (2, 8, 25)


def test_what_was_taken_back_is_in_no_other_indicator() -> None:
    told = history(
        [
            entry("r", "refill", 1, "main", POCKET, 0),
            entry("v", "vend", 1, POCKET, "patient", 1),
            entry("undo", "reversal", 1, "patient", POCKET, 1, corrects="v"),
        ]
    )
    assert ratio("stock_out_frequency", told) == (0, 0, None)
    assert [one.event_id for one in standing(told.entries)] == ["r"]


# ---- classes and rounding ---------------------------------------------------------------------------------------


def test_abc_cuts_at_seventy_and_ninety_percent_of_annual_value() -> None:
    """`domain` §3.5: 700, 200, 60, 40."""
    values = {"d": Fraction(40), "b": Fraction(200), "a": Fraction(700), "c": Fraction(60)}
    assert abc(values) == {"a": "A", "b": "B", "c": "C", "d": "C"}
    assert abc({"only": Fraction(1), "none": Fraction(0)}) == {"only": "A", "none": "C"}


def test_classes_are_by_net_issues_of_the_year_and_by_handling_without_cost() -> None:
    """700 issued is A; 300 issued of which 250 came back, 50, follow 950 of 1,000 and are C; what has no cost goes by handling."""
    reference = Reference(
        item_costs={"a": Fraction(1), "b": Fraction(1), "c": Fraction(1)}, schedules={"m": 2}, storages={"m": "fridge", "f": "fridge"}
    )
    told = [
        entry("1", "vend", 700, POCKET, "patient", 0, item="a"),
        entry("2", "vend", 300, POCKET, "patient", 0, item="b"),
        entry("3", "return", 250, "patient", POCKET, 1, item="b"),
        entry("4", "vend", 250, POCKET, "patient", 0, item="c"),
        entry("5", "vend", 1, POCKET, "patient", 0, item="m"),
        entry("6", "vend", 1, POCKET, "patient", 0, item="f"),
        entry("7", "vend", 1, POCKET, "patient", 0, item="x"),
    ]
    found = classes(history(told, reference=reference), told)
    assert found == {"a": "A", "c": "B", "b": "C", "m": "controlled", "f": "fridge", "x": "unknown"}


def test_what_happened_more_than_a_year_ago_is_no_annual_issue() -> None:
    told = [entry("1", "vend", 9, POCKET, "patient", 0, item="a"), entry("2", "vend", 1, POCKET, "patient", 24 * 366, item="b")]
    reference = Reference(item_costs={"a": Fraction(1), "b": Fraction(1)})
    assert classes(history(told, reference=reference), told) == {"a": "C", "b": "A"}


@pytest.mark.parametrize(
    ("value", "places", "text"), [((200, 3), 2, "66.67"), ((1, 8), 2, "0.12"), ((3, 8), 2, "0.38"), ((100, 1), 2, "100.00")]
)
def test_values_are_rounded_once_from_the_exact_fraction_half_to_even(value: tuple[int, int], places: int, text: str) -> None:
    assert rounded(Fraction(*value), places) == text


def test_the_reference_of_the_handmade_site_knows_places_below_a_registered_one() -> None:
    assert REFERENCE.place_kind(SITE, POCKET) == "cabinet"
    assert REFERENCE.place_kind(SITE, "transit") == "transit"
    assert REFERENCE.place_kind(SITE, "elsewhere") == "store"
