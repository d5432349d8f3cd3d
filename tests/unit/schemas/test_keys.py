"""Composite keys: byte order is tuple order, a prefix of elements is a byte prefix, and every key comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.keys import decode_key, encode_key, prefix_end

ELEMENT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8) | st.text("/\x00\x01\xff m2", max_size=6)
INTEGER = st.integers(-(1 << 63), (1 << 63) - 1)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple, tuple]:
    """Two keys of the same shape: only such keys stand in one table."""
    shape = draw(st.lists(st.sampled_from([ELEMENT, INTEGER]), max_size=4))
    return tuple(draw(part) for part in shape), tuple(draw(part) for part in shape)


@given(st.lists(ELEMENT | INTEGER, max_size=5).map(tuple))
def test_every_key_comes_back(key):
    assert decode_key(encode_key(key)) == key


@given(pairs())
def test_byte_order_is_the_order_of_the_tuples(pair):
    """Strings compare by code point, which is the order of their UTF-8 bytes."""
    first, second = pair
    assert (encode_key(first) < encode_key(second)) == (first < second)


@given(st.lists(ELEMENT | INTEGER, max_size=3).map(tuple), st.lists(ELEMENT | INTEGER, max_size=3).map(tuple))
def test_a_key_starts_with_its_prefix_and_ends_before_the_prefix_end(prefix, rest):
    encoded, start = encode_key(prefix + rest), encode_key(prefix)
    assert encoded.startswith(start)
    assert start <= encoded < prefix_end(start)


def test_main_is_no_prefix_of_main2_and_slashes_are_letters_like_others():
    assert not encode_key(("s", "main2")).startswith(encode_key(("s", "main")))
    assert not encode_key(("s", "main/fridge")).startswith(encode_key(("s", "main")))
    start = encode_key(("s", "main"))
    assert not start <= encode_key(("s", "main2")) < prefix_end(start)


def test_a_zero_byte_inside_a_string_does_not_end_it():
    assert decode_key(encode_key(("a\x00b", "c"))) == ("a\x00b", "c")
    assert encode_key(("a",)) < encode_key(("a\x00",)) < encode_key(("a\x00\x00",)) < encode_key(("a\x01",))


def test_a_shorter_tuple_sorts_before_the_longer_one_it_begins():
    assert encode_key(("a",)) < encode_key(("a", "")) < encode_key(("a", "b")) < encode_key(("b",))


def test_negative_numbers_sort_below_positive_ones():
    numbers = [-(1 << 63), -1, 0, 1, (1 << 63) - 1]
    assert sorted(numbers, key=lambda number: encode_key((number,))) == numbers


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_an_integer_over_64_bits_overflows(number):
    with pytest.raises(OverflowError):
        encode_key((number,))


@pytest.mark.parametrize("data", [b"\x99", b"\x02abc", b"\x02ab\x00\xff", b"\x15\x00\x00", b"\x02a\x00\x07"])
def test_bytes_that_are_no_key_are_refused(data):
    with pytest.raises(ValueError, match="key"):
        decode_key(data)
