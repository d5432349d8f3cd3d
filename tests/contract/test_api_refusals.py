"""What the API is sent by mistake or malice: a status and a sentence, and a hub that goes on. Each test names a defect that was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from schemas.reference import DESK_KINDS, Role
from schemas.topics import QUARANTINE
from tests.simulation import promises
from tests.simulation.small_hospital import small_hospital
from topology import api_bodies
from topology import query as query_module
from topology.live import LiveHub
from topology.local import LocalHub
from topology.master.desk import MasterDesk
from topology.master.hubs import RunningMaster
from topology.settings import Settings
from topology.web import hub_app

TOKEN = "secret"
DEEP = b"[" * 100_000
ITEM = {"id": "zz", "name": "Zz", "base_unit": "each"}
CHANGE = {"title": "new", "by": "sam", "records": [{"kind": "item", "id": "zz", "record": ITEM}]}
LINE = {
    "received_at": "2026-03-03T12:00:00Z", "source": "x", "connector": "cabinet", "body": "{}",
    "content_type": "application/vnd.wardstock.cabinet+json",
}  # fmt: skip


class Caller:
    """Calls the web application of a running hub; the tower's place is taken by a page at every address."""

    def __init__(self, live: LiveHub, settings: Settings) -> None:
        self.live = live
        self.app = hub_app(live, settings, TOKEN, MasterDesk(RunningMaster(live)))
        self.app.router.routes.append(Mount("/", PlainTextResponse("the tower")))

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://hub") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    def refused(self, status: int, method: str, path: str, **options: Any) -> str:
        """The sentence of a refusal."""
        answer = self(method, path, **options)
        assert answer.status_code == status, answer.text
        said = answer.json()
        return str(said.get("detail") or said.get("reason") or said["issue"][0]["diagnostics"])


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Caller]:
    """A hub that must be at work, and have kept its promises, when the test ends."""
    settings = Settings(data=tmp_path / "hub")
    with LocalHub(settings.data) as local:
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        steward: Any = ("role", "sue|steward", Role(person="sue", role="steward"))
        live.load_reference([*small_hospital(7, messages=5).reference, steward])
        yield Caller(live, settings)
        live.stop()  # nothing says the time any more
        assert live.failing is None
        local.engine.run_until_idle()
        promises.check_all(local.engine)
        faults = [one for one in promises.values(local.engine, QUARANTINE) if one.code == "handler_fault"]
        assert faults == []


# ---- feeds -----------------------------------------------------------------------------------------------------------


def test_a_length_that_is_no_number_of_ascii_digits_is_not_believed_and_no_error_of_the_hub(call: Caller) -> None:
    answer = call("POST", "/cabinet", content=b"{}", headers={"Content-Length": b"\xb2"})
    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["source", "site"])
def test_a_name_that_is_given_twice_with_different_values_is_refused(call: Caller, name: str) -> None:
    said = call.refused(400, "POST", f"/scans?{name}=a&{name}=b", content=b"{}")
    assert said == f"{name} is given 2 times with different values; nothing was stored."
    assert call("POST", f"/scans?{name}=a&{name}=a", content=b"{}").status_code == 202


def test_a_header_that_can_not_be_used_is_refused_also_beside_a_query_that_goes_before_it(call: Caller) -> None:
    assert "printable" in call.refused(400, "POST", "/scans?source=a", content=b"{}", headers={"X-Wardstock-Source": "x" * 201})


def test_hostile_bodies_are_stored_and_end_in_one_way_each(call: Caller) -> None:
    hostile = [
        DEEP,
        b"\x00",
        b'{"device":"\\ud800"}',
        b'{"quantity":' + b"9" * 5_000 + b"}",
        b'{"value":1e999999999}',
        b'{"value":1e99999999999999999999}',
        b"NaN",
        b"\xff",
    ]
    for path in ("/cabinet", "/scans", "/epcis", "/erp/answers", "/decisions", "/fhir", "/fhir/Patient"):
        for body in hostile:
            assert call("POST", path, content=body, headers={"Content-Type": b"text/x;;;=\xff"}).status_code == 202


# ---- addresses and methods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "TRACE", "HEAD", "BREW"])
def test_another_method_is_405_with_those_allowed_and_never_the_towers_page(call: Caller, method: str) -> None:
    answer = call(method, "/cabinet")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert call("BREW", "/openapi.json").headers["Allow"] == "GET, HEAD"


def test_an_unknown_address_of_the_api_is_404_in_its_own_form_and_never_the_towers_page(call: Caller) -> None:
    assert call.refused(404, "GET", "/api/v1/stock") == "there is no such address"
    assert call.refused(404, "GET", "/fhir/Patient/1/_history/1") == "There is no such address."
    assert call("GET", "/anything").text == "the tower"


