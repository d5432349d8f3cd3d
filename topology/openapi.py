"""The hub's OpenAPI 3.1 document: the feeds, the local API and the health checks, from the published contracts.

Documentation only: it takes part in no request, and can be had without a running hub. What it says is held against a real hub by
the tests.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any, Final

from connectors.http.openapi import FEEDS, FHIR, feed_components, feed_paths
from connectors.http.openapi_parts import JSON, RETRY_AFTER, Json, answer, body, components_of, header, parameter, ref
from schemas.codec import Codec
from schemas.kinds import Outcome
from schemas.master import GOVERNED
from schemas.reference import REFERENCE_KINDS
from schemas.scan import NAME_CHARACTERS_MAX
from schemas.topics import TOPICS
from topology.api import LOADED_KINDS, LOG_PAGE_RECORDS_MAX, OFFSET_MAX
from topology.downtime.steps import STEPS as TAKEN
from topology.golive.steps import STEPS as GOING_LIVE
from topology.master.bodies import DECIDED, PROPOSED, STEPS
from topology.query import FILTERS, ROWS_MAX

HEALTH: Final = {"name": "health", "description": "Liveness, readiness and metrics; without a token."}
LOCAL: Final = {"name": "local", "description": "What the command line asks of a running hub."}
MASTER: Final = {"name": "master", "description": "Governed changes of the item master."}
DOWNTIME: Final = {"name": "downtime", "description": "Downtimes, paper keyed in, and what disagrees."}
GO_LIVE: Final = {"name": "golive", "description": "Opening counts, modes of sites, comparison, figures before and after."}
_SECURITY: Final = "hub"
_SCHEME: Final = {"type": "http", "scheme": "bearer", "description": "The token in hub.json of the hub's folder."}
_TEXT: Final = {"type": "string"}
_ROWS: Final = {"type": "array", "items": {"type": "object"}}
_DATE: Final[Json] = {"type": "string", "format": "date"}
_FILTER_SCHEMAS: Final[dict[str, Json]] = {
    "state": {"enum": ["open", "all"], "type": "string"}, "with_body": {"type": "boolean"}, "lots": {"type": "boolean"},
    "method": {"enum": ["fifo", "average"], "type": "string"}, "basis": {"enum": ["removed", "administered"], "type": "string"},
    "at": _DATE, "from": _DATE, "to": _DATE, "message": {"type": "string", "pattern": "^[0-9]{1,9}/[0-9]{1,18}$"},
    "by_place": {"type": "boolean"}, "entries": {"type": "boolean"},
    "moment": {"enum": ["close", "beginning"], "type": "string"},
    "schedule": {"enum": ["I", "II", "III", "IV", "V"], "type": "string"},
}  # fmt: skip
_FILTER_WORDS: Final = {
    "state": "What is still open (the default), or all.", "with_body": "Rows with the message's body: at most 100 of them.",
    "message": "A message, as PARTITION/OFFSET.",
    "lots": "By lot and place instead of by product.", "method": "Which costs leave first.",
    "basis": "What a charge should equal.", "at": "At the end of this date at the site.", "from": "First date at the site.",
    "to": "Last date at the site.", "by_place": "Each place apart.", "entries": "Opening balance, every entry, closing balance.",
    "moment": "Of business on that day.", "schedule": "Rows of this DEA schedule only.", "case": "The case's id.",
}  # fmt: skip
_LIMIT: Final = parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": ROWS_MAX}, "At most so many rows.")
_REFUSED: Final = answer("What was given can't be used; the detail says why.", ref("Refused"))
_UNKNOWN: Final = answer("There is no such thing.", ref("Refused"))
_TOO_LARGE: Final = answer("The body, or a message in it, is over the hub's limit.", ref("Refused"))
_NOT_NOW: Final = answer("The hub can't store now.", ref("Refused"), headers=RETRY_AFTER)
_CHALLENGE: Final = {"WWW-Authenticate": header("How to authenticate.", {"const": "Bearer"})}


_LINES: Final = {"type": "string", "examples": [
    '{"received_at":"2026-03-03T12:00:00Z","source":"adt","connector":"hl7","content_type":"x-application/hl7-v2+er7","body":"MSH|"}'
]}  # fmt: skip


def document(title: str) -> Json:
    """The whole document. `title` names the hub."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version("wardstock"),
            "description": "Bytes of a feed are durable before a request is answered with 202; nothing else answers 202.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [FEEDS, FHIR, HEALTH, LOCAL, MASTER, DOWNTIME, GO_LIVE],
        "paths": paths(),
        "components": {"schemas": _components(), "securitySchemes": {_SECURITY: _SCHEME}},
    }


