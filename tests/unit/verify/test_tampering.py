"""Whatever is changed behind the hub's back is found: a real run, its topics copied, one thing tampered with at a time."""

from __future__ import annotations

import re

import msgspec
import pytest

from connectors.simulator import Knobs
from schemas.topics import BALANCES, COMMANDS, MOVEMENTS, OUTCOMES, QUARANTINE, RAW, SITE_LOG
from tests.simulation.network import deliver, loaded_hub, written
from tests.unit.verify.logs import Logs, checks, copied, first
from topology.errors import HubError
from topology.verify.folder_source import StoreSource
from topology.verify.report import Difference, Report
from topology.verify.run import verify

RUN = Knobs(seed=5, sites=2, beds=4, days=1, duplicates=0.02, wrong_codes=0.02, miscounts=0.6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    simulation = written(RUN)
    with loaded_hub(simulation, tmp_path_factory.mktemp("run") / "hub") as hub:
        deliver(hub, simulation.messages())
        return copied(StoreSource(hub.folder.store, "run"))


@pytest.fixture
def logs(run: Logs) -> Logs:
    return Logs({place: list(records) for place, records in run.records.items()})


def standing(logs: Logs, topic: str) -> dict[bytes, object]:
    """The newest record of each key that has a value."""
    newest = {record.key: record for record in logs.all(topic)}
    return {key: record for key, record in newest.items() if record.value is not None}


def only(report: Report) -> Difference:
    assert len(report.differences) == 1, [one.text for one in report.differences]
    return report.differences[0]


def test_what_was_not_tampered_with_is_verified(logs: Logs) -> None:
    report = verify(logs)
    assert report.differences == []
    assert report.counts["events"] > 500
    assert report.counts["balances"] > 50
    assert report.counts["needs"] > 3
    assert report.counts["raw_messages"] > 500
    assert report.counts["items"] >= report.counts["raw_messages"]
    assert report.counts["in_flight"] == report.counts["moved_on"] == report.counts["set_aside"] == 0


def test_a_lot_that_is_promised_twice(logs: Logs) -> None:
    """An open restock is told to take more of a lot than lies there."""
    found = [record for record in standing(logs, COMMANDS).values() if _takes(record)]
    assert found
    record = found[0]
    command = msgspec.json.decode(record.value)
    command["lots"][0]["quantity"] += 100_000
    logs.replace(record, value=msgspec.json.encode(command))
    assert only(verify(logs)).check == "allocation"


def _takes(record: object) -> bool:
    command = msgspec.json.decode(record.value)  # type: ignore[attr-defined]
    return bool(command["kind"] == "restock" and command["state"] == "issued" and command["lots"])


def test_a_balance_that_is_gone(logs: Logs) -> None:
    key, record = next(iter(standing(logs, BALANCES).items()))
    for one in [one for one in logs.all(BALANCES) if one.key == key]:
        logs.drop(one)
    found = only(verify(logs))
    value = msgspec.json.decode(record.value)  # type: ignore[attr-defined]
    assert (found.check, found.found, found.published, found.derived) == ("balance", "different", 0, value["quantity"])
    assert (found.site, found.location, found.item) == (value["site"], value["location"], value["item"])


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [("quantity", 12345, "balance"), ("expiry", "2031-01-01", "expiry"), ("status", "recalled", "status"), ("lot", "Z9", "balance_key")],
)
def test_a_balance_that_says_something_else(logs: Logs, field: str, value: object, check: str) -> None:
    record = next(iter(standing(logs, BALANCES).values()))
    logs.change(record, **{field: value})  # type: ignore[arg-type]
    assert only(verify(logs)).check == check


def test_a_balance_of_stock_that_nobody_has(logs: Logs) -> None:
    record = next(one for one in reversed(logs.all(BALANCES)) if one.value is None)
    model = next(iter(standing(logs, BALANCES).values()))
    later = [one for one in logs.all(BALANCES) if one.key == record.key and one.partition == record.partition]
    if later[-1] is record:
        logs.replace(record, value=model.value)  # type: ignore[attr-defined]
    assert ("balance", "different") in checks(verify(logs))


def test_a_movement_that_stands_twice(logs: Logs) -> None:
    record = first(logs.all(MOVEMENTS), lambda value: value["kind"] == "vend")
    logs.again(record)
    report = verify(logs)
    assert checks(report) == {("movement_id", "duplicated"), ("movements", "different")}
    assert report.of("duplicated") == 1


