"""Vectors of half precision as bytes."""

import pytest

from stores.postgres.halfvec import pack, unpack


def test_a_packed_vector_is_what_the_server_sends() -> None:
    # dimensions 2, an unused number, then IEEE 754 halves in network byte order
    assert pack([1.0, -2.0]) == bytes.fromhex("0002 0000 3c00 c000")


def test_unpacking_gives_the_values_to_half_precision() -> None:
    values = [0.1, -0.25, 0.0, 1.0]
    assert unpack(pack(values)) == pytest.approx(values, abs=1e-4)


def test_a_value_beyond_half_precision_is_refused() -> None:
    with pytest.raises(OverflowError):
        pack([1e6])
