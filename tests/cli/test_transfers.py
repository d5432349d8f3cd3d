"""Transfers and returns from the scan to what people see: under way, received, lost, credited; verified and worth the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.raw import DECISION_JSON, ERP_JSON, SCAN_JSON
from tests.cli.running import Answer, run_here

START: Final = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
GTIN: Final = "(01)00343825102017(17)290131(10)AC1"
"""24 vials of acetaminophen 1 g, 18.40 each."""
TYPES: Final = {"scan": SCAN_JSON, "decision": DECISION_JSON, "answer": ERP_JSON}


class Story:
    """Messages in the order they are received, as a capture file: their times drive the hub's clock."""

    def __init__(self, hub: Path, folder: Path) -> None:
        self.hub, self.folder, self.number = hub, folder, 0
        self._lines: list[str] = []

    def scan(self, hours: float, site: str, activity: str, **fields: Any) -> None:
        self.number += 1
        body = {
            "session": "s", "event_id": str(self.number), "activity": activity, "occurred": self._at(hours), "barcode": GTIN,
            "location": "MAIN", "user": f"{site}-tech1", **fields,
        }  # fmt: skip
        self._say(hours, site, "scan", body)

    def say(self, hours: float, kind: str, **body: Any) -> None:
        self.number += 1
        self._say(hours, body["site"], kind, {"at": self._at(hours), f"{kind}_id": f"x{self.number}", **body})

    def _say(self, hours: float, site: str, kind: str, body: dict[str, Any]) -> None:
        line = {
            "received_at": self._at(hours), "source": f"{kind}s-{site}", "site": site, "content_type": TYPES[kind],
            "body": json.dumps(body),
        }  # fmt: skip
        self._lines.append(json.dumps(line))

    @staticmethod
    def _at(hours: float) -> str:
        return (START + timedelta(hours=hours)).isoformat()

    def told(self) -> list[dict[str, Any]]:
        """Ingest what was said since; how each item ended."""
        path = self.folder / f"{self.number}.jsonl"
        path.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        self._lines.clear()
        answer = run_here("ingest", str(path), "--data", str(self.hub), "--json")
        assert answer.code == 0, answer.err
        return answer.lines

    def ask(self, *words: str) -> Answer:
        return run_here(*words, "--data", str(self.hub), "--json")


@pytest.fixture
def story(example: Path, tmp_path: Path) -> Story:
    """North has received two boxes: 48 vials."""
    made = Story(example, tmp_path)
    made.scan(0, "north", "receive", quantity=2)
    return made


def test_a_transfer_is_under_way_overdue_and_written_off(story: Story) -> None:
    story.scan(1, "north", "send", partner="river", shipment="T-7", quantity=40, unit="vial")
    story.scan(9, "river", "arrive", partner="NORTHGEN", shipment="T-7", quantity=30, unit="vial")
    assert [one["code"] for one in story.told()] == ["posted"] * 3
    [row] = story.ask("transfers").lines
    assert {name: row[name] for name in ("site", "to_site", "shipment", "lot", "sent", "received", "under_way", "state")} == {
        "site": "north", "to_site": "river", "shipment": "T-7", "lot": "AC1", "sent": 40, "received": 30, "under_way": 10,
        "state": "under_way",
    }  # fmt: skip
    assert row["since"] == "2026-05-04T13:00:00Z"
    story.scan(1 + 73, "south", "receive")
    story.told()
    assert [one["state"] for one in story.ask("transfers").lines] == ["overdue"]
    [case] = [one for one in story.ask("cases", "--site", "north").lines if one["kind"] == "transfer_overdue"]
    story.say(80, "decision", site="north", target=case["case_id"], action="write_off", actor="north-pharm1")
    assert [one["code"] for one in story.told()] == ["written_off"]
    assert story.ask("transfers").lines == []
    [row] = story.ask("transfers", "--all").lines
    assert (row["sent"], row["received"], row["lost"], row["under_way"], row["state"]) == (40, 30, 10, 0, "lost")
    [summary] = [one["summary"] for one in story.ask("verify").lines if "summary" in one]
    assert (summary["differences"], summary["transfers"]) == (0, 1)


