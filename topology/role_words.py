"""What a person is told who lacks a role: which one is needed, and how one gets it. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_NAME_SHOWN: Final = 100


def how_to_get(person: str, role: str, sites: Iterable[str] = ()) -> str:
    """The record that would give a person a role at sites (none: all), and the command that loads it."""
    line = f"{person[:_NAME_SHOWN] or 'PERSON'},{role},{';'.join(sorted(sites))}"
    return f"`wardstock reference load` takes a roles.csv with the columns person,role,sites and the line {line}"
