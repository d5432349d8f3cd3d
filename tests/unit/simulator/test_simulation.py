"""A run as a whole: the same seed gives the same bytes, stock is conserved, and needs follow from the movements."""

from __future__ import annotations

import itertools
import json
import re
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.simulator import Knobs, messages, write_simulation
from connectors.simulator.hospital import lot_number
from connectors.simulator.reference_csv import FILE_NAMES
from schemas.raw import from_capture_line, to_capture_line
from tests.unit.simulator.runs import HOSPITALS, SMALL, day, run, zones

OUTSIDE = {"supplier", "patient", "waste"}


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ---- determinism ----------------------------------------------------------------------------------------------------


def test_the_same_knobs_write_the_same_bytes_and_another_seed_others(tmp_path) -> None:
    knobs = replace(SMALL, days=2, duplicates=0.05, reorder_minutes=30, outages=1)
    for name, chosen in (("one", knobs), ("two", knobs), ("three", replace(knobs, seed=99))):
        write_simulation(chosen, tmp_path / name)
    one, two, three = (files(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert set(one) == set(three)
    assert all(one[name] != three[name] for name in one if name.startswith(("feeds", "truth")))


def test_what_is_written_is_what_the_run_gives(tmp_path) -> None:
    summary = write_simulation(SMALL, tmp_path)
    made = run(SMALL)
    read = [from_capture_line(line) for path in sorted((tmp_path / "feeds").iterdir()) for line in path.read_bytes().splitlines()]
    assert Counter(map(to_capture_line, read)) == Counter(map(to_capture_line, made.messages))
    assert tuple(map(json.loads, (tmp_path / "truth.jsonl").read_text().splitlines())) == made.truth
    assert json.loads((tmp_path / "truth_balances.json").read_text()) == made.balances
    assert {path.name for path in (tmp_path / "reference").iterdir()} == set(FILE_NAMES.values())
    assert not list(tmp_path.glob("*.part"))
    assert summary.messages == len(made.messages)
    assert summary.movements == len(made.movements)
    assert summary.needs == len(made.needs)
    assert summary.balances == len(made.balances)
    assert (summary.first, summary.last) == (made.messages[0].received_at, made.messages[-1].received_at)


def test_each_source_has_one_capture_file_in_order_of_arrival(tmp_path) -> None:
    write_simulation(replace(SMALL, reorder_minutes=60), tmp_path)
    names = {path.name for path in (tmp_path / "feeds").iterdir()}
    feeds = ("adt", "orders", "emar", "rds", "cabinets", "scans")
    assert names == {f"{site}-{feed}.capture.jsonl" for site in ("north", "south") for feed in feeds} | {
        "south-fhir.capture.jsonl"
    }
    for path in (tmp_path / "feeds").iterdir():
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert {line["source"] for line in lines} == {path.name.split(".")[0]}
        times = [datetime.fromisoformat(line["received_at"]) for line in lines]
        assert times == sorted(times)


def test_messages_are_lazy_and_may_begin_at_any_instant() -> None:
    """A run of many years gives its first messages at once; `since` only leaves out what arrived earlier."""
    endless = replace(SMALL, days=20_000)
    assert len(list(itertools.islice(messages(endless), 500))) == 500
    since = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)
    assert list(messages(SMALL, since)) == [message for message in run(SMALL).messages if message.received_at >= since]


# ---- stock ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knobs", [SMALL, HOSPITALS], ids=["small", "hospitals"])
def test_movements_add_up_to_the_balances_and_never_fall_below_zero(knobs) -> None:
    made = run(knobs)
    stock: Counter = Counter()
    for line in sorted(made.movements, key=lambda line: line["occurred"]):
        key = (line["site"], line["location"], line["item"], line["lot"])
        stock[key] += line["quantity"]
        assert stock[key] >= 0, line
    found = {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in made.balances}
    assert found == {key: quantity for key, quantity in stock.items() if quantity}
    assert made.balances == sorted(made.balances, key=lambda row: (row["site"], row["location"], row["item"], row["lot"]))


def test_what_leaves_one_place_for_another_arrives_there_in_the_same_second() -> None:
    """Double entry: with the accounts outside (supplier, patient, waste) all movements of a site and lot add up to zero."""
    made = run(HOSPITALS)
    accounts: Counter = Counter()
    pairs: Counter = Counter()
    for line in made.movements:
        lot = (line["site"], line["item"], line["product"], line["lot"])
        accounts[lot] += line["quantity"]
        if line["counterpart"] in OUTSIDE:
            accounts[lot] -= line["quantity"]
        else:
            places = tuple(sorted((line["location"], line["counterpart"])))
            pairs[(lot, places, line["occurred"], line["kind"])] += line["quantity"]
    assert not any(accounts.values())
    assert not any(pairs.values())


def test_every_event_of_a_card_has_a_second_of_its_own_and_none_is_a_local_midnight() -> None:
    made = run(HOSPITALS)
    local = zones(made.network)
    seconds: Counter = Counter()
    for line in made.movements:
        seconds[(line["site"], line["location"], line["item"], line["occurred"])] += 1
        moment = datetime.fromisoformat(line["occurred"]).astimezone(local[line["site"]])
        assert (moment.hour, moment.minute, moment.second) != (0, 0, 0)
    assert max(seconds.values()) == 1


def test_no_event_of_stock_happens_after_the_last_day() -> None:
    made = run(HOSPITALS)
    for site, zone in zones(made.network).items():
        start, end = datetime(2026, 1, 5, tzinfo=zone), datetime(2026, 1, 12, tzinfo=zone)
        times = [datetime.fromisoformat(line["occurred"]) for line in made.movements if line["site"] == site]
        assert start < min(times)
        assert max(times) < end
        assert max(times) > end - timedelta(hours=1)


def test_nobody_takes_an_expired_lot_for_a_patient_or_a_refill() -> None:
    """A lot dated D may be used all of day D of the site's calendar, and not on day D + 1."""
    made = run(replace(SMALL, days=25))
    local = zones(made.network)
    late = 0
    for line in made.movements:
        today = datetime.fromisoformat(line["occurred"]).astimezone(local[line["site"]]).date()
        if line["kind"] in {"vend", "dispense", "administer", "refill", "load"}:
            assert today <= day(line["expiry"]), line
        late += today > day(line["expiry"])
    assert late > 5, "expired stock was handled, by those who remove it"


def test_all_kinds_of_movement_happen() -> None:
    kinds = Counter(line["kind"] for line in run(HOSPITALS).movements)
    assert set(kinds) == {
        "receive", "load", "unload", "refill", "vend", "return", "expire", "dispense", "administer", "put_away", "pick", "discard",
    }  # fmt: skip
    assert kinds["vend"] > 5_000


# ---- needs ----------------------------------------------------------------------------------------------------------


def naive_needs(made, until: datetime) -> Counter:
    """Needs from the movements alone: sort, add up, look at every event and every expiry of every card."""
    local = zones(made.network)
    policies = {(p.site, p.location, p.item): p for p in made.network.reference["par_policy"]}
    cards = defaultdict(list)
    for line in made.movements:
        key = (line["site"], line["location"], line["item"])
        after = datetime.combine(day(line["expiry"]) + timedelta(days=1), datetime.min.time(), tzinfo=local[line["site"]])
        cards[key].append((datetime.fromisoformat(line["occurred"]), line["quantity"], after.astimezone(UTC)))
    found: Counter = Counter()
    for key in cards.keys() & policies.keys():
        policy, events = policies[key], sorted(cards[key])
        half = policy.minimum + -(-(policy.par - policy.minimum) // 2)
        satisfied = half if policy.satisfied_at is None else policy.satisfied_at
        moments = sorted({when for when, _, _ in events} | {e for _, _, e in events if events[0][0] < e <= until})
        opened = None
        for moment in moments:
            usable = sum(quantity for when, quantity, expires in events if when <= moment < expires)
            if usable >= satisfied:
                if opened is not None:
                    found[(*key, policy.kind.value, opened, moment)] += 1
                opened = None
            elif usable <= policy.minimum and opened is None:
                opened = moment
        if opened is not None:
            found[(*key, policy.kind.value, opened, None)] += 1
    return found


@pytest.mark.parametrize("knobs", [SMALL, HOSPITALS, replace(SMALL, seed=21, days=20)], ids=["small", "hospitals", "20 days"])
def test_needs_equal_those_recomputed_naively_from_the_movements(knobs) -> None:
    made = run(knobs)
    told = Counter(
        (
            *(line[name] for name in ("site", "location", "item", "kind")),
            datetime.fromisoformat(line["opened_at"]),
            line["closed_at"] and datetime.fromisoformat(line["closed_at"]),
        )
        for line in made.needs
    )
    assert told == naive_needs(made, made.messages[-1].received_at)


def test_needs_of_both_kinds_open_and_close_and_some_stay_open() -> None:
    seen = Counter((line["kind"], line["closed_at"] is None) for line in run(HOSPITALS).needs)
    assert set(seen) == {("restock", True), ("restock", False), ("purchase", True), ("purchase", False)}
    assert seen[("restock", False)] > 300


def test_a_need_is_met_hours_later_without_anybodys_command() -> None:
    """The simulated hospital refills by itself, one to nine hours after a place ran low unless the store had nothing."""
    waits = [
        datetime.fromisoformat(line["closed_at"]) - datetime.fromisoformat(line["opened_at"])
        for line in run(HOSPITALS).needs
        if line["closed_at"] and line["kind"] == "restock"
    ]
    waits.sort()
    assert timedelta(hours=1) < waits[len(waits) // 2] < timedelta(hours=9)


# ---- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 77])
def test_a_week_of_three_forty_bed_hospitals_is_some_tens_of_thousands_of_messages(seed) -> None:
    assert 20_000 <= sum(1 for _ in messages(replace(HOSPITALS, seed=seed))) <= 40_000


def test_memory_does_not_grow_with_the_length_of_a_run() -> None:
    """What the simulator keeps after four weeks is about what it keeps after two: cards and patients, never the past."""

    def kept_after(days: int) -> int:
        tracemalloc.start()
        run_of = messages(Knobs(seed=3, sites=1, beds=8, days=60))
        end = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=days)
        count = sum(1 for _ in itertools.takewhile(lambda message: message.received_at < end, run_of))
        assert count > days * 60
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept

    assert kept_after(28) < kept_after(14) * 1.3


def test_lot_numbers_are_unique_and_cannot_be_cut_by_a_lost_separator() -> None:
    """A GS1 application identifier has at least two digits in a row; a lot has none."""
    numbers = [lot_number(number % 22, number) for number in range(0, 3_000_000, 97)]
    assert len(set(numbers)) == len(numbers)
    assert not [one for one in numbers if re.search(r"\d\d", one)]
    assert len({lot_number(0, number) for number in range(5_000)}) == 5_000


def test_a_store_lives_on_for_a_month_so_long_runs_do_not_run_dry() -> None:
    """Most doses are given on the last days too: deliveries keep up with use."""
    knobs = Knobs(seed=4, sites=1, beds=20, days=40)
    made = run(knobs)
    vends = Counter(line["occurred"][:10] for line in made.movements if line["kind"] == "vend")
    days = sorted(vends)
    early, last = sum(vends[one] for one in days[5:12]), sum(vends[one] for one in days[-8:-1])
    assert last > early * 0.6