def test_both_ends_find_it_and_an_unknown_site_is_refused(story: Story) -> None:
    story.scan(1, "north", "send", partner="river", shipment="T-7")
    story.told()
    for site, rows in (("north", 1), ("river", 1), ("south", 0)):
        assert len(story.ask("transfers", "--site", site).lines) == rows
    assert story.ask("transfers", "--item", "no-such-item").lines == []
    answer = story.ask("transfers", "--site", "nowhere")
    assert (answer.code, answer.err.startswith("wardstock: there is no site nowhere")) == (1, True)
    assert "nothing is on its way" in run_here("transfers", "--site", "south", "--data", str(story.hub)).out


def test_what_it_is_worth_goes_between_the_sites(story: Story) -> None:
    """24 vials at 18.40 are 441.60, at both ends; while they are on their way they are in_transit at the sender."""
    story.scan(1, "north", "send", partner="river", shipment="T-7")
    story.told()
    on_its_way = [one for one in story.ask("finance", "valuation").lines if one["account"] == "in_transit"]
    assert [(one["site"], one["quantity"], one["value"]) for one in on_its_way] == [("north", 24, "441.60")]
    story.scan(9, "river", "arrive", partner="north", shipment="T-7")
    story.told()
    posted = [
        (one["site"], one["debit"], one["credit"], one["amount"])
        for one in story.ask("finance", "journal").lines
        if "intersite" in (one["debit"], one["credit"])
    ]
    assert sorted(posted) == [("north", "intersite", "in_transit", "441.60"), ("river", "inventory", "intersite", "441.60")]
    assert all(one["adds_up"] for one in story.ask("finance", "check").lines)


def test_a_return_expects_a_credit_until_it_is_paid(story: Story) -> None:
    """24 vials cost 441.60; 300 are expected of them, 250 come: 141.60 is what returning cost, 50 is open."""
    story.scan(1, "north", "return_distributor", partner="Inmar", shipment="RA-1", amount="300.00", document="RA-1")
    story.say(99, "answer", site="north", command_id="RA-1", status="credited", amount="250.00")
    assert [one["code"] for one in story.told()] == ["posted", "posted", "credited"]
    [row] = story.ask("finance", "credits").lines
    assert (row["shipment"], row["partner"], row["expected"], row["received"], row["open"]) == (
        "RA-1", "Inmar", "300.00", "250.00", "50.00",
    )  # fmt: skip
    sums: dict[str, float] = {}
    for one in story.ask("finance", "journal").lines:
        sums[one["debit"]] = sums.get(one["debit"], 0) + float(one["amount"])
        sums[one["credit"]] = sums.get(one["credit"], 0) - float(one["amount"])
    assert (sums["returns_clearing"], sums["credit_expected"], sums["credit_received"]) == (
        pytest.approx(141.60), pytest.approx(50), pytest.approx(250),
    )  # fmt: skip
    [case] = [one for one in story.ask("cases").lines if one["kind"] == "credit_short"]
    assert "ask for the 50" in case["text"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"activity": "send", "partner": "river"}, "no_partner"),
        ({"activity": "arrive", "shipment": "T-7"}, "no_partner"),
        ({"activity": "send", "partner": "NORTHGEN", "shipment": "T-7"}, "own_site"),
        ({"activity": "send", "partner": "river", "shipment": "T-7", "amount": "1"}, "invalid_fields"),
        ({"activity": "pick", "partner": "river"}, "invalid_fields"),
        ({"activity": "return_supplier", "partner": "mck", "amount": "1.005"}, "invalid_fields"),
    ],
)
def test_a_scan_that_does_not_say_with_whom_is_refused_by_name(story: Story, fields: dict[str, Any], code: str) -> None:
    story.scan(1, "north", **fields)
    assert [one["code"] for one in story.told()] == ["posted", code]


def test_a_credit_without_an_amount_is_refused(story: Story) -> None:
    story.say(2, "answer", site="north", command_id="RA-1", status="credited")
    [_, ended] = story.told()
    assert (ended["code"], "amount: is missing" in ended["reason"]) == ("no_amount", True)
