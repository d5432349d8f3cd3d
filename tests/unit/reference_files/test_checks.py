"""What must hold across reference records, rule by rule. Every case differs from a sound set in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.reference_files import load_reference

SOUND = {
    "sites.csv": "id,name,zone,facility_codes\nh1,One,America/Chicago,F1\nh2,Two,UTC,F2\n",
    "locations.csv": "site,path,kind,codes,refill_from\nh1,main,store,M,\nh1,icu/cab1,cabinet,CAB1,main\nh2,main,store,M,\n",
    "items.csv": "id,name,base_unit,strength_amount,strength_unit,codes,substitutes\ni1,One,vial,5,mg,local=A;rxnorm=1,i2\ni2,Two,vial,,,local=B,\n",
    "products.csv": "id,item,labeler,package_quantity,ndc,gtin,codes\np1,i1,L,25,0409-4713-02,00304094713021,\np2,i2,L,1,0409-4714-02,,supplier=77\n",
    "unit_factors.csv": "item,unit,numerator\ni1,box,25\n",
    "codes.csv": "system,value,item,product,site,valid_from,valid_to,source\nlocal,X1,i1,,,,2026-01-31,directory\nlocal,X1,i2,p2,,2026-02-01,,\nlocal,Y1,i1,,h1,,,\nlocal,Y1,i2,,h2,,,\n",
    "site_items.csv": "site,item,formulary,substitutes\nh1,i1,false,i2\n",
    "consumption_rules.csv": "site,location,item,rule\nh1,icu/cab1/d1,i1,splittable\n",
    "par_policies.csv": "site,location,item,minimum,par,maximum,critical,kind,satisfied_at,source\nh1,icu/cab1/d1/p1,i1,4,20,30,2,restock,12,main\n",
    "suppliers.csv": "id,name\ns1,Acme\n",
    "supplier_items.csv": "supplier,item,price\ns1,i1,1.5\n",
    "roles.csv": "person,role,sites\nann,nurse,h1;h2\n",
    "recalls.csv": "id,classification,products,lots\nr1,I,p1,A1\n",
    "drawing_rules.csv": "site,location,item,rule,compliance\nh1,,,fefo,0.95\nh1,icu/cab1/d1,i1,random,\n",
}


def load(folder: Path, changes: dict[str, tuple[str, str]]):
    """Load the sound set with, in some files, one text replaced by another."""
    for name, text in SOUND.items():
        old, new = changes.get(name, ("", ""))
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1) if old else text + new)
    return load_reference([folder])


def test_the_sound_set_is_sound(tmp_path):
    loaded = load(tmp_path, {})
    assert loaded.problems == []
    assert len(loaded.records) == sum(text.count("\n") - 1 for text in SOUND.values())


CASES = [
    # file, text replaced (empty: appended), by what, line, field, reason
    ("sites.csv", "UTC", "Mars/Base", 3, "zone", "IANA"),
    ("sites.csv", "UTC", "../etc", 3, "zone", "IANA"),
    ("sites.csv", "F2", "F1", 3, "facility_codes", "stands already for site h1"),
    ("sites.csv", "", "h1,Again,UTC,\n", 4, "", "line 2"),
    ("locations.csv", "", "h9,main,store,,\n", 5, "site", "site h9 is not known"),
    ("locations.csv", "CAB1", "M", 3, "codes", "stands already for location h1|main"),
    ("locations.csv", "CAB1,main", "CAB1,main2", 3, "refill_from", "main2"),
    ("locations.csv", "CAB1,main", "CAB1,icu/cab1", 3, "refill_from", "itself"),
    ("locations.csv", "icu/cab1", "/icu", 3, "path", "not a path"),
    ("items.csv", "local=B", "local=a", 3, "codes", "stands already for item i1"),
    ("items.csv", "local=B", "gtin=123", 3, "codes", "is not a GTIN"),
    ("items.csv", ",i2\n", ",i3\n", 2, "substitutes", "item i3 is not known"),
    ("items.csv", "5,mg", "5,", 2, "strength_unit", "go together"),
    ("items.csv", "local=A", "local", 2, "codes", "system=value"),
    ("products.csv", "p2,i2", "p2,i3", 3, "item", "item i3 is not known"),
    ("products.csv", "0409-4714-02", "0409471402", 3, "ndc", "ambiguous"),
    ("products.csv", "0409-4714-02", "0409-4713-02", 3, "ndc", "stands already for product p1"),
    ("products.csv", "0409-4714-02", "00409471302", 3, "ndc", "stands already for product p1"),
    ("products.csv", "00304094713021", "00304094713022", 2, "gtin", "check digit"),
    ("products.csv", "gtin,codes\np1,i1,L,25,0409-4713-02,00304094713021,\np2,i2,L,1,0409-4714-02,,supplier=77",
     "gtin,levels\np1,i1,L,25,0409-4713-02,00304094713021,\np2,i2,L,1,0409-4714-02,,00304094713021=9", 3, "levels", "stands already for product p1"),
    ("products.csv", "supplier=77", "local=A", 3, "codes", "stands already for item i1"),
    ("products.csv", "supplier=77", "ndc=0409", 3, "codes", "not an NDC"),
    ("codes.csv", "2026-01-31", "2026-02-01", 3, "value", "stands already for code local|X1||i1"),
    ("codes.csv", ",h2,", ",h1,", 5, "value", "stands already for code local|Y1|h1|i1"),
    ("codes.csv", ",h2,", ",,", 5, "value", "stands already for code local|Y1|h1|i1"),
    ("codes.csv", "local,Y1,i1", "local,B,i1", 4, "value", "stands already for item i2"),
    ("codes.csv", "local,Y1,i1", "ndc,0409-4714-02,i1", 4, "value", "stands already for product p2"),
    ("codes.csv", "local,Y1,i1", "ndc,0409471402,i1", 4, "value", "ambiguous"),
    ("codes.csv", "i2,p2,,2026-02-01,", "i2,p2,,2026-02-01,2026-01-30", 3, "valid_to", "is before valid_from"),
    ("codes.csv", "local,Y1,i1", "local,Y1,i9", 4, "item", "item i9 is not known"),
    ("codes.csv", "i2,p2", "i2,p9", 3, "product", "product p9 is not known"),
    ("codes.csv", ",h2,", ",h9,", 5, "site", "site h9 is not known"),
    ("codes.csv", "local,X1,i2", "local,1.5E+10,i2", 3, "value", "turned into a number"),
    ("site_items.csv", "h1,i1", "h9,i1", 2, "site", "site h9 is not known"),
    ("site_items.csv", ",i2\n", ",i9\n", 2, "substitutes", "item i9 is not known"),
    ("unit_factors.csv", "i1", "i9", 2, "item", "item i9 is not known"),
    ("unit_factors.csv", "", "i1,BX,25\n", 3, "", "line 2"),
    ("unit_factors.csv", "25", "0", 2, "numerator", "less than 1"),
    ("consumption_rules.csv", "icu/cab1/d1", "icu/cab11", 2, "location", "neither is nor lies below"),
    ("par_policies.csv", "icu/cab1/d1/p1", "icu/cab2/d1", 2, "location", "neither is nor lies below"),
    ("par_policies.csv", "icu/cab1/d1/p1", "icu", 2, "location", "neither is nor lies below"),
    ("par_policies.csv", "h1,", "h2,", 2, "location", "site h2"),
    ("par_policies.csv", ",main\n", ",main2\n", 2, "source", "main2"),
    ("par_policies.csv", "4,20,30,2", "4,20,30,5", 2, "critical", "above minimum"),
    ("par_policies.csv", "4,20,30,2", "20,20,30,2", 2, "minimum", "not below par"),
    ("par_policies.csv", "4,20,30,2", "4,20,19,2", 2, "maximum", "below par"),
    ("par_policies.csv", "restock,12", "restock,4", 2, "satisfied_at", "not above minimum"),
    ("par_policies.csv", "restock,12", "restock,21", 2, "satisfied_at", "at most par"),
    ("par_policies.csv", "restock", "transfer", 2, "kind", "restock or purchase"),
    ("par_policies.csv", "restock", "beg", 2, "kind", "not one of"),
    ("supplier_items.csv", "s1", "s9", 2, "supplier", "supplier s9 is not known"),
    ("supplier_items.csv", "i1", "i9", 2, "item", "item i9 is not known"),
    ("roles.csv", "h1;h2", "h1;h9", 2, "sites", "site h9 is not known"),
    ("roles.csv", "ann", "a|n", 2, "person", "holds a |"),
    ("recalls.csv", "p1", "p9", 2, "products", "product p9 is not known"),
    ("recalls.csv", "A1", "A\x001", 2, "lots", "'A\\x001' holds a character that can't be seen"),
    ("recalls.csv", "A1", "A1;A\u200b2", 2, "lots", "'A\\u200b2' holds a character that can't be seen"),
    ("recalls.csv", "A1", "A" * 500, 2, "lots", "has 500 characters, and no lot number has more than 100"),
    ("recalls.csv", "A1", "A1;--", 2, "lots", "'--' is no lot number"),
    ("recalls.csv", ",A1", ",", 2, "lots", "names nothing"),
    ("drawing_rules.csv", "h1,,", "h9,,", 2, "site", "site h9 is not known"),
    ("drawing_rules.csv", "icu/cab1/d1", "icu/cab11", 3, "location", "neither is nor lies below"),
    ("drawing_rules.csv", "i1,random", "i9,random", 3, "item", "item i9 is not known"),
    ("drawing_rules.csv", "random", "lifo", 3, "rule", "not one of"),
    ("drawing_rules.csv", "0.95", "95", 2, "compliance", "1"),
]


@pytest.mark.parametrize(("name", "old", "new", "line", "field", "reason"), CASES)
def test_one_broken_rule_is_one_named_problem(tmp_path, name, old, new, line, field, reason):
    problems = load(tmp_path, {name: (old, new)}).problems
    at_place = [problem for problem in problems if (Path(problem.file).name, problem.line, problem.field) == (name, line, field)]
    assert any(reason in problem.reason for problem in at_place), problems


@pytest.mark.parametrize(
    "changes",
    [
        {"par_policies.csv": ("4,20,30,2", "4,20,20,4")},  # critical = minimum, par = maximum
        {"par_policies.csv": ("restock,12", "restock,20")},  # satisfied at par
        {"par_policies.csv": ("restock,12", "restock,5")},
        {"par_policies.csv": ("icu/cab1/d1/p1", "icu/cab1")},
        {"items.csv": ("local=B", "local=B;local=b")},  # one item may repeat its own code
        {"products.csv": ("supplier=77", "local=B")},  # a product may share its own item's code
        {"products.csv": ("00304094713021,", "00304094713021,ndc=0409-4713-02")},
    ],
)
def test_the_edges_of_the_rules_are_inside(tmp_path, changes):
    assert load(tmp_path, changes).problems == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("items.csv", "id,name,base_unit,codes\ni3,Three,vial,local=A\n", "code local A stands already for item i1 (in the item master)"),
        ("products.csv", "id,item,labeler,package_quantity,ndc\np3,i3,L,1,0409-4713-02\n", "stands already for product p1 (in the item master)"),
        ("codes.csv", "system,value,item\nlocal,Y1,i3\n", "stands already for code local|Y1|h1|i1 (in the item master)"),
    ],
)
def test_a_code_that_the_hub_knows_for_another_item_is_refused(tmp_path, name, text, reason):
    (tmp_path / "sound").mkdir()
    held = load(tmp_path / "sound", {}).records
    known = {kind: {id_ for one, id_, _ in held if one == kind} for kind, _, _ in held}
    known["item"].add("i3")
    (tmp_path / name).write_text(text)
    assert [reason in problem.reason for problem in load_reference([tmp_path / name], known, held).problems] == [True]


def test_a_record_may_be_loaded_again_with_its_own_codes(tmp_path):
    held = load(tmp_path, {}).records
    assert load_reference([tmp_path], {}, held).problems == []
