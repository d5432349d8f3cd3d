"""`wardstock recall`: on a stopped hub's folder and at a running one."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.simulation.live_hub import HubProcess
from topology.cli.app import app
from topology.errors import InputRefusedError
from topology.vault.errors import VaultError

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "openfda" / "enforcement.json"
REFERENCE = {
    "sites.csv": "id,name,zone,facility_codes\nnorth,North,UTC,NORTHGEN\nsouth,South,UTC,SOUTHGEN\n",
    "locations.csv": "site,path,kind,codes,refill_from,authority\nnorth,main,store,,,dispense\nnorth,icu/cab1,cabinet,ICU-CAB1,main,cabinet\n",
    "items.csv": "id,name,base_unit,codes\namox,Amoxicillin 250 mg capsule,capsule,local=A1\n",
    "products.csv": "id,item,labeler,package_quantity,ndc\namox-1,amox,Maker,25,0409-4713-02\n",
    "roles.csv": "person,role,sites\npia,pharmacist,\nnils,nurse,\nsam,pharmacist,south\n",
    "recalls.csv": "id,classification,products,lots,reason,issued\nR-1,I,amox-1,AB-0123,glass in vials,2026-03-04\n",
}


def transaction(number: int, action: str, quantity: int, **more: object) -> dict[str, object]:
    return {
        "device": "ICU-CAB1", "transaction_id": f"T{number}", "action": action, "facility": "NORTHGEN", "pocket": "d1/p1",
        "occurred": f"2026-03-03T12:{number:02}:00Z", "product_code": "A1", "quantity": quantity, "unit": "capsule", "user": "ann",
        **more,
    }  # fmt: skip


GIVEN = [
    transaction(1, "load", 20, lot="ab-0123 "),
    transaction(2, "vend", 2, lot="AB 0123", patient_id="M0001", patient_authority="NORTHGEN", order_id="O1"),
    transaction(3, "vend", 1, patient_id="M0002", patient_authority="NORTHGEN", order_id="O2"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in REFERENCE.items():
        (tmp_path / name).write_text(text)
    loaded = run("reference", "load", *(str(tmp_path / name) for name in REFERENCE), "--data", str(tmp_path / "hub"))
    assert loaded.exit_code == 0, loaded.output
    (tmp_path / "day.json").write_text(json.dumps(GIVEN))
    result = run("ingest", str(tmp_path / "day.json"), "--format", "cabinet", "--data", str(tmp_path / "hub"))
    assert result.exit_code == 0, result.output
    assert "3 accepted" in result.output, result.output
    return tmp_path / "hub"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def recall(data: Path, *arguments: str) -> str:
    result = run("recall", *arguments, "--data", str(data))
    assert result.exit_code == 0, result.exception or result.output
    return result.output


def refused(data: Path, *arguments: str) -> str:
    result = run("recall", *arguments, "--data", str(data))
    assert isinstance(result.exception, InputRefusedError), result.output
    return str(result.exception)


def walk(data: Path) -> None:
    assert "R-1  class I" in recall(data, "list")
    assert "in force" in recall(data, "list")
    assert "at all 2 sites, none is pending" in recall(data, "list")
    shown = recall(data, "show", "R-1")
    assert "at all 2 sites, none is pending" in shown
    [whole] = [json.loads(line) for line in recall(data, "show", "R-1", "--json").splitlines()]
    assert [(row["site"], row["state"]) for row in whole["sites"]] == [("north", "effective"), ("south", "effective")]
    assert all(row["offset"] is not None and row["revision"] for row in whole["sites"])
    again = [json.loads(line) for line in recall(data, "show", "R-1", "--json", "--site", "north").splitlines()]
    assert again[0]["sites"] == whole["sites"][:1]
    assert "1 surely, 1 possibly" in shown
    assert "icu/cab1/d1/p1" in shown
    lines = [json.loads(line) for line in recall(data, "lookback", "R-1", "--json").splitlines()]
    people = [(line["certainty"], line["orders"], line["quantity"], line["given_by"]) for line in lines if line["about"] == "patient"]
    assert people == [("sure", ["O1"], 2, ["ann"]), ("possible", ["O2"], 1, ["ann"])]
    table = list(csv.DictReader(io.StringIO(recall(data, "lookback", "R-1", "--csv"))))
    assert [row["orders"] for row in table if row["about"] == "patient"] == ["O1", "O2"]
    assert [row["first"] for row in table if row["about"] == "patient"] == ["2026-03-03T12:02:00Z", "2026-03-03T12:03:00Z"]
    assert "given without a lot from a place that could hold it" in recall(data, "lookback", "R-1", "--site", "north", "--csv")
    assert "no patient was given it" in recall(data, "lookback", "R-1", "--site", "south")
    for asked in ("lookback", "show"):
        assert "there is no site mars: ask for north, south" in refused(data, asked, "R-1", "--site", "mars")
    assert "there is no recall notice 'R-9'" in refused(data, "lookback", "R-9")
    lots(data)
    name(data)


def lots(data: Path) -> None:
    """A vend without lot from a pocket that held the recalled lot alone: it was of it, and still no probability is told as 1."""
    lines = [json.loads(line) for line in recall(data, "lookback", "R-1", "--json").splitlines()]
    assert [(line["certainty"], line["probability"]) for line in lines if line["about"] == "patient"] == [
        ("sure", None), ("possible", "0.999"),
    ]  # fmt: skip
    assert "0.999" in recall(data, "lookback", "R-1", "--csv")
    shown = run("stock", "--lots", "--location", "icu", "--json", "--data", str(data))
    [line] = [json.loads(line) for line in shown.output.splitlines()]
    assert {name: line[name] for name in ("site", "location", "item", "lot", "sure", "expected", "most", "probability", "unit")} == {
        "site": "north", "location": "icu/cab1/d1/p1", "item": "amox", "lot": "ab-0123 ", "sure": 17, "expected": "17.00",
        "most": 17, "probability": None, "unit": "capsule",
    }  # fmt: skip
    assert "expected" in run("stock", "--lots", "--data", str(data)).output


def name(data: Path) -> None:
    """Patients are named to a pharmacist who says why, and the log says so."""
    who = ("lookback", "R-1", "--identify")
    assert "--by PERSON --reason" in refused(data, *who)
    assert "nils is no pharmacist" in refused(data, *who, "--by", "nils", "--reason", "call")
    assert "sam is no pharmacist of site north" in refused(data, *who, "--by", "sam", "--reason", "call")
    assert "there is no site mars" in refused(data, *who, "--by", "pia", "--reason", "call", "--site", "mars")
    assert "never opened" in run("vault", "log", "--data", str(data)).output
    lines = [json.loads(line) for line in recall(data, *who, "--by", "pia", "--reason", "call", "--json").splitlines()]
    named = [line["identifiers"] for line in lines if line["about"] == "patient"]
    assert [[(one["identifier"], one["authority"]) for one in ones] for ones in named] == [[("M0001", "NORTHGEN")], [("M0002", "NORTHGEN")]]
    assert "M0002 (NORTHGEN)" in recall(data, *who, "--by", "pia", "--reason", "again", "--csv")
    [first, second] = [json.loads(line) for line in run("vault", "log", "--data", str(data), "--json").output.splitlines()]
    assert (first["by"], first["notice"], first["patients"], second["reason"]) == ("pia", "R-1", 2, "again")


def test_a_walk_through_on_a_stopped_hub(data: Path) -> None:
    walk(data)
    assert "there is no recall notice 'R-9'" in refused(data, "show", "R-9")
    assert "exclude each other" in refused(data, "lookback", "R-1", "--json", "--csv")


def test_without_the_key_nobody_is_named_and_a_changed_log_shows(data: Path) -> None:
    name(data)
    log = data / "vault" / "access.log"
    log.write_text(log.read_text().replace("again", "nothing"))
    shown = run("vault", "log", "--data", str(data))
    assert shown.exit_code == 1
    (data / "vault" / "vault.key").unlink()
    result = run("recall", "lookback", "R-1", "--identify", "--by", "pia", "--reason", "call", "--data", str(data))
    assert isinstance(result.exception, VaultError)
    assert "vault.key is missing" in str(result.exception)
    assert "M0001" not in str(result.exception)
    assert "is no embedded hub's folder" in str(run("vault", "log", "--data", str(data / "nowhere")).exception)


def from_file(data: Path) -> None:
    """A file proposes, a pharmacist of all sites confirms, and the stock is blocked."""
    shown = recall(data, "read", str(SAMPLE))
    assert "here       amox-1" in shown
    assert "lots       AB-0123, AB-0124, AB-0201" in shown
    assert "3 records; 1 concern no product of the item master" in shown
    assert len(recall(data, "read", str(SAMPLE), "--json", "--all").splitlines()) == 3
    assert "D-0101-2026" not in recall(data, "list")
    asked = ("confirm", str(SAMPLE), "--number", "D-0101-2026", "--lots", "AB-0123, AB-0124")
    assert "nils is no pharmacist" in refused(data, *asked, "--by", "nils")
    assert "sam is no pharmacist of site north" in refused(data, *asked, "--by", "sam")
    assert "D-0101-2026 is in force: class I, lots AB-0123, AB-0124 of amox-1" in recall(data, *asked, "--by", "pia")
    assert "recalled" in run("stock", "--data", str(data)).output
    assert "1 surely, 1 possibly" in recall(data, "show", "D-0101-2026")


def test_a_notice_from_a_file(data: Path, tmp_path: Path) -> None:
    from_file(data)
    (tmp_path / "no.json").write_text("no")
    assert "can't be read as openFDA enforcement reports: it is no JSON" in refused(data, "read", str(tmp_path / "no.json"))


def one_record(path: Path, **changes: str) -> str:
    path.write_text(json.dumps([{**json.loads(SAMPLE.read_text())["results"][0], **changes}]))
    return str(path)


def test_the_line_to_confirm_can_be_run_as_it_is_or_says_what_to_write(data: Path, tmp_path: Path) -> None:
    """Quoted for a shell (POSIX); a range's ends are not its lots; without a class of FDA one must be said."""
    number = "D-1; rm $HOME"
    file = one_record(tmp_path / "a file.json", recall_number=number, code_info="Lot A100 through A120", classification="Not Yet Classified")
    shown = recall(data, "read", file)
    line = next(line for line in shown.splitlines() if line.startswith("  confirm "))
    words = ["wardstock", "recall", "confirm", file, "--number", number, "--lots", "…", "--class", "…", "--by", "PERSON"]
    assert shlex.split(line)[1:] == words
    assert "a range is not expanded: write out every lot in it" in shown
    plain = recall(data, "read", one_record(tmp_path / "plain.json", code_info="Lots A1, A2"))
    assert "--number D-0101-2026 --lots A1,A2 --by PERSON\n" in plain
    assert "write out" not in plain


