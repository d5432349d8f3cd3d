"""Trying a profile on a report: what each row would become, from which columns, what was missing, what nobody reads."""

from __future__ import annotations

from datetime import datetime

from connectors.hl7.profiles.compile import Compiled
from connectors.hl7.profiles.trial import ItemTrial, MessageTrial, Stated, TrialContext
from connectors.json_items import Fault
from connectors.report.compile import Report
from connectors.report.mapper import map_by
from connectors.report.reader import Row, rows_of
from schemas.raw import REPORT, RawMessage, RawRef


def report_trial(body: bytes, name: str, compiled: Compiled, received_at: datetime) -> MessageTrial:
    """Try a profile on a report. Never raises for a bad one."""
    raw = RawMessage(
        body=body, source=name, connector="trial", content_type=REPORT, received_at=received_at, profile=compiled.id
    )  # fmt: skip
    results = map_by(compiled, raw, RawRef(partition=0, offset=0), TrialContext(compiled.profile.zone or "UTC"))
    report = compiled.report
    try:
        rows = rows_of(body, report) if report is not None else []
    except Fault:
        rows = []
    facts = [_stated(row, report) if report is not None else () for row in rows]
    facts += [()] * (len(results) - len(facts))
    items = tuple(ItemTrial(result, stated) for result, stated in zip(results, facts, strict=True))
    read = set(report.columns) if report is not None else set()
    unused = {column: None for row in rows for column, text in row.cells.items() if text and column not in read}
    return MessageTrial(name, "report", f"profile {compiled.id}", items, tuple(unused))


def _stated(row: Row, report: Report) -> tuple[Stated, ...]:
    """The facts of a row, with the columns that said them."""
    found = []
    for name, fact in report.facts.items():
        said = [column for column in fact.columns if row.cells.get(column)]
        many = fact.join is not None or name == "occurred"
        chosen = said if many else said[:1]
        text = (fact.join or " ").join(row.cells[column] for column in chosen)
        found.append(Stated(name, fact.columns, " + ".join(chosen) or None, text or None))
    return tuple(found)
