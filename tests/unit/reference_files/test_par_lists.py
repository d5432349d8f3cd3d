"""A cabinet's own par list becomes par policies, or says by line why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.reference import REFERENCE_KINDS, CodeLink, UnitFactor
from tests.support.world import ITEM, SITE, hospital, item, site
from topology.cli.app import app
from topology.errors import InputRefusedError
from topology.reference_files.model import Loaded
from topology.reference_files.par_list_map import ParListMap
from topology.reference_files.par_lists import check_site, par_policies

HOW = ParListMap.model_validate(
    {
        "columns": {
            "device": "Station", "pocket": "Pocket", "code": "MedID", "minimum": "Min", "par": "Par", "maximum": "Max", "critical": "Crit",
            "unit": "UoM",
        }
    }
)  # fmt: skip
HEADER = "Station,Area,Pocket,MedID,Min,Par,Max,Crit,UoM\n"
KINDS = {kind.codec.type: kind for kind in REFERENCE_KINDS.values()}
MORE = (
    item("ibu"), UnitFactor(item=ITEM, unit="strip", numerator=10), UnitFactor(item="ibu", unit="half", numerator=1, denominator=2),
    CodeLink(system="local", value="PX9", item="ibu", site=SITE), CodeLink(system="local", value="PX8", item="ibu", site="south"),
)  # fmt: skip
HELD = [(KINDS[type(one)].name, KINDS[type(one)].id_of(one), one) for one in hospital(*MORE)]


def loaded(tmp_path: Path, rows: str, header: str = HEADER, how: ParListMap = HOW, encoding: str = "utf-8") -> Loaded:
    path = tmp_path / "par.csv"
    path.write_bytes((header + rows).encode(encoding))
    return par_policies(path, how, SITE, HELD)


def test_rows_become_policies_in_base_units_at_the_pockets_of_the_cabinet(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, "ICU-CAB1,x,d1/p1,amox-1,4,20,30,2,\nicu/cab1,x,/d1/p2/,PX9,1,2,,,\nICU-CAB1,x,,amox-1,1,2,3,,strip\n\n"
    )
    assert found.problems == []
    assert [(id_, one.minimum, one.par, one.maximum, one.critical) for _, id_, one in found.records] == [  # type: ignore[attr-defined]
        ("north|icu/cab1/d1/p1|amox", 4, 20, 30, 2),
        ("north|icu/cab1/d1/p2|ibu", 1, 2, 2, 0),
        ("north|icu/cab1|amox", 10, 20, 30, 0),
    ]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("CAB9,x,p,amox-1,4,20,30,2,", "Station", "CAB9 is no place of site north"),
        ("ICU-CAB1,x,p,nope,4,20,30,2,", "MedID", "local nope is not in the item master: add it to an item's codes"),
        (",x,p,amox-1,4,20,30,2,", "Station", "is empty: write which cabinet"),
        ("ICU-CAB1,x,p,,4,20,30,2,", "MedID", "write which product"),
        ("ICU-CAB1,x,p,PX8,4,20,30,2,", "MedID", "local PX8 is not in the item master"),
        ("ICU-CAB1,x,p,amox-1,4.0,20,30,2,", "Min", "'4.0' is no whole number"),
        ("ICU-CAB1,x,p,amox-1,,20,30,2,", "Min", "'' is no whole number"),
        ("ICU-CAB1,x,p,amox-1,4,20,30,2,barrel", "UoM", "barrel of amox is no known number of tablet"),
        ("ICU-CAB1,x,p,PX9,3,20,30,2,half", "Min", "'3' is no whole number of tablet"),
        ("ICU-CAB1,x,p,amox-1,20,20,30,2,", "minimum", "minimum 20 is not below par 20"),
        ("ICU-CAB1,x,p,amox-1,4,20,30,9,", "critical", "critical 9 is above minimum 4"),
    ],
)
def test_what_can_not_be_is_said_by_line_and_column(tmp_path: Path, row: str, field: str, reason: str) -> None:
    (one,) = loaded(tmp_path, f"ICU-CAB1,x,ok,amox-1,4,20,30,2,\n{row}\n").problems
    assert (one.line, one.field) == (3, field)
    assert reason in one.reason


def test_one_place_and_item_has_one_row(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path, "ICU-CAB1,x,p,amox-1,4,20,30,2,\nicu/cab1,x,p,amox-1,5,20,30,2,\n").problems
    assert (one.line, "stands already in line 2" in one.reason) == (3, True)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Station,MedID\n", "has not exactly one column 'Min', 'Par', 'Pocket', 'Max'"),
        (HEADER.replace("Area", "Par"), "exactly one column 'Par'"),
        ("", "is empty: its first line must name the columns, Station, MedID, Min, Par, Pocket, Max, Crit, UoM"),
    ],
)
def test_a_file_with_other_columns_is_refused_as_a_whole(tmp_path: Path, header: str, reason: str) -> None:
    found = loaded(tmp_path, "", header)
    assert (found.records, len(found.problems)) == ([], 1)
    assert reason in found.problems[0].reason


def test_delimiters_and_character_sets_are_the_maps(tmp_path: Path) -> None:
    how = ParListMap.model_validate({**HOW.model_dump(), "delimiter": ";", "encoding": "utf-16"})
    found = loaded(tmp_path, "ICU-CAB1;é;p;amox-1;4;20;30;2;\n", HEADER.replace(",", ";"), how, "utf-16")
    assert (len(found.records), found.problems) == (1, [])
    assert "can't be read as utf-8" in loaded(tmp_path, "é\n", encoding="latin-1").problems[0].reason
    assert "is not CSV" in loaded(tmp_path, 'ICU-CAB1,"x').problems[0].reason


def test_the_command_loads_it_whole_or_not_at_all(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "hub")])
        return result.exit_code, result.output

    (tmp_path / "sites.csv").write_text("id,name,zone\nnorth,North,UTC\n")
    (tmp_path / "locations.csv").write_text("site,path,kind,codes\nnorth,icu/cab1,cabinet,ICU-CAB1\n")
    (tmp_path / "items.csv").write_text("id,name,base_unit,codes\namox,Amoxicillin,tablet,local=amox-1\n")
    assert run("reference", "load", *(str(tmp_path / name) for name in ("sites.csv", "locations.csv", "items.csv")))[0] == 0
    (tmp_path / "map.yaml").write_text("columns: {device: Station, pocket: Pocket, code: MedID, minimum: Min, par: Par}\n")
    (tmp_path / "par.csv").write_text("Station,Pocket,MedID,Min,Par\nICU-CAB1,p1,amox-1,4,20\nNOWHERE,p1,amox-1,4,20\n")
    arguments = ("reference", "par-list", str(tmp_path / "par.csv"), "--map", str(tmp_path / "map.yaml"), "--site", "north")
    code, said = run(*arguments)
    assert (code, "par.csv:3: Station: NOWHERE is no place of site north" in said, "nothing was loaded: 1 problems" in said) == (
        1,
        True,
        True,
    )
    (tmp_path / "par.csv").write_text("Station,Pocket,MedID,Min,Par\nICU-CAB1,p1,amox-1,4,20\n")
    assert run(*arguments) == (0, "loaded 1 par policies of site north\n")
    (tmp_path / "par.csv").write_text("Station,Pocket,MedID,Min,Par\n")
    assert run(*arguments) == (1, f"nothing was loaded: {tmp_path / 'par.csv'} holds no row below its header\n")


@pytest.mark.parametrize("site", ["", " ", "south", "North"])
def test_a_site_that_is_none_is_told_with_those_there_are(site: str) -> None:
    with pytest.raises(InputRefusedError) as refused:
        check_site(site, HELD)
    assert str(refused.value) == f"--site {site!r} is no site of this hub: write one of {SITE}"
    check_site(SITE, HELD)


def test_without_a_site_it_says_to_load_one_and_of_many_it_names_ten() -> None:
    with pytest.raises(InputRefusedError, match="load one with `wardstock reference load`"):
        check_site("", [])
    many = [("site", f"s{number:02d}", site()) for number in range(12)]
    with pytest.raises(InputRefusedError, match=r"s08, s09 and 2 more$"):
        check_site("x", many)
