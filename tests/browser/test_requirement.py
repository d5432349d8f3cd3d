"""Leaving the browser tests out is loud, and forbidden where Chromium is required. Needs no browser itself."""

from __future__ import annotations

import pytest

from tests.browser.conftest import found_or_left_out


def test_a_found_chromium_is_used() -> None:
    assert found_or_left_out("/somewhere/chromium", "chromium") == "/somewhere/chromium"


def test_without_chromium_the_tests_are_left_out_in_capitals() -> None:
    with pytest.raises(pytest.skip.Exception, match="LEFT OUT: THE TOWER WAS NOT TRIED IN A BROWSER"):
        found_or_left_out(None, "")


@pytest.mark.parametrize("required", ["chromium", "kafka,chromium", "kafka chromium"])
def test_without_chromium_they_fail_where_it_is_required(required: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="CHROMIUM IS NOT INSTALLED"):
        found_or_left_out(None, required)
