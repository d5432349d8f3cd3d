"""A change of the item master from proposal to effect and back, on a real hub's folder."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas.codes import Code
from schemas.reference import REFERENCE_KINDS, CodeLink, Item, PackageLevel, Role, SiteItem
from schemas.topics import CASES
from tests.simulation import promises
from tests.support.world import ITEM, SITE, hospital, item, product
from topology.access import FolderAccess
from topology.errors import InputRefusedError
from topology.local import LocalHub
from topology.master.desk import MasterDesk
from topology.master.hubs import FolderMaster
from topology.reference_files.model import ReferenceRecord

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=2)


def named(*records: object) -> list[ReferenceRecord]:
    kinds = {kind.codec.type: kind for kind in REFERENCE_KINDS.values()}
    return [(kinds[type(one)].name, kinds[type(one)].id_of(one), one) for one in records]


PEOPLE = (
    Role(person="sam", role="steward"), Role(person="sue", role="steward"), Role(person="nora", role="steward", sites=(SITE,)),
    Role(person="tim", role="technician"),
)  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    with LocalHub(tmp_path / "hub") as local:
        local.load_reference(named(*hospital(), *PEOPLE))
        yield local


@pytest.fixture
def desk(hub: LocalHub) -> MasterDesk:
    return MasterDesk(FolderMaster(hub))


def off_formulary() -> list[ReferenceRecord]:
    return named(replace(item(), formulary=False))


def is_formulary(hub: LocalHub) -> bool:
    hub.project()
    (row,) = [row for row in hub.views.reference("item") if row["id"] == ITEM]
    return bool(row["formulary"])


def test_it_takes_effect_when_a_steward_who_did_not_propose_it_approves(hub: LocalHub, desk: MasterDesk) -> None:
    change = desk.propose(off_formulary(), title="off formulary", by="tim", now=NOW, source="P&T of May")
    assert (change.id, change.state, change.records, change.source) == ("m1", "proposed", 1, "P&T of May")
    assert is_formulary(hub)
    done = desk.decide("m1", "approve", by="sam", now=LATER)
    assert (done.state, done.decided_by, done.in_effect_at) == ("in_effect", "sam", LATER)
    assert not is_formulary(hub)
    assert desk.change("m1") == done


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("tim", "is no steward of all sites; stewards are sam, sue"),
        ("sue", "another steward decides"),
        ("nora", "is no steward of all sites"),
    ],
)
def test_nobody_else_approves(hub: LocalHub, desk: MasterDesk, by: str, reason: str) -> None:
    desk.propose(off_formulary(), title="t", by="sue", now=NOW)
    with pytest.raises(InputRefusedError, match=reason):
        desk.decide("m1", "approve", by=by, now=NOW)
    assert is_formulary(hub)


def test_where_nobody_may_decide_it_says_whom_to_load(tmp_path: Path) -> None:
    with LocalHub(tmp_path / "hub") as local:
        local.load_reference(named(*hospital(), Role(person="nora", role="steward", sites=(SITE,))))
        desk = MasterDesk(FolderMaster(local))
        desk.propose(off_formulary(), title="t", by="sue", now=NOW)
        with pytest.raises(InputRefusedError, match=r"all sites: nobody is one; load a role `steward`.*empty sites for all"):
            desk.decide("m1", "approve", by="nora", now=NOW)


def test_a_steward_of_a_site_decides_on_what_concerns_that_site_alone(desk: MasterDesk) -> None:
    desk.propose(named(SiteItem(site=SITE, item=ITEM, formulary=False)), title="t", by="sue", now=NOW)
    assert desk.decide("m1", "approve", by="nora", now=NOW).state == "in_effect"
    desk.propose(named(CodeLink(system="local", value="Q", item=ITEM)), title="t", by="sue", now=NOW)
    with pytest.raises(InputRefusedError, match="no steward of all sites"):
        desk.decide("m2", "approve", by="nora", now=NOW)


def test_what_is_decided_is_decided(desk: MasterDesk) -> None:
    desk.propose(off_formulary(), title="t", by="sue", now=NOW)
    desk.decide("m1", "approve", by="sam", now=NOW)
    for verdict, by in (("approve", "sam"), ("reject", "sam"), ("withdraw", "sue")):
        with pytest.raises(InputRefusedError, match="change m1 is in_effect"):
            desk.decide("m1", verdict, by=by, now=NOW, reason="r")  # type: ignore[arg-type]


def test_a_rejection_says_why_and_a_withdrawal_is_the_proposers(desk: MasterDesk) -> None:
    desk.propose(off_formulary(), title="t", by="sue", now=NOW)
    with pytest.raises(InputRefusedError, match="say why"):
        desk.decide("m1", "reject", by="sam", now=NOW)
    with pytest.raises(InputRefusedError, match="sam did not propose"):
        desk.decide("m1", "withdraw", by="sam", now=NOW)
    assert desk.decide("m1", "reject", by="sam", now=NOW, reason="not now").reason == "not now"
    desk.propose(off_formulary(), title="t", by="sue", now=NOW)
    assert desk.decide("m2", "withdraw", by="sue", now=NOW).state == "withdrawn"


def test_an_approved_change_waits_for_its_time_and_may_be_stopped_till_then(hub: LocalHub, desk: MasterDesk) -> None:
    for number in (1, 2):
        desk.propose(off_formulary(), title="t", by="sue", now=NOW, effective_at=LATER)
        assert desk.decide(f"m{number}", "approve", by="sam", now=NOW).state == "approved"
    assert desk.due(LATER - timedelta(seconds=1)) == []
    assert desk.decide("m2", "reject", by="sam", now=NOW, reason="one is enough").state == "rejected"
    assert [(one.id, one.state, one.in_effect_at) for one in desk.due(LATER)] == [("m1", "in_effect", LATER)]
    assert not is_formulary(hub)
    assert desk.due(LATER) == []


def test_what_something_speaks_against_when_its_time_has_come_is_blocked(hub: LocalHub, desk: MasterDesk) -> None:
    desk.propose(off_formulary(), title="t", by="sue", now=NOW, effective_at=LATER)
    desk.decide("m1", "approve", by="sam", now=NOW)
    hub.load_reference(named(replace(item(), high_alert=True)))
    (blocked,) = desk.due(LATER)
    assert (blocked.state, blocked.findings[0].code) == ("blocked", "changed_since")
    assert is_formulary(hub)


def test_what_is_stopped_is_kept_and_can_not_be_approved_and_a_code_conflict_is_a_case_till_it_is_settled(
    hub: LocalHub, desk: MasterDesk
) -> None:
    twin = item("twin", codes=(Code(system="local", value=f"{ITEM}-1"),))
    change = desk.propose(named(twin), title="new item", by="sue", now=NOW)
    assert change.findings[0].code == "code_conflict"
    with pytest.raises(
        InputRefusedError, match=f"can't be approved: item twin: code local {ITEM}-1 stands already for item {ITEM}"
    ):
        desk.decide("m1", "approve", by="sam", now=NOW)
    (case,) = FolderAccess(hub).query("cases")
    assert (case["kind"], case["facts"]) == ("code_conflict", {"change": "m1"})
    assert f"code local {ITEM}-1 stands already for item {ITEM}" in case["text"]
    desk.decide("m1", "withdraw", by="sue", now=LATER)
    assert FolderAccess(hub).query("cases") == []
    assert sum(1 for _ in promises.records(hub.engine, CASES)) == 2


def test_what_a_record_breaks_by_itself_is_refused_at_once_and_nothing_is_kept(desk: MasterDesk) -> None:
    """0030409471302: its check digit by GS1 General Specifications 7.9 is 1 (the GTIN of the small hospital's product), not 2."""

    def reason(*records: object) -> str:
        with pytest.raises(InputRefusedError, match="nothing was proposed: ") as refused:
            desk.propose(named(*records), title="t", by="sue", now=NOW)
        assert desk.changes() == []
        return str(refused.value).removeprefix("nothing was proposed: ")

    own = product()
    assert reason(replace(own, gtin="123")) == f"product {own.id}: gtin: '123' is not a GTIN (8, 12, 13 or 14 digits)"
    assert reason(replace(own, gtin="00304094713022")) == (
        f"product {own.id}: gtin: GTIN 00304094713022 has check digit 2, expected 1"
    )
    assert "ndc: '123' is not an NDC" in reason(replace(own, ndc="123"))
    level = PackageLevel(gtin="50304094713020", quantity=250)
    assert "levels: GTIN 50304094713020 has check digit 0, expected 6" in reason(replace(own, levels=(level,)))
    assert "codes: '123' is not a GTIN" in reason(replace(item(), codes=(Code(system="gtin", value="123"),)))
    link = CodeLink(system="gtin", value="123", item=ITEM)
    assert reason(link) == f"code gtin|123||{ITEM}: value: '123' is not a GTIN (8, 12, 13 or 14 digits)"
    assert "valid_to: 2026-01-01 is before valid_from 2026-02-01" in reason(
        CodeLink(system="local", value="X", item=ITEM, valid_from=date(2026, 2, 1), valid_to=date(2026, 1, 1))
    )
    many = [CodeLink(system="gtin", value=str(number), item=ITEM) for number in range(7)]
    assert reason(item("fresh"), *many).endswith("; and 2 more")


def test_what_the_hub_must_hold_first_is_kept_with_its_finding(desk: MasterDesk) -> None:
    """It may be loaded before somebody decides, so it is not refused."""
    change = desk.propose(named(CodeLink(system="local", value="X", item="later")), title="t", by="sue", now=NOW)
    assert [(one.severity, one.reason) for one in change.findings] == [("stop", "item: item later is not known")]


def test_a_change_is_taken_back_by_another_one_that_two_people_agree_on(hub: LocalHub, desk: MasterDesk) -> None:
    fresh = item("fresh", codes=(Code(system="local", value="F"),))
    desk.propose([*off_formulary(), *named(fresh)], title="t", by="sue", now=NOW)
    desk.decide("m1", "approve", by="sam", now=NOW)
    back = desk.revert("m1", by="sam", now=NOW, reason="was a mistake")
    assert (back.id, back.reverts, back.records) == ("m2", "m1", 2)
    with pytest.raises(InputRefusedError, match="another steward"):
        desk.decide("m2", "approve", by="sam", now=NOW)
    desk.decide("m2", "approve", by="sue", now=NOW)
    assert is_formulary(hub)
    assert {row["id"] for row in hub.views.reference("item")} == {ITEM}
    with pytest.raises(InputRefusedError, match="nothing to propose"):
        desk.revert("m1", by="sam", now=NOW, reason="again")


def test_a_change_is_taken_back_by_one_proposal_at_a_time(desk: MasterDesk) -> None:
    """An open proposal is named; one that is withdrawn or rejected makes room for another."""
    desk.propose(off_formulary(), title="t", by="tim", now=NOW)
    desk.decide("m1", "approve", by="sam", now=NOW)
    desk.revert("m1", by="sue", now=NOW, reason="a mistake")
    for by in ("sue", "tim"):
        with pytest.raises(InputRefusedError) as refused:
            desk.revert("m1", by=by, now=NOW, reason="a mistake")
        assert str(refused.value) == (
            "change m1 is being taken back by m2 (proposed, by sue): a steward decides on that one, or sue withdraws it"
        )
    desk.decide("m2", "withdraw", by="sue", now=NOW)
    assert desk.revert("m1", by="tim", now=NOW, reason="a mistake").id == "m3"
    desk.decide("m3", "reject", by="sam", now=NOW, reason="no")
    assert desk.revert("m1", by="tim", now=NOW, reason="it was").id == "m4"


def test_reverts_sent_at_once_make_one_proposal(desk: MasterDesk) -> None:
    desk.propose(off_formulary(), title="t", by="tim", now=NOW)
    desk.decide("m1", "approve", by="sam", now=NOW)
    with ThreadPoolExecutor(3) as people:
        asked = [people.submit(desk.revert, "m1", by=by, now=NOW, reason="r") for by in ("sue", "tim", "sam")]
        refusals = [one.exception() for one in asked]
    assert [type(one) for one in refusals if one is not None] == [InputRefusedError, InputRefusedError]
    assert [one.id for one in desk.changes()] == ["m1", "m2"]


def test_only_the_item_master_is_proposed_and_something_new_at_that(desk: MasterDesk) -> None:
    with pytest.raises(InputRefusedError, match="role is no part of the item master"):
        desk.propose(named(Role(person="x", role="buyer")), title="t", by="sue", now=NOW)
    with pytest.raises(InputRefusedError, match="nothing to propose"):
        desk.propose(named(item()), title="t", by="sue", now=NOW)
    with pytest.raises(InputRefusedError, match="say who"):
        desk.propose(off_formulary(), title="t", by=" ", now=NOW)
    with pytest.raises(InputRefusedError, match="there is no change m9"):
        desk.decide("m9", "approve", by="sam", now=NOW)


def test_a_governed_item_master_is_not_loaded_around_its_stewards(hub: LocalHub, desk: MasterDesk) -> None:
    from schemas.master import MasterPolicy

    access = FolderAccess(hub)
    access.load_reference(named(MasterPolicy(id="master", governed=True)))
    with pytest.raises(InputRefusedError, match=f"governed, and item {ITEM} would change it"):
        access.load_reference(off_formulary())
    with pytest.raises(InputRefusedError, match="master_policy master would change it"):
        access.load_reference(named(MasterPolicy(id="master", governed=False)))
    assert access.load_reference(named(*hospital(), Role(person="new", role="buyer"))) == len(hospital()) + 1, (
        "what it says already, and others"
    )
    assert is_formulary(hub)
    desk.propose(named(MasterPolicy(id="master", governed=False)), title="ungoverned", by="sue", now=NOW)
    desk.decide("m1", "approve", by="sam", now=NOW)
    access.load_reference(off_formulary())
    assert not is_formulary(hub)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with LocalHub(tmp_path / "again") as first:
        first.load_reference(named(*hospital(), *PEOPLE))
        desk = MasterDesk(FolderMaster(first))
        change = desk.propose(off_formulary(), title="t", by="sue", now=NOW, effective_at=LATER)
        records = desk.records("m1")
    with LocalHub(tmp_path / "again") as again:
        later = MasterDesk(FolderMaster(again))
        assert later.change("m1") == change
        assert later.records("m1") == records
        later.decide("m1", "approve", by="sam", now=LATER)
        assert not is_formulary(again)


def test_a_change_of_many_records_takes_effect_as_one(hub: LocalHub, desk: MasterDesk) -> None:
    many: list[Item] = [
        item(f"drug{number}", name=f"Drug{number} tablet", codes=(Code(system="local", value=f"D{number}"),))
        for number in range(1_500)
    ]
    change = desk.propose(named(*many), title="go-live", by="sue", now=NOW)
    assert change.records == 1_500
    assert [one.number for one in desk.records("m1")] == list(range(1, 1_501))
    desk.decide("m1", "approve", by="sam", now=NOW)
    hub.project()
    assert len(hub.views.reference("item")) == 1_501


@pytest.mark.parametrize("at", ["2026-07-01T00:00:00", "0001-01-01T00:00:00+12:00", "9999-12-31T00:00:00+00:00"])
def test_a_time_that_the_log_can_not_hold_is_refused_and_nothing_is_proposed(desk: MasterDesk, at: str) -> None:
    """Without an offset it could not be compared with the hub's clock; in year 1 it could not be written in UTC."""
    with pytest.raises(InputRefusedError, match="effective_at must be a time with its UTC offset"):
        desk.propose(off_formulary(), title="t", by="tim", now=NOW, effective_at=datetime.fromisoformat(at))
    assert desk.changes() == []
