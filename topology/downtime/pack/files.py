"""A pack as files. Each appears whole or not at all: it is written beside its place, synced, and renamed into it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from topology.downtime.entry import COLUMNS
from topology.downtime.pack.facts import Pack
from topology.downtime.pack.page import page

STOCK: Final = (
    "location", "item", "name", "code", "marks", "product", "lot", "expiry", "status", "quantity", "unit", "stale_since",
)  # fmt: skip
NEEDS: Final = (
    "urgency", "location", "item", "name", "quantity", "unit", "usable", "par", "kind", "state", "take_from", "lots", "opened_at",
    "command_id",
)  # fmt: skip
RECALLS: Final = ("id", "classification", "products", "lots", "reason", "location", "item", "lot", "quantity", "unit")
CASES: Final = ("kind", "opened_at", "location", "item", "text", "case_id")
STAMP: Final = ("site", "made_at", "newest_event")
"""Columns that every row ends with: whoever reads rows of two files sees whether they are of one pack."""


def texts(pack: Pack) -> dict[str, str]:
    """Names and texts of the files. The page is the last: once it is new, all are."""
    stamp = {
        "site": pack.site.id, "made_at": pack.made_at.isoformat(timespec="seconds"),
        "newest_event": pack.newest_event.isoformat(timespec="seconds") if pack.newest_event else "",
    }  # fmt: skip
    stock = [{**asdict(line), "marks": " ".join(line.marks)} for line in pack.lines]
    return {
        "stock.csv": _csv(STOCK, stock, stamp),
        "needs.csv": _csv(NEEDS, pack.needs, stamp),
        "recalls.csv": _csv(RECALLS, [asdict(line) for line in pack.recalls], stamp),
        "cases.csv": _csv(CASES, pack.cases, stamp),
        "paper.csv": ",".join(COLUMNS) + "\n",
        "pack.html": page(pack),
    }


def write(pack: Pack, folder: Path) -> list[Path]:
    """Write a pack's files into a folder, which is made when it is not there. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = texts(pack)
    drafts = {folder / name: folder / f".{name}.{os.getpid()}.new" for name in made}
    try:
        for target, draft in drafts.items():
            _draft(draft, made[target.name])
        for target, draft in drafts.items():
            draft.replace(target)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    _sync(folder)
    return list(drafts)


def _draft(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]], stamp: Mapping[str, str]) -> str:
    names = (*columns, *STAMP)
    file = io.StringIO()
    writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({**{name: "" if row.get(name) is None else row[name] for name in columns}, **stamp})
    return file.getvalue()
