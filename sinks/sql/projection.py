"""Keeps the SQL tables equal to the topics. Owns offsets, transactions and the version of the tables; answers no question.

    ProjectionError
     └── (nothing below it: a record that can't be projected, or a database that is not ours)

Each `apply` is one transaction that holds the rows and the offsets they bring the tables to. A record below the stored offset is
skipped, so delivering again changes nothing, and a failure in the middle leaves the tables as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from schemas import topics
from schemas.codec import contract
from schemas.log import LogRecord
from sinks.sql import facts, finance_rows, handled, return_credits, rows, tables
from sinks.sql.engine import open_engine, writer

STAGED_ROWS_MAX: Final = 20_000
"""Rows held in memory before they are written (within the same transaction)."""

_log = structlog.get_logger(__name__)


class ProjectionError(Exception):
    """A record can't be projected, or the database holds tables that are not ours. The text says which and why."""


@contract
class _Target:
    """Where the records of a topic go. `identity` names the columns of the row's primary key.

    Topics keyed by site only append: there a tombstone has no row of its own and deletes nothing. `reads` decodes a record, where
    the topic has no contract of its own; None when the record is of no interest.
    """

    table: sa.Table
    row: rows.RowOf
    reads: Callable[[LogRecord], object | None] | None = None
    identity: tuple[str, ...] = ("record_key",)
    appends: bool = False


_TARGETS: Final[dict[str, _Target]] = {
    topics.BALANCES: _Target(table=tables.BALANCES, row=rows.balance_row),
    topics.POSITIONS: _Target(table=tables.POSITIONS, row=rows.position_row),
    topics.COMMANDS: _Target(table=tables.COMMANDS, row=rows.command_row),
    topics.SHADOW_COMMANDS: _Target(table=tables.COMMANDS, row=rows.command_row),
    topics.ALERTS: _Target(table=tables.ALERTS, row=rows.alert_row, identity=("alert_id",), appends=True),
    topics.CASES: _Target(table=tables.CASES, row=rows.case_row),
    topics.KPIS: _Target(table=tables.KPIS, row=rows.kpi_row),
    topics.RECALLS: _Target(table=tables.RECALL_READINGS, row=rows.reading_row),
    topics.OUTCOMES: _Target(table=tables.OUTCOMES, row=rows.outcome_row),
    topics.QUARANTINE: _Target(
        table=tables.QUARANTINE, row=rows.quarantine_row, identity=("raw_partition", "raw_offset", "raw_index")
    ),
    topics.HOLDS: _Target(table=tables.HOLDS, row=rows.hold_row),
    topics.MOVEMENTS: _Target(table=tables.MOVEMENTS, row=rows.movement_row, identity=("movement_id",), appends=True),
    topics.REFERENCE: _Target(table=tables.REFERENCE, row=rows.reference_row, identity=("kind", "id")),
    topics.SITE_LOG: _Target(
        table=tables.DOSES, row=finance_rows.dose_row, reads=finance_rows.dose_of, identity=("event_id",), appends=True
    ),
    "credits": _Target(
        table=return_credits.CREDITS, row=return_credits.credit_row, reads=return_credits.credit_of, identity=("credit_id",),
        appends=True,
    ),
    "costs": _Target(table=tables.COSTS, row=finance_rows.cost_row, identity=("kind", "id", "revision"), appends=True),
    "handled": _Target(
        table=handled.HANDLED, row=handled.handled_row, reads=handled.handled_of, identity=("event_id",), appends=True
    ),
}
"""By topic; `costs` takes records of reference as well, `credits` and `handled` those of the site log."""
_BY_REVISION: Final = (tables.REFERENCE, tables.COMMANDS)
"""Tables that several topics or partitions bring rows to: the highest revision stands, whichever was read last."""
_ALSO: Final = {topics.REFERENCE: "costs"}
_FACTS: Final = "facts"

PROJECTED_TOPICS: Final = tuple(name for name in _TARGETS if name in topics.TOPICS)
"""The topics a projection reads. Any other topic given to `apply` is an error."""

