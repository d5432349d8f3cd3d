"""The tables of the projection, in types that SQLite and PostgreSQL share. Owns names and indexes; holds no logic.

Instants are text, UTC, always with microseconds and `Z`; dates are ISO text; decimals are text as published. Text of one width
compares as the values do, alike in both databases: by code point, whatever the language of a PostgreSQL database. `record_key`
holds the key bytes of the record a row came from.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

SCHEMA_VERSION: Final = 6
"""Raised with every change of these tables; a projection with another version is dropped and rebuilt."""

METADATA: Final = sa.MetaData()


def without_nul(text: str) -> str:
    """The text as a PostgreSQL database holds it."""
    return text.replace("\x00", "\ufffd")


class _PostgresText(sa.types.TypeDecorator[str]):
    """Text that PostgreSQL compares by code point, as SQLite does. It can't hold the character NUL, which becomes U+FFFD."""

    impl = postgresql.TEXT
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002  # the base class's signature
        return value if value is None else without_nul(value)


TEXT: Final = sa.Text().with_variant(_PostgresText(collation="C"), "postgresql")
"""The type of every text column."""


def _key() -> sa.Column[bytes]:
    """The record's key as primary key: for topics whose key names one row."""
    return sa.Column("record_key", sa.LargeBinary, primary_key=True)


