"""One row, one result: every fact, what a row may not be, and that a bad row never spoils the others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from connectors.cabinet.mapper import transaction_key
from schemas.codes import Code
from schemas.events import STOCK_EVENT, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect, Refused
from schemas.raw import RawRef
from tests.support.world import SITE
from tests.unit.report.support import (
    HEADER,
    PROFILE,
    RECEIVED_AT,
    by_shipped,
    event,
    events,
    mapped,
    refusal,
    report,
    row,
)

CSV_HEADER = (
    "Facility,Station,Transaction,Sequence,Type,Date,Time,Drawer,Pocket,NDC,Quantity,Unit,Expected,Counted,Lot,Expiration,Serial,"
    "User,Witness,Patient,Order,Cancels"
)
CSV_ROW = (
    'NGH,ICU-CAB1,880017,4,Remove,03/02/2026,10:05:09,d1,p1,0409-4713-02,"-1,002.5",tablet,12,11,F1,12/2029,S1,ann,bob,M1,O1,'
)


def test_every_fact_of_a_row_arrives_in_the_event() -> None:
    """10:05:09 in New York in winter is 15:05:09 UTC; a month without a day is its last."""
    (found,) = events(by_shipped(f"{CSV_HEADER}\n{CSV_ROW}\n", "report-csv"))
    key = transaction_key("NGH", "ICU-CAB1", "880017")
    assert found == StockEvent(
        event_id=derived_id("event", SITE, key), event_key=key, kind=EventKind.VEND, feed=Feed.CABINET, site=SITE,
        source="reports", raw=RawRef(partition=2, offset=17, index=0), occurred=datetime(2026, 3, 2, 15, 5, 9, tzinfo=UTC),
        received_at=RECEIVED_AT, codes=(Code(system="ndc", value="0409-4713-02"),), quantity=Decimal("1002.5"), unit="tablet",
        location_codes=("ICU-CAB1",), pocket="d1/p1", lot="F1", expiry=date(2029, 12, 31), serial="S1", device_sequence=4,
        transaction_id="880017", order_id="O1", patient="hash(2,)", actor="ann", witness="bob", begin_count=Decimal(11),
        begin_count_verified=True, zone_assumed=True, facility="NGH", facility_matched=True,
    )  # fmt: skip
    STOCK_EVENT.check(found)


FIXED = """\
Nightly transactions                                                                              page 1
Station      Date     Time  Action           Item         Pocket Qty     Begin   User       Witness    Patient
------------ -------- ----- ---------------- ------------ ------ ------- ------- ---------- ---------- ----------
ICU-CAB1     03/02/26 10:05 REMOVE           amox-1       d1/p1       -2      12 ann                   M1
ICU-CAB1     03/02/26 10:07 WASTE            amox-1       d1/p1        1         ann        bob        M1
                                              page 2
