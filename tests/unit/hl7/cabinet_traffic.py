"""A cabinet's traffic in any layout: a small simulation of pockets, written into columns in an order the seed chooses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.unit.hl7.support import PID, body, header

DRUGS = ("MORPH10^Morphine 10 mg", "AMOX250^Amoxicillin 250 mg", "PARA500^Paracetamol 500 mg")
USERS = ("N11", "N12", "N13", "N14")


@dataclass
class Layout:
    """Which column holds what, and the letters of the codes."""

    columns: dict[str, int]
    vend: str
    give_back: str
    refill: str
    count: str
    waste: str
    unload: str


def layout(seed: int) -> Layout:
    """A layout nobody has seen: columns 1 to 20 in any order, six different code words."""
    rng = random.Random(seed)
    names = ["code", "begin", "amount", "time", "cabinet", "drawer", "pocket", "item", "user", "witness", "unit", "noise"]
    columns = dict(zip(names, rng.sample(range(1, 21), len(names)), strict=True))
    words = rng.sample(["V", "R", "F", "C", "W", "U", "ISS", "RET", "LD", "CNT", "WST", "X", "Q"], 6)
    return Layout(columns, *words)


def traffic(seed: int, messages: int = 400, *, lost: float = 0.0) -> tuple[Layout, list[tuple[str, bytes]]]:
    """Messages of six pockets over some days; `lost` of them never arrive, as in a real recording."""
    rng = random.Random(seed * 7 + 1)
    chosen = layout(seed)
    pockets = [(f"CAB{n % 2}", str(n % 3 + 1), str(n % 4 + 1), DRUGS[n % 3]) for n in range(6)]
    stock = dict.fromkeys(range(6), 30)
    at = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
    found: list[tuple[str, bytes]] = []
    for number in range(messages):
        at += timedelta(minutes=rng.randint(1, 12))
        which = rng.randrange(6)
        begin = stock[which]
        code, amount, after, patient = _transaction(rng, chosen, begin)
        stock[which] = after
        cabinet, drawer, pocket, drug = pockets[which]
        stated = {
            "code": code, "begin": str(begin), "amount": str(amount), "time": f"{at:%Y%m%d%H%M%S}", "cabinet": cabinet,
            "drawer": drawer, "pocket": pocket, "item": drug, "user": rng.choice(USERS),
            "witness": rng.choice(USERS) if code == chosen.waste else "", "unit": "TAB", "noise": str(rng.randrange(1000)),
        }  # fmt: skip
        fields = [""] * 21
        for name, column in chosen.columns.items():
            fields[column] = stated[name]
        zpm = "|".join(["ZPM", *fields[1:]])
        if rng.random() >= lost:
            found.append((f"m{number}", body(header("OMS^O05", control=str(number)), *([PID] if patient else []), zpm)))
    return chosen, found


def _transaction(rng: random.Random, chosen: Layout, begin: int) -> tuple[str, int, int, bool]:
    """Code, amount, stock after, and whether a patient is named."""
    if begin < 6:
        amount = rng.randint(15, 30)
        return chosen.refill, amount, begin + amount, False
    draw = rng.random()
    if draw < 0.62:
        amount = rng.randint(1, 3)
        return chosen.vend, amount, begin - amount, True
    if draw < 0.74:
        return chosen.give_back, 1, begin + 1, True
    if draw < 0.86:
        return chosen.waste, 1, begin, True
    if draw < 0.96:
        counted = max(0, begin + rng.choice((0, 0, -1, 1)))
        return chosen.count, counted, counted, False
    return chosen.unload, begin, 0, False
