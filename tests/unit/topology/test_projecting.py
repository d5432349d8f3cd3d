"""A database that can't be used is refused in a sentence that says what to do and shows no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import InputRefusedError
from topology.projecting import open_projection


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hunter2", "not a database's URL"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1:port/x", "not a database's URL"),
        ("nothing+known://me:hunter2@host/x", "not a database's URL"),
        ("mysql+pymysql://me:hunter2@host/x", "driver pymysql is not installed"),
        ("postgresql+psycopg://me:hunter2@/x?host=/nowhere", "can't be used: .*nowhere"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(InputRefusedError, match=f"^projection_url: .*{says}") as refused:
        open_projection(tmp_path, url)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
