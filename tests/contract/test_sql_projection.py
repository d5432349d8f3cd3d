"""The SQL projection keeps its promises: redelivery changes nothing, all or nothing, and derived data is rebuilt, not migrated."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from structlog.testing import capture_logs

from schemas import topics
from schemas.codec import encode
from schemas.events import ReferenceChange, Tick, Watermark
from schemas.keys import encode_key
from schemas.kinds import CommandKind, CommandState, Urgency
from schemas.log import LogRecord
from schemas.records import Alert, Command, Kpi, RecallReading
from sinks.sql import PROJECTED_TOPICS, Projection, ProjectionError, Views, open_engine, projection, tables
from tests.browser.hospital import NOW, Log, network


def dump(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, offsets included."""
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in tables.METADATA.sorted_tables
        }


def shadow_command(revision: int, **more: Any) -> Command:
    """A command of a site that is not live."""
    return Command(
        command_id="s1", revision=revision, site="mercy", location="main", item="norepi", kind=CommandKind.RESTOCK,
        state=CommandState.ISSUED, urgency=Urgency.ROUTINE, unit="vial", opened_at=NOW, updated_at=NOW, proof={"trigger": "x"},
        **{"quantity": 4, "shadow": True, **more},
    )  # fmt: skip


def full(log: Log) -> list[LogRecord]:
    """The handmade network, plus one of each other thing, so that every topic is there."""
    alert = Alert(alert_id="a1", site="mercy", kind="stock_out", text="Norepinephrine is out", at=NOW)
    kpi = Kpi(site="mercy", kpi="stock_out_rate", value=None, numerator=1, denominator=63, as_of=NOW)
    mark = Watermark(source="mercy-adc", site="mercy", complete_to=NOW)
    reading = RecallReading(site="mercy", notice="R1", revision=1, content="c", in_force=True)
    extra = [
        log.record(topics.RECALLS, ("mercy", "R1"), reading),
        log.record(topics.ALERTS, ("mercy",), alert), log.record(topics.KPIS, ("mercy", "stock_out_rate"), kpi),
        log.record(topics.SITE_LOG, ("tick",), Tick(at=NOW)), log.site("Watermark", mark),
        log.record(topics.SHADOW_COMMANDS, ("s1",), shadow_command(1)),
    ]  # fmt: skip
    return [*network(log), *extra]


def test_every_topic_that_leaves_the_hub_is_projected_and_the_site_log_for_charges_and_counts() -> None:
    inputs = {topics.RAW, topics.NETWORK_LOG}
    assert set(PROJECTED_TOPICS) == set(topics.TOPICS) - inputs
    assert {record.topic for record in full(Log())} == set(PROJECTED_TOPICS)


def test_apply_counts_new_records_and_remembers_the_next_offset_of_each_partition(url: str) -> None:
    records = full(Log())
    written = Projection(url)
    assert written.positions() == {}
    assert written.apply(records) == len(records)
    assert written.positions() == {(topic, 0): sum(r.topic == topic for r in records) for topic in PROJECTED_TOPICS}


@pytest.mark.parametrize("first", [topics.COMMANDS, topics.SHADOW_COMMANDS])
@pytest.mark.parametrize("apart", [False, True])
def test_of_a_command_in_two_topics_the_highest_revision_stands_whichever_is_read_first(url: str, first: str, apart: bool) -> None:
    log = Log()
    live = [
        log.record(topics.COMMANDS, ("s1",), shadow_command(number, shadow=False, quantity=number)) for number in (2, 5)
    ]  # fmt: skip
    shadow = [log.record(topics.SHADOW_COMMANDS, ("s1",), shadow_command(number, quantity=number)) for number in (1, 3, 4)]
    written = Projection(url)
    records = live + shadow if first == topics.COMMANDS else shadow + live
    for part in [[one] for one in records] if apart else [records]:
        written.apply(part)
    (row,) = Views(written.engine).commands(state="all")
    assert (row["revision"], row["quantity"], row["shadow"]) == (5, 5, False)


def test_delivering_everything_again_changes_nothing(url: str) -> None:
    records = full(Log())
    written = Projection(url)
    written.apply(records)
    before = dump(written.engine)
    assert written.apply(records) == 0
    assert dump(written.engine) == before


