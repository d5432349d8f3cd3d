"""Sites map to partitions by one hash that we own, the same in every client.

The hash is MurmurHash2 (32 bit, seed 0x9747b28c) as Apache Kafka's default partitioner uses it for keys,
so that a plain Kafka producer with the same key lands in the same partition.
"""

from __future__ import annotations

from typing import Final

PARTITIONS: Final = 8
"""Partitions of `raw`, `site.log` and every topic that follows them. Fixed for the life of a hub."""

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` as an unsigned 32-bit integer (source: Kafka's `Utils.murmur2`)."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length - length % 4
    for at in range(0, whole, 4):
        k = (int.from_bytes(data[at : at + 4], "little") * _M) & _MASK
        k = ((k ^ (k >> 24)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    tail = data[whole:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: str, partitions: int = PARTITIONS) -> int:
    """The partition of a key: the positive 31 bits of its murmur2 modulo the partition count."""
    return (murmur2(key.encode("utf-8")) & 0x7FFFFFFF) % partitions