@pytest.mark.parametrize("path", ["/ping", "/ready", "/metrics", "/fhir/metadata"])
def test_health_can_be_asked_with_head(call: Caller, path: str) -> None:
    assert call("HEAD", path).status_code == 200


def test_a_missing_token_is_401_with_the_scheme_to_use(call: Caller) -> None:
    answer = call("GET", "/api/v1/reference", headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert call("GET", "/api/v1/reference", headers={"Authorization": b"Bearer \xff"}).status_code == 401


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["9" * 30, "-1", "0", "many", "1_000", "\u0661", "", "1.5"])
def test_a_limit_that_is_none_is_a_sentence(call: Caller, limit: str) -> None:
    assert call.refused(400, "GET", "/api/v1/view/stock", params={"limit": limit}).startswith("limit is a whole number from 1")


def test_a_filter_that_is_given_twice_is_refused_instead_of_answered_for_one_of_its_values(call: Caller) -> None:
    assert call.refused(400, "GET", "/api/v1/view/stock?site=north&site=south") == "site is given more than once"


def test_a_filter_that_is_on_or_off_takes_nothing_else(call: Caller) -> None:
    assert call.refused(400, "GET", "/api/v1/view/quarantine?with_body=maybe") == "with_body is true or false"


@pytest.mark.parametrize("view", ["stock", "positions", "commands", "cases", "alerts", "holds", "quarantine", "movements"])
def test_a_view_of_a_site_that_is_not_there_is_a_sentence_and_not_nothing(call: Caller, view: str) -> None:
    assert call.refused(400, "GET", f"/api/v1/view/{view}?site=mars").startswith("there is no site mars: ask for ")
    assert call("GET", f"/api/v1/view/{view}?site=north").status_code == 200


@pytest.mark.parametrize("view", ["stock", "positions", "movements"])
def test_a_view_of_a_place_that_is_not_there_is_a_sentence_and_not_nothing(call: Caller, view: str) -> None:
    said = call.refused(400, "GET", f"/api/v1/view/{view}?site=north&location=atlantis")
    assert said.startswith("no place atlantis at north: ")


