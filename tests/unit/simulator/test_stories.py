"""What the simulated people do makes sense to a pharmacist: the stories behind the messages hold together."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest

from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON
from tests.unit.simulator.runs import HOSPITALS, SMALL, hl7_time, rows, run, segments, zones

MADE = run(HOSPITALS)
ZONES = zones(MADE.network)


def cabinet_rows(*actions: str) -> list[tuple[str, dict]]:
    return [(message.site, row) for message in MADE.of_type(CABINET_JSON) for row in rows(message) if row["action"] in actions]


def scan_rows(*activities: str) -> list[tuple[str, dict]]:
    return [(message.site, row) for message in MADE.of_type(SCAN_JSON) for row in rows(message) if row["activity"] in activities]


@pytest.fixture(scope="module")
def stays() -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """Census events by patient: instant and trigger, in order."""
    found = defaultdict(list)
    for message in MADE.of_type(HL7_ER7):
        for evn in segments(message, "EVN"):
            patient = segments(message, "PID")[0][3].split("^")[0]
            if evn[1] != "A08":
                found[(message.site, patient)].append((hl7_time(evn[2], ZONES[message.site]), evn[1]))
    return {patient: sorted(events) for patient, events in found.items()}


@pytest.fixture(scope="module")
def orders() -> dict[tuple[str, str], tuple[datetime, str, str]]:
    """Orders by placer number: when, for whom, which drug."""
    found = {}
    for message in MADE.of_type(HL7_ER7):
        for rxe in segments(message, "RXE"):
            [orc] = segments(message, "ORC")
            patient = segments(message, "PID")[0][3].split("^")[0]
            found[(message.site, orc[2])] = (hl7_time(orc[9], ZONES[message.site]), patient, rxe[2].split("^")[0])
    return found


# ---- patients -------------------------------------------------------------------------------------------------------


def test_a_stay_begins_with_an_admission_and_ends_at_most_once_with_a_discharge(stays) -> None:
    triggers = Counter()
    for events in stays.values():
        kinds = [kind for _, kind in events]
        assert kinds[0] == "A01"
        assert kinds.count("A01") == 1
        assert kinds.count("A03") <= 1
        assert "A03" not in kinds[:-1]
        triggers.update(kinds)
    assert min(triggers[kind] for kind in ("A01", "A02", "A03")) > 0


def test_a_bed_holds_one_patient_at_a_time() -> None:
    holder: dict[tuple[str, str], str] = {}
    for message in MADE.of_type(HL7_ER7):
        for evn in segments(message, "EVN"):
            place = segments(message, "PV1")[0][3]
            patient = segments(message, "PID")[0][3].split("^")[0]
            if evn[1] == "A01":
                assert (message.site, place) not in holder, f"{place} is taken"
                holder[(message.site, place)] = patient
            elif evn[1] in {"A02", "A03"}:
                for taken in [key for key, one in holder.items() if one == patient and key[0] == message.site]:
                    del holder[taken]
                if evn[1] == "A02":
                    holder[(message.site, place)] = patient


def test_every_order_is_for_a_patient_who_is_in_the_house(stays, orders) -> None:
    for (site, _), (when, patient, _) in orders.items():
        events = stays[(site, patient)]
        assert events[0][0] < when
        assert events[-1][1] != "A03" or when <= events[-1][0]


def test_every_dose_dispense_and_vend_belongs_to_an_earlier_order_of_that_patient_and_drug(orders) -> None:
    drugs = {product.id: product.item for product in MADE.network.reference["product"]}
    codes = {code.value: item.id for item in MADE.network.reference["item"] for code in item.codes}
    ndcs = {product.ndc: drugs[product.id] for product in MADE.network.reference["product"]}
    for message in MADE.of_type(HL7_ER7):
        for name, code, time in (("RXA", 5, 3), ("RXD", 2, 3)):
            for segment in segments(message, name):
                when, patient, drug = orders[(message.site, segments(message, "ORC")[0][2])]
                assert patient == segments(message, "PID")[0][3].split("^")[0]
                assert codes[drug] == ndcs[segment[code].split("^")[0]]
                assert when < hl7_time(segment[time], ZONES[message.site])
    for site, row in cabinet_rows("vend", "return", "waste"):
        when, patient, _ = orders[(site, row["order_id"])]
        assert patient == row["patient_id"]
        assert when < datetime.fromisoformat(row["occurred"])


def test_an_order_is_never_changed_by_a_dispense_so_prescription_numbers_differ_per_fill() -> None:
    fills = Counter()
    for message in MADE.of_type(HL7_ER7):
        numbers = {rxd[7] for rxd in segments(message, "RXD")}
        assert len(numbers) <= 1
        fills.update((message.site, number) for number in numbers)
    assert max(fills.values()) == 1


# ---- doses ----------------------------------------------------------------------------------------------------------


def charted() -> dict[tuple[str, str], list[tuple[datetime, str, str]]]:
    """Administrations by placer order number: instant, status, lot."""
    found = defaultdict(list)
    for message in MADE.of_type(HL7_ER7):
        for rxa in segments(message, "RXA"):
            order = segments(message, "ORC")[0][2]
            found[(message.site, order)].append((hl7_time(rxa[3], ZONES[message.site]), rxa[20], rxa[15]))
    return found


def test_a_vended_dose_is_charted_within_a_quarter_of_an_hour_by_lot() -> None:
    """Two to fifteen minutes after the vend, unless the run ends first. A dose of two lots is charted lot by lot."""
    doses = charted()
    end = {site: datetime(2026, 1, 12, tzinfo=zone) for site, zone in ZONES.items()}
    unmatched = 0
    for site, row in cabinet_rows("vend"):
        when = datetime.fromisoformat(row["occurred"])
        if when > end[site] - timedelta(minutes=20):
            continue
        window = [lot for time, _, lot in doses[(site, row["order_id"])] if when < time <= when + timedelta(minutes=16)]
        unmatched += row["lot"] not in window
    assert unmatched <= len(cabinet_rows("vend")) // 500, "only a second lot taken as too much may go back unused"


def test_a_refused_dose_of_a_cabinet_comes_back_or_is_wasted() -> None:
    followed = defaultdict(list)
    for site, row in cabinet_rows("return", "waste"):
        followed[(site, row["order_id"])].append((datetime.fromisoformat(row["occurred"]), row["lot"]))
    wards = {plan.id: {unit.code for unit in plan.units if unit.is_ward} for plan in MADE.network.sites}
    end = {site: datetime(2026, 1, 12, tzinfo=zone) for site, zone in ZONES.items()}
    refused = 0
    for message in MADE.of_type(HL7_ER7):
        unit = segments(message, "PV1")[0][3].split("^")[0]
        for rxa in segments(message, "RXA"):
            when = hl7_time(rxa[3], ZONES[message.site])
            if rxa[20] == "RE" and unit not in wards[message.site] and when < end[message.site] - timedelta(hours=1):
                refused += 1
                order = (message.site, segments(message, "ORC")[0][2])
                assert [lot for time, lot in followed[order] if when < time < when + timedelta(hours=1) and lot == rxa[15]]
    assert refused > 50


def test_only_controlled_drugs_are_wasted_the_others_go_back() -> None:
    controlled = {item.id for item in MADE.network.reference["item"] if item.schedule}
    pockets = {(plan.id, path): item for plan in MADE.network.sites for unit in plan.units for item, path in unit.pockets.items()}
    places = {(plan.id, unit.device): unit.place for plan in MADE.network.sites for unit in plan.units}
    for site, row in cabinet_rows("waste"):
        assert pockets[(site, f"{places[(site, row['device'])]}/{row['pocket']}")] in controlled


def test_charted_doses_on_the_open_ward_take_stock_there_and_refused_ones_do_not() -> None:
    taken = {(line["site"], datetime.fromisoformat(line["occurred"])) for line in MADE.movements if line["kind"] == "administer"}
    statuses = Counter()
    for message in MADE.of_type(HL7_ER7):
        if segments(message, "PV1")[0][3].split("^")[0] != "4W":
            continue
        for rxa in segments(message, "RXA"):
            told = (message.site, hl7_time(rxa[3], ZONES[message.site])) in taken
            statuses[(rxa[20], told)] += 1
    assert statuses[("CP", True)] > 1_000
    assert statuses[("CP", False)] == 0
    assert statuses[("RE", False)] > 10


def test_a_dose_that_was_not_there_is_charted_as_not_administered_and_happens_seldom() -> None:
    statuses = Counter(rxa[20] for message in MADE.of_type(HL7_ER7) for rxa in segments(message, "RXA"))
    assert 0 < statuses["NA"] < sum(statuses.values()) * 0.06


# ---- pharmacy -------------------------------------------------------------------------------------------------------


def test_the_day_begins_with_receipts_then_loads_then_patients() -> None:
    for plan in MADE.network.sites:
        firsts = {}
        for line in MADE.movements:
            if line["site"] == plan.id:
                firsts.setdefault(line["kind"], line["occurred"])
        assert firsts["receive"] < firsts["load"] < firsts["vend"]
        assert firsts["receive"] < firsts["put_away"] < firsts["administer"]


def test_every_pocket_is_loaded_once_before_anything_is_taken_from_it() -> None:
    first = {}
    for line in MADE.movements:
        if "/cab" in line["location"]:
            first.setdefault((line["site"], line["location"]), line["kind"])
    pockets = {
        (plan.id, path) for plan in MADE.network.sites for unit in plan.units if unit.device for path in unit.pockets.values()
    }
    assert set(first) == pockets
    assert set(first.values()) == {"load"}


def test_a_refill_brings_a_pocket_to_par_at_most() -> None:
    policies = {(p.site, p.location, p.item): p for p in MADE.network.reference["par_policy"]}
    local = ZONES
    stock: dict[tuple, Counter] = defaultdict(Counter)
    partial = 0
    for line in MADE.movements:
        key = (line["site"], line["location"], line["item"])
        stock[key][(line["lot"], line["expiry"])] += line["quantity"]
        if line["kind"] == "refill" and line["quantity"] > 0:
            today = datetime.fromisoformat(line["occurred"]).astimezone(local[line["site"]]).date().isoformat()
            usable = sum(quantity for (_, expiry), quantity in stock[key].items() if expiry >= today)
            assert usable <= policies[key].par
            partial += usable < policies[key].par
    assert partial > 10


def test_what_is_picked_for_the_ward_is_put_away_from_transit_within_the_hour_and_a_bit() -> None:
    on_the_way: Counter = Counter()
    for line in MADE.movements:
        if line["location"] == "transit":
            on_the_way[(line["site"], line["item"], line["lot"])] += line["quantity"]
            assert on_the_way[(line["site"], line["item"], line["lot"])] >= 0
    picks, arrivals = len(scan_rows("pick")), len([row for _, row in scan_rows("put_away") if row["location"] == "transit"])
    assert 0 <= picks - arrivals <= 3


def test_deliveries_arrive_in_the_morning_in_whole_packages_with_a_purchase_order() -> None:
    packages = {product.gtin: product.package_quantity for product in MADE.network.reference["product"]}
    numbers = set()
    for site, row in scan_rows("receive"):
        if row["order_id"] == "OPENING":
            continue
        numbers.add((site, row["order_id"]))
        assert row["order_id"].startswith(f"PO-{site.upper()}-")
        assert 7 <= datetime.fromisoformat(row["occurred"]).hour <= 11
        gtin = row["barcode"][5:19]
        if row.get("unit") not in {None, "box"}:
            assert row["quantity"] % packages[gtin] == 0
    assert len(numbers) > 20


def test_expired_store_stock_goes_to_quarantine_and_is_destroyed_there_before_a_witness() -> None:
    made = run(SMALL)
    moved = [line for line in made.movements if line["location"] == "quarantine"]
    assert {line["kind"] for line in moved} <= {"put_away", "discard"}
    assert [line for line in moved if line["kind"] == "put_away"]
    destroyed = scan_rows("waste")
    assert destroyed
    assert all(row["location"] in {"quarantine", "returns"} for _, row in destroyed)
    assert all(row["witness"] != row["user"] for _, row in destroyed)
    assert all(datetime.fromisoformat(row["occurred"]).weekday() == 4 for _, row in destroyed)


def test_expired_pocket_stock_leaves_by_an_expire_transaction_the_next_morning() -> None:
    expired = cabinet_rows("expire")
    assert expired
    for _, row in expired:
        when = datetime.fromisoformat(row["occurred"])
        assert row["expiry"] < when.date().isoformat()
        assert 5 <= when.hour <= 8


def test_counts_are_taken_at_night_once_a_week_a_cabinet() -> None:
    nights = defaultdict(set)
    for site, row in cabinet_rows("count"):
        when = datetime.fromisoformat(row["occurred"])
        assert 2 <= when.hour <= 4
        nights[(site, row["device"])].add(when.date())
    assert nights
    assert all(len(dates) == 1 for dates in nights.values())


def test_everybody_who_acts_is_on_the_list_of_staff_with_a_fitting_role() -> None:
    roles = {(role.person, role.role) for role in MADE.network.reference["role"]}
    for _, row in cabinet_rows("vend", "return", "waste"):
        assert (row["user"], "nurse") in roles
    for _, row in cabinet_rows("refill", "load", "unload", "count", "expire"):
        assert (row["user"], "technician") in roles
    for _, row in scan_rows("receive", "put_away", "pick", "count", "waste", "return"):
        assert (row["user"], "technician") in roles


# ---- clinic ---------------------------------------------------------------------------------------------------------


def test_the_clinic_is_open_on_weekdays_and_every_dose_follows_its_prescription() -> None:
    resources = [json.loads(message.body) for message in MADE.of_type(FHIR_JSON)]
    written = {one["identifier"][0]["value"]: one for one in resources if one["resourceType"] == "MedicationRequest"}
    given = [one for one in resources if one["resourceType"] == "MedicationAdministration"]
    assert given
    for one in given:
        order = written[one["request"]["identifier"]["value"]]
        when = datetime.fromisoformat(one["effectiveDateTime"])
        assert datetime.fromisoformat(order["authoredOn"]) < when
        assert when.weekday() < 5
        assert order["subject"] == one["subject"]
    for one in resources:
        if one["resourceType"] == "MedicationDispense":
            assert one["authorizingPrescription"][0]["identifier"]["value"] in written


def test_clinic_doses_are_charted_by_strength_and_by_container() -> None:
    units = Counter(
        json.loads(message.body)["dosage"]["dose"]["unit"]
        for message in MADE.of_type(FHIR_JSON)
        if b"MedicationAdministration" in message.body
    )
    assert {"mg", "VIAL"} <= set(units)
