"""`wardstock master`: on a stopped hub's folder and at a running one."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.cli.running import EXAMPLE
from tests.simulation.live_hub import HubProcess
from topology.cli.app import app
from topology.errors import InputRefusedError

FILES = {
    "sites.csv": "id,name,zone\nnorth,North,UTC\n",
    "items.csv": "id,name,base_unit,strength_amount,strength_unit,form,codes\namox,Amoxicillin 250 mg capsule,capsule,250,mg,capsule,local=A1\n",
    "roles.csv": "person,role,sites\nsue,steward,\nsam,steward,\n",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert run("reference", "load", *(str(tmp_path / name) for name in FILES), "--data", str(tmp_path / "hub")).exit_code == 0
    return tmp_path / "hub"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def master(data: Path, *arguments: str) -> str:
    result = run("master", *arguments, "--data", str(data))
    assert result.exit_code == 0, result.exception or result.output
    return result.output


def refused(data: Path, *arguments: str) -> str:
    result = run("master", *arguments, "--data", str(data))
    assert isinstance(result.exception, InputRefusedError), result.output
    return str(result.exception)


def walk(data: Path, tmp_path: Path) -> None:
    """Import, approve, propose, take back, as people would."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "items.csv").write_text(
        "id,name,base_unit,strength_amount,strength_unit,form,codes\n"
        "amox,Amoxicillin 250 mg capsule,capsule,250,mg,capsule,local=A1\n"
        "amox2,Amoxicillin capsules 250mg,capsule,250,mg,capsule,local=A2\n"
    )
    said = master(data, "import", str(tmp_path / "new"), "--by", "sue", "--source", "vendor file", "--title", "spring")
    assert said.startswith(
        "m1 proposed: spring (1 record, by sue)\n  warning duplicate: item amox2: looks like item amox (names 100 of"
    )
    assert "sue proposed change m1" in refused(data, "approve", "m1", "--by", "sue")
    assert master(data, "approve", "m1", "--by", "sam").startswith("m1 in_effect")
    shown = master(data, "diff", "m1")
    assert "from vendor file" in shown
    assert "+ item amox2\n    id: amox2\n    name: Amoxicillin capsules 250mg\n" in shown
    master(data, "propose", "item", "amox2", "formulary=no", "form=", "--by", "sam", "--title", "off formulary")
    assert "    form: capsule -> none\n    formulary: True -> False\n" in master(data, "diff", "m2")
    master(data, "approve", "m2", "--by", "sue")
    master(data, "revert", "m2", "--by", "sue", "--why", "too early")
    master(data, "reject", "m3", "--by", "sam", "--why", "it was right")
    states = [json.loads(line)["state"] for line in master(data, "list", "--json").splitlines()]
    assert states == ["in_effect", "in_effect", "rejected"]
    assert json.loads(master(data, "diff", "m2", "--json"))["changes"][0]["after"]["formulary"] is False


def test_a_walk_through_on_a_stopped_hub(data: Path, tmp_path: Path) -> None:
    walk(data, tmp_path)


def test_the_same_at_a_running_hub_and_what_is_due_takes_effect_by_itself(data: Path, tmp_path: Path) -> None:
    hub = HubProcess(data, tick_seconds=1)
    hub.start()
    try:
        walk(data, tmp_path)
        at = datetime.now(UTC) + timedelta(seconds=1)
        master(data, "propose", "item", "amox", "high_alert=yes", "--by", "sue", "--title", "t", "--effective", at.isoformat())
        assert "it takes effect at" in master(data, "approve", "m4", "--by", "sam")
        until = time.monotonic() + 30
        while "m4    in_effect" not in master(data, "list") and time.monotonic() < until:
            time.sleep(0.2)
        assert "m4    in_effect" in master(data, "list")
        assert "A1 stands already" in master(data, "propose", "code", "local|A1||amox2", "--by", "sue", "--title", "t")
        assert "stands already for item amox" in refused(data, "approve", "m5", "--by", "sam")
        assert "code_conflict" in run("cases", "--data", str(data)).output
        assert "there is no change m9" in refused(data, "approve", "m9", "--by", "sam")
    finally:
        hub.stop()