def test_a_batch_that_overlaps_the_last_one_applies_only_what_is_new(url: str) -> None:
    """A consumer that crashed after our commit and before its own delivers a tail again."""
    records = full(Log())
    written = Projection(url)
    written.apply(records[:300])
    assert written.apply(records[250:]) == len(records) - 300


def test_a_restart_in_any_place_ends_in_the_same_tables(fresh: Callable[[], str]) -> None:
    records = full(Log())
    whole = Projection(fresh())
    whole.apply(records)
    for cut in (0, 1, 57, 200, len(records)):
        url = fresh()
        part = Projection(url)
        part.apply(records[:cut])
        part.close()
        again = Projection(url)
        again.apply(records)
        assert dump(again.engine) == dump(whole.engine)


def test_topics_may_be_interleaved_in_any_way(fresh: Callable[[], str]) -> None:
    """Only the order inside a partition is given; batches and topics mix as they arrive."""
    records = full(Log())
    whole = Projection(fresh())
    whole.apply(records)
    for seed in range(3):
        mixed = Projection(fresh())
        shuffled = list(_interleaved(records, random.Random(seed)))
        for at in range(0, len(shuffled), 37):
            mixed.apply(shuffled[at : at + 37])
        assert dump(mixed.engine) == dump(whole.engine)


def _interleaved(records: list[LogRecord], chance: random.Random) -> Iterator[LogRecord]:
    queues = {topic: [r for r in records if r.topic == topic][::-1] for topic in PROJECTED_TOPICS}
    while any(queues.values()):
        yield queues[chance.choice([topic for topic, queue in queues.items() if queue])].pop()


def test_gaps_between_offsets_are_allowed_and_partitions_are_counted_apart(url: str) -> None:
    first = Log().position("mercy", "main", "HEP5000", 5)
    written = Projection(url)
    given = [
        LogRecord(topic=first.topic, partition=3, offset=17, key=first.key, value=first.value),
        LogRecord(topic=first.topic, partition=4, offset=2, key=b"other", value=first.value),
        LogRecord(topic=first.topic, partition=3, offset=16, key=b"late", value=first.value),
    ]
    assert written.apply(given) == 2
    assert written.positions() == {(topics.POSITIONS, 3): 18, (topics.POSITIONS, 4): 3}