def _text(*names: str) -> list[sa.Column[str]]:
    """Text columns that always hold a value."""
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _optional(*names: str) -> list[sa.Column[str]]:
    """Text columns that may hold none."""
    return [sa.Column(name, TEXT) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    """Whole numbers that always hold a value."""
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _whole_optional(*names: str) -> list[sa.Column[int]]:
    """Whole numbers that may hold none."""
    return [sa.Column(name, sa.BigInteger) for name in names]


def _shadow() -> sa.Column[bool]:
    """Whether the site was not live when it was said."""
    return sa.Column("shadow", sa.Boolean, nullable=False)


SCHEMA: Final = sa.Table(
    "projection_schema",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tables", TEXT, nullable=False),
)
"""One row: the version of the tables, and their names (so that a later version can drop them)."""

OFFSETS: Final = sa.Table(
    "projection_offsets",
    METADATA,
    sa.Column("topic", TEXT, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)

BALANCES: Final = sa.Table(
    "balances",
    METADATA,
    _key(),
    *_text("site", "location", "item", "product", "lot", "lot_key", "unit", "status", "as_of"),
    *_whole("quantity"),
    *_optional("expiry", "container", "beyond_use"),
    sa.Index("balances_place", "site", "item", "location"),
    sa.Index("balances_expiry", "expiry", "site"),
    sa.Index("balances_lot", "lot_key"),
)

POSITIONS: Final = sa.Table(
    "positions",
    METADATA,
    _key(),
    *_text("site", "location", "item", "unit", "as_of"),
    *_whole("on_hand", "usable", "allocated", "due", "urgency_rank"),
    _shadow(),
    *_whole_optional("minimum", "par", "critical"),
    *_optional("open_command", "urgency", "daily_demand", "days_to_stock_out"),
    sa.Index("positions_place", "site", "item", "location"),
)

COMMANDS: Final = sa.Table(
    "commands",
    METADATA,
    _key(),
    *_text("command_id", "site", "location", "item", "kind", "state", "urgency", "unit", "opened_at", "updated_at", "document"),
    *_whole("revision", "urgency_rank", "quantity", "is_open"),
    _shadow(),
    *_optional("closed_at", "supplier", "approval_role"),
    sa.Index("commands_open", "is_open", "site", "urgency_rank", "opened_at"),
    sa.Index("commands_id", "command_id"),
)

CASES: Final = sa.Table(
    "cases",
    METADATA,
    _key(),
    *_text("case_id", "site", "kind", "state", "text", "opened_at", "updated_at", "document"),
    *_optional("location", "item", "event_id", "closed_by"),
    sa.Index("cases_open", "state", "site", "opened_at"),
)

ALERTS: Final = sa.Table(
    "alerts",
    METADATA,
    sa.Column("alert_id", TEXT, primary_key=True),
    *_text("site", "kind", "text", "at"),
    _shadow(),
    *_optional("location", "item", "product", "lot"),
    sa.Index("alerts_at", "at", "site"),
)

KPIS: Final = sa.Table(
    "kpis",
    METADATA,
    _key(),
    *_text("site", "kpi", "as_of"),
    *_whole("numerator", "denominator"),
    *_optional("value"),
)

RECALL_READINGS: Final = sa.Table(
    "recall_readings",
    METADATA,
    _key(),
    *_text("site", "notice", "content"),
    *_whole("revision", "in_force"),
    *_optional("at"),
    *_whole_optional("log_partition", "log_offset"),
    sa.Index("recall_readings_notice", "notice", "site"),
)
"""What each site read of each recall notice last; partition and offset are the place in the site log at which it read it."""

OF_SESSION: Final = "session IS NOT NULL"
SCAN_CAUSE: Final = "substr(cause, 1, 5) = 'scan|'"
"""Outcomes and movements of scans; a query that uses the index `outcomes_scan` or `movements_scan` says it in these words."""

TRANSFORMED: Final = "(from_account = 'transform' OR to_account = 'transform')"
"""Movements of what was opened or made; a query that uses the index `movements_transform` says it in these words."""

OUTCOMES: Final = sa.Table(
    "outcomes",
    METADATA,
    _key(),
    *_text("source", "outcome", "code", "reason", "at", "event_ids", "kinds"),
    *_whole("raw_partition", "raw_offset", "raw_index", "items"),
    *_optional("site", "name", "was", "session", "scan"),
    sa.Index("outcomes_scan", "session", sqlite_where=sa.text(OF_SESSION), postgresql_where=sa.text(OF_SESSION)),
    sa.Index("outcomes_message", "raw_partition", "raw_offset", "items"),
    sa.Index("outcomes_reason", "source", "outcome", "code"),
)

QUARANTINE: Final = sa.Table(
    "quarantine",
    METADATA,
    sa.Column("raw_partition", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("raw_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("raw_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("record_key", sa.LargeBinary, nullable=False),
    *_text("source", "code", "reason", "at", "content_type", "profile", "body_base64"),
    *_optional("site", "name"),
    sa.Index("quarantine_key", "record_key"),
    sa.Index("quarantine_at", "at"),
)

HOLDS: Final = sa.Table(
    "holds",
    METADATA,
    _key(),
    *_text("event_id", "site", "waits_for", "reason", "since", "source", "kind"),
    *_whole("raw_partition", "raw_offset", "raw_index"),
    sa.Index("holds_since", "since", "site"),
)

MOVEMENTS: Final = sa.Table(
    "movements",
    METADATA,
    sa.Column("movement_id", TEXT, primary_key=True),
    *_text(
        "site", "event_id", "kind", "item", "product", "lot", "lot_key", "unit", "from_account", "to_account", "occurred", "cause"
    ),
    *_whole("quantity"),
    *_optional("expiry", "container", "corrects", "actor", "witness", "patient", "order_id", "known", "unit_cost"),
    *_whole("log_partition", "log_offset"),
    *_whole_optional("raw_partition", "raw_offset", "raw_index", "device_sequence"),
    sa.Index("movements_scan", "event_id", sqlite_where=sa.text(SCAN_CAUSE), postgresql_where=sa.text(SCAN_CAUSE)),
    sa.Index("movements_transform", "site", "occurred", sqlite_where=sa.text(TRANSFORMED), postgresql_where=sa.text(TRANSFORMED)),
    sa.Index("movements_item", "site", "item", "occurred"),
    sa.Index("movements_lot", "lot_key", "occurred"),
    sa.Index("movements_time", "site", "occurred"),
)
"""`known` is when the hub received what made the entry; partition and offset are its place in the ledger's own log."""

REFERENCE: Final = sa.Table(
    "reference",
    METADATA,
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("record_key", sa.LargeBinary, nullable=False),
    *_whole("revision"),
    *_optional("name", "site", "document"),
    sa.Index("reference_key", "record_key"),
)
"""The newest revision of each reference record; a withdrawn one keeps its row without a document."""

COSTS: Final = sa.Table(
    "costs",
    METADATA,
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    *_whole("rank"),
    *_optional("item", "cost", "since"),
)
"""Every version of a product's cost and of a supplier's price. `since` is when it came into force, null before the hub knew the
time; a version without `item` withdraws the record."""

DOSES: Final = sa.Table(
    "doses",
    METADATA,
    sa.Column("event_id", TEXT, primary_key=True),
    *_text("event_key", "site", "feed", "kind", "occurred", "codes"),
    *_whole("is_dose", "version"),
    *_optional("quantity", "unit", "patient", "order_id", "reverses", "replaces", "alias"),
    sa.Index("doses_time", "site", "occurred"),
)
"""Charges and administrations as they were sent, whether or not they move stock: what removals are compared with."""
