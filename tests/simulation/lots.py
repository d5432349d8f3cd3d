"""Are the probabilities of unknown lots right? Many simulated networks, each said probability against what was true.

`python -m tests.simulation.lots --seeds 200` simulates 8 sites for 30 days a seed, most of whose cabinet messages don't say the lot,
folds them from the wire to the ledger, infers, and holds every probability against the truth; three lots a seed are recalled. The
results of a seed are a line of a file, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from connectors.simulator import Knobs
from schemas.codes import normalise_lot
from schemas.reference import RecallNotice
from sinks.lots.knowledge import Knowledge
from sinks.lots.mix import LotMix
from sinks.recalls.lookback import lookback
from sinks.recalls.scope import UNKNOWN_LOT, Move
from tests.simulation.lot_world import Part, World, parts_of, true_lots, world_of

NETWORK: Final = Knobs(sites=8, beds=4, days=30, unscanned=0.7, careless=0.2)
BINS: Final = 10
CASES_MIN: Final = 500
"""A bin with fewer cases is shown and not judged."""
POINTS_MAX: Final = 0.03
RECALLS: Final = 3
SURE: Final = "sure"
END: Final = "9999"
Recalled = tuple[str, str, str]
"""Item, product and lot."""
TABLES: Final = ("removal", "held", "quantity", "patient line", "place line")
"""Of what left without a lot: was it this one? Of a place, three times in the run: does the lot lie there, is it so many? Of recalls."""


@dataclass
class Table:
    """Cases by bin: how many, the sum of what was said, and how often it was so; what was sure stands in a row of its own."""

    bins: dict[str, list[float]] = field(default_factory=dict)

    def add(self, chance: float, happened: bool) -> None:
        name = SURE if chance > 1 - 1e-9 else str(min(BINS - 1, int(chance * BINS)))
        one = self.bins.setdefault(name, [0, 0.0, 0])
        one[0] += 1
        one[1] += chance
        one[2] += happened

    def merge(self, bins: dict[str, list[float]]) -> None:
        for name, values in bins.items():
            one = self.bins.setdefault(name, [0, 0.0, 0])
            for place, value in enumerate(values):
                one[place] += value

    def rows(self) -> Iterator[tuple[str, int, float, float]]:
        """Bin, cases, mean of what was said, share that was so."""
        for name in (*map(str, range(BINS)), SURE):
            if name in self.bins:
                cases, said, so = self.bins[name]
                text = SURE if name == SURE else f"{int(name) * 10}–{int(name) * 10 + 10} %"
                yield text, int(cases), said / cases, so / cases

    def wrong(self) -> list[str]:
        """Bins of enough cases that are off, and anything sure that was not so."""
        off = [row for row in self.rows() if row[1] >= CASES_MIN and abs(row[2] - row[3]) > POINTS_MAX]
        return [f"{row[0]}: said {row[2]:.3f}, was {row[3]:.3f} of {row[1]}" for row in {*off, *self._unsure()}]

    def _unsure(self) -> Iterator[tuple[str, int, float, float]]:
        return (row for row in self.rows() if row[0] == SURE and row[3] < 1)


def judge(world: World) -> dict[str, Any]:
    """What one network says: its tables, its recalls, and unknown removals by how much was known."""
    tables = {name: Table() for name in TABLES}
    seen: Counter[str] = Counter()
    for (site, item), moves in sorted(world.moves.items()):
        mix = Knowledge(moves, world.settings).mix(site, item)
        for move, parts in parts_of(world, site, item):
            seen["removals"] += 1
            if move.lot_key != UNKNOWN_LOT:
                continue
            seen["unknown removals"] += 1
            named = {lot for _, lot in mix.story.names}
            true = {part.lot if part.lot in named else UNKNOWN_LOT for part in parts}
            taken = mix.taken(mix.story.keys[move])
            seen["unreachable"] += len(true - {lot for _, lot in taken})
            for (_, lot), chance in taken.items():
                tables["removal"].add(float(chance), lot in true)
        for until in (*_instants(world), END):
            known = mix if until == END else Knowledge((move for move in moves if move.occurred <= until), world.settings).mix(site, item)
            _look(world, known, (site, item, until), tables)
    recalls = [recall(world, lot, tables) for lot in _recalled(world)]
    return {"seed": world.knobs.seed, "seen": seen, "recalls": recalls, "tables": {name: one.bins for name, one in tables.items()}}


def _instants(world: World) -> list[str]:
    """A third and two thirds into the run."""
    days, start = world.knobs.days, world.knobs.start
    return [f"{start + timedelta(days=days * part // 3)}T12:00:00.000000Z" for part in (1, 2)]


def _look(world: World, mix: LotMix, asked: tuple[str, str, str], tables: dict[str, Table]) -> None:
    """What is said of each place, by what was known at an instant, against what lay there."""
    site, item, until = asked
    for place in mix.chains:
        there = true_lots(world, site, place, item, until)
        named = {lot for _, lot in mix.story.names}
        there[UNKNOWN_LOT] = sum(quantity for lot, quantity in there.items() if lot not in named)
        for held in mix.held(place):
            quantity = there.get(held.lot[1], 0)
            tables["held"].add(float(held.any_), quantity > 0)
            for amount, chance in held.quantities.items():
                tables["quantity"].add(float(chance), quantity == amount)


# ---- recalls ---------------------------------------------------------------------------------------------------------------


def _recalled(world: World) -> list[Recalled]:
    """Three lots, by the seed, of those that were given to somebody."""
    given = {
        (item, line["product"], line["lot"])
        for (_, _, item), lines in world.truth.items()
        for line in lines
        if line["counterpart"] == "patient" and line["quantity"] < 0
    }
    return Random(f"{world.knobs.seed}:recalls").sample(sorted(given), RECALLS)


def recall(world: World, recalled: Recalled, tables: dict[str, Table]) -> dict[str, int]:
    """One recall at all sites: who and what is on the list, against who truly was given the lot and where it truly lay."""
    item, product, lot = recalled
    number = normalise_lot(lot)
    moves = [move for (_, one), here in world.moves.items() if one == item for move in here]
    notice = RecallNotice(id="R", classification="I", products=(product,), lots=(lot,))
    lines = lookback(notice, {item: world.products[item]}, moves, Knowledge(moves, world.settings))
    sites = sorted({move.site for move in moves})
    given = [one for site in sites for one in parts_of(world, site, item) if one[0].target == "patient"]
    true_patients = {_who(move) for move, parts in given if _of(parts, product, number)}
    true_places = {
        (at, place) for (at, place, one), lines_ in world.truth.items()
        if one == item and any((line["product"], normalise_lot(line["lot"])) == (product, number) for line in lines_)
    }  # fmt: skip
    patients = [line for line in lines if line["about"] == "patient"]
    places = [line for line in lines if line["about"] == "place"]
    for line in places:
        if line["probability"] is not None:
            tables["place line"].add(float(line["probability"]), (line["site"], line["location"]) in true_places)
    _patient_lines(given, (product, number), patients, tables["patient line"])
    listed = {(line["site"], line["patient"] or line["first"]) for line in patients}
    listed_places = {(line["site"], line["location"]) for line in places}
    everyone = {_who(move) for move, _ in given}
    accounts = {(move.site, account) for move in moves for account in (move.source, move.target)}
    everywhere = {one for one in accounts if one[1].startswith("stock:")}
    return {
        "patients": len(true_patients), "patients listed": len(listed), "patients missed": len(true_patients - listed),
        "patients sure": len({(line["site"], line["patient"] or line["first"]) for line in patients if line["certainty"] == "sure"}),
        "everyone": len(everyone), "places": len(true_places), "places listed": len(listed_places),
        "places missed": len(true_places - listed_places), "everywhere": len(everywhere),
    }  # fmt: skip


def _patient_lines(
    given: list[tuple[Move, list[Part]]], lot: tuple[str, str], lines: list[dict[str, Any]], table: Table
) -> None:
    """Each possible line of a patient: was any of it truly of the lot?"""
    true: dict[tuple[str, str, str, str], bool] = {}
    for move, parts in given:
        key = (move.site, move.source[6:], move.patient or "", move.lot_key)
        true[key] = true.get(key, False) or _of(parts, *lot)
    for line in lines:
        key = (line["site"], line["location"], line["patient"] or "", normalise_lot(line["lot"]))
        if line["probability"] is not None and line["patient"]:
            table.add(float(line["probability"]), true[key])


def _of(parts: list[Part], product: str, number: str) -> bool:
    return any((part.product, part.lot) == (product, number) for part in parts)


def _who(move: Move) -> tuple[str, str]:
    return move.site, move.patient or move.occurred


# ---- running ----------------------------------------------------------------------------------------------------------------


def summed(results: Iterable[dict[str, Any]]) -> tuple[dict[str, Table], Counter[str], Counter[str]]:
    """Tables, what was seen, and recalls of all seeds together."""
    tables = {name: Table() for name in TABLES}
    seen: Counter[str] = Counter()
    recalls: Counter[str] = Counter()
    for result in results:
        for name, bins in result["tables"].items():
            tables[name].merge(bins)
        seen.update(result["seen"])
        seen["seeds"] += 1
        for one in result["recalls"]:
            recalls.update(one)
            recalls["recalls"] += 1
    return tables, seen, recalls


def report(results: list[dict[str, Any]]) -> list[str]:
    """Print the tables; returns what is wrong."""
    tables, seen, recalls = summed(results)
    print(", ".join(f"{count:,} {name}" for name, count in sorted(seen.items())))
    wrong = []
    for name, table in tables.items():
        print(f"\n| {name} | cases | said | was | points |\n|---|---|---|---|---|")
        for text, cases, said, was in table.rows():
            print(f"| {text} | {cases:,} | {100 * said:.1f} % | {100 * was:.1f} % | {100 * (was - said):+.1f} |")
        wrong += [f"{name} {one}" for one in table.wrong()]
    print("\n" + ", ".join(f"{count:,} {name}" for name, count in recalls.items()))
    missed = recalls["patients missed"] + recalls["places missed"] + seen["unreachable"]
    return [*wrong, *([f"{missed} affected were missed"] if missed else [])]


def main() -> int:
    """Run the seeds that are not in the file yet, then judge the whole file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="seeds 1 to this")
    parser.add_argument("--file", type=Path, default=Path("lots.jsonl"), help="one line a seed")
    parser.add_argument("--minutes", type=float, default=600, help="begin no further seed after so many")
    parser.add_argument("--step", type=int, default=1, help="every so-manieth seed, for several processes")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    given = parser.parse_args()
    done = _results(given.file)
    gc.freeze()
    gc.disable()  # millions of small things that live as long as their seed
    end = time.monotonic() + 60 * given.minutes
    for seed in range(given.first, given.seeds + 1, given.step):
        if seed in done or time.monotonic() > end:
            continue
        result = judge(world_of(_with_seed(seed)))
        with given.file.open("a") as file:
            file.write(json.dumps(result) + "\n")
        gc.collect()
    results = [result for seed, result in sorted(_results(given.file).items()) if seed <= given.seeds]
    wrong = report(results)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong or len(results) < given.seeds else 0


def _with_seed(seed: int) -> Knobs:
    return replace(NETWORK, seed=seed)


def _results(file: Path) -> dict[int, dict[str, Any]]:
    lines = file.read_text().splitlines() if file.exists() else []
    return {result["seed"]: result for result in map(json.loads, lines)}


__all__ = ["NETWORK", "judge", "summed"]

if __name__ == "__main__":
    sys.exit(main())