def test_a_failure_in_the_middle_leaves_neither_rows_nor_offsets(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two staged rows a write, rows are already in the database when the bad record comes; the transaction takes all back."""
    monkeypatch.setattr(projection, "STAGED_ROWS_MAX", 2)
    log = Log()
    written = Projection(url)
    written.apply([log.position("mercy", "main", "HEP5000", 5)])
    before = dump(written.engine)
    good = [log.position("mercy", "main", item, 7) for item in ("APAP500", "ONDAN4", "VANC1G")]
    bad = LogRecord(topic=topics.POSITIONS, partition=0, offset=99, key=b"k", value=b'{"site": 5}')
    with pytest.raises(ProjectionError, match=r"stock\.positions\[0\]@99 is not a Position"):
        written.apply([*good, bad])
    assert dump(written.engine) == before
    assert written.apply(good) == 3


def test_an_input_that_breaks_off_leaves_nothing_half_applied(url: str) -> None:
    written = Projection(url)

    def broken() -> Iterator[LogRecord]:
        yield from itertools.islice(network(Log()), 50)
        msg = "the log went away"
        raise OSError(msg)

    with pytest.raises(OSError, match="went away"):
        written.apply(broken())
    assert written.positions() == {}
    assert all(not rows for name, rows in dump(written.engine).items() if name != tables.SCHEMA.name)


def test_a_topic_that_is_not_projected_is_refused_by_name(url: str) -> None:
    with pytest.raises(ProjectionError, match=r"topic network\.log is not projected"):
        Projection(url).apply([LogRecord(topic=topics.NETWORK_LOG, partition=0, offset=0, key=b"", value=b"{}")])


@pytest.mark.parametrize("batch", [1, 100])
def test_a_tombstone_deletes_the_row_of_its_key_and_the_last_record_wins(url: str, batch: int) -> None:
    """Whether the records come in one transaction or each in its own."""
    log = Log()
    lot = ("mercy", "main", "HEP5000", "H1", 5, date(2027, 1, 1))
    records = [
        log.balance(*lot),
        log.record(topics.BALANCES, ("mercy", "main", "HEP5000", "H1"), None),
        log.balance(*lot[:3], "H2", 8, None),
        log.record(topics.BALANCES, ("mercy", "main", "HEP5000", "H2"), None),
        log.balance(*lot[:3], "H2", 3, None),
        log.record(topics.BALANCES, ("never", "was", "there", "H3"), None),
    ]
    written = Projection(url)
    for at in range(0, len(records), batch):
        written.apply(records[at : at + batch])
    assert [(row["lot"], row["quantity"]) for row in Views(written.engine).stock()] == [("H2", 3)]
    assert written.positions() == {(topics.BALANCES, 0): 6}


def test_a_tombstone_ends_a_hold_and_a_quarantined_message(url: str) -> None:
    log = Log()
    written = Projection(url)
    written.apply(network(log))
    views = Views(written.engine)
    assert (views.count("holds"), views.count("quarantine")) == (1, 1)
    written.apply([log.record(topics.HOLDS, ("h-1",), None), log.record(topics.QUARANTINE, (0, 8, 0), None)])
    assert (views.count("holds"), views.count("quarantine")) == (0, 0)


def test_movements_are_append_only(url: str) -> None:
    """All movements of a site share its key: neither a tombstone nor a second record with the same id touches an entry."""
    log = Log()
    written = Projection(url)
    written.apply([log.movement(1), log.movement(2), log.movement(1, quantity=9), log.record(topics.MOVEMENTS, ("mercy",), None)])
    written.apply([log.movement(2, quantity=9)])
    assert [row["quantity"] for row in Views(written.engine).movements(newest_first=True)][:1] == [1]
    assert Views(written.engine).count("movements") == 2


@pytest.mark.parametrize("batch", [1, 10])
def test_reference_keeps_the_newest_revision_whatever_comes_after_it(url: str, batch: int) -> None:
    log = Log()

    def change(revision: int, name: str | None) -> LogRecord:
        record = None if name is None else {"id": "mercy", "name": name}
        return log.record(
            topics.REFERENCE, ("site", "mercy"), ReferenceChange(revision=revision, kind="site", id="mercy", record=record)
        )

    records = [change(4, "new"), change(3, "old"), change(4, "same revision")]
    written = Projection(url)
    for at in range(0, len(records), batch):
        written.apply(records[at : at + batch])
    assert [site["name"] for site in Views(written.engine).sites()] == ["new"]
    written.apply([change(5, None), change(4, "back")])
    assert Views(written.engine).sites() == []


def test_a_projection_of_another_version_is_dropped_rebuilt_and_logged(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that only the other version knew goes too; a table that was never ours stays."""
    old = Projection(url)
    old.apply(network(Log()))
    with old.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE retired (a INTEGER)")
        connection.exec_driver_sql("CREATE TABLE somebody_elses (a INTEGER)")
        connection.exec_driver_sql("UPDATE projection_schema SET tables = tables || ' retired'")
    old.close()
    monkeypatch.setattr(tables, "SCHEMA_VERSION", tables.SCHEMA_VERSION + 1)
    with capture_logs() as logs:
        new = Projection(url)
    assert [(entry["event"], entry["found"], entry["wanted"]) for entry in logs] == [
        ("projection_rebuilt", tables.SCHEMA_VERSION - 1, tables.SCHEMA_VERSION)
    ]
    assert new.positions() == {}
    names = set(sa.inspect(new.engine).get_table_names())
    assert "somebody_elses" in names
    assert "retired" not in names
    assert new.apply(network(Log())) > 0


def test_opening_again_with_the_same_version_keeps_everything_and_logs_nothing(url: str) -> None:
    first = Projection(url)
    first.apply(network(Log()))
    with capture_logs() as logs:
        assert dump(Projection(url).engine) == dump(first.engine)
    assert logs == []


def test_a_database_that_holds_tables_of_somebody_else_is_refused(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE commands (a INTEGER)")
    with pytest.raises(ProjectionError, match="not the projection's: commands"):
        Projection(url)
    assert sa.inspect(engine).get_table_names() == ["commands"]


def test_sqlite_runs_with_write_ahead_log_and_its_durable_settings(tmp_path: Path) -> None:
    with Projection(f"sqlite:///{tmp_path / 'projection.db'}").engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}


def test_a_reader_sees_one_snapshot_while_a_writer_commits(url: str) -> None:
    log = Log()
    written = Projection(url)
    written.apply([log.position("mercy", "main", "HEP5000", 5)])
    reader = open_engine(url)
    with reader.connect() as connection:
        count = sa.select(sa.func.count()).select_from(tables.POSITIONS)
        assert connection.execute(count).scalar_one() == 1
        written.apply([log.position("mercy", "main", "APAP500", 5)])
        assert connection.execute(count).scalar_one() == 1
    with reader.connect() as connection:
        assert connection.execute(count).scalar_one() == 2


def test_a_second_writer_waits_for_the_first_and_then_finds_nothing_new(url: str) -> None:
    """Also in empty tables, where there is no row that both could lock."""
    records = list(network(Log()))
    first, second = Projection(url), Projection(url)
    with ThreadPoolExecutor(1) as pool:
        meanwhile: list[Future[int]] = []

        def slow() -> Iterator[LogRecord]:
            yield from records[:50]
            meanwhile.append(pool.submit(second.apply, records))
            assert not wait(meanwhile, 0.3).done
            yield from records[50:]

        assert first.apply(slow()) == len(records)
        assert meanwhile[0].result(10) == 0


@pytest.mark.postgres
@pytest.mark.parametrize("fresh", ["postgresql"], indirect=True)
def test_after_a_server_dropped_its_connections_the_projection_goes_on_from_where_it_was(url: str) -> None:
    """What comes next finds the connection dead; what comes after that is given a new one."""
    log = Log()
    written = Projection(url)
    written.apply([log.position("mercy", "main", "HEP5000", 5)])
    other = open_engine(url)
    with other.connect() as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}"))
    late = log.position("mercy", "main", "APAP500", 5)
    with pytest.raises(sa.exc.OperationalError):
        written.apply([late])
    assert written.apply([late]) == 1
    assert Views(written.engine).count("positions") == 2


