"""Profiles as documents: what is read, what is told by line, what is inherited, what a message by an unusable one ends as."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.hl7.profiles.compile import ProfileError, compile_profile
from connectors.hl7.profiles.document import Document, ProfileFault, is_profile, read_document
from connectors.hl7.profiles.shipped import compiled_shipped, shipped
from schemas.codec import encode
from schemas.kinds import EventKind
from schemas.mapping import Refused
from schemas.profile import PROFILE, Profile
from tests.unit.hl7.cabinet_messages import oms, zpm
from tests.unit.hl7.support import ORC, PID, Hub, body, events, header, mapped, ras, rxa
from topology.reference_files import load_reference

OWN = """\
profile: ward-cabinets
title: The cabinets of one ward
base: vista-oms
zone: Europe/Berlin
units: {TAB: tablet}
messages:
  OMS^O05:
    kind:
      codes:
        X: discard
    fields:
      actor: ZPM-11.2
      lot: []
"""


def profile(text: str) -> Profile:
    document = read_document(text)
    assert isinstance(document, Document), document
    return document.profile


def faults(text: str) -> list[ProfileFault]:
    document = read_document(text)
    assert isinstance(document, list), document
    return document


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_profiles_compile_and_say_what_they_are_modelled_on(name: str) -> None:
    compiled = compiled_shipped(name)
    assert compiled is not None
    assert compiled.layouts or compiled.report
    assert name == "standard" or compiled.profile.modelled_on


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_profile_survives_the_log(name: str) -> None:
    """As reference data it is encoded and validated again."""
    one = shipped()[name]
    assert PROFILE.decode(encode(one)) == one
    assert PROFILE.validate_json(encode(one)) == one


def test_short_forms_are_spelt_out() -> None:
    one = profile(OWN)
    layout = (one.messages or {})["OMS^O05"][0]
    assert layout.kind is not None
    assert (layout.kind.codes or {})["X"].kind is EventKind.DISCARD
    assert (layout.fields or {})["actor"].paths == ("ZPM-11.2",)
    assert (layout.fields or {})["lot"].paths == ()


def test_an_own_layout_without_condition_amends_every_layout_of_its_base() -> None:
    compiled = compile_profile(profile(OWN), shipped().get)
    layouts = compiled.layouts_of("OMS", "O05")
    assert len(layouts) == 2
    assert all({"V", "X"} <= layout.codes.keys() for layout in layouts)
    hub = Hub(profile(OWN))
    event = events(oms(zpm("X", "2", f20="LOT9")), profile="ward-cabinets", hub=hub)[0]
    assert (event.kind, event.actor, event.lot, event.unit) == (EventKind.DISCARD, "NURSE", None, "tablet")
    assert event.occurred.isoformat() == "2026-06-01T08:00:00+00:00"  # 10:00 in Berlin, not in the site's New York


@pytest.mark.parametrize(
    ("line", "instead", "where", "what"),
    [
        (4, "zone: [", 6, "is not YAML"),
        (2, "titel: The cabinets", 2, "is no field of this part"),
        (10, "        X: throw_away", 10, "is not one of 'vend'"),
        (12, "      actor: ZPM11", 12, "is not of the form"),
        (5, "title: again", 5, "stands twice"),
        (7, "  OMS-O05:", 7, "is not of the form"),
    ],
)
def test_what_is_wrong_is_told_by_line(line: int, instead: str, where: int, what: str) -> None:
    lines = OWN.splitlines()
    lines[line - 1] = instead
    found = faults("\n".join(lines))
    assert any(fault.line == where and what in fault.reason for fault in found), found


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"zone: Europe/Berlin": "zone: Europe/Nowhere"}, "not an IANA time zone"),
        ({"zone: Europe/Berlin": "charset: klingon"}, "neither of HL7 table 0211 nor a Python codec"),
        ({"base: vista-oms": "base: nobody"}, "base nobody is no profile that is known"),
        ({"base: vista-oms": "base: ward-cabinets"}, "leads back to the profile itself"),
        ({"base: vista-oms": "description: alone"}, "does not say which segment is an item"),
        ({"actor: ZPM-11.2": "colour: ZPM-11.2"}, "is no fact of an item"),
        ({"X: discard": "X: {}"}, "needs a kind, or no_effect"),
        ({"    kind:\n": "    when: {path: ZPM-1, matches: '(a+)+'}\n    kind:\n"}, "repeats something that repeats"),
        ({"    kind:\n": "    when: {path: ZPM-1, matches: '('}\n    kind:\n"}, "is no pattern"),
    ],
)
def test_what_can_not_work_is_refused_when_it_is_compiled(changes: dict[str, str], what: str) -> None:
    text = OWN
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ProfileError, match="can't be used") as caught:
        compile_profile(profile(text), lambda name: profile(text) if name == "ward-cabinets" else shipped().get(name))
    assert any(what in reason for _, reason in caught.value.faults), caught.value.faults


def test_a_feed_that_names_no_profile_there_is_keeps_its_messages() -> None:
    refused = mapped(oms(zpm("V", "1")), profile="nobody")[0]
    assert isinstance(refused, Refused)
    assert refused.code == "unknown_profile"
    assert "nobody" in refused.reason
    broken = profile(OWN.replace("base: vista-oms", "base: gone"))
    refused = mapped(oms(zpm("V", "1")), profile="ward-cabinets", hub=Hub(broken))[0]
    assert isinstance(refused, Refused)
    assert refused.code == "bad_profile"


def test_a_changed_base_changes_what_stands_on_it() -> None:
    first = profile("profile: mine\ntitle: Mine\nbase: vista-oms\nunits: {TAB: tablet}\n")
    second = profile("profile: mine\ntitle: Mine\nbase: vista-oms\nunits: {TAB: each}\n")
    child = profile("profile: child\ntitle: Child\nbase: mine\n")
    message = oms(zpm("V", "1"))
    assert events(message, profile="child", hub=Hub(first, child))[0].unit == "tablet"
    assert events(message, profile="child", hub=Hub(second, child))[0].unit == "each"


# ---- as reference files ------------------------------------------------------------------------------------------


def test_profiles_are_loaded_with_the_other_reference_files(tmp_path: Path) -> None:
    (tmp_path / "ward.yaml").write_text(OWN, encoding="utf-8")
    (tmp_path / "sites.yaml").write_text("- {id: north, name: North, zone: UTC}\n", encoding="utf-8")
    loaded = load_reference([tmp_path])
    assert not loaded.problems
    assert [(kind, id_) for kind, id_, _ in loaded.records] == [("site", "north"), ("profile", "ward-cabinets")]


def test_problems_of_a_profile_name_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "ward.yaml"
    path.write_text(OWN.replace("actor: ZPM-11.2", "colour: ZPM-11.2"), encoding="utf-8")
    problems = load_reference([path]).problems
    assert [(problem.line, problem.field) for problem in problems] == [(12, "messages.OMS^O05.0.fields.colour")]


def test_the_names_of_shipped_profiles_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("profile: standard\ntitle: Mine\n", encoding="utf-8")
    [problem] = load_reference([path]).problems
    assert (problem.line, problem.field) == (1, "profile")
    assert "base: standard" in problem.reason


def test_a_base_that_the_hub_has_is_known(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("profile: mine\ntitle: Mine\nbase: theirs\n", encoding="utf-8")
    assert [problem.reason for problem in load_reference([path]).problems] == ["base theirs is no profile that is known"]
    assert not load_reference([path], {"profile": ["theirs"]}).problems


@pytest.mark.parametrize(("text", "is_one"), [("profile: a", True), ("- profile: a", False), ("a: [", False), ("", False)])
def test_which_yaml_is_a_profile(text: str, is_one: bool) -> None:
    assert is_profile(text) is is_one


# ---- standard types with a fact elsewhere ------------------------------------------------------------------------

ELSEWHERE = """\
profile: elsewhere
title: An MAR that writes lots into RXA-17 and its ward into RXA-28
base: standard
units: {TABS: tablet}
messages:
  RAS:
    family: RAS
    fields:
      lot: RXA-17
      location: RXA-28
      item: {paths: RXA-5.4, system: local}
  RRA^O18:
    family: RAS
