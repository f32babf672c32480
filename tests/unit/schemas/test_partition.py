"""Partitions agree with Kafka's Java client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.partition import murmur2, partition_of

# From UtilsTest.testMurmur2 of Apache Kafka's Java client; Java's int is signed.
JAVA_VECTORS = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "signed"), JAVA_VECTORS)
def test_murmur2_is_javas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=80), st.integers(1, 1000))
def test_murmur2_is_aiokafkas_and_in_range(key: bytes, count: int) -> None:
    from aiokafka.partitioner import murmur2 as theirs  # noqa: PLC0415

    assert murmur2(key) == theirs(key) & 0xFFFFFFFF
    assert partition_of(key, count) == (theirs(key) & 0x7FFFFFFF) % count


def test_text_keys_count_as_utf_8() -> None:
    assert partition_of("ä", 12) == partition_of("ä".encode(), 12)
