"""A folder of reference files becomes records in dependency order, or a list of what to correct and where."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.codes import Code
from schemas.events import REFERENCE_CHANGE
from schemas.kinds import CommandKind, Feed
from schemas.reference import REFERENCE_KINDS, Item, ParPolicy, Product
from topology.reference_files import Loaded, Problem, files, load_reference, model, reference_changes

NETWORK = Path(__file__).resolve().parents[2] / "data" / "reference" / "network"


@pytest.fixture
def folder(tmp_path: Path):
    """Write files into a folder and load it."""

    def write(known=None, /, **contents: str | bytes) -> Loaded:
        for name, content in contents.items():
            stem, _, suffix = name.rpartition("_")
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{stem}.{suffix}").write_bytes(data)
        return load_reference([tmp_path], known)

    return write


def places(loaded: Loaded) -> list[tuple[str, int, str]]:
    return [(Path(problem.file).name, problem.line, problem.field) for problem in loaded.problems]


def record(loaded: Loaded, kind: str, id_: str) -> object:
    return {(kind, key): value for kind, key, value in loaded.records}[kind, id_]


SITES = "id,name,zone\nh1,Hospital,America/Chicago\n"
ITEMS = "id,name,base_unit\ni1,Item one,vial\ni2,Item two,tablet\n"
LOCATIONS = "site,path,kind\nh1,main,store\nh1,icu/cab1,cabinet\n"


def test_a_folder_loads_whole_in_dependency_order():
    loaded = load_reference([NETWORK])
    assert loaded.problems == []
    kinds = [kind for kind, _, _ in loaded.records]
    assert kinds == sorted(kinds, key=list(REFERENCE_KINDS).index)
    assert len(loaded.records) == 2 + 3 + 2 + 1 + 1 + 2 + 1 + 1 + 1


def test_cells_have_the_types_of_their_fields():
    loaded = load_reference([NETWORK])
    assert record(loaded, "item", "lido") == Item(
        id="lido",
        name="Lidocaine 1 % 5 mL",
        base_unit="vial",
        strength_amount=Decimal(50),
        strength_unit="mg",
        codes=(Code(system="local", value="LIDO1"), Code(system="rxnorm", value="1010739")),
    )
    assert record(loaded, "item", "fent").schedule == 2  # written 2.0
    assert record(loaded, "par_policy", "mercy|main|lido") == ParPolicy(
        site="mercy", location="main", item="lido", minimum=50, par=200, maximum=400, kind=CommandKind.PURCHASE
    )
    assert record(loaded, "location", "mercy|icu/cab1").authority is Feed.CABINET
    assert record(loaded, "role", "pharm1|pharmacist").sites == ("mercy", "lake")


def test_a_gtin_is_kept_with_14_digits():
    assert record(load_reference([NETWORK]), "product", "lido-hospira").gtin == "00304094713021"


def test_packaging_levels_are_gtins_with_the_base_units_in_one(folder):
    header = "id,item,labeler,package_quantity,gtin,levels\n"
    loaded = folder(items_csv=ITEMS, products_csv=header + "p1,i1,L,25,00304094713021,50304094713026=250;30304094713022=1\n")
    assert loaded.problems == []
    found = record(loaded, "product", "p1").levels
    assert [(one.gtin, one.quantity) for one in found] == [("50304094713026", 250), ("30304094713022", 1)]
    for wrong in ("50304094713026", "50304094713027=250", "50304094713026=0", "50304094713026=2.5", "5.0304E+13=3"):
        assert places(folder(items_csv=ITEMS, products_csv=f"{header}p1,i1,L,25,,{wrong}\n")) == [("products.csv", 2, "levels")], wrong


def test_yaml_scalars_stay_text():
    assert record(load_reference([NETWORK]), "supplier_item", "acme|lido").sku == "00123"


def test_single_files_may_be_named_and_the_same_file_twice_is_read_once():
    loaded = load_reference([NETWORK / "sites.csv", NETWORK / "sites.csv", NETWORK])
    assert loaded.problems == []


def test_what_the_hub_already_knows_may_be_referred_to(folder):
    known = {"site": {"h1"}, "item": {"i1"}, "location": {"h1|main"}}
    policy = "site,location,item,minimum,par,maximum\nh1,main/fridge,i1,1,2,3\n"
    assert folder(known, par_policies_csv=policy).problems == []


@pytest.mark.parametrize(
    "name", ["site", "sites", "SITES", "par_policy", "par_policies", "par-policies", "recalls", "approval_rules"]
)
def test_files_are_named_after_kinds_in_singular_or_plural(name):
    assert files.kind_of(name) in REFERENCE_KINDS


@pytest.mark.parametrize("name", ["sitez", "site s", "policies", ""])
def test_other_names_are_no_kind(name):
    assert files.kind_of(name) is None


def test_byte_order_mark_and_crlf_are_fine_and_lines_are_the_files_own(folder):
    text = '\ufeffid,name,zone\r\nh1,"Two\r\nlines",UTC\r\n\r\nh2,B,Nowhere/Land\r\n'
    loaded = folder(sites_csv=text)
    assert places(loaded) == [("sites.csv", 5, "zone")]


def test_yaml_lines_are_those_of_the_field(folder):
    loaded = folder(
        sites_yaml="# comment\n- id: h1\n  name: A\n  zone: Mars/Base\n- id: h2\n  name: B\n  zone: UTC\n  colour: red\n"
    )
    assert places(loaded) == [("sites.yaml", 4, "zone"), ("sites.yaml", 8, "colour")]


def test_a_yaml_file_may_hold_several_kinds_whatever_its_name(folder):
    loaded = folder(
        network_yml="sites: [{id: h1, name: A, zone: UTC}]\nitem:\n- {id: i1, name: I, base_unit: vial}\nsuppliers:\n"
    )
    assert [(kind, id_) for kind, id_, _ in loaded.records] == [("site", "h1"), ("item", "i1")]
    assert loaded.problems == []


def test_yaml_codes_may_be_texts_mappings_or_lists(folder):
    loaded = folder(
        items_yaml="- {id: a, name: A, base_unit: vial, codes: 'local=1;ndc=0409-4713-02'}\n"
        "- {id: b, name: B, base_unit: vial, codes: {local: 2}}\n"
        "- {id: c, name: C, base_unit: vial, codes: [{system: local, value: 3}, local=4]}\n"
    )
    assert loaded.problems == []
    assert [item.codes[-1].value for _, _, item in loaded.records] == ["0409-4713-02", "2", "4"]


def test_several_bad_rows_are_all_listed_with_file_line_field_and_reason(folder):
    loaded = folder(sites_csv="id,name,zone,lateness_minutes\nh1,A,UTC,soon\n,B,UTC,\nh3,C,UTC,-5\nh4,D,UTC,2.5\n")
    assert places(loaded) == [
        ("sites.csv", 2, "lateness_minutes"),
        ("sites.csv", 3, "id"),
        ("sites.csv", 4, "lateness_minutes"),
        ("sites.csv", 5, "lateness_minutes"),
    ]
    assert [problem.reason for problem in loaded.problems] == [
        "'soon' is not a number (a point for decimals, nothing between thousands)",
        "is missing",
        "-5 is less than 0",
        "'2.5' is not a whole number",
    ]
    assert str(loaded.problems[1]).endswith("sites.csv:3: id: is missing")


def test_a_bad_row_does_not_make_what_refers_to_it_wrong_too(folder):
    loaded = folder(sites_csv="id,name,zone,lateness_minutes\nh1,A,UTC,soon\n", locations_csv=LOCATIONS)
    assert places(loaded) == [("sites.csv", 2, "lateness_minutes")]


# ---- what spreadsheets do to codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("mangled", ["3.0E+11", "3.04095E+11", "00304094713021.0", "1.0", "304094713021.00", "3,0E+11"])
def test_a_code_that_a_spreadsheet_mangled_is_named(folder, mangled):
    loaded = folder(items_csv=ITEMS, products_csv=f'id,item,labeler,package_quantity,gtin\np1,i1,L,1,"{mangled}"\n')
    assert places(loaded) == [("products.csv", 2, "gtin")]
    assert "spreadsheet" in loaded.problems[0].reason


@pytest.mark.parametrize("cell", ["local=1.0", "local=A;ndc=3.0E+11"])
def test_so_is_one_inside_a_list_of_codes(folder, cell):
    assert places(folder(items_csv=f"id,name,base_unit,codes\ni1,I,vial,{cell}\n")) == [("items.csv", 2, "codes")]


@pytest.mark.parametrize(("text", "number"), [("1.0", 1), ("25.00", 25), ("1.2E+1", 12), ("40", 40)])
def test_a_quantity_that_is_exactly_whole_is_accepted(folder, text, number):
    loaded = folder(items_csv=ITEMS, products_csv=f"id,item,labeler,package_quantity\np1,i1,L,{text}\n")
    assert loaded.problems == []
    assert record(loaded, "product", "p1").package_quantity == number


@pytest.mark.parametrize("text", ["1.5", "1,000", "NaN", "Infinity", "1E+99999", "9" * 40, "ten", "0x10"])
def test_any_other_quantity_is_a_problem(folder, text):
    loaded = folder(items_csv=ITEMS, products_csv=f'id,item,labeler,package_quantity\np1,i1,L,"{text}"\n')
    assert places(loaded) == [("products.csv", 2, "package_quantity")]


HUGE = str(1 << 64)


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        ("products", "id,item,labeler,package_quantity", f"p1,i1,L,{HUGE}"),
        ("products", "id,item,labeler,package_quantity,gtin,levels", f"p1,i1,L,1,00304094713021,10304094713028={HUGE}"),
        ("products", "id,item,labeler,package_quantity,unit_cost", "p1,i1,L,1,1E-19"),
        ("products", "id,item,labeler,package_quantity,unit_cost", f"p1,i1,L,1,{HUGE}"),
        ("unit_factors", "item,unit,numerator", f"i1,box,{HUGE}"),
        ("unit_factors", "item,unit,numerator,denominator", f"i1,box,1,{HUGE}"),
        ("unit_factors", "item,unit,numerator,denominator,version", f"i1,box,1,1,{HUGE}"),
    ],
)
def test_a_number_that_no_table_holds_is_a_problem(folder, kind, header, row):
    """In force, it would stop every site that reads it, at every start."""
    loaded = folder(items_csv=ITEMS, **{f"{kind}_csv": f"{header}\n{row}\n"})
    assert places(loaded) == [(f"{kind}.csv", 2, header.rpartition(",")[2])]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TRUE", True), ("yes", True), ("0", False), ("False", False)])
def test_spellings_of_true_and_false(folder, text, value):
    loaded = folder(items_csv=f"id,name,base_unit,formulary\ni1,I,vial,{text}\n")
    assert record(loaded, "item", "i1").formulary is value


def test_a_boolean_or_a_date_written_otherwise_is_a_problem(folder):
    loaded = folder(
        {"product": {"p1"}},
        items_csv="id,name,base_unit,formulary\ni1,I,vial,maybe\n",
        recalls_csv="id,classification,products,all_lots,issued\nr1,I,p1,true,5/31/2026\n",
    )
    assert places(loaded) == [("items.csv", 2, "formulary"), ("recalls.csv", 2, "issued")]


# ---- files that can't be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "place"),
    [
        ({"sites_csv": "id,name,zone,color\nh1,A,UTC,red\n"}, ("sites.csv", 1, "color")),
        ({"sites_csv": "id,name,zone,id\nh1,A,UTC,h1\n"}, ("sites.csv", 1, "id")),
        ({"sites_csv": "\n\nid;name;zone\nh1;A;UTC\n"}, ("sites.csv", 3, "id;name;zone")),
        ({"sites_csv": "id,name,zone\nh1,A,UTC,more\n"}, ("sites.csv", 2, "")),
        ({"sites_csv": 'id,name,zone\nh1,"A,UTC\n'}, ("sites.csv", 2, "")),
        ({"sites_csv": ""}, ("sites.csv", 0, "")),
        ({"sites_csv": b"id,name,zone\nh1,A,UTC\nh2,\xe4,UTC\n"}, ("sites.csv", 3, "")),
        ({"sites_xlsx": "PK"}, ("sites.xlsx", 0, "")),
        ({"sitez_csv": SITES}, ("sitez.csv", 0, "")),
        ({"sites_yaml": "- {id: h1\n"}, ("sites.yaml", 2, "")),
        ({"sites_yaml": "just text"}, ("sites.yaml", 1, "")),
        ({"sites_yaml": ""}, ("sites.yaml", 0, "")),
        ({"sites_yaml": "- h1\n"}, ("sites.yaml", 1, "")),
        ({"sites_yaml": "- {id: h1, id: h2, name: A, zone: UTC}\n"}, ("sites.yaml", 1, "id")),
        ({"sites_yaml": "- {id: h1, name: [[A]], zone: UTC}\n"}, ("sites.yaml", 1, "name")),
        ({"sites_yaml": "- {id: h1, name: [A], zone: UTC}\n"}, ("sites.yaml", 1, "name")),
        ({"other_yaml": "- {id: h1, name: A, zone: UTC}\n"}, ("other.yaml", 1, "")),
        ({"other_yaml": "planets: []\n"}, ("other.yaml", 1, "planets")),
        ({"other_yaml": "sites: 7\n"}, ("other.yaml", 1, "sites")),
    ],
)
def test_a_file_that_can_not_be_used_is_a_problem(folder, contents, place):
    assert place in places(folder(**contents))


def test_notes_and_hidden_files_are_left_out(folder):
    assert folder(sites_csv=SITES, README_txt="x", notes_md="x", **{"._csv": "x"}).problems == []


def test_a_path_that_is_not_there_and_an_empty_folder_are_problems(tmp_path):
    assert load_reference([tmp_path / "gone.csv"]).problems[0].reason == "does not exist"
    assert load_reference([tmp_path]).problems == [
        Problem(file=str(tmp_path), line=0, field="", reason="holds no reference file")
    ]


def test_a_folder_stands_for_its_own_files_not_for_those_of_folders_in_it(tmp_path):
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "items.csv").write_text(ITEMS)
    (tmp_path / "sites.csv").write_text(SITES)
    loaded = load_reference([tmp_path])
    assert loaded.problems == []
    assert [kind for kind, _, _ in loaded.records] == ["site"]


def test_a_file_that_may_not_be_read_is_a_problem(tmp_path, monkeypatch):
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    path = tmp_path / "sites.csv"
    path.write_text(SITES)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert load_reference([path]).problems[0].reason == "can't be read: Permission denied"


def test_limits_on_bytes_rows_and_problems_are_problems_themselves(folder, monkeypatch):
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
    assert "more than 10" in folder(sites_csv=SITES).problems[0].reason
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10_000_000)
    monkeypatch.setattr(files, "ROWS_MAX", 1)
    assert places(folder(sites_csv=SITES + "h2,B,UTC\n")) == [("sites.csv", 3, "")]
    monkeypatch.setattr(files, "ROWS_MAX", 10_000)
    loaded = folder(sites_csv="id,name,zone\n" + "".join(f"h{n},A,X/Y\n" for n in range(model.PROBLEMS_MAX + 5)))
    assert len(loaded.problems) == model.PROBLEMS_MAX + 1
    assert loaded.problems[-1].reason == "5 more problems are not listed"


def test_yaml_that_would_grow_without_end_is_refused_quickly(folder):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert folder(bomb_yaml=bomb + "sites: *i\n").problems
    assert folder(deep_yaml="[" * 20_000).problems


# ---- changes ------------------------------------------------------------------------------------------------------


def test_changes_carry_rising_revisions_and_json_records():
    loaded = load_reference([NETWORK])
    changes = reference_changes(loaded.records, first_revision=41)
    assert [change.revision for change in changes] == list(range(41, 41 + len(loaded.records)))
    schema = REFERENCE_CHANGE.json_schema()
    for change, (kind, id_, value) in zip(changes, loaded.records, strict=True):
        assert (change.kind, change.id) == (kind, id_)
        codec = REFERENCE_KINDS[kind].codec
        assert codec.validate(change.record) == value
        Draft202012Validator(codec.json_schema()).validate(change.record)
    Draft202012Validator.check_schema(schema)


def test_a_record_in_a_change_is_plain_json():
    product = Product(id="p", item="i", labeler="L", package_quantity=1, unit_cost=Decimal("1.10"))
    (change,) = reference_changes([("product", "p", product)], 1)
    assert change.record["unit_cost"] == "1.10"
    assert change.record["codes"] == []
