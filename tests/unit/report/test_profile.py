"""What a profile says of a report: faults by line, inheritance, and refusals of files whose profile does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.hl7.profiles.compile import compile_profile
from connectors.hl7.profiles.document import read_document
from connectors.hl7.profiles.shipped import shipped
from connectors.report.mapper import map_report
from schemas.codec import encode
from schemas.events import StockEvent
from schemas.mapping import NoEffect, Refused
from schemas.profile import PROFILE as CODEC
from tests.unit.report.support import PROFILE, REF, Site, event, mapped, message, profile, report, row
from topology.reference_files import load_reference

DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs" / "reports.md"
UNSTATED = (
    "facility", "device_sequence", "begin_count", "actual_begin_count", "lot", "expiry", "serial", "user", "witness", "patient_id",
    "order_id",
)  # fmt: skip
"""Facts of the base that the documentation's example does not send."""


def told(tmp_path: Path, text: str) -> list[tuple[int, str, str]]:
    """The faults that `reference load` names: line, field, reason."""
    path = tmp_path / "short.yaml"
    path.write_text(text, encoding="utf-8")
    return [(one.line, one.field, one.reason) for one in load_reference([path]).problems]


def test_a_whole_profile_has_no_fault(tmp_path: Path) -> None:
    assert not told(tmp_path, PROFILE)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "why"),
    [
        ("  format: delimited\n", "", 3, "report", "delimited or fixed"),
        ("  format: delimited", "  format: excel", 4, "report.format", "not one of"),
        ("  format: delimited", "  format: delimited\n  delimiter: '::'", 5, "report.delimiter", "neither one character nor the word tab"),
        ("  format: delimited", "  format: delimited\n  delimiter: '\"'", 5, "report.delimiter", "can't be the quote"),
        ("  format: delimited", "  format: delimited\n  encoding: ebcdic", 5, "report.encoding", "not one of"),
        ("  format: delimited", "  format: delimited\n  header: false", 3, "report", "how many columns"),
        ("  format: delimited", "  format: delimited\n  header: false\n  width: 8", 8, "report.facts.device", "columns are 1 to 8"),
        ('{decimal: "."}', "{decimal: ',', thousands: ','}", 24, "report.numbers", "can't stand"),
        ("  format: delimited", "  format: delimited\n  ignore: {matches: '(a+)+'}", 5, "report.ignore.0", "take for ever"),
        ("  format: delimited", "  format: delimited\n  ignore: {}", 5, "report.ignore.0", "either `matches` or `empty`"),
        ("  format: delimited", "  format: delimited\n  ends_with: '('", 5, "report.ends_with", "is no pattern"),
        ("  format: delimited", "  format: delimited\n  colour: red", 5, "report.colour", "no field of this part"),
        ("    device: Cab\n", "", 5, "report.facts", "where the device stands"),
        ("    device: Cab", "    device: Cab\n    override: Qty", 7, "report.facts.override", "no fact of a transaction"),
        ("    device: Cab", "    device: {columns: Cab, formats: '%Y'}", 6, "report.facts.device", "only times and dates"),
        ('formats: "%Y-%m-%d %H:%M"', 'formats: "%Y-%m-%d"', 7, "report.facts.occurred", "does not state year, month, day, hour"),
        ('formats: "%Y-%m-%d %H:%M"', 'formats: "%Y-%m-%d %I:%M"', 7, "report.facts.occurred", "with %p"),
        ('formats: "%Y-%m-%d %H:%M"', 'formats: "%y-%m-%d %H:%M"', 7, "report.facts.occurred", "two_digit_years_from"),
        ('formats: "%Y-%m-%d %H:%M"', 'formats: "%Q"', 7, "report.facts.occurred", "no directive"),
        (', formats: "%Y-%m-%d %H:%M"', "", 7, "report.facts.occurred", "how it is written"),
        ("    device: Cab", "    device: Cab\n    code_system: {value: snomed}", 7, "report.facts.code_system", "no code system"),
        ("    Load: load", "    Load: lod", 20, "report.actions.Load.action", "not one of"),
        ("    Load: load", "    COUNT: load", 20, "report.actions.COUNT", "same word"),
        ("    Load: load", "    Load: {}", 20, "report.actions.Load", "needs an action, or no_effect"),
        ("  key: [Cab, When", "  key: [Cab", 15, "report.key", "leaves out the time (When)"),
        ("    device: Cab", "    device: Cab\n    device_sequence: Id", 16, "report.key", "leaves out the device's own number (Id)"),
        ("    device: Cab", "    device: Cab\n    begin_count: Id", 16, "report.key", "leaves out what was there before (Id)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_line(tmp_path: Path, old: str, new: str, line: int, field: str, why: str) -> None:
    assert old in PROFILE
    faults = told(tmp_path, PROFILE.replace(old, new))
    assert (line, field) in [(one[0], one[1]) for one in faults if why in one[2]], faults


def test_rows_need_an_identity(tmp_path: Path) -> None:
    text = "".join(line + "\n" for line in PROFILE.splitlines() if not line.startswith(("  key:", "    transaction_id:")))
    reasons = [reason for _, _, reason in told(tmp_path, text)]
    assert any("which columns make a row the same again" in one for one in reasons)
    assert any("takes back a transaction, and no fact says which" in one for one in reasons)


def test_columns_of_a_fixed_report_are_placed_by_the_profile(tmp_path: Path) -> None:
    fixed = PROFILE.replace("format: delimited", "format: fixed\n  columns: {Cab: 1-8, When: 30-20}")
    faults = {field: reason for _, field, reason in told(tmp_path, fixed)}
    assert "ends before it begins" in faults["report.columns.When"]
    assert "which `columns` does not place" in faults["report.facts.quantity"]


OWN = """\
profile: own
title: Ours
base: report-csv
report:
  delimiter: ";"
  numbers: {decimal: ","}
  facts:
    quantity: Menge
    lot: []
  actions:
    Entnahme: vend
"""


def test_what_a_profile_does_not_say_its_base_says() -> None:
    compiled = compile_profile(profile(OWN), shipped().get)
    assert compiled.report is not None
    assert compiled.report.delimiter == ";"
    assert compiled.report.facts["quantity"].columns == ("Menge",)
    assert compiled.report.facts["device"].columns == ("Station",)
    assert "Lot" not in compiled.report.columns
    assert {"ENTNAHME", "REMOVE"} <= set(compiled.report.actions)
    assert compiled.report.ignored


def test_a_base_without_a_report_and_one_with_messages_go_together() -> None:
    compiled = compile_profile(profile(PROFILE.replace("title:", "base: vista-oms\ntitle:", 1)), shipped().get)
    assert compiled.report is not None
    assert compiled.layouts


def test_a_report_profile_survives_the_log() -> None:
    one = profile()
    assert CODEC.decode(encode(one)) == CODEC.validate(one) == one


def refused(name: str, *known: str) -> Refused:
    (found,) = map_report(message(report(row()), name), REF, Site(*(profile(text) for text in known)))
    assert isinstance(found, Refused)
    return found


def test_a_report_whose_profile_does_not_read_it_is_one_refusal() -> None:
    assert refused("short").code == "unknown_profile"
    assert "describes no report" in refused("standard").reason
    assert refused("standard").code == "no_report"
    broken = PROFILE.replace("profile: short", "profile: short\nbase: absent")
    assert refused("short", broken).code == "bad_profile"


def test_units_and_zone_of_the_profile_hold_for_its_reports() -> None:
    text = PROFILE.replace("title:", "zone: Europe/Berlin\nunits: {tablet: TAB}\ntitle:", 1)
    assert event(report(row()), text).unit == "TAB"
    assert event(report(row()), text).occurred.isoformat() == "2026-03-02T09:05:00+00:00"


def test_the_profile_that_the_documentation_shows_reads_what_it_says() -> None:
    """docs/reports.md: two lines above the header, a comma before decimals, a cancelled removal."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    text = shown.replace("    witness: []", "\n".join(f"    {name}: []" for name in UNSTATED))
    body = (
        "Bewegungen\nStation 3 Süd\nAutomat;Datum;Zeit;Vorgang;Lade;Fach;PZN;Menge;Unit;Transaction;Storno von\n"
        "A1;02.03.2026;10:05;entnahme;3;7;04711;-1.000,5;Stk;1;\n;;;;;;;;;;\nA1;02.03.2026;10:06;Storno;3;7;04711;1;Stk;2;1\n"
        "A1;02.03.2026;10:07;Anmeldung;;;;;;;\nSumme;;;;;;;999;;;\n"
    )
    vend, cancel, login = mapped(body.encode("cp1252"), text)
    assert isinstance(vend, StockEvent)
    assert isinstance(cancel, StockEvent)
    assert (vend.kind, str(vend.quantity), vend.unit, vend.pocket) == ("vend", "1000.5", "tablet", "3/7")
    assert vend.occurred.isoformat() == "2026-03-02T09:05:00+00:00"
    assert cancel.reverses == vend.event_key
    assert isinstance(login, NoEffect)


def test_a_document_with_two_reports_is_told() -> None:
    document = read_document(PROFILE + "report: {}\n")
    assert isinstance(document, list)
    assert document[0].reason == "stands twice"
