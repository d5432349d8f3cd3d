"""A capture line keeps every byte of a message, and a bad line says what is wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.raw import CaptureError, RawMessage, capture_lines, from_capture_line, to_capture_line

WHEN = datetime(2026, 5, 31, 12, 0, tzinfo=UTC)
INSTANTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)


def line(**changes) -> bytes:
    whole = {"received_at": "2026-05-31T12:00:00+00:00", "source": "s", "content_type": "t", "body": "x", **changes}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


@given(
    st.builds(
        RawMessage,
        body=st.binary(max_size=60),
        source=TEXT,
        connector=TEXT,
        content_type=TEXT,
        received_at=INSTANTS,
        profile=TEXT,
        site=st.none() | TEXT,
        peer=st.none() | TEXT,
        name=st.none() | TEXT,
    )
)
def test_every_message_comes_back_from_its_line(message):
    written = to_capture_line(message)
    assert b"\n" not in written
    assert from_capture_line(written) == message


def test_a_utf8_body_stays_readable_and_any_other_is_base64():
    readable = json.loads(to_capture_line(from_capture_line(line(body="MSH|ä"))))
    assert readable["body"] == "MSH|ä"
    binary = RawMessage(body=b"\xff\x00", source="s", connector="c", content_type="t", received_at=WHEN)
    assert json.loads(to_capture_line(binary))["body_base64"] == base64.b64encode(b"\xff\x00").decode()


def test_a_line_without_connector_and_profile_has_the_defaults():
    message = from_capture_line(line())
    assert (message.connector, message.profile, message.site) == ("capture", "standard", None)


def test_an_offset_other_than_utc_is_the_same_instant():
    assert from_capture_line(line(received_at="2026-05-31T07:00:00-05:00")).received_at - WHEN == timedelta(0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"\xff", "not a JSON object"),
        (line(body=...), "exactly one of body and body_base64"),
        (line(body_base64="eA=="), "exactly one of body and body_base64"),
        (line(body=..., body_base64="%%%"), "body can't be read"),
        (line(body=..., body_base64=7), "body can't be read"),
        (line(body=7), "body can't be read"),
        (line(source=...), "source"),
        (line(source=""), "source"),
        (line(received_at="yesterday"), "received_at"),
        (line(received_at="2026-05-31T12:00:00"), "no UTC offset"),
        (line(received_at="0001-01-01T00:00:00+12:00"), "between 1970 and 2199"),
        (line(received_at="9999-12-31T23:59:59-12:00"), "between 1970 and 2199"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_can_not_be_used_says_why(data, reason):
    with pytest.raises(CaptureError, match=reason):
        from_capture_line(data)


def test_empty_lines_are_skipped_but_counted():
    assert list(capture_lines(iter([b"a\n", b"\n", b"  \r\n", b"b"]))) == [(1, b"a"), (4, b"b")]


def test_the_digest_is_the_sha256_of_the_body():
    message = RawMessage(body=b"abc", source="s", connector="c", content_type="t", received_at=WHEN)
    assert (
        message.sha256 == hashlib.sha256(b"abc").hexdigest() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