_INSERT: Final[dict[str, Callable[[sa.Table], Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Projection:
    """The tables of one database, and how far each topic partition has been read into them."""

    def __init__(self, engine_or_url: Engine | str) -> None:
        """Opens the database and makes its tables; tables of another version are dropped and made anew.

        Raises `ProjectionError` when the database is neither SQLite nor PostgreSQL, or holds foreign tables of the same names.
        """
        self.engine = open_engine(engine_or_url)
        dialect = self.engine.dialect.name
        if dialect not in _INSERT:
            msg = f"the projection needs SQLite or PostgreSQL, not {dialect}"
            raise ProjectionError(msg)
        with writer(self.engine) as connection, connection.begin():
            _prepare_tables(connection)
        self._upserts = {topic: _upsert(target, _INSERT[dialect]) for topic, target in _TARGETS.items()}
        self._upserts[_FACTS] = facts.upsert(_INSERT[dialect])
        self._offset_upsert = _offset_upsert(_INSERT[dialect])

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read of each (topic, partition); a partition that was never read is absent (read it from 0)."""
        with self.engine.connect() as connection:
            return _positions(connection)

    def apply(self, records: Iterable[LogRecord]) -> int:
        """Bring the tables up to these records in one transaction, and return how many were new.

        Records of one partition come in offset order; partitions and topics may mix. Raises `ProjectionError` for a record of a
        topic that is not projected or a value that is not its contract, and then nothing of the call is applied.
        """
        with writer(self.engine) as connection, connection.begin():
            before = _positions(connection)
            after = dict(before)
            staged = _Staged(connection, self._upserts)
            applied = 0
            for record in records:
                place = (record.topic, record.partition)
                if record.offset < after.get(place, 0):
                    continue
                staged.add(record)
                after[place] = record.offset + 1
                applied += 1
            staged.write()
            moved = [
                {"topic": topic, "partition": partition, "next_offset": offset}
                for (topic, partition), offset in after.items()
                if before.get((topic, partition)) != offset
            ]
            if moved:
                connection.execute(self._offset_upsert, moved)
        return applied

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


class _Staged:
    """Rows on their way into the tables: the last record of a key wins, a tombstone included; in append-only tables the first."""

    def __init__(self, connection: Connection, upserts: dict[str, Any]) -> None:
        self._connection = connection
        self._upserts = upserts
        self._rows: dict[str, dict[tuple[Any, ...], rows.Row]] = {topic: {} for topic in _TARGETS}
        self._deleted: dict[str, set[bytes]] = {topic: set() for topic in _TARGETS}
        self._facts: dict[str, rows.Row] = {}
        self._count = 0

    def add(self, record: LogRecord) -> None:
        target = _TARGETS.get(record.topic)
        if target is None:
            msg = f"topic {record.topic} is not projected (projected: {', '.join(PROJECTED_TOPICS)})"
            raise ProjectionError(msg)
        self._count += 1
        if record.topic == topics.SITE_LOG:
            self._add_from_site_log(record)
        elif record.value is None:
            if not target.appends:
                self._delete(target, record)
        else:
            self._put(record.topic, target, record)
            also = _ALSO.get(record.topic)
            if also is not None:
                self._put(also, _TARGETS[also], record)
        if self._count >= STAGED_ROWS_MAX:
            self.write()

    def _put(self, name: str, target: _Target, record: LogRecord) -> None:
        row = _row(target, record)
        if row is not None:
            self._keep(target, name, tuple(row[column] for column in target.identity), row)

    def _add_from_site_log(self, record: LogRecord) -> None:
        """A record of the site log that can't be read is in quarantine by its processor: it must not stop the tables."""
        try:
            self._put(record.topic, _TARGETS[record.topic], record)
            self._put("credits", _TARGETS["credits"], record)
            self._put("handled", _TARGETS["handled"], record)
            fact = facts.fact_row(record)
        except (ProjectionError, msgspec.DecodeError, ValueError, OverflowError) as error:
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            _log.warning("site_record_passed_over", record=place, error=type(error).__name__)
            return
        if fact is not None and (fact["fact"] not in self._facts or facts.supersedes(fact, self._facts[fact["fact"]])):
            self._facts[fact["fact"]] = fact

    def _keep(self, target: _Target, topic: str, identity: tuple[Any, ...], row: rows.Row) -> None:
        held = self._rows[topic]
        if target.appends and identity in held:
            return
        if target.table in _BY_REVISION and identity in held and held[identity]["revision"] >= row["revision"]:
            return
        held[identity] = row

    def _delete(self, target: _Target, record: LogRecord) -> None:
        self._deleted[record.topic].add(record.key)
        held = self._rows[record.topic]
        if target.identity == ("record_key",):
            held.pop((record.key,), None)
            return
        for identity in [identity for identity, row in held.items() if row["record_key"] == record.key]:
            del held[identity]

    def write(self) -> None:
        """Deletions first: a row staged after its key's tombstone stays."""
        for topic, target in _TARGETS.items():
            deleted, held = self._deleted[topic], self._rows[topic]
            if deleted:
                statement = target.table.delete().where(target.table.c.record_key == sa.bindparam("gone"))
                self._connection.execute(statement, [{"gone": key} for key in sorted(deleted)])
                deleted.clear()
            if held:
                self._connection.execute(self._upserts[topic], list(held.values()))
                held.clear()
        if self._facts:
            self._connection.execute(self._upserts[_FACTS], list(self._facts.values()))
            self._facts.clear()
        self._count = 0


def _row(target: _Target, record: LogRecord) -> rows.Row | None:
    """The row of a record, if it has one. Raises `ProjectionError` naming the record when its value is not its contract."""
    codec = topics.TOPICS[record.topic].value
    try:
        if target.reads is not None:
            value = target.reads(record)
        elif codec is None or record.value is None:
            msg = f"topic {record.topic} has no contract to decode with"
            raise ProjectionError(msg)
        else:
            value = codec.decode(record.value)
        return None if value is None else target.row(record, value)
    except (msgspec.DecodeError, ValueError) as error:
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        msg = f"the value of {place} is not a {'StockEvent' if codec is None else codec.name}: {error}"
        raise ProjectionError(msg) from error


def _upsert(target: _Target, insert: Callable[[sa.Table], Any]) -> Any:
    """The statement that brings a row in: append-only tables keep the first, the others the last."""
    statement = insert(target.table)
    if target.appends:
        return statement.on_conflict_do_nothing(index_elements=list(target.identity))
    changed = {
        column.name: statement.excluded[column.name] for column in target.table.columns if column.name not in target.identity
    }
    if target.table in _BY_REVISION:
        newer = statement.excluded.revision > target.table.c.revision
        return statement.on_conflict_do_update(index_elements=list(target.identity), set_=changed, where=newer)
    return statement.on_conflict_do_update(index_elements=list(target.identity), set_=changed)


def _offset_upsert(insert: Callable[[sa.Table], Any]) -> Any:
    statement = insert(tables.OFFSETS)
    return statement.on_conflict_do_update(
        index_elements=["topic", "partition"], set_={"next_offset": statement.excluded.next_offset}
    )


def _positions(connection: Connection) -> dict[tuple[str, int], int]:
    """Stored offsets. A writer has locked out the others before it reads them."""
    return {(row.topic, row.partition): row.next_offset for row in connection.execute(sa.select(tables.OFFSETS))}


def _prepare_tables(connection: Connection) -> None:
    """Make the tables where there are none; drop and make anew those of another version."""
    present = set(sa.inspect(connection).get_table_names())
    if tables.SCHEMA.name in present:
        found = connection.execute(sa.select(tables.SCHEMA)).one_or_none()
        if found is not None and found.version == tables.SCHEMA_VERSION:
            return
        ours = set(tables.METADATA.tables) | (set(found.tables.split()) if found is not None else set())
        for name in sorted(ours & present):
            connection.execute(sa.schema.DropTable(sa.Table(name, sa.MetaData())))
        _log.warning(
            "projection_rebuilt",
            reason="the tables have another version; they are derived data and are filled again from the topics",
            found=None if found is None else found.version,
            wanted=tables.SCHEMA_VERSION,
        )
    else:
        foreign = sorted(present & set(tables.METADATA.tables))
        if foreign:
            msg = f"the database holds tables that are not the projection's: {', '.join(foreign)}; give it a database of its own"
            raise ProjectionError(msg)
    tables.METADATA.create_all(connection)
    names = " ".join(sorted(tables.METADATA.tables))
    connection.execute(tables.SCHEMA.insert().values(version=tables.SCHEMA_VERSION, tables=names))
