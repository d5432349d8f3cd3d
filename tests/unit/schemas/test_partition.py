"""Sites land in the partition where a plain Kafka producer with the same key would put them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.partition import PARTITIONS, murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # Apache Kafka, UtilsTest.testMurmur2: signed 32-bit results
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_agrees_with_kafkas_published_vectors(text, expected):
    unsigned = murmur2(text.encode())
    assert unsigned - (1 << 32) * (unsigned >= 1 << 31) == expected


def test_the_partition_is_the_positive_hash_modulo_the_count():
    """Kafka: `toPositive(murmur2(key)) % partitions`, where toPositive clears the sign bit."""
    assert partition_of("foobar", 8) == (-790332482 & 0x7FFFFFFF) % 8
    assert partition_of("abc", 8) == 479470107 % 8
    assert partition_of("foobar", 1) == 0


@given(st.text(st.characters(codec="utf-8")))
def test_every_site_has_one_of_the_partitions(site):
    assert 0 <= partition_of(site) < PARTITIONS


def test_ordinary_site_ids_spread_over_all_partitions():
    assert {partition_of(f"site-{number}") for number in range(200)} == set(range(PARTITIONS))