def test_bodies_of_the_quarantine_come_in_pages_and_one_message_alone(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 MiB a message: a thousand of them in one answer would be 5 GB of base64."""
    for number in range(5):
        sent = call("POST", "/api/v1/ingest", content=json.dumps({**LINE, "body": f"[{number}"}).encode())
        assert sent.json()[0][0]["outcome"] == "quarantined"
    address = "/api/v1/view/quarantine"
    rows = call("GET", address).json()
    monkeypatch.setattr(query_module, "BODIES_MAX", 3)
    assert len(call("GET", f"{address}?with_body=true").json()) == 3
    assert len(call("GET", f"{address}?with_body=true&limit=2").json()) == 2
    assert len(call("GET", address).json()) == len(rows) >= 5
    said = call.refused(400, "GET", f"{address}?with_body=true&limit=4")
    assert said == "with_body answers at most 3 rows: name a smaller limit, or one message (message=PARTITION/OFFSET)"
    monkeypatch.setattr(query_module, "BODY_CHARACTERS_MAX", 9)
    assert len(call("GET", f"{address}?with_body=true").json()) == 2, "four characters of base64 each"
    monkeypatch.setattr(query_module, "BODY_CHARACTERS_MAX", 1)
    assert len(call("GET", f"{address}?with_body=true").json()) == 1, "one always comes, however large"
    place = f"{rows[3]['raw_partition']}/{rows[3]['raw_offset']}"
    [one] = call("GET", f"{address}?with_body=true&message={place}").json()
    assert (one["raw_offset"], bool(one["body_base64"])) == (rows[3]["raw_offset"], True)
    for wrong in ("7", "0/x", "0/99999999999999999999"):
        assert "message is PARTITION/OFFSET" in call.refused(400, "GET", f"{address}?message={wrong}")


@pytest.mark.parametrize("asked", ["period=year", "by=lot", "item_class=Z", "from=2026-13-01", "to=9999-12-31", "from=20260301x", "by="])
def test_indicators_that_can_not_be_asked_for_are_a_sentence(call: Caller, asked: str) -> None:
    name = asked.split("=", maxsplit=1)[0]
    assert name in call.refused(400, "GET", f"/api/v1/view/indicators?{asked}")


@pytest.mark.parametrize("value", ["9" * 25, "-1", "x"])
def test_offsets_that_no_log_has_are_a_sentence(call: Caller, value: str) -> None:
    said = call.refused(422, "GET", "/api/v1/log/raw/0", params={"start": value, "end": 5})
    assert said.startswith(f"start '{value}' is ")


# ---- reference and changes of the item master ------------------------------------------------------------------------


@pytest.mark.parametrize("id_", ['"other"', '["s"]', "5", "null"])
def test_a_record_under_another_id_than_its_own_is_refused(call: Caller, id_: str) -> None:
    """It was stored under the wrong name; one that is no text made the hub believe that its disk fails."""
    row = b'[{"kind":"supplier","id":%s,"record":{"id":"s","name":"S"}}]' % id_.encode()
    assert call.refused(400, "POST", "/api/v1/reference", content=row).endswith("its values are those of s")


def test_a_part_of_an_id_that_holds_the_sign_between_parts_is_refused(call: Caller) -> None:
    """The fold takes ids apart at it, and could not: the record was a fault of the hub on every partition."""
    watch = {"site": "north", "source": "a|b", "silent_after_minutes": 5}
    said = call.refused(400, "POST", "/api/v1/reference", json=[{"kind": "feed_watch", "id": "north|a|b", "record": watch}])
    assert said.endswith("the parts of an id are joined with |, so none of them may hold one")


@pytest.mark.parametrize("path", ["/api/v1/reference", "/api/v1/master", "/api/v1/master/m1/approve"])
@pytest.mark.parametrize("body", [DEEP, b"", b"\xff", b'{"by":"\\ud800", "title": "x"}', b'[{"id":"\\ud800"}]', b'{"a":NaN}'])
def test_what_is_no_json_that_a_log_can_hold_is_refused(call: Caller, path: str, body: bytes) -> None:
    """Half a character made the hub believe that its disk fails."""
    assert call.refused(400, "POST", path, content=body).startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    "body", [{"kind": "site"}, [1], [{"kind": "site", "id": "x"}], [{"kind": ["site"], "id": "x", "record": {}}], "x"]
)
def test_a_load_of_another_form_is_refused_with_what_is_wanted(call: Caller, body: object) -> None:
    said = call.refused(400, "POST", "/api/v1/reference", json=body)
    assert "must be" in said or "there is no kind" in said


def test_a_record_that_can_not_be_used_is_named_with_its_faults(call: Caller) -> None:
    row = {"kind": "supplier", "id": "s", "record": {"id": "s", "reliability": 2}}
    said = call.refused(400, "POST", "/api/v1/reference", json=[row])
    assert said == "record 1, supplier s can't be used: name is missing; reliability 2 is more than 1"


@pytest.mark.parametrize("kind", sorted(DESK_KINDS))
def test_what_a_desk_decides_can_not_be_loaded_around_it(call: Caller, kind: str) -> None:
    said = call.refused(400, "POST", "/api/v1/reference", json=[{"kind": kind, "id": "m1", "record": {}}])
    assert f"there is no kind '{kind}' to load" in said


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"effective_at": "2030-01-01T00:00:00"}, "UTC offset"),
        ({"effective_at": "0001-01-01T00:00:00+12:00"}, "between 1970 and 2199"),
        ({"effective_at": "9999-12-31T23:59:59-12:00"}, "between 1970 and 2199"),
        ({"source": 5}, "source 5 is not text"),
        ({"title": {"a": 1}}, "title the object given is not text"),
        ({"by": " "}, "by"),
        ({"records": []}, "records"),
        ({"records": [{"kind": "item", "id": "other", "record": ITEM}]}, "its values are those of zz"),
        ({"records": [{"kind": "item", "id": "zz", "record": {"id": "zz"}}]}, "name is missing"),
        ({"urgent": True}, "urgent"),
        ({"records": [{"kind": "item", "id": "zz", "record": {**ITEM, "codes": [{"system": "gtin", "value": "123"}]}}]}, "is not a GTIN"),
    ],
)  # fmt: skip
def test_a_proposal_that_can_not_be_kept_is_refused_at_the_door(call: Caller, values: dict[str, Any], reason: str) -> None:
    """Stored, some of these made every later look at the changes fail, and a time in year 1 stopped the hub for good."""
    assert reason in call.refused(400, "POST", "/api/v1/master", json={**CHANGE, **values})
    assert call("GET", "/api/v1/master").json() == []


def test_a_decision_whose_reason_is_no_text_is_refused(call: Caller) -> None:
    assert call("POST", "/api/v1/master", json=CHANGE).status_code == 200
    said = call.refused(400, "POST", "/api/v1/master/m1/reject", json={"by": "sue", "reason": {"a": 1}})
    assert said == "the decision can't be used: reason the object given is not text"
    assert call("POST", "/api/v1/master/m1/reject", json={"by": "sue", "reason": "no"}).json()["state"] == "rejected"


def test_a_decision_that_the_hub_refuses_is_told_by_its_outcome(call: Caller) -> None:
    """The answer can only say that it is stored: what becomes of it is decided where the site's stock is."""
    decision = {
        "decision_id": "D1", "site": "north", "target": "no-such-command", "action": "approve", "actor": "sue",
        "at": "2026-03-03T12:00:00Z", "reason": "needed",
    }  # fmt: skip
    assert call("POST", "/decisions", json=decision).json() == {"stored": True, "items": 1}
    end, rows = time.monotonic() + 30, []
    while not rows and time.monotonic() < end:
        rows = call("GET", "/api/v1/view/outcomes?source=http-decision").json()
    [row] = rows
    assert (row["outcome"], row["code"], row["kinds"]) == ("accepted", "unknown_target", ["Decision"])
    assert row["reason"] == "no command no-such-command is known at site north"
    assert call("GET", f"/api/v1/view/outcomes?message={row['message']}&outcome=accepted").json() == [row]
    assert call("GET", "/api/v1/view/outcomes?code=not_authorised").json() == []


def test_a_change_or_a_verdict_that_is_not_there_is_404(call: Caller) -> None:
    assert "no change m9" in call.refused(404, "GET", "/api/v1/master/m9")
    assert "no change m9" in call.refused(404, "POST", "/api/v1/master/m9/approve", json={"by": "sue"})
    assert "no verdict bless" in call.refused(404, "POST", "/api/v1/master/m9/bless", json={"by": "sue"})


# ---- ingest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (DEEP, "nested too deeply"),
        ({"received_at": "9999-12-31T23:59:59-12:00"}, "received_at is not between 1970 and 2199"),
        ({"received_at": "0001-01-01T00:00:00+12:00"}, "received_at is not between 1970 and 2199"),
        ({"source": ""}, "source: String should have at least 1 character"),
        ({"source": "\ud800"}, "source: "),
        *(
            ({name: "x\ud800"}, f"{name} holds half a UTF-16 surrogate pair")
            for name in ("site", "name", "peer", "profile", "content_type")
        ),
    ],
)
def test_a_capture_line_that_no_connector_wrote_is_refused(call: Caller, line: Any, reason: str) -> None:
    """The times are none in UTC: one such message kept the tables from ever being brought up to the log again.

    Half a character can't be written down: a hub that tried believed that its disk fails.
    """
    body = line if isinstance(line, bytes) else json.dumps({**LINE, **line}).encode()
    said = call.refused(400, "POST", "/api/v1/ingest", content=body)
    assert reason in said
    assert "pydantic" not in said
    assert call("GET", "/api/v1/view/quarantine").json() == []


