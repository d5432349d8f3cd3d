"""Reports: how a text file with one cabinet transaction a row says what it means. The part `report` of a profile.

A report is delimited or of fixed width. Columns are named by their header, without one by their number (from 1), and in a
fixed-width report by the profile itself. The facts are those of `schemas/cabinet.py`. Everything is optional: what a profile does
not say, its base says.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.cabinet import CabinetAction
from schemas.codec import inbound_contract

ROWS_MAX: Final = 20_000
"""Rows of one report. A report is never cut: which of its rows are alike can only be told from the whole."""

REPORT_EDGE: Final = "the edge of a report"
"""How the `control_id` of a row without an id begins that stands at an edge of its report (`connectors/report/edges.py`)."""

REPORT_FACTS: Final = (
    "device", "transaction_id", "action", "occurred", "pocket", "product_code", "code_system", "quantity", "unit", "begin_count",
    "begin_count_verified", "actual_begin_count", "lot", "expiry", "serial", "user", "witness", "patient_id", "patient_authority",
    "order_id", "facility", "reverses", "device_sequence", "test",
)  # fmt: skip
"""What a profile can say of a row: the fields of `CabinetTransaction`, and `actual_begin_count`, a begin count that a person
counted where another column says what the device expected."""

NEEDED_FACTS: Final = ("device", "action", "occurred", "pocket", "product_code", "quantity", "unit")

ColumnName = Annotated[str, Field(min_length=1, max_length=100)]
Span = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}-[1-9]\d{0,3}$", description="first and last character, from 1: 11-20")]
Pattern = Annotated[str, Field(min_length=1, max_length=200, description="a Python regular expression for the whole line")]


@inbound_contract
class ColumnFact:
    """Where one fact stands: the first of `columns` that says something, else `value`.

    `join` makes one text of all the columns; a time is always joined, with a blank. `codes` translates what is written. `formats`
    are for times and dates, in the directives %Y %y %m %b %d %H %I %M %S %f %p %z. `absolute` drops the sign of an amount.
    """

    columns: tuple[ColumnName, ...] = ()
    value: Annotated[str | None, Field(max_length=100)] = None
    join: Annotated[str | None, Field(max_length=3)] = None
    codes: dict[str, str] | None = None
    formats: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] | None, Field(max_length=8)] = None
    absolute: bool | None = None


@inbound_contract
class ReportAction:
    """What one word of the action column means: an action, or why such rows move nothing.

    `quantity` are the columns of the amount where it does not stand at the usual place for this word. `takes_back` says that an
    earlier transaction did not happen: the one that `reverses` names, else the one with the same transaction id.
    """

    action: CabinetAction | None = None
    no_effect: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    quantity: tuple[ColumnName, ...] | None = None
    takes_back: bool = False


@inbound_contract
class IgnoreRule:
    """Lines that are no rows: those that match as a whole, or rows that have nothing in a column."""

    matches: Pattern | None = None
    empty: ColumnName | None = None


@inbound_contract
class NumberFormat:
    """How numbers are written. A sign that is not stated is refused: without `decimal` only whole numbers are read."""

    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", " ", "'"] | None = None


@inbound_contract
class ReportMap:
    """How a report is read. Defaults: UTF-8, comma, double quote, a header, no line skipped, whole numbers."""

    format: Literal["delimited", "fixed"] | None = None
    encoding: Literal["utf-8", "latin-1", "windows-1252", "utf-16", "utf-16-le", "utf-16-be"] | None = None
    delimiter: Annotated[str | None, Field(min_length=1, max_length=3, description="one character, or the word tab")] = None
    quote: Annotated[str | None, Field(max_length=1, description="empty: nothing is quoted")] = None
    skip_lines: Annotated[int | None, Field(ge=0, le=1_000)] = None
    header: bool | None = None
    width: Annotated[int | None, Field(ge=1, le=1_000, description="how many columns a row has, without a header")] = None
    columns: Annotated[dict[ColumnName, Span] | None, Field(description="the columns of a fixed-width report")] = None
    ignore: tuple[IgnoreRule, ...] | None = None
    ends_with: Annotated[Pattern | None, Field(description="what the last line of a whole report is; else it was cut off")] = None
    numbers: NumberFormat | None = None
    two_digit_years_from: Annotated[
        int | None, Field(ge=1900, le=2100, description="%y is one of the hundred years from this one")
    ] = None
    facts: dict[str, ColumnFact] | None = None
    actions: dict[str, ReportAction] | None = None
    key: Annotated[
        tuple[ColumnName, ...] | None, Field(description="columns that make a row without transaction id the same row again")
    ] = None
