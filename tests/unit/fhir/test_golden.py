"""Every published FHIR file becomes what the golden table says (`golden.tsv`, read by hand for the medication and supply ones)."""

from __future__ import annotations

import pytest

from tests.unit.fhir.golden import TABLE, line_of, rows
from tests.unit.fhir.samples import SHARED

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="THE PUBLISHED FHIR FILES (../shared/data/fhir) ARE NOT HERE: GOLDEN TABLE LEFT OUT"
)


def test_every_item_of_every_published_file_becomes_what_the_table_says() -> None:
    expected = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    found = [line_of(row) for row in rows()]
    assert sorted(set(found) ^ set(expected)) == []
    assert found == expected


def test_the_table_covers_the_whole_collection() -> None:
    files = {str(path.relative_to(SHARED)) for path in SHARED.rglob("*.json")}
    assert files == {line.split("\t")[0] for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]}
    assert len(files) == 410
