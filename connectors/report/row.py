"""One row of a report as a cabinet transaction. Every fault names the line and the column, never what a person is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from connectors.field_faults import quoted
from connectors.json_items import Fault, validated
from connectors.report.compile import Report
from connectors.report.formats import FormatError, read_date, read_time
from connectors.report.reader import Row
from schemas.cabinet import CABINET_TRANSACTION, CabinetAction, CabinetTransaction
from schemas.ids import fingerprint
from schemas.mapping import NoEffect
from schemas.report import ColumnFact, ReportAction
from schemas.units import canonical_unit

_TEXTS: Final = (
    "device", "pocket", "product_code", "code_system", "lot", "serial", "user", "witness", "patient_id", "patient_authority",
    "order_id", "facility",
)  # fmt: skip
_NEEDED_TEXTS: Final = frozenset({"device", "pocket", "product_code"})
_FLAGS: Final = {"TRUE": True, "FALSE": False}
_SEQUENCE_DIGITS_MAX: Final = 15


@dataclass(frozen=True, slots=True)
class Read:
    """What a row says. `identity` is what makes it the same row again where it has no transaction id of its own."""

    transaction: CabinetTransaction
    identity: str | None


class _Cells:
    """The facts of one row, as text."""

    def __init__(self, row: Row, report: Report) -> None:
        self._row = row
        self._report = report

    def text(self, name: str) -> str | None:
        """The translated text of a fact; None when nothing is said."""
        fact = self._report.facts.get(name)
        if fact is None:
            return None
        found = self._stated(fact) or fact.value or ""
        return (fact.codes or {}).get(found, found) or None

    def _stated(self, fact: ColumnFact) -> str:
        parts = [part for column in fact.columns if (part := self._row.cells.get(column, ""))]
        return fact.join.join(parts) if fact.join is not None else next(iter(parts), "")

    def all(self, name: str) -> str | None:
        """All columns of a fact with a blank between them; None when nothing is said. Raises `Fault` when a part is not."""
        fact = self._report.facts.get(name)
        parts = [self._row.cells.get(column, "") for column in fact.columns] if fact else []
        if not any(parts):
            return (fact.value if fact else None) or None
        if not all(parts):
            empty = [column for column, part in zip(fact.columns, parts, strict=True) if not part] if fact else []
            raise self.fault("missing", name, f"{' and '.join(map(repr, empty))} is empty", named=False)
        return " ".join(parts)

    def where(self, name: str) -> str:
        """The columns of a fact, for a person."""
        fact = self._report.facts.get(name)
        columns = list(map(repr, fact.columns)) if fact else []
        return f"column {' or '.join(columns)} ({name})" if columns else name

    def fault(self, code: str, name: str, what: str, *, named: bool = True) -> Fault:
        """A fault of this row."""
        where = f"{self.where(name)} " if named else ""
        return Fault(code, f"line {self._row.line}: {where}{what}.")


def read_row(row: Row, report: Report, units: dict[str, str]) -> Read | NoEffect:
    """What a row says. Raises `Fault`."""
    if row.fault is not None:
        raise row.fault
    cells = _Cells(row, report)
    meaning = _meaning(cells, report)
    if meaning.no_effect is not None:
        return NoEffect(code="no_effect", reason=f"line {row.line}: {meaning.no_effect}")
    stated = _stated(cells, report)
    stated["action"] = meaning.action
    stated["quantity"] = _quantity(cells, row, report, meaning)
    stated["unit"] = _unit(cells, units)
    identity = _identify(stated, cells, row, report, meaning)
    try:
        return Read(validated(CABINET_TRANSACTION, stated, instants=()), identity)
    except Fault as fault:
        raise Fault(fault.code, f"line {row.line}: {fault.reason}") from None


def _meaning(cells: _Cells, report: Report) -> ReportAction:
    word = cells.text("action")
    if word is None:
        raise cells.fault("missing", "action", "is empty")
    found = report.actions.get(word.upper())
    if found is None:
        shown = quoted(word, "action")
        raise cells.fault("unknown_action", "action", f"is {shown}, which the profile gives no meaning: add it to its actions")
    return found


def _stated(cells: _Cells, report: Report) -> dict[str, Any]:
    """The facts that need no more than reading, by field of `CabinetTransaction`; what is not said is left out."""
    stated: dict[str, Any] = {name: text for name in _TEXTS if (text := cells.text(name)) is not None}
    for name in _NEEDED_TEXTS:
        if name not in stated:
            raise cells.fault("missing", name, "is empty")
    stated["occurred"] = _occurred(cells, report)
    stated["expiry"] = _expiry(cells, report)
    actual = _number(cells, report, "actual_begin_count")
    if actual is None:
        stated["begin_count"] = _number(cells, report, "begin_count")
        stated["begin_count_verified"] = _flag(cells, "begin_count_verified")
    else:
        stated["begin_count"], stated["begin_count_verified"] = actual, True
    stated["test"] = _flag(cells, "test")
    stated["device_sequence"] = _sequence(cells)
    return stated


def _occurred(cells: _Cells, report: Report) -> datetime:
    text = cells.all("occurred")
    if text is None:
        raise cells.fault("missing", "occurred", "is empty")
    try:
        return read_time(text, report.formats.get("occurred", ()), report.map.two_digit_years_from)
    except FormatError as error:
        raise cells.fault("bad_time", "occurred", f"is {quoted(text)}: {error}") from None


def _expiry(cells: _Cells, report: Report) -> date | None:
    text = cells.text("expiry")
    if text is None:
        return None
    try:
        return read_date(text, report.formats.get("expiry", ()), report.map.two_digit_years_from)
    except FormatError as error:
        raise cells.fault("bad_expiry", "expiry", f"is {quoted(text)}: {error}") from None


def _number(cells: _Cells, report: Report, name: str) -> Decimal | None:
    text = cells.text(name)
    return None if text is None else _read_number(text, name, cells, report, absolute=bool(report.facts[name].absolute))


def _read_number(text: str, name: str, cells: _Cells, report: Report, *, absolute: bool) -> Decimal:
    try:
        number = report.numbers.read(text)
    except FormatError as error:
        raise cells.fault("bad_quantity", name, f"is {quoted(text)}: {error}") from None
    if number < 0 and not absolute:
        raise cells.fault("negative_quantity", name, f"is {quoted(text)}: say `absolute` when the sign is only the direction")
    return abs(number)


def _quantity(cells: _Cells, row: Row, report: Report, meaning: ReportAction) -> Decimal:
    if meaning.quantity is not None:
        text = next((part for column in meaning.quantity if (part := row.cells.get(column, ""))), None)
        where = f"column {' or '.join(map(repr, meaning.quantity))} (quantity)"
    else:
        text, where = cells.text("quantity"), cells.where("quantity")
    if text is not None:
        return _read_number(text, "quantity", cells, report, absolute=bool(report.facts["quantity"].absolute))
    if meaning.action is CabinetAction.NULL:
        return Decimal(0)
    raise cells.fault("missing", "quantity", f"{where} is empty", named=False)


def _unit(cells: _Cells, units: dict[str, str]) -> str:
    text = cells.text("unit")
    if text is None:
        raise cells.fault("missing", "unit", "is empty")
    return units.get(canonical_unit(text), text)


def _flag(cells: _Cells, name: str) -> bool:
    text = cells.text(name)
    if text is None:
        return False
    found = _FLAGS.get(text.upper())
    if found is None:
        raise cells.fault("invalid_fields", name, f"is {quoted(text)}; the profile's codes must make it true or false")
    return found


def _sequence(cells: _Cells) -> int:
    text = cells.text("device_sequence")
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _SEQUENCE_DIGITS_MAX):
        raise cells.fault("invalid_fields", "device_sequence", f"is {quoted(text)}, which is no whole number")
    return int(text)


def _identify(stated: dict[str, Any], cells: _Cells, row: Row, report: Report, meaning: ReportAction) -> str | None:
    """Fill transaction_id and reverses; returns what identifies a row without an id of its own."""
    own, reverses = cells.text("transaction_id"), cells.text("reverses")
    stated["reverses"] = reverses
    if meaning.takes_back and reverses is None:
        if own is None or "reverses" in report.facts:
            name = "reverses" if "reverses" in report.facts else "transaction_id"
            raise cells.fault("missing", name, "is empty, so nothing says which transaction did not happen")
        stated["reverses"], own = own, f"rev {own}"
    if own is not None:
        stated["transaction_id"] = own
        return None
    if not report.key:
        raise cells.fault("missing", "transaction_id", "is empty, and the profile has no `key` for rows without one")
    identity = fingerprint(*(row.cells.get(column, "") for column in report.key))
    stated["transaction_id"] = identity
    return identity
