"""What all tests share: the order of the run."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: Playwright keeps an event loop in the main thread, where no other test could start one."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
