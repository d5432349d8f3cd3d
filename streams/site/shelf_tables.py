"""What the site processor remembers of expiry windows, allocations, stock to destroy and read recalls, as named typed tables."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.records import RecallReading
from streams.state import State, Table, TableSpec


class Condemned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A lot at a place that expired longer ago than the site allows, and its newest command to destroy it, where there is one."""

    product: str
    lot: str
    container: str
    command_id: str = ""


WINDOWS: Final = TableSpec("expiry_windows_said", int)
RECEIVED: Final = TableSpec("lots_received", int)
OUTGOING: Final = TableSpec("outgoing", tuple[str, ...], sparse=True)
SUPPLIED: Final = TableSpec("supplied", tuple[int, int], sparse=True)
PICKED: Final = TableSpec("picked", tuple[tuple[str, int], ...], sparse=True)
CONDEMNED: Final = TableSpec("condemned", tuple[Condemned, ...], sparse=True)
READINGS: Final = TableSpec("recall_readings", RecallReading)
SHELF_TABLES: Final = (WINDOWS, RECEIVED, OUTGOING, SUPPLIED, PICKED, CONDEMNED, READINGS)


class Shelf:
    """These tables of one state."""

    __slots__ = ("condemned", "outgoing", "picked", "readings", "received", "supplied", "windows")

    def __init__(self, state: State) -> None:
        """Binds the tables."""
        self.windows: Table[int] = state.table(WINDOWS)
        """By site, item, product and lot: entered a window with none on hand; with expiry and days: it was said."""
        self.received: Table[int] = state.table(RECEIVED)
        """By card and lot: when stock of the lot first came there, µs."""
        self.outgoing: Table[tuple[str, ...]] = state.table(OUTGOING)
        """By card of a store: the open commands that take from it."""
        self.supplied: Table[tuple[int, int]] = state.table(SUPPLIED)
        """By site and command: what had been brought to its place since the need arose when it was made, and until now."""
        self.picked: Table[tuple[tuple[str, int], ...]] = state.table(PICKED)
        """By site and command: event keys and quantities of picks that name it."""
        self.condemned: Table[tuple[Condemned, ...]] = state.table(CONDEMNED)
        """By card: lots that wait to be destroyed, or are watched for coming back."""
        self.readings: Table[RecallReading] = state.table(READINGS)
        """By site and notice: what the site read last."""