def test_a_captured_message_over_the_limit_is_413_and_not_asked_for_again(call: Caller) -> None:
    answer = call("POST", "/api/v1/ingest", content=json.dumps({**LINE, "body": "x" * (4 * 1024 * 1024 + 1)}).encode())
    assert answer.status_code == 413
    assert "Retry-After" not in answer.headers


def test_a_body_of_the_local_api_is_read_no_further_than_its_limit(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_bodies, "API_BODY_BYTES_MAX", 10)
    assert "10 bytes" in call.refused(413, "POST", "/api/v1/reference", content=b"[" + b" " * 10 + b"]")


def test_a_hub_that_can_not_store_says_when_to_ask_again(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    call.live.failing = "the disk is full"
    try:
        answer = call("POST", "/api/v1/ingest", content=json.dumps(LINE).encode())
    finally:
        call.live.failing = None
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_reverts_of_a_change_sent_at_once_make_one_proposal_and_the_others_are_told_which(call: Caller) -> None:
    """The hub's tables are behind its log: each step waits for them, so that the second sees what the first proposed."""
    assert call("POST", "/api/v1/master", json=CHANGE).status_code == 200
    assert call("POST", "/api/v1/master/m1/approve", json={"by": "sue"}).status_code == 200
    with ThreadPoolExecutor(3) as people:
        asked = [
            people.submit(call, "POST", "/api/v1/master/m1/revert", json={"by": by, "reason": "r"}) for by in ("a", "b", "c")
        ]
        answers = sorted((one.result() for one in asked), key=lambda one: one.status_code)
    assert [one.status_code for one in answers] == [200, 400, 400]
    assert all(one.json()["detail"].startswith("change m1 is being taken back by m2 (proposed, by ") for one in answers[1:])
    assert [one["id"] for one in call("GET", "/api/v1/master").json()] == ["m1", "m2"]
