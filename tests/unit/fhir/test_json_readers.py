"""Two readers of JSON, one meaning: what the fast reader takes it reads as the standard library does, and what it does not take is
told as before. Method: every body is read with the fast reader and without it, and the two must agree in value, type and words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir import body as body_module
from connectors.fhir.body import documents
from tests.unit.fhir.samples import DATA, SHARED, administration, bundle, dispense
from tests.unit.fhir.test_bad_input import RELAXED

SURROGATES = [f"\\u{unit:04x}" for unit in range(0xD800, 0xE000)]
DIGITS_MAX = 4_300
"""Longest integer that Python reads (sys.int_info.default_max_str_digits)."""


def fast(content: bytes | str) -> object:
    return body_module._read(content)


def told_slowly(body: bytes) -> str:
    """What `documents` gives without the fast reader."""
    with patch.object(body_module, "_read", lambda content: None):
        return repr(documents(body))


def agree(body: bytes) -> None:
    """`repr` tells 1 from Decimal(1), 1.10 from 1.1, and one order of members from another."""
    assert repr(documents(body)) == told_slowly(body)


def published() -> Iterator[Path]:
    return (path for folder in (DATA, SHARED) if folder.is_dir() for path in sorted(folder.rglob("*.json")))


def test_both_readers_read_the_same_of_every_published_file() -> None:
    files = list(published())
    for path in files:
        agree(path.read_bytes())
    if not SHARED.is_dir():
        pytest.skip("THE PUBLISHED FHIR FILES (../shared/data/fhir) ARE NOT HERE: ONLY THE HUB'S OWN WERE READ")
    assert len(files) > 400


def test_valid_resources_are_taken_by_the_fast_reader() -> None:
    """Else every other test here would compare the slow reader with itself."""
    for resource in (administration(), dispense(), bundle(dispense(), administration())):
        assert fast(json.dumps(resource).encode()) == resource


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1.10", Decimal("1.10")),
        ("0.1234567890123456789012345678901234567890", Decimal("0.1234567890123456789012345678901234567890")),
        ("12345678901234567890.5", Decimal("12345678901234567890.5")),
        ("-0.0", Decimal("-0.0")),
        ("1E+2", Decimal("1E+2")),
        ("1e400", Decimal("1E+400")),
        ("1e-400", Decimal("1E-400")),
        ("-0", 0),
        (str(2**63), 2**63),
        (str(2**64), 2**64),
        (str(-(2**63) - 1), -(2**63) - 1),
        ("9" * 100, 10**100 - 1),
    ],
)
def test_a_number_is_read_exactly_as_written(number: str, expected: object) -> None:
    body = f'{{"a": {number}}}'.encode()
    assert repr(fast(body)) == repr({"a": expected})
    agree(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999", "01", "+1", ".5", "1.", "1e", "-", "0x1", "1_0", "１"])
def test_what_is_no_number_or_none_that_can_be_used_is_left_to_the_slow_reader(number: str) -> None:
    body = f'{{"a": {number}}}'.encode()
    assert fast(body) is None
    agree(body)


@pytest.mark.parametrize("digits", range(DIGITS_MAX - 2, DIGITS_MAX + 3))
def test_the_longest_integer_is_the_same_for_both(digits: int) -> None:
    for sign in ("", "-"):
        for number in ("9" * digits, "1" + "0" * (digits - 1)):
            agree(f'{{"a": {sign}{number}}}'.encode())


def test_half_a_surrogate_pair_is_never_taken_by_the_fast_reader() -> None:
    """Every code unit from D800 to DFFF, alone, before a letter, before another escape, as a name; pairs in the wrong order."""
    for unit in SURROGATES:
        for text in (unit, f"{unit}x", f"x{unit}", f"{unit}\\n", f"{unit}\\u0041", unit.upper().replace("\\U", "\\u")):
            assert fast(f'{{"a": "{text}"}}') is None
            assert fast(f'{{"{text}": 1}}'.encode()) is None
    for first, second in (("\\ud800", "\\ud800"), ("\\udc00", "\\ud800"), ("\\udfff", "\\udfff"), ("\\ud83d\\ude00", "\\ude00")):
        body = f'{{"a": "{first}{second}"}}'.encode()
        assert fast(body) is None
        agree(body)


def test_whole_surrogate_pairs_are_the_character_they_stand_for() -> None:
    """The edges of the planes above the first (Unicode §3.9: UTF-16)."""
    for point in (0x10000, 0x1F600, 0x10FFFF):
        body = json.dumps({chr(point): chr(point)}).encode()
        assert re.search(rb"\\ud[89ab]", body)
        assert fast(body) == {chr(point): chr(point)}
        agree(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "b": 2, "a": 3}',
        b'{"a": {"x": 1}, "a": {"y": 2}, "A": 0}',
        b'{"": "", "\\u0000": "\\u0000"}',
        b'{"a": "\x7f\xc2\x80\xef\xbf\xbf"}',
        b'\t\r\n {"a" : [ ] , "b" : { } }\n',
        b'{"a": "\\/\\b\\f\\n\\r\\t\\"\\\\"}',
        b"null",
        b'{"a": 1}\x0c',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\x80"}',
        b'{"a": "\xf4\x90\x80\x80"}',
        b'{"a": "\x1f"}',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} // x',
        b'{"a": undefined}',
        b'{"a": 1}{"b": 2}',
        b'{"a": 1}\n{"b": 1.50}\n{"c": NaN}\n{"d": "\\ud800"}',
        b"5\x00",
        b"\x00",
    ],
)
def test_odd_bodies_are_read_or_refused_alike(body: bytes) -> None:
    agree(body)


@pytest.mark.parametrize("depth", [1, 30, 62, 63, 64, 65, 66, 200, 100_000])
def test_nesting_is_limited_alike(depth: int) -> None:
    agree(b'{"a":' * depth + b"1" + b"}" * depth)
    agree(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    agree(b'{"a":"' + b"[{" * depth + b'"}')


def test_the_half_pair_in_what_is_too_deep_is_told_by_its_depth() -> None:
    agree(b'{"a":' * 80 + b'"\\ud800"' + b"}" * 80)


FRAGMENTS = st.sampled_from(
    [
        "{", "}", "[", "]", ",", ":", '"', "\\", " ", "\n", "\t", "\x0c", "\x00", "\ufeff", "null", "true", "NaN", "-", "0", "1", "9" * 25,
        ".", "e", "E+", "1.10", "-0.0", "1e400", '"a"', '"a":', '{"a":1}', '{"a":1}\n', "[]", "\\u", "d800", "\\ud83d", "\\ude00", "\\u0000",
        "é", "😀", "\u2028", "/", "x",
    ]
)  # fmt: skip


@RELAXED
@given(st.lists(FRAGMENTS, max_size=14))
def test_any_sequence_of_fragments_is_read_or_refused_alike(fragments: list[str]) -> None:
    text = "".join(fragments)
    agree(text.encode())
    agree(f'{{"resourceType": {text}}}'.encode())
    agree(f'{{"resourceType": "{text}"}}'.encode())


@RELAXED
@given(st.data())
def test_a_resource_with_bytes_put_in_taken_out_or_written_over_is_read_or_refused_alike(data: st.DataObject) -> None:
    whole = bytearray(json.dumps(data.draw(st.sampled_from([administration(), dispense(), bundle(dispense())]))).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        end = start + data.draw(st.integers(0, 4))
        whole[start:end] = data.draw(st.binary(max_size=4) | FRAGMENTS.map(str.encode))
    agree(bytes(whole))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=40), inner, max_size=4),
    max_leaves=15,
)


@RELAXED
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_any_object_is_taken_and_read_as_the_standard_library_reads_it(value: object, is_ascii: bool, indent: int | None) -> None:
    """The rule is json.loads with exact decimals, whatever the spelling of the text."""
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    assert repr(fast(body)) == repr(json.loads(body, parse_float=Decimal))
    agree(body)