def paths() -> Json:
    """Path items of everything the hub answers, but for the tower's pages."""
    hub = {**_health_paths(), **_local_paths(), **_master_paths(), **_downtime_paths(), **_golive_paths()}
    return {**feed_paths(), **_scan_paths(), **hub}


def _operation(tag: Json, operation: str, summary: str, responses: Json, *parameters: Json, **more: Any) -> Json:
    found = {"operationId": operation, "tags": [tag["name"]], "summary": summary, "responses": responses, **more}
    return {**found, "parameters": list(parameters)} if parameters else found


def _guarded(tag: Json, operation: str, summary: str, responses: Json, *parameters: Json, **more: Any) -> Json:
    """An operation that needs the token."""
    refused = {"401": answer("The token is missing or wrong.", ref("Refused"), headers=_CHALLENGE)}
    return _operation(tag, operation, summary, {**responses, **refused}, *parameters, security=[{_SECURITY: []}], **more)


def _scan_paths() -> Json:
    name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS_MAX}
    session = parameter("path", "session", name, "The scans' session.")
    told = answer("How each scan of the session ended; one that is not judged yet is absent.", ref("SessionScans"))
    refused = answer("The session's name can't be used.", ref("NoSession"))
    found = _operation(FEEDS, "scans_of_session", "How a session's scans ended", {"200": told, "400": refused}, session)
    return {"/scans/{session}": {"get": found}}


def _health_paths() -> Json:
    alive, ready = (answer("As the name says.", ref(name)) for name in ("Alive", "Ready"))
    text = answer("Prometheus' text format.", _TEXT, "text/plain")
    able = "Ready: it can store, and is not far behind"
    return {
        "/ping": {"get": _operation(HEALTH, "ping", "Alive: the engine's loop beats", {"200": alive, "503": alive})},
        "/ready": {"get": _operation(HEALTH, "ready", able, {"200": ready, "503": ready})},
        "/metrics": {"get": _operation(HEALTH, "metrics", "Metrics", {"200": text})},
    }


def _local_paths() -> Json:
    kinds = parameter("path", "kind", {"type": "string", "enum": list(REFERENCE_KINDS)}, "A kind of reference record.")
    partition = (
        parameter("path", "topic", {"type": "string", "enum": list(TOPICS)}, "A topic."),
        parameter("path", "partition", {"type": "integer", "minimum": 0}, "One of the topic's partitions."),
        *(
            parameter("query", name, {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX}, text, required=True)
            for name, text in (("start", "The first offset."), ("end", "The offset after the last."))
        ),
    )
    records = {"type": "array", "items": ref("ReferenceRecord")}
    lines = {"type": "array", "items": {"type": "array", "items": ref("ItemLine")}}
    page = answer("MessagePack: the next offset, and the records.", {"type": "string", "format": "binary"}, "application/msgpack")
    return {
        **{f"/api/v1/view/{view}": {"get": _view(view)} for view in FILTERS},
        "/api/v1/reference": {
            "get": _guarded(LOCAL, "reference_ids", "Ids of the reference records by kind", {"200": answer("Ids.", ref("Ids"))}),
            "post": _guarded(
                LOCAL, "load_reference", "Load reference records, all or nothing",
                {"200": answer("Every partition has them.", ref("Loaded")), **_writing()},
                requestBody=body({JSON: records}, "Records, in any order."),
            ),
        },
        "/api/v1/reference/{kind}": {
            "get": _guarded(
                LOCAL, "reference_records", "Records in force", {"200": answer("Records.", _ROWS), "404": _UNKNOWN}, kinds
            )
        },
        "/api/v1/ingest": {
            "post": _guarded(
                LOCAL, "ingest", "Capture lines in, the outcomes of their items out, once every item has ended",
                {
                    "200": answer("For each line, its items.", lines), **_writing(),
                    "504": answer("All is stored; outcomes are still being worked out.", ref("Refused")),
                },
                requestBody=body({"application/x-ndjson": _LINES}, "One `RawMessage` a line, as `wardstock` records traffic.",
                                 required=False),
            )
        },
        "/api/v1/log": {
            "get": _guarded(
                LOCAL, "log_ends", "Input positions and ends of all topics, taken together",
                {"200": answer("By processor and by topic.", ref("LogEnds")), "400": _REFUSED, "503": _NOT_NOW},
            )
        },
        "/api/v1/log/{topic}/{partition}": {
            "get": _guarded(
                LOCAL, "log_page", f"Durable records from start to end, at most {LOG_PAGE_RECORDS_MAX} of them",
                {"200": page, "400": _REFUSED, "404": _UNKNOWN, "422": _REFUSED}, *partition,
            )
        },
    }  # fmt: skip


