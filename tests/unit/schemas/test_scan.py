"""A scan's event key: session and event id, whichever characters they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.json_items import key
from schemas.scan import scan_key, scan_of_key


@given(st.text(), st.text())
def test_session_and_event_id_come_back_out_of_the_key(session: str, event_id: str) -> None:
    assert scan_of_key(scan_key(session, event_id)) == (session, event_id)


@given(st.text(), st.text())
def test_the_key_is_made_as_every_other_event_key(session: str, event_id: str) -> None:
    """Logs hold keys of scans from before: they must stay what they were."""
    assert scan_key(session, event_id) == key("scan", session, event_id)


@pytest.mark.parametrize("other", ["", "scan", "scan|only", "adc|a|b", "scan|a|b|c"])
def test_the_key_of_anything_else_names_no_scan(other: str) -> None:
    assert scan_of_key(other) is None
