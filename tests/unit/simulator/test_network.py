"""The plan of a network and its reference files: consistent, complete, and a function of sites, beds and seed."""

from __future__ import annotations

import csv
import dataclasses
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from connectors.simulator import Knobs, build_network, write_reference
from connectors.simulator.reference_csv import FILE_NAMES, cell
from schemas.codec import encode
from schemas.codes import Code
from schemas.kinds import CommandKind, Feed, LocationKind
from schemas.reference import REFERENCE_KINDS

NETWORK = build_network(Knobs())
SIZES = [Knobs(sites=1, beds=2), Knobs(), Knobs(sites=8, beds=400)]


def test_every_reference_record_is_valid_and_has_an_id_of_its_own() -> None:
    assert set(NETWORK.reference) == set(FILE_NAMES)
    for kind, records in NETWORK.reference.items():
        definition = REFERENCE_KINDS[kind]
        ids = [definition.id_of(record) for record in records]
        assert len(set(ids)) == len(ids), kind
        for record in records:
            assert definition.codec.validate_json(encode(record)) == record


@pytest.mark.parametrize("knobs", SIZES, ids=lambda knobs: f"{knobs.sites}x{knobs.beds}")
def test_a_site_has_one_store_one_open_ward_a_return_bin_and_the_beds_asked_for(knobs) -> None:
    network = build_network(knobs)
    assert len(network.sites) == knobs.sites
    for plan in network.sites:
        assert sum(len(unit.beds) for unit in plan.units) >= min(knobs.beds, 2)
        assert [unit.is_ward for unit in plan.units].count(True) == 1
        kinds = [place.kind for place in network.reference["location"] if place.site == plan.id]
        assert kinds.count(LocationKind.STORE) == 1
        assert kinds.count(LocationKind.RETURN_BIN) == 1
        assert kinds.count(LocationKind.CABINET) == len(plan.units) - 1
    total = sum(len(unit.beds) for unit in network.sites[0].units)
    assert total == knobs.beds


def test_the_sites_keep_different_time_zones() -> None:
    zones = [site.zone for site in NETWORK.reference["site"]]
    assert len(set(zones)) == 3
    assert all(ZoneInfo(zone) for zone in zones)


def test_each_place_has_the_authority_its_kind_asks_for() -> None:
    wanted = {LocationKind.STORE: Feed.DISPENSE, LocationKind.CABINET: Feed.CABINET, LocationKind.WARD: Feed.ADMINISTRATION}
    for place in NETWORK.reference["location"]:
        if place.kind in wanted:
            assert place.authority == wanted[place.kind]
        if place.kind in {LocationKind.CABINET, LocationKind.WARD}:
            assert place.refill_from == "main"


def test_a_code_names_one_place_of_a_site_and_includes_what_hl7_and_cabinets_call_it() -> None:
    for plan in NETWORK.sites:
        codes = [code for place in NETWORK.reference["location"] if place.site == plan.id for code in place.codes]
        assert len(set(codes)) == len(codes)
        for unit in plan.units:
            assert unit.code in codes
            assert unit.is_ward or unit.device in codes


def test_every_pocket_ward_item_and_store_item_has_a_policy_with_levels_in_order() -> None:
    for plan in NETWORK.sites:
        for unit in plan.units:
            for drug in unit.drugs:
                policy = plan.policies[(unit.pockets[drug.item], drug.item)]
                assert (policy.kind, policy.source) == (CommandKind.RESTOCK, "main")
                assert policy.par - policy.minimum >= drug.dose, "a refill up to par is worth the walk"
        for (location, _), policy in plan.policies.items():
            assert 0 <= policy.critical <= policy.minimum < policy.par <= policy.maximum
            assert policy.satisfied_at is None or policy.minimum < policy.satisfied_at <= policy.par
            assert (policy.kind is CommandKind.PURCHASE) == (location == "main")


def test_pockets_of_a_cabinet_are_named_by_drawer_and_pocket_and_never_shared() -> None:
    cabinet = next(unit for unit in NETWORK.sites[0].units if not unit.is_ward)
    paths = list(cabinet.pockets.values())
    assert paths[0] == "icu/cab1/d1/p01"
    assert len(set(paths)) == len(paths)


def test_only_one_site_speaks_fhir() -> None:
    assert [bool(plan.clinic) for plan in NETWORK.sites] == [False, False, True]


def test_a_network_depends_on_sites_beds_and_seed_alone() -> None:
    def policies(knobs: Knobs) -> object:
        return build_network(knobs).reference["par_policy"]

    assert policies(Knobs(seed=3)) == policies(Knobs(seed=3, days=90, duplicates=0.5, reorder_minutes=30, outages=2))
    assert policies(Knobs(seed=3)) != policies(Knobs(seed=4))
    assert policies(Knobs(seed=3)) != policies(Knobs(seed=3, beds=60))


def test_reference_files_have_the_contracts_field_names_as_header_and_one_row_a_record(tmp_path) -> None:
    paths = write_reference(NETWORK, tmp_path)
    assert [path.name for path in paths] == list(FILE_NAMES.values())
    for kind, name in FILE_NAMES.items():
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        assert header == [field.name for field in dataclasses.fields(REFERENCE_KINDS[kind].codec.type)]
        assert len(rows) == len(NETWORK.reference[kind])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ((), ""),
        (True, "true"),
        (False, "false"),
        (12, "12"),
        (Decimal("0.0400"), "0.0400"),
        (Feed.CABINET, "cabinet"),
        ((180, 90), "180;90"),
        (("A", "B"), "A;B"),
        ((Code(system="local", value="X1"), Code(system="ndc", value="0409-1891-01")), "local=X1;ndc=0409-1891-01"),
        ((CommandKind.PURCHASE,), "purchase"),
    ],
)
def test_a_cell_is_written_as_the_loading_rules_say(value, text) -> None:
    assert cell(value) == text


def test_a_value_that_no_reference_field_holds_is_an_error_not_a_guess() -> None:
    with pytest.raises(TypeError, match="float"):
        cell(1.5)
