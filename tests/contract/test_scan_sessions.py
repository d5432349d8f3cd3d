"""How a session's scans ended (`GET /scans/{session}`), and what else the scanner page is served: over a projection of records."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from schemas import topics
from schemas.events import ItemOutcome, ReferenceChange
from schemas.ids import derived_id
from schemas.kinds import Outcome
from schemas.raw import RawRef
from schemas.scan import NAME_CHARACTERS_MAX, scan_key
from sinks.scanner import mount
from sinks.scanner.mount import mount_scanner
from sinks.sql import Projection, Views
from sinks.sql.scans import SESSION_EVENTS_MAX
from tests.browser.hospital import NOW, Log, network

SESSION = "page-1"
STATIC = Path(mount.__file__).with_name("static")


class Sessions:
    """A projection with the handmade network, and scans in it."""

    def __init__(self) -> None:
        self.log = Log()
        self.projection = Projection("sqlite://")
        self.views = Views(self.projection.engine)
        self.projection.apply(network(self.log))
        self.offset = 1_000

    def ended(self, scan: str, outcome: Outcome, code: str = "posted", *, session: str = SESSION, kind: str = "receive") -> None:
        """One item of a message of its own ended so."""
        self.offset += 1
        event_key = scan_key(session, scan)
        refused = outcome is Outcome.QUARANTINED
        value = ItemOutcome(
            source="scanner-page", raw=RawRef(partition=0, offset=self.offset, index=0), items=1, outcome=outcome, code=code,
            reason=f"{code} it is", at=NOW, site=None if refused else "mercy", event_key=event_key,
            event_ids=() if refused else (derived_id("event", "mercy", event_key),), kinds=() if refused else (kind,),
        )  # fmt: skip
        self.projection.apply([self.log.record(topics.OUTCOMES, (0, self.offset, 0), value)])

    def moved(self, scan: str, *, session: str = SESSION, **more: Any) -> None:
        """A ledger entry of the scan."""
        self.offset += 1
        event_key = scan_key(session, scan)
        event_id = derived_id("event", "mercy", event_key)
        given = {"event_id": event_id, "cause": event_key, "kind": "receive", "from_account": "supplier", "to_account": "stock:main"}
        self.projection.apply([self.log.movement(self.offset, **{**given, **more})])

    def get(self, path: str) -> httpx.Response:
        """Ask the page's addresses."""
        app = FastAPI()
        mount_scanner(app, self.views)

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as client:
                return await client.get(path)

        return asyncio.run(send())

    def events(self, session: str = SESSION) -> dict[str, dict[str, Any]]:
        """The events of a session by their id."""
        return {event["event_id"]: event for event in self.get(f"/scans/{session}").json()["events"]}


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


def test_an_accepted_scan_names_item_lot_and_base_units(sessions: Sessions) -> None:
    sessions.ended("1-a", Outcome.ACCEPTED)
    sessions.moved("1-a", quantity=14, lot="H123", expiry=date(2027, 6, 30), patient="secret-hash")
    answer = sessions.get(f"/scans/{SESSION}")
    assert answer.json() == {
        "session": SESSION,
        "more": False,
        "events": [
            {
                "event_id": "1-a", "outcome": "accepted", "code": "posted", "reason": "posted it is", "kind": "receive",
                "at": "2026-03-10T14:05:00Z", "resent": 0, "item": "HEP5000", "item_name": "Heparin 5,000 units/mL vial",
                "product": "HEP5000-A", "lot": "H123", "expiry": "2027-06-30", "quantity": 14, "unit": "vial",
                "from_account": "supplier", "to_account": "stock:main",
            }
        ],
    }  # fmt: skip
    assert "secret" not in answer.text
    assert "RN Cole" not in answer.text, "nobody's name either"


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.DUPLICATE, Outcome.QUARANTINED])
def test_any_other_ending_comes_with_its_reason(sessions: Sessions, outcome: Outcome) -> None:
    sessions.ended("1-a", outcome, "unknown_code")
    event = sessions.events()["1-a"]
    assert (event["outcome"], event["code"], event["reason"]) == (outcome.value, "unknown_code", "unknown_code it is")
    assert "item" not in event


