"""Normalise: every item of every raw message goes to its site or ends here, once, and no patient identifier leaves raw."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import events
from schemas.codec import encode
from schemas.events import StockEvent, Watermark
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef, raw_headers
from schemas.records import QUARANTINED
from schemas.topics import HOLDS, OUTCOMES, QUARANTINE, RAW, SITE_LOG
from streams.normalise.processor import KEPT_AGAIN_BYTES_MAX, NormaliseProcessor
from tests.support.facts import START, answer, decision, minutes, told
from tests.support.hub import Hub, SiteHub
from tests.support.world import POCKET, SITE, item, site

KEY = b"a key of the hub"
PLAIN = "text/plain"


def mapper(message: RawMessage, ref: RawRef, context: MappingContext) -> Sequence[Mapped]:
    """One item a line: `vend FACILITY PATIENT`, `order …`, `none`, `bad`, `scan FACILITY`, `unread`, `decide SITE`, `answer SITE`, `absurd FACILITY`."""
    items: list[Mapped] = []
    for index, line in enumerate(message.body.decode().splitlines()):
        word, *rest = line.split()
        match word:
            case "vend" | "order" | "absurd":
                found = context.site(tuple(rest[:1]), message.site)
                patient = context.patient_hash(rest[1], "MRN") if len(rest) > 1 else None
                event = told(
                    "order" if word == "order" else "vend", 1, place=POCKET, key=f"{ref.offset}|{index}", patient=patient
                )
                event = replace(
                    event, site=found.id if found else "", facility=next(iter(rest), None), source=message.source,
                    raw=replace(ref, index=index), event_key="" if word == "absurd" else event.event_key,
                )  # fmt: skip
                items.append(event)
            case "decide":
                items.append(replace(decision("c-1", "approve", "pat"), site=rest[0]))
            case "answer":
                items.append(replace(answer("c-1", "shipped"), site=rest[0]))
            case "none":
                items.append(NoEffect(code="no_movement", reason="nothing in it"))
            case "scan":
                found = context.site(tuple(rest[:1]), message.site)
                event = told("receive", 1, place=POCKET, key="scan|s|1")
                items.append(replace(event, site=found.id if found else "", facility=rest[0], raw=replace(ref, index=index)))
            case "unread":
                items.append(Refused(code="unreadable", reason="no barcode", event_key="scan|s|2"))
            case _:
                items.append(Refused(code="unreadable", reason="this line is no item"))
    return items


class Inbox(Hub):
    """The normalise processor with one mapper and the sites it knows."""

    def __init__(self, *sites: Any) -> None:
        super().__init__(NormaliseProcessor({PLAIN: mapper}, KEY))
        self._helper = SiteHub(reference=())
        for one in sites:
            self.learn(one)

    def learn(self, record: Any) -> None:
        self.feed(self.record("ReferenceChange", encode(self._helper.change_of(record))))

    def receive(self, body: str, **changes: Any) -> RawMessage:
        fields = {"body": body.encode(), "source": "feed-1", "connector": "test", "content_type": PLAIN, "received_at": START}
        message = RawMessage(**{**fields, **changes})
        self.feed(self.record("RawMessage", message.body, headers=raw_headers(message)))
        return message

    def ends(self) -> list[tuple[int, str, str]]:
        return [(one.raw.index, str(one.outcome), one.code) for one in self.all(OUTCOMES)]

    def to_sites(self, type_: str = "StockEvent") -> list[Any]:
        return [one for one in self.outputs if one.topic == SITE_LOG and one.type == type_]


def test_each_item_goes_to_its_site_or_ends_here_and_the_counts_add_up() -> None:
    hub = Inbox(site())
    hub.receive("vend NGH\norder NGH\nnone\nbad\nvend NOWHERE\ndecide north\nanswer north")
    assert len(hub.to_sites()) == 2
    assert len(hub.to_sites("Decision")) == len(hub.to_sites("OrderAnswer")) == 1
    assert hub.ends() == [(2, "accepted", "no_movement"), (3, "quarantined", "unreadable"), (4, "held", "unknown_site")]
    sent = sum(len(hub.to_sites(kind)) for kind in ("StockEvent", "Decision", "OrderAnswer"))
    assert sent + len(hub.ends()) == 7
    assert {one.items for one in hub.all(OUTCOMES)} == {7}
    assert {one.items for one in hub.to_sites()} == {7}


def test_an_event_goes_to_the_partition_of_its_site_as_it_was_mapped() -> None:
    hub = Inbox(site())
    hub.receive("vend ngh")
    [output] = hub.to_sites()
    event = events.STOCK_EVENT.validate_json(output.value or b"")
    assert (output.partition_key, output.subject, output.partition, event.site) == (SITE, SITE, None, SITE)


def test_the_feeds_default_site_is_taken_when_the_message_names_none_that_is_known() -> None:
    hub = Inbox(site())
    hub.receive("vend NOWHERE", site=SITE)
    assert len(hub.to_sites()) == 1


def test_an_item_of_an_unknown_site_waits_and_is_placed_when_the_site_is_known() -> None:
    hub = Inbox()
    hub.receive("vend NGH\nbad\nvend ELSE")
    assert [one.waits_for for one in hub.latest(HOLDS)] == ["site NGH", "site ELSE"]
    hub.learn(site())
    assert len(hub.to_sites()) == 1
    assert [one.waits_for for one in hub.latest(HOLDS)] == ["site ELSE"]
    hub.learn(site(id="south", facility_codes=("ELSE",)))
    assert len(hub.to_sites()) == 2
    assert hub.latest(HOLDS) == []
    hub.learn(site(id="west", facility_codes=("W",)))
    assert len(hub.to_sites()) == 2, "what was placed is not placed again"
    assert [end for end in hub.ends() if end[1] == "quarantined"] == [(1, "quarantined", "unreadable")]


@pytest.mark.parametrize(
    ("body", "named", "reason", "waits_for"),
    [
        ("vend ELSE", None, "no site is known for facility ELSE: load a site record that names it", "site ELSE"),
        (
            "vend",
            "../",
            "the feed's site '../' is not known: load a site record with this id, or give the feed a site",
            "site ../",
        ),
        (
            "vend ELSE",
            "../",
            "no site is known for facility ELSE, and the feed's site '../' is not known either: load",
            "site ELSE",
        ),
        (
            "vend",
            None,
            "the message names no facility and its feed has no default site: give the feed a site",
            "site of the feed",
        ),
    ],
)
def test_the_reason_of_the_hold_tells_a_facility_from_a_feeds_site(
    body: str, named: str | None, reason: str, waits_for: str
) -> None:
    hub = Inbox(site())
    hub.receive(body, site=named)
    (hold,) = hub.latest(HOLDS)
    assert hold.reason.startswith(reason)
    assert hold.waits_for == waits_for


def test_an_item_that_moves_nothing_does_not_wait_for_its_site() -> None:
    hub = Inbox()
    hub.receive("order NOWHERE")
    assert hub.ends() == [(0, "accepted", "no_movement")]


@pytest.mark.parametrize("body", ["decide north", "answer north"])
def test_a_decision_or_answer_of_an_unknown_site_is_refused_with_the_way_out(body: str) -> None:
    hub = Inbox()
    hub.receive(body)
    assert hub.ends() == [(0, "quarantined", "unknown_site")]
    assert "north" in hub.all(OUTCOMES)[0].reason


@pytest.mark.parametrize(
    ("body", "changes", "code"),
    [
        ("bad", {}, "unreadable"),
        ("", {}, "empty"),
        ("x", {"content_type": "image/png"}, "unknown_format"),
        ("absurd NGH", {}, "invalid_event"),
    ],
)
def test_what_is_refused_is_kept_whole_with_its_reason(body: str, changes: dict[str, Any], code: str) -> None:
    hub = Inbox(site())
    message = hub.receive(body, **changes)
    assert hub.ends() == [(0, "quarantined", code)]
    [kept] = [QUARANTINED.decode(one.value or b"") for one in hub.outputs if one.topic == QUARANTINE]
    assert kept.body_base64 == base64.b64encode(message.body).decode()
    assert (kept.content_type, kept.source, kept.code) == (message.content_type, "feed-1", code)


def test_the_outcome_of_a_scan_says_which_scan_it_was() -> None:
    """Also of one that is refused or waits for its site: the person who scanned asks by it. Of anything else it says nothing."""
    hub = Inbox(site())
    hub.receive("scan NOWHERE\nunread\nbad\nvend NOWHERE\nnone")
    assert [one.event_key for one in hub.all(OUTCOMES)] == ["scan|s|1", "scan|s|2", None, None, None]


@pytest.mark.parametrize(("padding", "bodies"), [(0, 3), (KEPT_AGAIN_BYTES_MAX, 1)])
def test_a_large_message_is_kept_once_however_many_of_its_items_are_refused(padding: int, bodies: int) -> None:
    """A report of thousands of rows by a profile that lacks a word would be kept thousands of times."""
    inbox = Inbox(site())
    message = inbox.receive("bad\nnone\nbad\nbad" + " " * padding)
    kept = [QUARANTINED.decode(one.value) for one in inbox.outputs if one.topic == QUARANTINE and one.value is not None]
    assert [one.raw.index for one in kept] == [0, 2, 3]
    assert base64.b64decode(kept[0].body_base64) == message.body
    assert sum(bool(one.body_base64) for one in kept) == bodies


def test_a_patient_leaves_as_a_keyed_hash_and_the_identifier_never() -> None:
    hub = Inbox(site())
    hub.receive("vend NGH 4711-SECRET")
    hub.receive("vend NGH 4711-SECRET")
    hashes = {events.STOCK_EVENT.decode(one.value or b"").patient for one in hub.to_sites()}
    assert len(hashes) == 1
    assert all(b"4711-SECRET" not in (one.value or b"") and b"4711-SECRET" not in one.key for one in hub.outputs)
    other = NormaliseProcessor({PLAIN: mapper}, b"another key")
    hub_two = Inbox(site())
    hub_two.processor = other
    hub_two.receive("vend NGH 4711-SECRET")
    assert {events.STOCK_EVENT.decode(one.value or b"").patient for one in hub_two.to_sites()}.isdisjoint(hashes)


def test_a_patient_of_another_authority_is_another_patient() -> None:
    from streams.catalog import Catalog
    from streams.normalise.processor import Context

    hub = Inbox(site())
    context = Context(Catalog(hub.state), KEY)
    hashes = {context.patient_hash(*one) for one in [("1", "A"), ("1", "B"), ("2", "A"), ("1A", ""), ("", "1A")]}
    assert len(hashes) == 5
    assert all(len(one) == 32 for one in hashes)


def test_a_source_says_how_far_it_is_complete_every_quarter_of_an_hour() -> None:
    hub = Inbox(site())
    for minute in (0, 5, 14, 15, 16, 31):
        hub.receive("vend NGH", received_at=minutes(minute))
    marks = [events.WATERMARK.decode(one.value or b"") for one in hub.to_sites("Watermark")]
    assert marks == [Watermark(source="feed-1", site=SITE, complete_to=minutes(at)) for at in (0, 15, 31)]


def test_reference_records_that_are_no_site_are_left_alone() -> None:
    hub = Inbox()
    before = hub.image()
    hub.learn(item())
    assert hub.image() == before


def test_the_log_of_an_unknown_type_is_passed_over() -> None:
    hub = Inbox()
    assert hub.feed(hub.record("Tick", b"{}")) == []
    assert hub.processor.input_topic == RAW


def test_an_old_message_is_placed_as_it_was_received() -> None:
    hub = Inbox()
    hub.receive("vend NGH", received_at=START - timedelta(days=3))
    hub.learn(site())
    [output] = hub.to_sites()
    event: StockEvent = events.STOCK_EVENT.decode(output.value or b"")
    assert output.time == START - timedelta(days=3)
    assert event.raw.offset == 1
