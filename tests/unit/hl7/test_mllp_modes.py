"""The truth table of acknowledgement modes (HL7 v2.8.2 §2.9, table 0155)."""

from __future__ import annotations

import pytest

from connectors.hl7.mllp_modes import Verdict, answers

TAKEN, ERROR, REJECTED, LOST = Verdict.TAKEN, Verdict.ERROR, Verdict.REJECTED, Verdict.NOT_STORED
TABLE: list[tuple[str, str, Verdict, list[str]]] = [
    ("", "", TAKEN, ["AA"]), ("", "", ERROR, ["AE"]), ("", "", REJECTED, ["AR"]), ("", "", LOST, ["AR"]),
    ("AL", "NE", TAKEN, ["CA"]), ("AL", "NE", ERROR, ["CA"]), ("AL", "NE", LOST, ["CR"]), ("AL", "", TAKEN, ["CA"]),
    ("AL", "AL", TAKEN, ["CA", "AA"]), ("AL", "AL", ERROR, ["CA", "AE"]), ("AL", "AL", REJECTED, ["CA", "AR"]),
    ("AL", "AL", LOST, ["CR"]), ("AL", "ER", TAKEN, ["CA"]), ("AL", "ER", ERROR, ["CA", "AE"]), ("AL", "SU", TAKEN, ["CA", "AA"]),
    ("AL", "SU", ERROR, ["CA"]), ("NE", "NE", TAKEN, []), ("NE", "NE", LOST, []), ("NE", "AL", TAKEN, ["AA"]),
    ("NE", "AL", REJECTED, ["AR"]), ("NE", "AL", LOST, []), ("ER", "NE", TAKEN, []), ("ER", "NE", LOST, ["CR"]),
    ("SU", "NE", TAKEN, ["CA"]), ("SU", "NE", LOST, []), ("", "AL", TAKEN, ["AA"]), ("", "ER", ERROR, ["AE"]),
    (" al ", "ne", TAKEN, ["CA"]), ("??", "", TAKEN, []),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "application", "verdict", "expected"), TABLE)
def test_which_answers_a_message_gets(accept: str, application: str, verdict: Verdict, expected: list[str]) -> None:
    assert answers(accept, application, verdict) == expected


@pytest.mark.parametrize("accept", ["", "AL", "NE", "ER", "SU"])
@pytest.mark.parametrize("application", ["", "AL", "NE", "ER", "SU"])
def test_a_message_that_is_not_stored_is_never_called_safe(accept: str, application: str) -> None:
    assert not {"AA", "CA"} & set(answers(accept, application, LOST))
    assert not {"CE", "CR"} & set(answers(accept, application, TAKEN))