def test_a_scan_received_twice_is_told_once_as_what_it_did(sessions: Sessions) -> None:
    """A resend is a duplicate; for the person the scan was accepted. One let go from quarantine is accepted, too."""
    sessions.ended("1-a", Outcome.ACCEPTED)
    sessions.ended("1-a", Outcome.DUPLICATE, "duplicate")
    sessions.ended("2-b", Outcome.QUARANTINED, "unreadable_barcode")
    sessions.ended("2-b", Outcome.ACCEPTED)
    told = {name: (event["outcome"], event["resent"]) for name, event in sessions.events().items()}
    assert told == {"1-a": ("accepted", 1), "2-b": ("accepted", 1)}


def test_lots_of_one_scan_add_up_and_later_corrections_do_not(sessions: Sessions) -> None:
    """A pick may take from two lots; a variance that a late event moves is no part of the scan."""
    sessions.ended("1-a", Outcome.ACCEPTED, kind="pick")
    sessions.moved("1-a", quantity=3, lot="A", kind="pick")
    sessions.moved("1-a", quantity=4, lot="B", kind="pick")
    sessions.moved("1-a", quantity=9, lot="C", kind="variance", corrects="x")
    assert sessions.events()["1-a"]["quantity"] == 7


def test_a_count_tells_no_quantity_but_its_reason(sessions: Sessions) -> None:
    """What moves is the difference from before: shown as the count, it would be misread."""
    sessions.ended("1-a", Outcome.ACCEPTED, kind="count")
    sessions.moved("1-a", quantity=2, kind="count")
    event = sessions.events()["1-a"]
    assert "quantity" not in event
    assert event["item"] == "HEP5000"


def test_a_session_hears_of_its_own_scans_only(sessions: Sessions) -> None:
    sessions.ended("1-a", Outcome.ACCEPTED)
    sessions.ended("1-a", Outcome.HELD, session=f"{SESSION}0")
    sessions.ended("1-a", Outcome.HELD, session=f"{SESSION}|1")
    assert [event["outcome"] for event in sessions.events().values()] == ["accepted"]
    assert sessions.events("nobody") == {}


def test_names_of_sessions_may_hold_anything(sessions: Sessions) -> None:
    sessions.ended("x/y", Outcome.ACCEPTED, session="a|b/%41 ü")
    answer = sessions.get("/scans/a%7Cb%2F%2541%20%C3%BC").json()
    assert (answer["session"], [event["event_id"] for event in answer["events"]]) == ("a|b/%41 ü", ["x/y"])


def test_a_name_no_session_can_have_is_refused_with_a_sentence(sessions: Sessions) -> None:
    answer = sessions.get(f"/scans/{'s' * (NAME_CHARACTERS_MAX + 1)}")
    assert answer.status_code == 400
    assert answer.json() == {"reason": "A session is named by 1 to 100 characters."}


def test_of_a_long_session_the_newest_scans_are_told(sessions: Sessions) -> None:
    for number in range(SESSION_EVENTS_MAX + 1):
        sessions.ended(f"{number}", Outcome.HELD)
    answer = sessions.get(f"/scans/{SESSION}").json()
    assert answer["more"] is True
    assert [answer["events"][at]["event_id"] for at in (0, -1)] == ["1", str(SESSION_EVENTS_MAX)]


def test_looking_up_a_session_reads_no_whole_table(sessions: Sessions) -> None:
    """The page asks while people scan: both statements go by an index (SQLite's EXPLAIN QUERY PLAN)."""
    sessions.ended("1-a", Outcome.ACCEPTED)
    sessions.moved("1-a")
    asked: list[tuple[str, Any]] = []
    engine = sessions.projection.engine

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    sessions.views.scans(SESSION)
    sa.event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all()) for text, given in asked]
    assert len(plans) == 2
    assert "outcomes_scan" in plans[0]
    assert "movements_scan" in plans[1]
    assert not re.search(r"SCAN (outcomes|movements)", " ".join(plans))


