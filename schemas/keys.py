"""One order-preserving, escaping tuple encoding for every composite key, in topics and in tables.

Byte order of the encoded key equals the order of the tuples, element by element; a prefix of whole elements is a byte prefix,
and the string "main" is never a prefix of "main2". The layout follows the idea of FoundationDB's tuple layer:
a type byte, the content, and for strings a terminator with the zero byte escaped.
"""

from __future__ import annotations

import struct
from typing import Final

Element = str | int
Key = tuple[Element, ...]

_STR: Final = 0x02
_INT: Final = 0x15
_INT_BIAS: Final = 1 << 63
_INT_BYTES: Final = 8
_PREFIX_STR: Final = b"\x02"
_PREFIX_INT: Final = b"\x15"
_THREE: Final = struct.Struct(">BQBQBQ").pack


def encode_key(key: Key) -> bytes:
    """Encode a tuple of strings and 64-bit signed integers. Raises `OverflowError` for a larger integer."""
    if not key or key[-1].__class__ is int or key[0].__class__ is int:
        return _encode_mixed(key)
    try:
        text = "\x00\x02".join(key)  # type: ignore[arg-type]  # an integer in the middle raises TypeError
    except TypeError:
        return _encode_mixed(key)
    if text.count("\x00") != len(key) - 1:
        return _encode_mixed(key)
    return ("\x02" + text + "\x00").encode("utf-8", "surrogatepass")


def _encode_mixed(key: Key) -> bytes:
    """Encode element by element: integers, and strings that hold a zero byte."""
    return b"".join([
        (_PREFIX_STR + element.encode("utf-8", "surrogatepass") + b"\x00" if "\x00" not in element else _escaped(element))
        if isinstance(element, str)
        else _PREFIX_INT + (element + _INT_BIAS).to_bytes(_INT_BYTES, "big")
        for element in key
    ])  # fmt: skip


def encode_integers(first: int, second: int, third: int) -> bytes:
    """Encode a key of three integers, as `encode_key` does. Raises `OverflowError` for one that has more than 64 bits."""
    try:
        return _THREE(_INT, first + _INT_BIAS, _INT, second + _INT_BIAS, _INT, third + _INT_BIAS)
    except struct.error as error:
        raise OverflowError(str(error)) from error


def _escaped(element: str) -> bytes:
    return _PREFIX_STR + element.encode("utf-8", "surrogatepass").replace(b"\x00", b"\x00\xff") + b"\x00"


def decode_key(data: bytes) -> Key:
    """Decode what `encode_key` wrote. Raises `ValueError` for anything else."""
    elements: list[Element] = []
    at = 0
    while at < len(data):
        tag = data[at]
        at += 1
        if tag == _INT:
            chunk = data[at : at + _INT_BYTES]
            if len(chunk) != _INT_BYTES:
                msg = "key is cut inside an integer"
                raise ValueError(msg)
            elements.append(int.from_bytes(chunk, "big") - _INT_BIAS)
            at += _INT_BYTES
        elif tag == _STR:
            end = _string_end(data, at)
            elements.append(data[at:end].replace(b"\x00\xff", b"\x00").decode("utf-8", "surrogatepass"))
            at = end + 1
        else:
            msg = f"unknown key element type 0x{tag:02x}"
            raise ValueError(msg)
    return tuple(elements)


def _string_end(data: bytes, at: int) -> int:
    """The index of the terminator of the string that starts at `at`."""
    end = data.find(b"\x00", at)
    while end >= 0 and data[end + 1 : end + 2] == b"\xff":
        end = data.find(b"\x00", end + 2)
    if end < 0:
        msg = "key is cut inside a string"
        raise ValueError(msg)
    return end


def prefix_end(prefix: bytes) -> bytes:
    """The smallest byte string greater than every string that starts with `prefix`."""
    return prefix + b"\xff" if prefix else b"\xff" * 9