@pytest.mark.parametrize("kind", ["vend", "receive", "administer"])
def test_a_movement_that_is_gone_or_moves_another_quantity(logs: Logs, kind: str) -> None:
    record = first(logs.all(MOVEMENTS), lambda value: value["kind"] == kind)
    changed = Logs({place: list(records) for place, records in logs.records.items()})
    changed.change(record, quantity=9999)
    logs.drop(record)
    for tampered in (logs, changed):
        report = verify(tampered)
        # Both ends of the movement: the place's lot, and the account outside.
        assert [one.check for one in report.differences] == ["movements", "movements"]
        assert [one.location is None for one in report.differences] == [False, True]


def test_a_movement_to_another_account(logs: Logs) -> None:
    record = first(logs.all(MOVEMENTS), lambda value: value["to_account"] == "patient")
    logs.change(record, to_account="waste")
    report = verify(logs)
    assert sorted(one.about["account"] for one in report.differences) == ["patient", "waste"]


def newest_command(logs: Logs, *, is_open: bool) -> list[object]:
    """All revisions of one command."""
    newest = {record.key: record for record in logs.all(COMMANDS)}
    for key, record in newest.items():
        closed = msgspec.json.decode(record.value or b"")["state"] in ("satisfied", "cancelled")
        if closed != is_open:
            return [one for one in logs.all(COMMANDS) if one.key == key]
    raise AssertionError


def test_an_open_command_that_is_gone(logs: Logs) -> None:
    for record in newest_command(logs, is_open=True):
        logs.drop(record)  # type: ignore[arg-type]
    found = only(verify(logs))
    assert (found.check, found.found, found.published) == ("need", "different", [])


def test_a_command_that_is_closed_although_the_need_stands(logs: Logs) -> None:
    logs.change(newest_command(logs, is_open=True)[-1], state="satisfied")  # type: ignore[arg-type]
    assert only(verify(logs)).check == "need"


def test_a_command_that_is_open_although_nothing_is_needed(logs: Logs) -> None:
    logs.change(newest_command(logs, is_open=False)[-1], state="issued")  # type: ignore[arg-type]
    assert {one.check for one in verify(logs).differences} == {"need"}


def test_a_cancelled_command_is_a_decision_and_no_difference(logs: Logs) -> None:
    logs.change(newest_command(logs, is_open=True)[-1], state="cancelled")  # type: ignore[arg-type]
    assert verify(logs).differences == []


def test_a_revision_that_stands_twice(logs: Logs) -> None:
    logs.again(newest_command(logs, is_open=True)[-1])  # type: ignore[arg-type]
    found = only(verify(logs))
    assert (found.check, found.found) == ("command_revision", "duplicated")


def test_a_revision_that_is_left_out(logs: Logs) -> None:
    revisions = next(
        some for key in {one.key for one in logs.all(COMMANDS)} if len(some := [one for one in logs.all(COMMANDS) if one.key == key]) > 1
    )  # fmt: skip
    logs.drop(revisions[0])
    assert {one.check for one in verify(logs).differences} == {"command_revision"}
    logs.compacts = True  # type: ignore[misc]
    assert verify(logs).differences == []


def test_a_command_under_an_id_that_nothing_gave_it(logs: Logs) -> None:
    for record in newest_command(logs, is_open=True):
        logs.change(record, command_id="11b332b0-e748-51d6-9840-b4668816a94d")  # type: ignore[arg-type]
    assert only(verify(logs)).check == "command_id"


def test_an_outcome_that_is_gone(logs: Logs) -> None:
    record = first(logs.all(OUTCOMES), lambda value: value["outcome"] == "duplicate")
    logs.drop(record)
    found = only(verify(logs))
    assert (found.check, found.found) == ("outcome", "missing")


def test_an_outcome_that_stands_twice(logs: Logs) -> None:
    logs.again(first(logs.all(OUTCOMES), lambda value: value["outcome"] == "accepted"))
    found = only(verify(logs))
    assert (found.check, found.found) == ("outcome", "duplicated")


def test_a_hold_that_ends_without_saying_that_it_was_held(logs: Logs) -> None:
    held = first(logs.all(OUTCOMES), lambda value: value["outcome"] == "held")
    value = {**msgspec.json.decode(held.value or b""), "outcome": "accepted"}
    logs.again(msgspec.structs.replace(held, value=msgspec.json.encode(value)))
    found = only(verify(logs))
    assert (found.check, found.found) == ("outcome", "different")
    assert found.text.endswith("was held and ended accepted, and that does not say so")


