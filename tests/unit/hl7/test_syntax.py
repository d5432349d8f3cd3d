"""What is kept of field texts changes nothing but the time it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.delimiters import STANDARD, Delimiters
from connectors.hl7.er7 import read
from connectors.hl7.fields import FieldError, codes, quantity
from connectors.hl7.paths import PATHS
from connectors.hl7.syntax import KEPT_CHARS_MAX, PLAIN, Syntax, kept, syntax_of

OTHER = Delimiters("|", "$", "~", "\\", "&", "$~\\&")


def test_equal_delimiters_and_character_set_are_one_syntax() -> None:
    assert syntax_of(STANDARD, "") is PLAIN
    assert syntax_of(STANDARD, "utf-8") is not PLAIN


def test_a_short_text_is_read_once_and_a_long_one_each_time() -> None:
    calls: list[str] = []

    @kept
    def reading(text: str, syntax: Syntax) -> int:
        calls.append(text)
        return len(text)

    long = "x" * (KEPT_CHARS_MAX + 1)
    assert [reading(text, PLAIN) for text in ("a", "a", long, long)] == [1, 1, len(long), len(long)]
    assert calls == ["a", long, long]


def test_the_same_text_means_something_else_with_other_delimiters() -> None:
    """`1$2` is one component where `^` parts them, and two where `$` does."""
    segments = [read(header + b"\rRXA|||||1$2").segment("RXA") for header in (b"MSH|^~\\&|A", b"MSH|$~\\&|A")]
    assert [[code.value for code in codes(segment, 5)] for segment in segments if segment] == [["1$2"], ["1"]]


def test_a_number_that_is_none_is_refused_by_the_name_of_its_own_field() -> None:
    segment = read(b"MSH|^~\\&|A\rRXA|1|2|3|4|5|many|many").segment("RXA")
    assert segment is not None
    for field in (6, 7, 6):
        with pytest.raises(FieldError) as refused:
            quantity(segment, field)
        assert refused.value.reason == f"RXA-{field} is 'many', which is not a number"


@given(st.text(alphabet="aZ0 ^~&\\\"|é.", max_size=20), st.sampled_from(["1", "1.2", "1(2)", "1(2).2", "1.1.2", "1(2).2.2"]))
def test_trimmed_is_what_was_picked_without_blanks_and_null(text: str, path: str) -> None:
    for syntax in (PLAIN, syntax_of(OTHER, "utf-8")):
        picked = syntax.pick(text, PATHS[path]).strip()
        assert syntax.trimmed(text, PATHS[path]) == ("" if picked == '""' else picked)
