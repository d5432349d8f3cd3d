"""Twenty thousand mutations of real and made messages, and inputs made to exhaust: every promise holds, time and memory are bounded."""

from __future__ import annotations

import gc
import os
import random
import time
import tracemalloc
from collections.abc import Callable

import pytest

from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, read
from tests.fuzz.check import BrokenPromiseError, check, run
from tests.fuzz.corpus import PUBLISHED, made, seeds
from tests.fuzz.mutate import mutated
from tests.unit.hl7.support import header, mapped

COUNT = int(os.environ.get("WARDSTOCK_FUZZ_TEST", "20000"))
HEAD = header("RAS^O17").encode() + b"\r"
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("part", range(4))
def test_mutated_messages_keep_every_promise(part: int) -> None:
    assert sum(run(1_000 + part, COUNT // 4, seeds()).values()) > COUNT // 8


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="THE PUBLISHED HL7 MESSAGES ARE NOT HERE: ONLY MESSAGES MADE HERE ARE MUTATED")
def test_the_published_messages_are_mutated_too() -> None:
    assert len(seeds()) > len(made()) + 400


def test_mutations_are_repeatable_and_reach_what_counts() -> None:
    first = [mutated(made()[0], random.Random(n), made()) for n in range(50)]
    assert first == [mutated(made()[0], random.Random(n), made()) for n in range(50)]
    ended = run(7, 3_000, made())
    assert {"administer", "dispense", "order", "census", "count", "bad_time", "bad_quantity", "no_msh", "missing_segment"} <= set(
        ended
    )


def test_a_broken_promise_is_told_with_its_seed_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: a mapper that raises on one word is found, and what it fails on is cut down to that word."""

    def broken(data: bytes, **_: str) -> list[object]:
        if b"CANCEL" in data:
            msg = "no"
            raise ZeroDivisionError(msg)
        return mapped(data, site="berlin", profile="standard")  # type: ignore[return-value]

    monkeypatch.setattr("tests.fuzz.check.mapped", broken)
    with pytest.raises(BrokenPromiseError, match=r"seed 3\.\d+, profile .*ZeroDivisionError") as caught:
        run(3, 3_000, made())
    assert str(caught.value).endswith("b'CANCEL'")


HEAVY: dict[str, Callable[[int], bytes]] = {
    "one field": lambda n: HEAD + b"RXA|" + b"A" * n,
    "a field of line ends": lambda n: HEAD + b"NTE|1||" + b"\nx" * (n // 2),
    "repetitions": lambda n: HEAD + b"RXA|0|1|20260601||A^B^NDC|1||||||||||" + b"L~" * (n // 2),
    "components": lambda n: HEAD + b"RXA|0|1|20260601||" + b"A^" * (n // 2),
    "segments": lambda n: HEAD + b"ZZZ|1\r" * (n // 6),
    "items": lambda n: HEAD + b"RXA|0|1|20260601||A|1\r" * (n // 22),
    "escapes": lambda n: HEAD + b"RXA|0|1|20260601||" + b"\\F\\" * (n // 3),
    "half escapes": lambda n: HEAD + b"RXA|0|1|20260601||" + b"\\X" * (n // 2),
    "escape signs": lambda n: HEAD + b"RXA|0|1|20260601||" + b"\\" * n,
    "formatting": lambda n: HEAD + b"RXA|0|1|20260601||" + b"\\.sp9999\\" * (n // 9),
    "delimiters in MSH-2": lambda n: b"MSH|^~\\&" + b"\\" * n + b"|A\rPID|1",
    "blanks": lambda n: HEAD + b"RXA" + b" " * n + b"|0",
    "one line": lambda n: HEAD.strip() + b" PID|1" * (n // 6),
    "headers": lambda n: b"MSH|^~\\&|\r" * (n // 10),
    "batches": lambda n: b"BHS|^~\\&|\rBTS|9\r" * (n // 16),
    "text before": lambda n: b"x" * n + b"\r" + HEAD,
    "block ends": lambda n: HEAD + b"\x1c\r" * (n // 2),
    "escape signs in MSH-2": lambda n: b"MSH|^~" + b"\\" * n + b"&|A\rPID|1",
    "blanks on one line": lambda n: HEAD.strip() + b" " * n + b"x PID|1",
    "written-out line ends": lambda n: HEAD.strip() + b"\\r" * (n // 2) + b"PID|1",
    "names on one line": lambda n: HEAD.strip() + b" XYZ|" * (n // 5),
    "messages on one line": lambda n: b"MSH|^~\\&|A " * (n // 11),
    "marks of blocks": lambda n: HEAD + b"[SOM]" * (n // 5) + b"[EOM]" * 9,
    "written-out ends of lines": lambda n: HEAD.strip() + b"<CR>\n" + b"ZZZ|1<CR>\n" * (n // 10),
    "names that are text": lambda n: HEAD + b"NTE|1||x\r" + b"PID is\r" * (n // 7),
    "entities": lambda n: b"MSH|^~\\&amp;|A\rNTE|1||" + b"&amp;" * (n // 5),
    "hexadecimal without an end": lambda n: HEAD + b"RXA|0|1|20260601||\\X" + b"41" * (n // 2),
    "kana": lambda n: HEAD + b"NTE|1||" + b"\x83\x7c" * (n // 2) + b"\x80",
    "escapes of character sets": lambda n: HEAD + b"NTE|1||" + b'\x1b$B$"\x1b(J' * (n // 8),
    "surrogates": lambda n: HEAD + b"NTE|1||" + b"\xed\xa0\x80" * (n // 3),
    "lines of a log": lambda n: (b"x" * 150 + b"\n") * (n // 151) + b"got " + HEAD,
    "nulls": lambda n: HEAD + b"\x00" * n,
}


def _seconds(data: bytes) -> float:
    """CPU seconds of cutting, reading and mapping, the garbage collector out of the way; the best of three."""
    best = 1e9
    for _ in range(3):
        gc.collect()
        gc.disable()
        began = time.thread_time()
        for member in split(data).members[:2_000]:
            try:
                message = read(member)
                message.get("RXA-5.1")
                message.get("RXA-15")
            except Er7Error:
                continue
        mapped(data[: 4 * MEBIBYTE], site="berlin")
        best = min(best, time.thread_time() - began)
        gc.enable()
    return best


@pytest.mark.parametrize("name", list(HEAVY))
def test_time_grows_no_faster_than_size(name: str) -> None:
    """Four times the size takes at most eight times as long; a quadratic reader takes sixteen."""
    make = HEAVY[name]
    small, large = make(100_000), make(400_000)
    assert _seconds(large) <= 8 * max(_seconds(small), 0.004)


MEMORY = ("one field", "a field of line ends", "repetitions", "escapes", "segments", "blanks", "blanks on one line", "kana")


@pytest.mark.parametrize("name", MEMORY)
def test_memory_is_bounded_by_the_size(name: str) -> None:
    data = HEAVY[name](MEBIBYTE)
    tracemalloc.start()
    try:
        read(data)
        mapped(data, site="berlin")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 60 * len(data)


def test_a_field_of_fifty_megabytes_is_read() -> None:
    data = HEAD + b"RXA|0|1|20260601101500||AMX^Amoxicillin^L|2|TAB||" + b"A" * (50 * MEBIBYTE)
    message = read(data)
    assert len(message.get("RXA-9")) == 50 * MEBIBYTE
    assert bytes(message) == data
    (result,) = mapped(data, site="berlin")
    assert str(getattr(result, "kind", "")) == "administer"


def test_a_hundred_thousand_repetitions_are_read() -> None:
    data = HEAD + b"RXA|0|1|20260601101500||AMX^Amoxicillin^L|2|TAB||||||||" + b"~".join(b"L%d" % n for n in range(100_000))
    assert len(read(data).segments("RXA")[0].repetitions("15")) == 100_000
    check(data, "standard")
