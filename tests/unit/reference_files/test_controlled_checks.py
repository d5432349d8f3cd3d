"""Reference files about controlled substances: read by name, each wrong cell told by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.controlled import ControlledInventory, ControlledPolicy, ShiftCount
from topology.reference_files import load_reference

SOUND = {
    "sites.csv": "id,name,zone\nh1,One,America/Chicago\n",
    "locations.csv": "site,path,kind\nh1,main,store\nh1,icu/cab1,cabinet\n",
    "controlled_policies.csv": "site,registrant,dea_number,escalation_hours,business_weekdays,holidays\n"
    "h1,General Hospital,AB1234563,8;24,1;2;3;4;5,2026-12-25;2027-01-01\n",
    "shift_counts.csv": "site,location,ends,grace_minutes\nh1,icu/cab1,07:00;19:00,30\n",
    "controlled_inventories.csv": "site,taken_on,moment,taken_by,witness\nh1,2026-03-02,close,pia,paul\n",
}


def problems(folder: Path, name: str = "", old: str = "", new: str = "") -> list[str]:
    for file, text in SOUND.items():
        assert name != file or old in text
        (folder / file).write_text(text.replace(old, new, 1) if file == name else text)
    return [str(one).removeprefix(f"{folder}/") for one in load_reference([folder]).problems]


def test_sound_files_become_records(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    found = {type(record): record for _, _, record in load_reference([tmp_path]).records}
    policy, shift, taken = found[ControlledPolicy], found[ShiftCount], found[ControlledInventory]
    assert (policy.escalation_hours, [day.isoformat() for day in policy.holidays]) == ((8, 24), ["2026-12-25", "2027-01-01"])
    assert (policy.document_schedules, policy.inventory_months) == ((1, 2), 24)
    assert (shift.ends, shift.before_minutes, shift.grace_minutes) == (("07:00", "19:00"), 60, 30)
    assert (taken.taken_on.isoformat(), taken.moment) == ("2026-03-02", "close")


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("controlled_inventories.csv", "paul", "Pia", "controlled_inventories.csv:2: witness: is pia, who took"),
        ("controlled_inventories.csv", "close", "noon", "controlled_inventories.csv:2: moment: "),
        ("controlled_inventories.csv", "h1,2026-03-02", "h9,2026-03-02", "controlled_inventories.csv:2: site: site h9 is not known"),
        ("controlled_inventories.csv", "2026-03-02", "2026-3-2", "controlled_inventories.csv:2: taken_on: "),
        ("shift_counts.csv", "icu/cab1", "icu/cab2", "shift_counts.csv:2: location: icu/cab2 neither is nor lies below"),
        ("shift_counts.csv", "07:00;19:00", "25:00", "shift_counts.csv:2: ends"),
        ("shift_counts.csv", "07:00;19:00", ";".join(f"{hour:02}:00" for hour in range(13)), "shift_counts.csv:2: ends: names 13 shift ends"),
        ("shift_counts.csv", "ends,", "", "shift_counts.csv:"),
        ("controlled_policies.csv", "8;24", "0", "controlled_policies.csv:2: escalation_hours"),
        ("controlled_policies.csv", "1;2;3;4;5", "8", "controlled_policies.csv:2: business_weekdays"),
        ("controlled_policies.csv", "2026-12-25", "Christmas", "controlled_policies.csv:2: holidays: 'Christmas' is not a date"),
        ("controlled_policies.csv", "h1,", "h9,", "controlled_policies.csv:2: site: site h9 is not known"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_place(tmp_path: Path, name: str, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, name, old, new)
    assert found
    assert all(one.startswith(name) for one in found)
    assert any(one.startswith(problem) for one in found), found