def test_a_transfer_out_of_a_hold_is_no_second_outcome(logs: Logs) -> None:
    held = first(logs.all(OUTCOMES), lambda value: value["outcome"] == "held")
    value = {**msgspec.json.decode(held.value or b""), "outcome": "accepted", "was": "held"}
    logs.again(msgspec.structs.replace(held, value=msgspec.json.encode(value)))
    assert verify(logs).differences == []


def test_an_outcome_that_declares_another_number_of_items(logs: Logs) -> None:
    logs.change(first(logs.all(OUTCOMES), lambda value: value["items"] == 1), items=2)
    assert {(one.check, one.found) for one in verify(logs).differences} <= {("outcome", "different"), ("outcome", "missing")}
    assert verify(logs).differences != []


def test_raw_bytes_that_are_not_what_was_received(logs: Logs) -> None:
    record = next(one for one in logs.all(RAW) if dict(one.headers)["ce_type"] == "RawMessage")
    logs.replace(record, value=(record.value or b"") + b" ")
    assert only(verify(logs)).check == "raw_digest"


def test_a_raw_message_that_is_gone(logs: Logs) -> None:
    record = next(one for one in logs.all(RAW) if dict(one.headers)["ce_type"] == "RawMessage")
    logs.drop(record)
    assert {one.check for one in verify(logs).differences} <= {"raw_place", "outcome"}
    assert verify(logs).differences != []


def test_a_site_event_that_is_gone(logs: Logs) -> None:
    """What moved stock and is no longer in the log can't be derived: its balance, movements and accounts disagree."""
    moved = first(logs.all(MOVEMENTS), lambda value: value["kind"] == "receive")
    event_id = msgspec.json.decode(moved.value or b"")["event_id"]
    events = [one for one in logs.all(SITE_LOG) if dict(one.headers)["ce_type"] == "StockEvent"]
    for record in [one for one in events if msgspec.json.decode(one.value or b"")["event_id"] == event_id]:
        logs.drop(record)
    assert {"balance", "movements"} <= {one.check for one in verify(logs).differences}


def test_a_site_event_that_stands_twice(logs: Logs) -> None:
    record = next(one for one in logs.all(SITE_LOG) if dict(one.headers)["ce_type"] == "StockEvent")
    logs.again(record)
    found = only(verify(logs))
    assert (found.check, found.found) == ("raw_event", "duplicated")


def test_a_site_event_under_another_id(logs: Logs) -> None:
    record = next(one for one in logs.all(SITE_LOG) if dict(one.headers)["ce_type"] == "StockEvent")
    logs.change(record, event_id="11b332b0-e748-51d6-9840-b4668816a94d")
    assert only(verify(logs)).check == "event_id"


def test_raw_that_retention_removed_is_told_and_not_missed(logs: Logs) -> None:
    partition = next(partition for (topic, partition), records in logs.records.items() if topic == RAW and len(records) > 500)
    place = (RAW, partition)
    logs.records[place] = logs.records[place][450:]
    logs.begins[place] = logs.records[place][0].offset
    report = verify(logs)
    assert report.differences == []
    assert report.raw_begins == {partition: logs.begins[place]}


def test_an_event_that_the_hub_set_aside_itself_is_left_out_and_told(logs: Logs) -> None:
    """An event on which the hub failed is in quarantine, whole: it moved nothing, and verify derives nothing from it."""
    moved = first(logs.all(MOVEMENTS), lambda value: value["kind"] == "receive")
    _, partition, offset, _ = dict(moved.headers)["ce_id"].rsplit("-", 3)
    kept = {"code": "handler_fault", "name": f"site.log[{partition}]@{offset}"}
    logs.records[QUARANTINE, 0].append(msgspec.structs.replace(moved, topic=QUARANTINE, value=msgspec.json.encode(kept)))
    report = verify(logs)
    assert report.counts["set_aside"] == 1
    assert {"balance", "movements"} <= {one.check for one in report.differences}


@pytest.mark.parametrize("topic", [SITE_LOG, MOVEMENTS, BALANCES, COMMANDS, OUTCOMES])
def test_a_record_that_can_not_be_read_is_named_in_a_sentence(logs: Logs, topic: str) -> None:
    record = next(one for one in logs.all(topic) if one.value)
    logs.replace(record, value=b'{"half of')
    with pytest.raises(HubError, match=re.escape(f"{topic}[{record.partition}]@{record.offset} can't be read")):
        verify(logs)