def _writing() -> Json:
    """What a request with a body may be answered otherwise."""
    return {"400": _REFUSED, "413": _TOO_LARGE, "503": _NOT_NOW}


def _view(view: str) -> Json:
    filters = [
        parameter("query", name, _FILTER_SCHEMAS.get(name, _TEXT), _FILTER_WORDS.get(name, f"Rows of this {name} only."))
        for name in sorted(FILTERS[view])
    ]
    rows = {"200": answer("Rows, up to what was durable when asked.", _ROWS), "400": _REFUSED}
    return _guarded(LOCAL, f"view_{view}", f"Rows of the view {view}", rows, *filters, _LIMIT)


def _master_paths() -> Json:
    change = answer("The change as it is now.", ref("MasterChange"))
    whole = {
        "type": "object",
        "properties": {"change": ref("MasterChange"), "records": {"type": "array", "items": ref("MasterRecord")}},
        "required": ["change", "records"],
    }
    id_ = parameter("path", "change_id", {"type": "string", "examples": ["m1"]}, "The change.")
    verdict = parameter("path", "verdict", {"type": "string", "enum": list(STEPS)}, "What is decided.")
    every = answer("The oldest first.", {"type": "array", "items": ref("MasterChange")})
    reading = {"400": _REFUSED, "404": _UNKNOWN}
    return {
        "/api/v1/master": {
            "get": _guarded(MASTER, "master_changes", "All changes", {"200": every, "400": _REFUSED}),
            "post": _guarded(
                MASTER, "master_propose", "Propose that records be as stated", {"200": change, **_writing()},
                requestBody=body({JSON: ref("Proposed")}, "The change."),
            ),
        },
        "/api/v1/master/{change_id}": {
            "get": _guarded(MASTER, "master_change", "A change and its records", {"200": answer("Both.", whole), **reading}, id_)
        },
        "/api/v1/master/{change_id}/{verdict}": {
            "post": _guarded(
                MASTER, "master_decide", "Approve, reject, withdraw or take back a change",
                {"200": change, **reading, **_writing()}, id_, verdict,
                requestBody=body({JSON: ref("Decided")}, "Who says so, and why."),
            )
        },
    }  # fmt: skip


def _downtime_paths() -> Json:
    done: Json = {
        "start": ref("Downtime"), "stop": ref("Downtime"), "enter": _ROWS, "reconcile": ref("Compared"),
        "approve": ref("DowntimeFinding"), "dispute": ref("DowntimeFinding"),
    }  # fmt: skip
    every = answer("The oldest first.", {"type": "array", "items": ref("Downtime")})
    found: Json = {
        f"/api/v1/downtime/{name}": {
            "post": _guarded(
                DOWNTIME, f"downtime_{name}", step.summary,
                {"200": answer("As it is now.", done[name]), "404": _UNKNOWN, **_writing()},
                requestBody=body({JSON: ref(step.codec.name)}, "What is done, and who says so."),
            )
        }
        for name, step in TAKEN.items()
    }  # fmt: skip
    found["/api/v1/downtime"] = {"get": _guarded(DOWNTIME, "downtimes", "All downtimes", {"200": every, "400": _REFUSED})}
    return found