def test_the_example_network_has_somebody_for_what_concerns_all_sites(tmp_path: Path) -> None:
    """An item is common to all sites: the stewards of one site propose, and only the steward with empty `sites` decides."""
    hub = tmp_path / "hub"
    assert run("reference", "load", str(EXAMPLE), "--data", str(hub)).exit_code == 0
    master(hub, "propose", "item", "albuterol-2.5mg-neb", "formulary=no", "--by", "north-steward1", "--title", "off formulary")
    why = refused(hub, "approve", "m1", "--by", "south-steward1")
    assert why == "south-steward1 is no steward of all sites; stewards are network-steward1"
    assert master(hub, "approve", "m1", "--by", "network-steward1").startswith("m1 in_effect")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["propose", "role", "x|y", "--by", "a", "--title", "t"], "role is no part of the item master"),
        (["propose", "item", "amox", "colour=red", "--by", "a", "--title", "t"], "'colour=red' is not field=value; the fields of item are"),
        (["propose", "item", "amox", "formulary=maybe", "--by", "a", "--title", "t"], "formulary: "),
        (["propose", "item", "nosuch", "formulary=no", "--by", "a", "--title", "t"], "as a new record: name: is missing, base_unit: is missing"),
        (["propose", "item", "nosuch", "--remove", "--by", "a", "--title", "t"], "there is no item nosuch"),
        (["propose", "item", "amox", "id=other", "--by", "a", "--title", "t"], "are those of item other, not of amox"),
        (["propose", "item", "amox", "form=x", "--by", "a", "--title", "t", "--effective", "tomorrow"], "is no instant such as"),
        (["propose", "item", "amox", "form=x", "--by", "a", "--title", "t", "--effective", "2026-12-01T06:00"], "has no UTC offset"),
        (["propose", "item", "amox", "codes=gtin=123", "--by", "a", "--title", "t"], "item amox: codes: '123' is not a GTIN (8, 12, 13 or 14 digits)"),
        (["propose", "item", "amox", "form=x", "--remove", "--by", "a", "--title", "t"], "--remove takes the whole record away: leave out form=x, or"),
        (["diff", "m1"], "there is no change m1"), (["diff", ""], "'' is no change's id: write one such as m7; `wardstock master list` names"),
        (["diff", "../view/stock"], "'../view/stock' is no change's id"), (["approve", "", "--by", "a"], "'' is no change's id"),
        (["revert", "m1/../m2", "--by", "a"], "'m1/../m2' is no change's id"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_a_sentence(data: Path, arguments: list[str], reason: str) -> None:
    assert reason in refused(data, *arguments)
    assert master(data, "list") == ""


@pytest.mark.parametrize("stated", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2200-01-01T00:00:00+00:00"])
def test_an_instant_that_no_hub_reaches_is_a_sentence_for_a_proposal_and_an_import(
    data: Path, tmp_path: Path, stated: str
) -> None:
    (tmp_path / "items.csv").write_text("id,name,base_unit\nx,X,tablet\n")
    why = f"'{stated}' is not between 1970 and 2199"
    assert why in refused(data, "propose", "item", "amox", "form=x", "--by", "sue", "--title", "t", "--effective", stated)
    assert why in refused(data, "import", str(tmp_path / "items.csv"), "--by", "sue", "--effective", stated)
    assert master(data, "list") == ""


def test_bad_files_are_listed_and_nothing_is_proposed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "items.csv").write_text("id,name\nx,X\n")
    result = run("master", "import", str(tmp_path / "bad"), "--by", "sue", "--data", str(data))
    assert result.exit_code == 1
    assert "nothing was proposed: 1 problems" in result.output
    assert master(data, "list") == ""
