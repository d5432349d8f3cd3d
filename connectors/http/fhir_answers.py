"""What a sender of FHIR is told of each item: OperationOutcomes with FHIRPath expressions, entry by entry.

The answer is a preview by the mapper itself, made after the message is durable. Which site, item and place it comes to is decided
later, and how each item ended stands in the hub's outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.fhir.body import documents
from connectors.fhir.mapper import Located, located
from connectors.fhir.nodes import Node, children, text
from schemas.events import StockEvent
from schemas.mapping import Refused, SiteFacts
from schemas.profile import Profile
from schemas.raw import RawMessage, RawRef

ISSUES_MAX: Final = 500
"""Items told of one by one in one OperationOutcome; the rest are counted."""
_OWN_ENTRY: Final = "Bundle.entry[0].resource"
_RESPONSES: Final = {"batch": "batch-response", "transaction": "transaction-response"}
_ISSUE_TYPES: Final = {
    "not_json": "structure", "not_a_resource": "structure", "too_deep": "structure", "bad_text": "structure",
    "empty_body": "required", "no_resource_type": "structure", "invalid_resource": "invalid",
    "unknown_resource_type": "not-supported",
    "unknown_status": "code-invalid", "unsupported_release": "not-supported", "unsupported_change": "not-supported",
    "no_time": "required", "no_item": "required", "no_resource": "required", "notification_without_content": "required",
    "too_many_items": "too-costly", "too_large": "too-long", "too_long": "too-long", "counted_twice": "business-rule",
}  # fmt: skip
"""Stable names of refusals as codes of the value set issue-type; any other is a `value` that can't be used."""


class _NoSite:
    """A context that knows no reference data: what is previewed here does not depend on it."""

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:  # noqa: ARG002
        """None is known."""
        return None

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:  # noqa: ARG002
        """None is known."""
        return False

    def profile(self, name: str) -> Profile | None:  # noqa: ARG002
        """FHIR has none."""
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:  # noqa: ARG002
        """Nothing leaves the preview."""
        return "-"


def outcome(severity: str, code: str, sentence: str) -> dict[str, Any]:
    """An OperationOutcome with one issue. `code` is of the value set issue-type."""
    return _outcome([{"severity": severity, "code": code, "diagnostics": sentence}])


def _outcome(issues: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": issues}


def answer_to(message: RawMessage, about: str = "") -> dict[str, Any]:
    """The answer to a stored message: a response Bundle for a batch or transaction, else one OperationOutcome.

    `about` is the resource type of an update or deletion by address, whose Bundle is the hub's own.
    """
    results = located(message, RawRef(partition=0, offset=0), _NoSite())
    if about:
        results = [Located(one, tuple(path.replace(_OWN_ENTRY, about, 1) for path in paths)) for one, paths in results]
    bundle = None if about else _plain_bundle(message.body)
    if bundle is not None:
        return _response(bundle, results)
    issues = [_issue(one) for one in results[:ISSUES_MAX]]
    if len(results) > ISSUES_MAX:
        issues.append(_said(f"{len(results) - ISSUES_MAX} more items are stored and not told of here."))
    return _outcome([_said("The message is stored. Each item in it is taken up, or set aside with a reason."), *issues])


def _said(sentence: str) -> dict[str, Any]:
    return {"severity": "information", "code": "informational", "diagnostics": sentence}


def _issue(one: Located) -> dict[str, Any]:
    """What becomes of one item."""
    result = one.result
    if isinstance(result, Refused):
        issue: dict[str, Any] = {
            "severity": "error", "code": _ISSUE_TYPES.get(result.code, "value"), "details": {"text": result.code},
            "diagnostics": f"{result.reason} It is set aside; correct it and send it again.",
        }  # fmt: skip
    elif isinstance(result, StockEvent):
        why = result.no_effect or ("test or training traffic, by its own label" if result.test else "")
        sentence = f"Taken up as {result.kind}" + (f"; nothing moves: {why}." if why else ".")
        issue = {**_said(sentence), "details": {"text": str(result.kind)}}
    else:
        code, reason = getattr(result, "code", "taken_up"), getattr(result, "reason", "Taken up.")
        issue = {**_said(reason), "details": {"text": code}}
    return {**issue, "expression": list(one.paths)} if one.paths else issue


def _plain_bundle(body: bytes) -> Node | None:
    """The Bundle that asks for a response entry by entry, when the body is one."""
    found = documents(body)
    bundle = found[0]
    if len(found) != 1 or isinstance(bundle, Refused) or text(bundle, "resourceType") != "Bundle":
        return None
    entries = bundle.get("entry")
    is_plain = isinstance(entries, list) and all(isinstance(one, dict) for one in entries)
    return bundle if is_plain and text(bundle, "type") in _RESPONSES else None


def _response(bundle: Node, results: list[Located]) -> dict[str, Any]:
    """One response entry for each entry, in order (FHIR: http.html, batch/transaction). Entries stand on their own in both."""
    by_entry: dict[int, list[Located]] = {}
    for one in results:
        number = _entry_number(one)
        by_entry.setdefault(number, []).append(one)
    entries = []
    for number, _ in enumerate(children(bundle, "entry")):
        found = by_entry.get(number, [])
        is_refused = any(isinstance(one.result, Refused) for one in found)
        status = "422 Unprocessable Content" if is_refused else "202 Accepted"
        issues = [_issue(one) for one in found[:ISSUES_MAX]] or [_said("Nothing in it moves stock.")]
        entries.append({"response": {"status": status, "outcome": _outcome(issues)}})
    return {"resourceType": "Bundle", "type": _RESPONSES[text(bundle, "type")], "entry": entries}


def _entry_number(one: Located) -> int:
    """The number of the outermost entry a result stands in; 0 for what is about the Bundle."""
    path = one.paths[0] if one.paths else ""
    number = path.removeprefix("Bundle.entry[").partition("]")[0]
    return int(number) if number.isdigit() else 0