def test_half_a_character_and_a_lower_class_are_sentences(data: Path, tmp_path: Path) -> None:
    file = one_record(tmp_path / "half.json", reason_for_recall="glass \ud800")
    asked = ("--number", "D-0101-2026", "--lots", "AB-0123", "--by", "pia")
    for words in (("read", file), ("read", file, "--json"), ("confirm", file, *asked)):
        assert "record 1 (D-0101-2026) has half a character" in refused(data, *words)
    assert "class I" in recall(data, "confirm", str(SAMPLE), *asked)
    assert "in force as class I, and a confirmation never lowers it" in refused(data, "confirm", str(SAMPLE), *asked, "--class", "III")
    assert "D-0101-2026  class I " in recall(data, "list")


def test_the_same_at_a_running_hub(data: Path) -> None:
    hub = HubProcess(data, tick_seconds=1)
    hub.start()
    try:
        walk(data)
        from_file(data)
    finally:
        hub.stop()


def test_what_a_notice_does_not_say_is_not_stated(data: Path, tmp_path: Path) -> None:
    (tmp_path / "recalls.csv").write_text("id,classification,products,lots\nR-2,II,amox-1,C1\n")
    assert run("reference", "load", str(tmp_path / "recalls.csv"), "--data", str(data)).exit_code == 0
    shown = recall(data, "show", "R-2")
    assert "None" not in shown
    assert "issued          not stated" in shown
    assert "reason          not stated" in shown


def test_codes_of_a_notice_that_match_no_product_are_named_when_it_is_confirmed(data: Path, tmp_path: Path) -> None:
    described = "Amoxicillin, NDC 0409-4713-02, NDC 0409-4713-99 and NDC 99999-123-01"
    asked = ("--number", "D-0101-2026", "--lots", "AB-0123", "--by", "pia")
    said = recall(data, "confirm", one_record(tmp_path / "two.json", product_description=described), *asked)
    mind = "mind: NDC 0409-4713-99, 99999-123-01 of D-0101-2026 match no product of the item master: no stock of them is blocked"
    assert mind in said
    assert "mind:" not in recall(data, "confirm", str(SAMPLE), *asked)
