"""What must hold of any bytes: the reader refuses by name or gives them back, every message has an outcome, and twice is the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

from connectors.hl7.ack import build_ack
from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Message, read
from schemas.codec import encode
from schemas.events import STOCK_EVENT, StockEvent
from schemas.mapping import NoEffect, Refused
from tests.fuzz.mutate import mutated
from tests.unit.hl7.support import RECEIVED, mapped

SEGMENTS_LOOKED_AT_MAX: Final = 4
FIELDS_LOOKED_AT_MAX: Final = 30
ECHOED: Final = ("MSH-3", "MSH-4", "MSH-5", "MSH-6", "MSH-9.2", "MSH-10", "MSH-11", "MSH-12", "MSH-18")
"""What an acknowledgement takes from the message it answers."""
PROFILES: Final = ("standard", "vista-oms", "vista-dft", "counting-robot", "mfn-zpl")


class BrokenPromiseError(AssertionError):
    """Bytes that break a promise, with the seed that makes them again."""


def check(data: bytes, profile: str) -> Counter[str]:
    """Raises whatever is wrong; returns how the items ended."""
    for member in split(data).members:
        try:
            message = read(member)
        except Er7Error as error:
            _named(error)
            continue
        assert bytes(message) == member
        assert len(message) >= 1
        _looked_through(message)
        _answered(message)
    ended: Counter[str] = Counter()
    results = mapped(data, site="berlin", profile=profile)
    assert results, "no outcome"
    for index, result in enumerate(results):
        if isinstance(result, StockEvent):
            STOCK_EVENT.check(result)
            encode(result)
            assert result.raw.index == index
            ended[str(result.kind)] += 1
        else:
            assert isinstance(result, NoEffect | Refused)
            assert result.reason
            ended[result.code] += 1
    assert mapped(data, site="berlin", profile=profile) == results, "twice is not the same"
    return ended


def _named(error: Er7Error) -> None:
    assert error.code
    assert error.reason


def _looked_through(message: Message) -> None:
    """Nothing that can be asked of a field raises, and what is decoded can be written again."""
    for segment in list(message)[:SEGMENTS_LOOKED_AT_MAX]:
        for number in range(1, min(len(segment.fields()), FIELDS_LOOKED_AT_MAX)):
            segment.raws(f"{number}(2).1.2")
            segment.value(f"{number}.1")
            "".join((*segment.repetitions(f"{number}.2"), *segment.components(number))).encode()


def _answered(message: Message) -> None:
    """An acknowledgement can be built and read back. One that repeats a field with line ends in it may not be one message."""
    if any(sign in message.raw(path) for path in ECHOED for sign in "\r\n"):
        return
    answer = read(build_ack(message, "AE", "1", RECEIVED, "why"))
    assert answer.get("MSA-1") == "AE"


def run(seed: int, count: int, seeds: Sequence[bytes]) -> Counter[str]:
    """Mutate and check. Raises `BrokenPromiseError` with the smallest bytes found that fail the same way."""
    total: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}.{number}")
        data, profile = mutated(rng.choice(seeds), rng, seeds), rng.choice(PROFILES)
        try:
            total += check(data, profile)
        except Exception as error:
            small = _shrunk(data, profile, type(error))
            msg = f"seed {seed}.{number}, profile {profile}: {type(error).__name__}: {error}\n{small.hex()}\n{small!r}"
            raise BrokenPromiseError(msg) from error
    return total


def _shrunk(data: bytes, profile: str, kind: type[Exception]) -> bytes:
    """Cut pieces out as long as it still fails in the same way."""
    size = len(data) // 2
    while size >= 1:
        at = 0
        while at < len(data):
            candidate = data[:at] + data[at + size :]
            if _fails(candidate, profile, kind):
                data = candidate
            else:
                at += size
        size //= 2
    return data


def _fails(data: bytes, profile: str, kind: type[Exception]) -> bool:
    try:
        check(data, profile)
    except Exception as error:  # noqa: BLE001  # any failure is compared with the one that is shrunk
        return type(error) is kind
    return False