"""


def test_a_standard_type_with_facts_elsewhere() -> None:
    hub = Hub(profile(ELSEWHERE))
    rxas = [rxa(f17="L1", f28="W4", f7="TABS"), rxa(f2="2", f17="L2", f28="W5")]
    first, second = events(ras(*rxas), profile="elsewhere", hub=hub)
    assert (first.lot, first.location_codes, first.unit) == ("L1", ("W4",), "tablet")
    assert (second.lot, second.location_codes, second.unit) == ("L2", ("W5",), "mg")
    assert [(code.system, code.value) for code in first.codes] == [("local", "4711")]
    assert first.quantity_is_dose


def test_what_the_profile_does_not_find_elsewhere_stays_where_the_standard_has_it() -> None:
    (event,) = events(ras(rxa()), profile="elsewhere", hub=Hub(profile(ELSEWHERE)))
    assert (event.lot, event.location_codes[0]) == ("LOT1", "ICU^12^A")


def test_a_response_may_be_read_as_the_message_it_is_used_for() -> None:
    message = body(header("RRA^O18"), PID, ORC, rxa())
    assert mapped(message)[0] == mapped(message, profile="standard")[0]
    (event,) = events(message, profile="elsewhere", hub=Hub(profile(ELSEWHERE)))
    assert event.kind is EventKind.ADMINISTER


def test_a_cabinet_segment_beside_it_is_told_and_the_facts_stay_where_they_are() -> None:
    results = mapped(ras(rxa(f17="L1"), "ZPM|V|S|C"), profile="elsewhere", hub=Hub(profile(ELSEWHERE)))
    assert [type(result).__name__ for result in results] == ["StockEvent", "Refused"]
    assert getattr(results[0], "lot", "") == "L1"
