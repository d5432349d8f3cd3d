"""FHIR data types one by one: instants, expiry dates, quantities, code systems, names (rules: connectors/fhir/datatypes.py)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as dt_time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir.datatypes import (
    QUANTITY_DECIMALS_MAX,
    YEAR_MAX,
    YEAR_MIN,
    codes_of,
    expiry_of,
    identifiers_of,
    instant_of,
    last_segment,
    names_of,
    quantity_of,
    system_name,
)
from connectors.fhir.nodes import Fault, child, children, shown, text
from schemas.events import QUANTITY_MAX
from schemas.mapping import SiteFacts

CHICAGO = SiteFacts(id="north", zone="America/Chicago")
KATHMANDU = SiteFacts(id="hill", zone="Asia/Kathmandu")


@pytest.mark.parametrize(
    ("stated", "site", "expected", "assumed"),
    [
        ("2026-03-02T08:00:00Z", CHICAGO, "2026-03-02T08:00:00", False),
        ("2026-03-02T08:00:00.250+05:45", CHICAGO, "2026-03-02T02:15:00.250", False),
        ("2026-03-02T08:00:00-06:00", None, "2026-03-02T14:00:00", False),
        ("2026-03-02T08:00:00", CHICAGO, "2026-03-02T14:00:00", True),
        ("2026-03-02T08:00", CHICAGO, "2026-03-02T14:00:00", True),
        ("2026-03-02", KATHMANDU, "2026-03-01T18:15:00", True),
        ("2026-03-02", None, "2026-03-02T00:00:00", True),
        ("2016-12-31T23:59:60Z", CHICAGO, "2016-12-31T23:59:59", False),
        ("2026-03-02T08:00:00.123456789Z", None, "2026-03-02T08:00:00.123456", False),
    ],
)
def test_an_instant_is_utc_and_says_whether_a_zone_was_assumed(
    stated: str, site: SiteFacts | None, expected: str, assumed: bool
) -> None:
    """Expected by the offset written, or by the tz database: Chicago −06:00 in March before the 8th, Kathmandu +05:45."""
    assert instant_of(stated, "x", site) == (datetime.fromisoformat(expected).replace(tzinfo=UTC), assumed)


def test_the_hour_that_comes_twice_is_the_first_and_the_hour_that_is_left_out_is_found_by_the_offset_before_it() -> None:
    """Chicago 2026: 01:30 on 1 November comes at −05:00 and again at −06:00; 02:30 on 8 March does not exist (PEP 495, fold 0)."""
    assert instant_of("2026-11-01T01:30:00", "x", CHICAGO)[0] == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert instant_of("2026-03-08T02:30:00", "x", CHICAGO)[0] == datetime(2026, 3, 8, 8, 30, tzinfo=UTC)


@given(
    st.dates(date(YEAR_MIN + 1, 1, 1), date(YEAR_MAX - 1, 12, 31)),
    st.times(),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_with_an_offset_is_the_same_instant_whatever_the_site(day: date, clock: dt_time, minutes: int) -> None:
    stated = datetime.combine(day, clock, tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant_of(stated.isoformat(), "x", CHICAGO) == (stated.astimezone(UTC), False)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("", "invalid_resource"),
        ("20260302", "invalid_resource"),
        ("2026-3-2", "invalid_resource"),
        ("2026-03-02T24:00:00Z", "invalid_resource"),
        ("2026-13-01", "invalid_resource"),
        ("2026-03-02T08:00:00+25:00", "invalid_resource"),
        ("2026-03-02T08:00:00+0600", "invalid_resource"),
        ("٢٠٢٦-03-02", "invalid_resource"),
        ("2026-03", "vague_time"),
        (f"{YEAR_MIN}-06-01", "absurd_time"),
        (f"{YEAR_MAX}-06-01", "absurd_time"),
    ],
)
def test_what_is_no_instant_is_refused_by_path(stated: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        instant_of(stated, "Thing.when", CHICAGO)
    assert caught.value.code == code
    assert "Thing.when" in caught.value.reason


@given(st.text(max_size=30))
def test_any_text_is_an_instant_or_a_fault(stated: str) -> None:
    try:
        found, _ = instant_of(stated, "x", CHICAGO)
    except Fault:
        return
    assert found.tzinfo is UTC


@given(st.dates(date(YEAR_MIN, 1, 1), date(YEAR_MAX, 12, 31)))
def test_an_expiry_without_a_day_is_the_day_before_the_next_month(day: date) -> None:
    found = expiry_of(f"{day:%Y-%m}", "x")
    assert found is not None
    assert (found.year, found.month) == (day.year, day.month)
    assert (found + timedelta(days=1)).day == 1
    assert expiry_of(day.isoformat(), "x") == day


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("9999-12-31", "absurd_expiry"),
        ("1900-01-01", "absurd_expiry"),
        ("2026-02-30", "invalid_resource"),
        ("soon", "invalid_resource"),
    ],
)
def test_an_expiry_that_can_not_be_one_is_refused(stated: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        expiry_of(stated, "Medication.batch.expirationDate")
    assert caught.value.code == code


def test_no_expiry_is_none() -> None:
    assert expiry_of("", "x") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, Decimal(5)),
        (Decimal("0.5"), Decimal("0.5")),
        ("2.50", Decimal("2.50")),
        (Decimal("1.500000000000"), Decimal("1.5")),
        (Decimal("1E+3"), Decimal(1000)),
        (0, Decimal(0)),
        (Decimal("0E-99"), Decimal(0)),
        (QUANTITY_MAX, QUANTITY_MAX),
        (Decimal(1).scaleb(-QUANTITY_DECIMALS_MAX), Decimal("0.000001")),
    ],
)
def test_a_quantity_is_exact(value: object, expected: Decimal) -> None:
    assert quantity_of({"value": value}, "x") == (expected, None)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, "negative_quantity"),
        (Decimal("-0.5"), "negative_quantity"),
        (QUANTITY_MAX + 1, "absurd_quantity"),
        (Decimal("1E+999999"), "absurd_quantity"),
        (Decimal("1E-999999"), "absurd_quantity"),
        (Decimal("0.0000001"), "absurd_quantity"),
        (Decimal("3.3333333"), "absurd_quantity"),
        ("NaN", "invalid_resource"),
        ("Infinity", "invalid_resource"),
        ("five", "invalid_resource"),
        (True, "invalid_resource"),
        ({}, "invalid_resource"),
    ],
)
def test_what_is_no_amount_is_refused_by_path(value: object, code: str) -> None:
    with pytest.raises(Fault) as caught:
        quantity_of({"value": value}, "Thing.quantity")
    assert caught.value.code == code
    assert "Thing.quantity" in caught.value.reason


def test_an_absent_quantity_has_neither_value_nor_unit() -> None:
    assert quantity_of({}, "x") == (None, None)
    assert quantity_of({"unit": "mg"}, "x") == (None, "mg")
    assert quantity_of({"value": None, "comparator": "<"}, "x") == (None, None)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://hl7.org/fhir/sid/ndc", "ndc"),
        ("https://hl7.org/fhir/sid/ndc/", "ndc"),
        ("urn:oid:2.16.840.1.113883.6.69", "ndc"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "rxnorm"),
        ("URN:OID:2.16.840.1.113883.6.88", "rxnorm"),
        ("https://www.gs1.org/gtin", "gtin"),
        ("urn:oid:1.3.160", "gtin"),
        ("http://snomed.info/sct", "local"),
        ("ndc", "local"),
        ("", "local"),
    ],
)
def test_code_systems_are_known_by_url_and_oid(url: str, name: str) -> None:
    assert system_name(url) == name


def test_a_concept_without_code_and_text_has_no_codes() -> None:
    assert codes_of({}) == ()
    assert codes_of({"coding": [{"display": "only a name"}]}) == ()


def test_identifiers_without_a_value_do_not_count() -> None:
    assert identifiers_of({"identifier": [{"system": "s"}, {"value": " v "}, 5, {"value": 7}]}) == [("", "v")]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Location/icu", "icu"),
        ("https://ehr.example/fhir/Location/icu/_history/3", "icu"),
        ("Location/icu?x=1", "icu"),
        ("#loc", ""),
        ("urn:uuid:0c1f7a10", ""),
        ("", ""),
    ],
)
def test_a_reference_ends_in_an_id_unless_it_names_something_inside_the_message(reference: str, expected: str) -> None:
    assert last_segment({"reference": reference}) == expected


def test_names_go_from_exact_to_loose_and_come_once() -> None:
    reference = {"reference": "Location/icu", "identifier": {"value": "ICU"}, "display": "Intensive care"}
    resource = {"identifier": [{"value": "ICU"}, {"value": "B3"}], "name": "Intensive care"}
    assert names_of(reference, resource) == ["icu", "ICU", "B3", "Intensive care"]
    assert names_of({}, {}) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=3), x),
        max_leaves=6,
    )
)
def test_nodes_of_any_shape_are_read_without_error(value: object) -> None:
    assert isinstance(child(value, "a"), dict)
    assert all(isinstance(one, dict) for one in children(value, "a"))
    assert isinstance(text(value, "a"), str)
    assert shown(value).isprintable()