def test_a_projection_in_memory_works_for_one_thread() -> None:
    written = Projection("sqlite://")
    assert written.apply([Log().position("mercy", "main", "HEP5000", 5)]) == 1
    assert Views(written.engine).count("positions") == 1


def test_tables_and_upserts_are_valid_postgresql() -> None:
    """Compiled only, without a server: types, indexes and ON CONFLICT are ones PostgreSQL has."""
    dialect = postgresql.dialect()
    for table in tables.METADATA.sorted_tables:
        assert "CREATE TABLE" in str(sa.schema.CreateTable(table).compile(dialect=dialect))
    for target in projection._TARGETS.values():
        text = str(projection._upsert(target, postgresql.insert).compile(dialect=dialect))
        assert "ON CONFLICT" in text
        assert target.identity == tuple(column.name for column in target.table.primary_key)


def test_a_key_is_stored_as_the_bytes_it_is(url: str) -> None:
    written = Projection(url)
    written.apply([Log().position("mercy", "a/b\x00c", "HEP5000", 5)])
    with written.engine.connect() as connection:
        assert connection.execute(sa.select(tables.POSITIONS.c.record_key)).scalar_one() == encode_key(
            ("mercy", "a/b\x00c", "HEP5000")
        )


def test_an_instant_of_a_record_that_names_no_zone_is_an_error_with_its_place(url: str) -> None:
    value = encode({"alert_id": "a", "site": "s", "kind": "k", "text": "t", "at": "2026-03-10T14:05:00"})
    with pytest.raises(ProjectionError, match=r"alerts\[0\]@0 is not a Alert: .*no time zone"):
        Projection(url).apply([LogRecord(topic=topics.ALERTS, partition=0, offset=0, key=b"k", value=value)])