def test_the_page_offers_sites_and_places_by_name(sessions: Sessions) -> None:
    record = {"site": "mercy", "path": "main", "kind": "store", "name": "Central pharmacy", "codes": ["MAIN"]}
    change = ReferenceChange(revision=99, kind="location", id="mercy|main", record=record)
    sessions.projection.apply([sessions.log.record(topics.REFERENCE, ("location", "mercy|main"), change)])
    answer = sessions.get("/scanner/places").json()
    assert {"id": "mercy", "name": "Mercy General Hospital"} in answer["sites"]
    assert answer["places"] == [{"site": "mercy", "path": "main", "name": "Central pharmacy", "codes": ["MAIN"]}]


def test_every_file_is_served_as_what_it_is(sessions: Sessions) -> None:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}
    for path in STATIC.iterdir():
        answer = sessions.get(f"/scanner/{path.name}")
        assert answer.status_code == 200, path.name
        assert answer.headers["content-type"].split(";")[0] == types[path.suffix]
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert sessions.get("/scanner").text == sessions.get("/scanner/").text == (STATIC / "index.html").read_text()
    assert sessions.get("/scanner/nothing.js").json() == {"reason": "The scanner page has no such file."}


def test_a_file_outside_the_page_is_not_served(sessions: Sessions) -> None:
    for path in ("/scanner/..%2Fmount.py", "/scanner/../mount.py", "/scanner/%2e%2e/__init__.py"):
        assert sessions.get(path).status_code == 404


def test_the_worker_keeps_every_file_and_changes_with_any(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser takes a new version when the worker's bytes differ: so they must whenever any file does."""
    worker = sessions.get("/scanner/worker.js")
    assert worker.headers["service-worker-allowed"] == "/scanner"
    kept = {f"/scanner/{path.name}" for path in STATIC.iterdir()} - {"/scanner/worker.js", "/scanner/index.html"} | {"/scanner"}
    files = re.search(r"const FILES = (\[.*\]);", worker.text)
    assert files is not None
    assert set(re.findall(r'"([^"]+)"', files.group(1))) == kept
    for path in STATIC.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(mount, "_STATIC", tmp_path)
    assert sessions.get("/scanner/worker.js").text == worker.text
    (tmp_path / "scanner.css").write_text("body {}")
    assert sessions.get("/scanner/worker.js").text != worker.text


def test_the_page_names_no_other_host() -> None:
    """No CDN, no font, no picture from elsewhere (an XML namespace is a name, not an address)."""
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name




def test_an_opening_is_told_once_and_of_a_transform_what_was_made(sessions: Sessions) -> None:
    """An opening has two entries, out of the lot and into the container; a transform has one for each line."""
    opened = {"kind": "open", "item": "HEP5000", "quantity": 2, "lot": "L1"}
    sessions.ended("1", Outcome.ACCEPTED, kind="open")
    sessions.moved("1", **opened, from_account="stock:main", to_account="transform")
    sessions.moved("1", **opened, from_account="transform", to_account="stock:main", container="V1")
    sessions.ended("2", Outcome.ACCEPTED, kind="transform")
    sessions.moved("2", kind="transform", item="HEP5000", quantity=3, lot="L1", from_account="stock:main", to_account="transform")
    sessions.moved("2", kind="transform", item="BAG", quantity=1, lot="B1", from_account="transform", to_account="stock:main")
    found = sessions.events()
    assert (found["1"]["quantity"], found["1"]["lot"]) == (2, "L1")
    assert (found["2"]["item"], found["2"]["quantity"], found["2"]["lot"]) == ("BAG", 1, "B1")