Station      Date     Time  Action           Item         Pocket Qty     Begin   User       Witness    Patient
ICU-CAB1     03/02/26 10:09 COUNT            amox-1       d1/p1       10         ann
Total                                                                 13
End of report
"""


def test_a_printed_report_of_fixed_width_is_read() -> None:
    text = FIXED.split("\n", 1)[1]
    vend, waste, count = events(by_shipped(text, "report-fixed"))
    assert (vend.kind, vend.quantity, vend.begin_count, vend.begin_count_verified) == ("vend", 2, 12, False)
    assert (waste.kind, waste.witness, waste.occurred) == ("waste", "bob", datetime(2026, 3, 2, 15, 7, tzinfo=UTC))
    assert (count.kind, count.quantity, count.patient, count.transaction_id) == ("count", 10, None, None)
    assert [one.raw.index for one in (vend, waste, count)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("what", "kind"),
    [("Remove", "vend"), ("REMOVE", "vend"), ("Return", "return"), ("Count", "count"), ("Load", "load"), ("Null", "null")],
)
def test_a_word_means_what_the_profile_says(what: str, kind: str) -> None:
    assert event(report(row(what=what))).kind == kind


def test_a_null_transaction_needs_no_quantity_and_moves_nothing() -> None:
    found = event(report(row(what="Null", qty="")))
    assert (found.kind, found.quantity) == ("null", 0)
    assert found.no_effect


def test_a_row_that_is_no_transaction_moves_nothing_whatever_it_lacks() -> None:
    (found,) = mapped(report(row(what="Login", slot="", drug="", qty="")))
    assert isinstance(found, NoEffect)
    assert found.reason == "line 2: somebody logged in"


def test_a_cancelled_remove_takes_back_the_row_with_its_number() -> None:
    vend, cancel = events(mapped(report(row(id_="7"), row(what="Cancelled", when="2026-03-02 10:09", id_="7"))))
    assert (cancel.kind, cancel.reverses) == ("reversal", vend.event_key)
    assert cancel.event_key != vend.event_key


def test_a_cancelled_remove_takes_back_the_row_it_names() -> None:
    text = PROFILE.replace("    user: Who", "    reverses: Who")
    vend, cancel = events(mapped(report(row(id_="7", who=""), row(what="Cancelled", id_="8", who="7")), text))
    assert (cancel.kind, cancel.reverses, cancel.transaction_id) == ("reversal", vend.event_key, "8")
    bad = refusal(report(row(what="Cancelled", id_="8", who="")), text)
    assert (bad.code, "nothing says which transaction did not happen" in bad.reason) == ("missing", True)
    itself = refusal(report(row(what="Cancelled", id_="8", who="8")), text)
    assert itself.code == "reverses_itself"


def test_a_cancelled_remove_without_a_number_is_refused() -> None:
    assert refusal(report(row(what="Cancelled"))).code == "missing"


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"what": "Removed"}, "unknown_action", "line 2: column 'What' (action) is 'Removed', which the profile gives no meaning"),
        ({"what": ""}, "missing", "column 'What' (action) is empty"),
        ({"cab": ""}, "missing", "column 'Cab' (device) is empty"),
        ({"slot": ""}, "missing", "column 'Slot' (pocket) is empty"),
        ({"drug": ""}, "missing", "column 'Drug' (product_code) is empty"),
        ({"qty": ""}, "missing", "column 'Qty' (quantity) is empty"),
        ({"qty": "two"}, "bad_quantity", "column 'Qty' (quantity) is 'two': it is no number"),
        ({"qty": "-2"}, "negative_quantity", "say `absolute`"),
        ({"qty": "0.1234567"}, "absurd_quantity", "more than 6 decimals"),
        ({"qty": "99999999"}, "invalid_fields", "line 2: quantity: "),
        ({"when": ""}, "missing", "column 'When' (occurred) is empty"),
        ({"when": "3/2/26"}, "bad_time", "column 'When' (occurred) is '3/2/26': it is not written as %Y-%m-%d %H:%M"),
        ({"when": "1899-03-02 10:05"}, "absurd_time", "line 2: "), ({"when": "9999-12-31 23:59"}, "absurd_time", "line 2: "),
        ({"drug": "x" * 101}, "invalid_fields", "product_code"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_column(changes: dict[str, str], code: str, why: str) -> None:
    found = refusal(report(row(**changes)))
    assert found.code == code
    assert why in found.reason
    assert found.reason.endswith("(profile short)")


def test_who_it_was_is_never_quoted() -> None:
    found = refusal(report(row(who="Florence Nightingale " * 2_000, id_="x" * 101)))
    assert "Florence" not in found.reason


def test_a_bad_row_never_spoils_the_others() -> None:
    rows = [row(id_="1"), row(qty="two"), "a,row,too,short", row(id_="2")]
    first, number, short, last = mapped(report(*rows))
    assert [type(one) for one in (first, number, short, last)] == [StockEvent, Refused, Refused, StockEvent]
    assert isinstance(short, Refused)
    assert short.reason.startswith("line 4 has 4 cells for 8 columns")
    assert isinstance(last, StockEvent)
    assert last.raw.index == 3


def test_quantities_are_exact_and_written_as_the_profile_says() -> None:
    german = PROFILE.replace('{decimal: "."}', "{decimal: ',', thousands: '.'}\n  delimiter: ';'")
    body = report(row(qty="1.234,125")).replace(",", ";").replace("1.234;125", "1.234,125")
    assert event(body, german).quantity == Decimal("1234.125")
    assert refusal(body.replace("1.234,125", "1.23"), german).code == "bad_quantity"
    silent = PROFILE.replace('  numbers: {decimal: "."}\n', "")
    assert event(report(row(qty="1234")), silent).quantity == 1234
    assert "without decimals (the profile's `numbers`)" in refusal(report(row(qty="1.234")), silent).reason


def test_the_amount_of_a_word_can_stand_elsewhere() -> None:
    text = PROFILE.replace("    Count: count", "    Count: {action: count, quantity: Who}")
    assert event(report(row(what="Count", qty="", who="9")), text).quantity == 9
    assert "column 'Who' (quantity) is empty" in refusal(report(row(what="Count", qty="5", who="")), text).reason


def test_date_and_time_of_two_columns_are_one_time() -> None:
    text = PROFILE.replace("columns: When", "columns: [When, Who]").replace("[Cab, When,", "[Cab, When, Who,", 1)
    assert event(report(row(when="2026-03-02", who="10:05")), text).occurred == datetime(2026, 3, 2, 15, 5, tzinfo=UTC)
    assert "'Who' is empty" in refusal(report(row(when="2026-03-02", who="")), text).reason


@pytest.mark.parametrize(
    ("when", "utc"),
    [
        ("2026-11-01 01:30", "2026-11-01T05:30:00+00:00"),  # comes twice: the first, as for HL7 v2
        ("2026-03-08 02:30", "2026-03-08T07:30:00+00:00"),  # never was: by the offset before it, as for HL7 v2
        ("2026-07-01 10:05", "2026-07-01T14:05:00+00:00"),
    ],
)
def test_a_time_without_offset_is_the_sites(when: str, utc: str) -> None:
    found = event(report(row(when=when)))
    assert (found.occurred.isoformat(), found.zone_assumed) == (utc, True)


def test_an_offset_in_the_text_is_believed() -> None:
    text = PROFILE.replace("%H:%M", "%H:%M%z")
    found = event(report(row(when="2026-03-02 10:05+02:00")), text)
    assert (found.occurred.isoformat(), found.zone_assumed) == ("2026-03-02T08:05:00+00:00", False)


def test_flags_are_true_or_false_by_the_profiles_codes() -> None:
    flag = "    begin_count: Qty\n    begin_count_verified: {columns: Who, codes: {Y: 'true', N: 'false'}}"
    text = PROFILE.replace("    user: Who", flag)
    assert [event(report(row(who=one)), text).begin_count_verified for one in ("Y", "N", "")] == [True, False, False]
    assert "must make it true or false" in refusal(report(row(who="maybe")), text).reason


def test_a_site_that_is_not_known_is_left_to_normalise() -> None:
    assert HEADER.count(",") == row().count(",")
    assert event(report(row())).site == SITE


def test_a_row_of_the_shipped_profile_is_never_left_out_for_how_it_looks() -> None:
    """Only lines of totals with nothing but numbers, and rows that are empty, are no rows."""
    care = CSV_ROW.replace("NGH", "Total Care")
    placeless = CSV_ROW.replace("ICU-CAB1", "")
    body = "\n".join((CSV_HEADER, care, placeless, '"Total",,,,,,,,,,12', "Total rows: 2", "," * 21, "End of report"))
    first, second = by_shipped(body, "report-csv")
    assert isinstance(first, StockEvent)
    assert isinstance(second, Refused)
    assert "'Station' (device) is empty" in second.reason
