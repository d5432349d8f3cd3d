"""Every published message becomes what the golden table says (`golden.tsv`, read by hand for all pharmacy and inventory messages)."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.unit.hl7.golden import COLUMNS, FOLDER, rows, table

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="THE PUBLISHED HL7 MESSAGES (../shared/data/hl7v2) ARE NOT HERE: GOLDEN TABLE LEFT OUT"
)


def test_every_item_of_every_published_message_becomes_what_the_table_says() -> None:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows():
        found[row["file"]].append({name: row[name].replace("\t", " ") for name in COLUMNS})
    expected: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in table():
        expected[row["file"]].append(row)
    wrong = [name for name in expected.keys() | found.keys() if expected[name] != found[name]]
    assert not wrong, [(name, found[name], expected[name]) for name in sorted(wrong)[:3]]


def test_the_table_covers_the_whole_collection() -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*") if path.is_file()}
    assert files == {row["file"] for row in table()}
    assert len(files) >= 459