def _golive_paths() -> Json:
    whole: Json = {"type": "object"}
    done: Json = {
        **dict.fromkeys(("prepare", "shadow", "cut-over", "roll-back"), ref("GoLive")), "uncount": ref("PocketCount"),
        **dict.fromkeys(("count", "empty"), _ROWS), "counts": {"type": "array", "items": ref("PocketCount")},
    }  # fmt: skip
    every = answer("By site.", {"type": "array", "items": ref("GoLive")})
    found: Json = {
        f"/api/v1/golive/{name}": {
            "post": _guarded(
                GO_LIVE, f"golive_{name.replace('-', '_')}", step.summary,
                {"200": answer("As it is now.", done.get(name, whole)), "404": _UNKNOWN, **_writing()},
                requestBody=body({JSON: ref(step.codec.name)}, "What is done, and who says so."),
            )
        }
        for name, step in GOING_LIVE.items()
    }  # fmt: skip
    modes = _guarded(GO_LIVE, "golive_modes", "Sites that have a mode; the others are live", {"200": every, "400": _REFUSED})
    found["/api/v1/golive"] = {"get": modes}
    return found


# ---- schemas ---------------------------------------------------------------------------------------------------------


@cache
def _components() -> Json:
    given: list[Codec[Any]] = [*(REFERENCE_KINDS[kind].codec for kind in LOADED_KINDS), PROPOSED, DECIDED]
    given += [step.codec for step in TAKEN.values()]
    given += {step.codec.name: step.codec for step in GOING_LIVE.values()}.values()
    shown: list[Codec[Any]] = [REFERENCE_KINDS["master_change"].codec, REFERENCE_KINDS["master_record"].codec]
    shown += [REFERENCE_KINDS[kind].codec for kind in ("downtime", "downtime_finding", "go_live", "pocket_count")]
    contracts = [(codec.name, codec.adapter.json_schema(mode="validation")) for codec in given]
    contracts += [(codec.name, codec.json_schema()) for codec in shown]
    found = {**components_of([*feed_components().items(), *contracts]), **_FORMS}
    found["ReferenceRecord"] = {"oneOf": [_record_of(kind) for kind in LOADED_KINDS]}
    found["ProposedRecord"] = {"oneOf": [_record_of(kind, gone={"type": "null"}) for kind in GOVERNED]}
    return found


def _record_of(kind: str, gone: Json | None = None) -> Json:
    """A record with its kind and id. `gone` is the schema of a record that shall be taken away."""
    record = ref(REFERENCE_KINDS[kind].codec.name)
    return {
        "type": "object",
        "properties": {
            "kind": {"const": kind},
            "id": {"type": "string", "description": "; ".join(REFERENCE_KINDS[kind].id_fields) + ", joined with |"},
            "record": record if gone is None else {"anyOf": [record, gone]},
        },
        "required": ["kind", "id", "record"],
    }


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


_NUMBERS: Final = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_OR_NOTHING: Final = {"type": ["string", "null"]}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_FORMS: Final[Json] = {
    "SessionScans": _object(session=_TEXT, events=_ROWS, more={"type": "boolean"}),
    "NoSession": _object(reason=_TEXT),
    "Refused": _object(detail={"type": "string", "minLength": 1, "description": "a sentence"}),
    "Alive": _object(alive={"type": "boolean"}),
    "Ready": {
        "type": "object", "required": ["ready", "backlog", "failing"],
        "properties": {
            "ready": {"type": "boolean"}, "backlog": {"type": "integer", "minimum": 0}, "failing": _OR_NOTHING,
            "downtime_pack_age_seconds": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    },
    "Ids": {"type": "object", "additionalProperties": _TEXTS},
    "Loaded": _object(loaded={"type": "integer", "minimum": 0}),
    "LogEnds": _object(
        positions={"type": "object", "additionalProperties": _NUMBERS}, ends={"type": "object", "additionalProperties": _NUMBERS}
    ),
    "Compared": _object(
        period=ref("Downtime"), findings={"type": "array", "items": ref("DowntimeFinding")},
        paper={"type": "object", "additionalProperties": {"type": "integer"}},
        device={"type": "object", "additionalProperties": {"type": "integer"}}, cautions=_TEXTS,
    ),
    "ItemLine": _object(
        source=_TEXT, index={"type": "integer", "minimum": 0}, outcome={"enum": [str(one) for one in Outcome]}, code=_OR_NOTHING,
        reason=_OR_NOTHING, event_ids=_TEXTS, kinds=_TEXTS, site=_OR_NOTHING,
    ),
}  # fmt: skip
