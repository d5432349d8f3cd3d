"""Mutations that know what a message looks like: of segments, fields, components, delimiters, line ends, encodings, and of bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

_TEXTS: Final = (
    b"", b'""', b"|", b"^^^", b"~~~~", b"&&&", b"\\", b"\\\\", b"\\F\\", b"\\X0D\\", b"\\X4\\", b"\\.br\\", b"\\Z", b"-1", b"999", b"1e9",
    b"99999999999999999999", b"0.000000000000001", b"+", b"NaN", b"20260631", b"00000000", b"20261101013000", b"202606", b"20260601+9999",
    b"01/02/2026", b"MSH|^~\\&|", b"\rRXA|", b"\nPID|1", b"\x0b", b"\x1c\r", b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x1b$B",
    "é".encode(), "薬".encode(), b"A" * 300, b"^".join([b"x"] * 50), b"~".join([b"1"] * 50), b"TAB", b"mg", b"CP", b"CA", b"U", b"V", b"RETURN BIN",
)  # fmt: skip
_HEADERS: Final = (
    b"MSH|^~\\&|", b"MSH|^~\\\\&|", b"MSH|^~\xc2\xa5&|", b"MSH|^|", b"MSH||", b"MSH|^~\\&#|", b"MSH#^~\\&#", b"MSH|abcd|", b"MSH", b"msh|^~\\&|", b"MSH |^~\\&|",
    b"MSH|^~&|", b"MSH|^~\\&amp;|", b"MSH^~\\&|", b"MSH|^~\\&", b"[SOM]MSH|^~\\&|", b"\x00\x00MSH|^~\\&|", b"log: MSH|^~\\&|", b"MSH | ^~\\& | ",
)  # fmt: skip
_ENDS: Final = (b"\n", b"\r\n", b"\r\r", b" ", b"\\r", b"<CR>", b"\\r\n", b"<cr>\r", b"| ", b"\x1e", b"", b"\r    ", b"\n\n")
_FRAMES: Final = (
    (b"\x0b", b"\x1c\r"), (b"\x0b", b"\x1c"), (b"[SOM]", b"[EOM]\r\n"), (b"<SB>", b"<EB><CR>"), (b'"', b'"'), (b"", b"\x00" * 40),
    (b"\x0b\x0b", b"\x1c\r\x1c\r"), (b"FHS|^~\\&|\rBHS#*+!@#\r", b"\rBTS#1\rFTS|7\r"), (b"2026-06-01 got ", b"\n"),
)  # fmt: skip
_CHARSETS: Final = (b"8859/1", b"ISO IR87", b"UNICODE UTF-8", b"UNICODE UTF-16", b"ISO IR13", b"BIG-5", b"???", b"ASCII~ISO IR87")
Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def mutated(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A seed after one to six mutations."""
    for _ in range(rng.randint(1, 6)):
        data = rng.choice(_MUTATIONS)(data, rng, seeds)
    return data


def _segments(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:  # one signature for all
    """Drop, double, move or cut a segment."""
    rows = data.split(b"\r")
    at = rng.randrange(len(rows))
    match rng.randrange(5):
        case 0:
            del rows[at]
        case 1:
            rows.insert(at, rows[at])
        case 2:
            rows.insert(rng.randrange(len(rows)), rows.pop(at))
        case 3:
            rows[at] = rows[at][: rng.randint(0, len(rows[at]))]
        case _:
            rows = rows[:at]
    return b"\r".join(rows)


def _field(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Replace, drop or double a field or a component."""
    sign = rng.choice((b"|", b"|", b"|", b"^", b"~", b"&"))
    parts = data.split(sign)
    at = rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            parts[at] = rng.choice(_TEXTS)
        case 1:
            parts.insert(at, rng.choice(_TEXTS))
        case 2:
            del parts[at]
        case _:
            parts[at] = parts[at] + rng.choice(_TEXTS)
    return sign.join(parts)


def _header(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    return data.replace(b"MSH|^~\\&|", rng.choice(_HEADERS), rng.choice((1, -1)))


def _ends(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    return data.replace(b"\r", rng.choice(_ENDS), rng.choice((1, 2, -1)))


def _framed(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Blocks, envelopes and text round a message, more than once as it may be."""
    before, after = rng.choice(_FRAMES)
    return (before + data + after) * rng.choice((1, 1, 2))


def _delimiter(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One delimiter for another, in all of the message or from somewhere on."""
    at = rng.choice((0, rng.randint(0, len(data))))
    return data[:at] + data[at:].replace(
        rng.choice((b"|", b"^", b"~", b"\\", b"&")), rng.choice((b"|", b"^", b"$", b"#", b" | ", b"&amp;", b""))
    )


def _charset(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    first, _, rest = data.partition(b"\r")
    parts = first.split(b"|")
    parts += [b""] * (18 - len(parts))
    parts[17] = rng.choice(_CHARSETS)
    return b"|".join(parts) + b"\r" + rest


def _bytes(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Flip, insert or cut bytes anywhere."""
    if not data:
        return rng.choice(_TEXTS)
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + rng.choice(_TEXTS) + data[at:]
        case 2:
            return data[:at]
        case _:
            end = min(len(data), at + rng.randint(1, 40))
            return data[:at] + data[end:]


def _splice(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The beginning of one message and the end of another, or one after the other, or one inside a batch."""
    other = rng.choice(seeds)
    match rng.randrange(3):
        case 0:
            return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]
        case 1:
            return data + rng.choice((b"", b"\r", b"\x1c\r\x0b", b"\r\n\r\n")) + other
        case _:
            return b"BHS|^~\\&|X\r" + data + b"\r" + other + b"\rBTS|" + str(rng.randint(0, 4)).encode() + b"\r"


def _recoded(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    codec = rng.choice(("utf-8", "utf-16", "utf-16-be", "utf-32", "latin-1", "utf-8-sig", "shift_jis", "euc_jp", "iso2022_jp"))
    return data.decode("utf-8", "surrogateescape").encode(codec, "ignore")


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _segments, _segments, _segments, _field, _field, _field, _field, _field, _field, _field, _header, _ends, _charset, _bytes, _bytes,
    _splice, _recoded, _framed, _delimiter,
)  # fmt: skip
