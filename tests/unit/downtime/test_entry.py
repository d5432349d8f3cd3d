"""A row of paper is understood strictly: the site's clock, its places and codes; what is unclear says what to write instead."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from schemas.codes import Code
from schemas.downtime import Downtime
from schemas.reference import CodeLink, UnitFactor
from tests.support.world import GTIN, ITEM, NDC, POCKET, SITE, hospital, item, location, product
from tests.unit.master.test_desk import named
from topology.downtime.entry import Taken, read_row
from topology.downtime.known import Known, UnclearError

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
PERIOD = Downtime(
    id="d1", site=SITE, started_at=datetime(2026, 3, 7, 5, 0, tzinfo=UTC), started_by="tim", reason="x", recorded_at=NOW,
    ended_at=datetime(2026, 3, 9, 10, 0, tzinfo=UTC),
)  # fmt: skip
ROW = {
    "form": "A", "line": "1", "date": "2026-03-08", "time": "04:30", "activity": "remove", "location": POCKET, "code": ITEM,
    "quantity": "2", "person": "kim",
}  # fmt: skip
WORLD = hospital(
    item("ibu", codes=(Code(system="local", value="X1"),)), item("para", codes=(Code(system="local", value="X1"),)),
    UnitFactor(item=ITEM, unit="box", numerator=25),
    CodeLink(system="local", value="OLD", item=ITEM, valid_to=date(2026, 3, 1)),
    CodeLink(system="local", value="NEW", item="ibu", valid_from=date(2026, 3, 1)),
    product("amox-other", ndc="0409-4713-03", gtin=None),
    location("med/cab1", codes=("ICU-CAB1",)), location("ed", codes=("ED",)),
)  # fmt: skip


def read(period: Downtime = PERIOD, now: datetime = NOW, pockets: list[str] | None = None, **cells: str) -> Taken:
    known = Known(SITE, named(*WORLD))
    return read_row({**ROW, **cells}, period, known, lambda place, item_: pockets or [], by="tim", now=now)


def unclear(**cells: str) -> str:
    with pytest.raises(UnclearError) as caught:
        read(**cells)
    return str(caught.value)


def test_a_row_becomes_an_entry_and_a_record_without_the_patient() -> None:
    made = read(patient="M1", lot="L1", expiry="2026-11", witness="lee", order="o7")
    assert made.entry.occurred == datetime(2026, 3, 8, 8, 30, tzinfo=UTC), "New York is four hours behind since that morning"
    assert (made.entry.patient_id, made.entry.order_id, made.entry.expiry) == ("M1", "o7", date(2026, 11, 30))
    assert (made.line.item, made.line.location, made.line.quantity, made.line.keyed_by) == (ITEM, POCKET, Decimal(2), "tim")
    assert "M1" not in repr(made.line)


@pytest.mark.parametrize(
    ("time", "utc"),
    [("1:30", (6, 30)), ("01.30", (6, 30)), ("03:00", (7, 0)), ("01:30:59", (6, 30)), ("01:30-05:00", (6, 30)), ("03:00+00:00", (3, 0))],
)
def test_times_as_people_write_them(time: str, utc: tuple[int, int]) -> None:
    assert read(time=time).entry.occurred == datetime(2026, 3, 8, *utc, tzinfo=UTC)


def test_an_hour_that_the_clocks_leave_out_is_refused() -> None:
    """In New York 2026-03-08 02:00 to 03:00 does not exist."""
    assert unclear(time="02:30") == "time: 02:30 did not exist on 2026-03-08, when the clocks went forward: write the true time"


def test_an_hour_that_comes_twice_must_say_which() -> None:
    """In New York 2026-11-01 01:00 to 02:00 comes in summer time, then in winter time."""
    autumn = replace(PERIOD, started_at=datetime(2026, 11, 1, tzinfo=UTC), ended_at=datetime(2026, 11, 1, 12, tzinfo=UTC))
    late = datetime(2026, 11, 2, tzinfo=UTC)
    with pytest.raises(UnclearError, match=r"came twice on 2026-11-01.*write 01:30-04:00 or 01:30-05:00"):
        read(autumn, late, date="2026-11-01", time="01:30")
    assert read(autumn, late, date="2026-11-01", time="01:30-05:00").entry.occurred == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"person": "", "code": ""}, "code, person: are missing"),
        ({"date": "8.3.2026"}, "date, time: 8.3.2026 04:30 is no time like 2026-05-31 and 14:05"),
        ({"time": "25:00"}, "is no time like"),
        ({"date": "2026-03-06"}, "is not in downtime d1 (2026-03-07 00:00 to 2026-03-09 06:00)"),
        ({"date": "2026-03-10"}, "2026-03-10 04:30 has not been yet"),
        ({"activity": "borrow"}, "activity: borrow is none of remove, return, waste, discard, refill, count, receive, move"),
        ({"location": "cellar"}, "location: cellar is no place of the site"),
        ({"location": "ICU-CAB1"}, "location: ICU-CAB1 names icu/cab1 and med/cab1: write the whole path"),
        ({"code": "aspirin"}, "code: aspirin names no item"),
        ({"code": "X1"}, "code: X1 names ibu and para: write the item's id"),
        ({"code": "OLD"}, "code: OLD names no item"),
        ({"quantity": "two"}, "quantity: two is no number"),
        ({"quantity": "-1"}, "quantity: -1 is no number from 0"),
        ({"quantity": "1.5"}, "quantity: 1.5 tablet of amox is not a whole number"),
        ({"quantity": "1e3"}, "quantity: 1e3 is no number from 0 to"),
        ({"quantity": "1_0"}, "quantity: 1_0 is no number from 0 to"),
        ({"quantity": "٣"}, "in plain digits, like 2 or 0.5"),
        ({"lot": "A\0B"}, r"lot: 'A\x00B' holds a control character: write it without"),
        ({"person": "kim\x1b[2J"}, "person: 'kim\\x1b[2J' holds a control character"),
        ({"unit": "crate"}, "unit: crate of amox is not known: write tablet"),
        ({"expiry": "11/2026"}, "expiry: 11/2026 is no date like 2026-11-30, or month like 2026-11"),
        ({"expiry": "2026-13"}, "expiry: 2026-13 is no date"),
        ({"activity": "move"}, "to_location: is missing"),
        ({"line": "x"}, "line: 'x' is not a whole number"),
        ({"line": "0"}, "line: '0' is less than 1"),
        ({"form": "a|b"}, "form: 'a|b' is not of the form the field asks for"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_refused_with_what_to_write(cells: dict[str, str], reason: str) -> None:
    assert reason in unclear(**cells)


@pytest.mark.parametrize(
    ("code", "system", "item_", "product_"),
    [
        (ITEM, "item", ITEM, ""), ("AMOX-1", "item", ITEM, ""), (NDC, "ndc", ITEM, "amox-hospira"),
        (GTIN, "gtin", ITEM, "amox-hospira"), ("00409471302", "ndc", ITEM, "amox-hospira"), ("new", "item", "ibu", ""),
        ("00304094713038", "ndc", ITEM, "amox-other"), ("amox-hospira", "product", ITEM, "amox-hospira"),
    ],
)  # fmt: skip
def test_codes_of_every_kind_name_the_item_and_the_product_where_they_can(
    code: str, system: str, item_: str, product_: str
) -> None:
    made = read(code=code)
    assert (made.entry.code_system, made.line.item, made.line.product) == (system, item_, product_)


def test_units_with_a_factor_are_left_to_the_ledger() -> None:
    made = read(unit="box", quantity="1.5")
    assert (made.entry.unit, made.entry.quantity) == ("box", Decimal("1.5"))


def test_places_are_found_by_code_by_path_and_below_a_registered_one() -> None:
    assert read(location="ed").line.location == "ed"
    assert read(location="icu/cab1/d9/p9").line.location == "icu/cab1/d9/p9"
    assert read(location="w4").line.location == "ward4"


def test_a_cabinet_stands_for_its_only_pocket_with_the_item() -> None:
    assert read(location="icu/cab1", pockets=[POCKET]).line.location == POCKET
    assert read(location="icu/cab1", pockets=[POCKET, "icu/cab1"]).line.location == "icu/cab1"
    with pytest.raises(UnclearError, match=r"location: icu/cab1 holds amox at icu/cab1/d1/p1, icu/cab1/d1/p2: write which"):
        read(location="icu/cab1", pockets=[POCKET, "icu/cab1/d1/p2"])
    assert read(location="icu/cab1", activity="waste", pockets=[POCKET, "icu/cab1/d1/p2"]).line.location == "icu/cab1"


def test_a_downtime_that_goes_on_takes_times_up_to_now() -> None:
    going = replace(PERIOD, ended_at=None)
    assert read(going, date="2026-03-09", time="07:59").entry.occurred == datetime(2026, 3, 9, 11, 59, tzinfo=UTC)
    assert read(going, NOW + timedelta(hours=1), date="2026-03-09", time="08:30").entry.quantity == 2


def test_many_rows_are_read_in_a_time_that_does_not_grow_with_the_reference_data() -> None:
    """A night of a large site: 2,000 rows against 20,000 places and codes. Each row looked through all of them: minutes."""
    many = [location(f"w{number}", codes=(f"C{number}",)) for number in range(20_000)]
    many += [CodeLink(system="local", value=f"L{number}", item=ITEM) for number in range(20_000)]
    known = Known(SITE, named(*WORLD, *many))
    began = time.process_time()
    for number in range(2_000):
        assert known.place(f"C{number}") == f"w{number}"
        assert known.named(f"L{number}", date(2026, 3, 8)).item.id == ITEM
        assert known.registered(f"w{number}/d1/p1") == f"w{number}"
    assert time.process_time() - began < 5
