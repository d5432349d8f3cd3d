"""The printable evidence of a case: one HTML file for A4, without scripts or anything from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from topology.downtime.pack.style import style

Document = Mapping[str, Any]
_TIMELINE: Final = (
    ("at", "Time (UTC)"), ("about", "What"), ("quantity", "Qty"), ("unit", "Unit"), ("stated", "Stated"), ("change", "Change"),
    ("balance", "Balance"), ("place", "Place"), ("user", "User"), ("witness", "Witness"), ("patient", "Patient (hash)"),
    ("order_id", "Order"), ("source", "Message"), ("taken_back", "Taken back"),
)  # fmt: skip
_HASH_CHARACTERS: Final = 10
"""Of a patient's hash; the whole stands in the JSON beside."""


def page(document: Document) -> str:
    """The whole HTML document."""
    case, item = document["case"], document["item"] or {}
    title = f"Evidence: {case['kind'].replace('_', ' ')}, {case['site']}"
    as_of = f"As of event time {document['as_of'] or 'unknown'}"
    marks = f"Case {case['case_id']} · feeds complete up to {document['watermark'] or 'unknown'} · {document['retention']}"
    body = "".join((
        f"<h1>{escape(title)}</h1><p>{escape(case['text'])}</p>", _facts(document, case, item),
        _section("Open questions", _list(document["open_questions"]) or "<p>none</p>"),
        _section("What happened", _table(_TIMELINE, map(_short, document["timeline"]))),
        _section("Counts", _table(_TIMELINE, map(_short, _counts(document)))),
        _section("Who accessed it before", _table(_TIMELINE, map(_short, filter(None, [document["previous_accessor"]])))),
        _section("People", _table((("person", "Person"), ("roles", "Roles"), ("did", "Did")), map(_person, document["people"]))),
        _section("Decisions", _table(
            (("at", "Time"), ("actor", "Who"), ("action", "Decision"), ("reason", "Reason"), ("document", "Document")),
            document["decisions"],
        )),
        _section("Other cases", _table(
            (("opened_at", "Opened"), ("kind", "Kind"), ("state", "State"), ("text", "Text"), ("closed_by", "Closed by")),
            document["other_cases"],
        )),
        _section("Messages", _table(
            (("message", "Message"), ("feed", "Feed"), ("name", "Name"), ("outcome", "Outcome"), ("received", "Received")),
            document["messages"],
        )),
    ))  # fmt: skip
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style(title, as_of, marks)}\ntd, th {{ border: .6pt solid #000; padding: .6mm 1mm; font-size: 7.5pt; "
        f"overflow-wrap: anywhere; text-align: left; vertical-align: top; }}</style></head><body>{body}</body></html>\n"
    )


def _facts(document: Document, case: Document, item: Document) -> str:
    deadlines = {name: value for name, value in document["deadlines"].items() if value}
    told = {
        "case": case["case_id"], "state": case["state"], "opened": case["opened_at"], "event": document["event_at"],
        "item": f"{item.get('name', '')} (schedule {item.get('schedule', '')})" if item else "", "place": document["place"],
        **{name.replace("_", " "): value for name, value in deadlines.items()},
        **{
            name: value for name, value in (case.get("facts") or {}).items()
            if not isinstance(value, dict) and name != "address_by"
        },
        "keep until": document["retain_until"],
    }  # fmt: skip
    rows = "".join(f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in told.items() if value)
    return f"<table>{rows}</table>"


def _counts(document: Document) -> list[Document]:
    return [one for one in (document["count_before"], document["count_after"]) if one]


def _short(line: Document) -> Document:
    return {**line, "patient": (line["patient"] or "")[:_HASH_CHARACTERS], "taken_back": "yes" if line["taken_back"] else ""}


def _person(one: Document) -> Document:
    did = ", ".join(f"{what} {count}×" for what, count in one["did"].items())
    return {"person": one["person"], "roles": ", ".join(one["roles"]), "did": did}


def _section(title: str, inner: str) -> str:
    return f"<h2>{escape(title)}</h2>{inner}"


def _list(texts: Sequence[str]) -> str:
    return f"<ol>{''.join(f'<li>{escape(one)}</li>' for one in texts)}</ol>" if texts else ""


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Document]) -> str:
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name, _ in columns)}</tr>" for row in rows
    )  # fmt: skip
    head = "".join(f"<th>{escape(title)}</th>" for _, title in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else "<p>none</p>"


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))
