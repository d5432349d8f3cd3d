"""`wardstock profile learn`: layouts nobody has seen are found by conservation alone, with their evidence; noise gives none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.hl7.profiles.compile import compile_profile
from connectors.hl7.profiles.document import Document, read_document
from connectors.hl7.profiles.learn import Learned, Row, learn
from connectors.hl7.profiles.proposal import proposal
from connectors.hl7.profiles.recorded import Recorded, rows_of
from connectors.hl7.profiles.shipped import shipped
from schemas.kinds import EventKind
from schemas.profile import Profile
from tests.unit.hl7.cabinet_traffic import Layout, traffic
from tests.unit.hl7.support import Hub, events
from topology.cli.app import app


def learned_from(messages: list[tuple[str, bytes]]) -> tuple[Learned, Recorded]:
    recorded = rows_of(messages, None)
    assert recorded is not None
    found = learn(recorded.rows)
    assert found is not None
    return found, recorded


def profile_of(found: Learned, recorded: Recorded) -> Profile:
    document = read_document(proposal(found, recorded.rows, name="mine", message_type=recorded.message_type))
    assert isinstance(document, Document), document
    compile_profile(document.profile, shipped().get)
    return document.profile


def rules(found: Learned) -> dict[str, str]:
    return {code: evidence.rule for code, evidence in found.codes.items()}


@pytest.mark.parametrize("seed", range(12))
def test_the_columns_and_signs_of_a_layout_nobody_has_seen(seed: int) -> None:
    chosen, messages = traffic(seed)
    found, recorded = learned_from(messages)
    columns = chosen.columns
    assert (found.begin, found.amount, found.code, found.time) == tuple(
        columns[name] for name in ("begin", "amount", "code", "time")
    )
    assert found.held == found.pairs
    told = rules(found)
    assert [told[code] for code in (chosen.vend, chosen.give_back, chosen.refill, chosen.waste)] == ["-", "+", "+", "0"]
    assert told[chosen.count] == "=amount"
    _pockets_are_told_apart(found, chosen)
    assert (recorded.segment, recorded.message_type) == ("ZPM", "OMS^O05")


def _pockets_are_told_apart(found: Learned, chosen: Layout) -> None:
    named = {chosen.columns[name] for name in ("cabinet", "drawer", "pocket", "item")}
    assert set(found.pocket) <= named


@pytest.mark.parametrize("seed", range(4))
def test_the_proposal_is_a_profile_that_reads_the_traffic(seed: int) -> None:
    chosen, messages = traffic(seed)
    profile = profile_of(*learned_from(messages))
    hub = Hub(profile)
    kinds = set()
    for _, message in messages:
        event = events(message, profile="mine", hub=hub)[0]
        kinds.add(event.kind)
        assert event.quantity is not None
        assert event.begin_count is not None
        assert event.unit == "TAB"
    assert {EventKind.VEND, EventKind.RETURN, EventKind.REFILL, EventKind.WASTE} <= kinds
    layout = (profile.messages or {})["OMS^O05"][0]
    assert (layout.fields or {})["witness"].paths == (f"ZPM-{chosen.columns['witness']}",)
    assert (layout.fields or {})["actor"].paths == (f"ZPM-{chosen.columns['user']}",)
    assert (layout.fields or {})["item"].paths == (f"ZPM-{chosen.columns['item']}",)
    assert layout.kind is not None
    assert (layout.kind.codes or {})[chosen.unload].kind is EventKind.UNLOAD
    assert (layout.kind.codes or {})[chosen.count].kind is EventKind.COUNT


def test_lost_messages_are_counter_examples_and_do_not_hide_the_layout() -> None:
    chosen, messages = traffic(3, 600, lost=0.05)
    found, recorded = learned_from(messages)
    assert (found.begin, found.amount) == (chosen.columns["begin"], chosen.columns["amount"])
    assert 0.8 * found.pairs <= found.held < found.pairs
    text = proposal(found, recorded.rows, name="mine", message_type="OMS^O05")
    assert "#   against: m" in text
    assert f"{found.held} of {found.pairs} pairs keep" in text


def test_a_code_without_evidence_is_left_out_and_said() -> None:
    chosen, messages = traffic(5)
    name, last = messages[-1]
    odd = last.replace(f"|{chosen.vend}|".encode(), b"|ODD|")
    rows = rows_of([*messages[:-1], (name, odd)], "ZPM")
    assert rows is not None
    found = learn(rows.rows)
    assert found is not None
    text = proposal(found, rows.rows, name="mine", message_type="OMS^O05")
    assert "ODD" not in rules(found) or "# ODD: 1 rows, none followed" in text


def test_noise_has_no_layout() -> None:
    rng = random.Random(1)
    rows = [
        Row(f"m{n}", ["ZPM", rng.choice("ABCD"), str(rng.randrange(40)), str(rng.randrange(9)), f"202603{n % 28 + 1:02d}1200{n % 60:02d}",
                      rng.choice("PQR")], patient=False)
        for n in range(300)
    ]  # fmt: skip
    assert learn(rows) is None
    assert learn(rows[:5]) is None


def test_the_command(tmp_path: Path) -> None:
    _, messages = traffic(2)
    for name, message in messages:
        (tmp_path / f"{name}.hl7").write_bytes(message)
    out = tmp_path / "mine.yaml"
    result = CliRunner().invoke(app, ["profile", "learn", str(tmp_path), "--name", "mine", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "keep the law" in result.output
    tried = CliRunner().invoke(app, ["profile", "test", str(out), str(tmp_path / "m1.hl7")])
    assert tried.exit_code == 0, tried.output
    assert "profile mine, layout 1" in tried.output
