"""A Bloom filter of the runs that a context no longer lists: "surely not" or "perhaps", in two kilobytes.

Without it every message of a long session would have to ask the record whether its run is known. Bloom,
"Space/time trade-offs in hash coding with allowable errors", CACM 13 (1970). With 1,000 runs about 1 message
in 1,000 asks in vain; with 4,000, one in 5. A run id is itself a hash (version 5): its bits are the hashes.
"""

SIZE_BYTES = 2_048
_MASK = SIZE_BYTES * 8 - 1
_STEP_BITS = 14
_LOW_BITS = 62
"""Of the id's 128 bits these and the upper 48 are free: the rest holds version and variant."""


def with_run(forgotten: bytes, run_id: str) -> bytes:
    """Return the filter with `run_id` in it; an empty filter is `b""`."""
    bits = bytearray(forgotten or SIZE_BYTES)
    for place in _places(run_id):
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def may_have(forgotten: bytes, run_id: str) -> bool:
    """Return False when `run_id` was certainly never added."""
    return bool(forgotten) and all(forgotten[place >> 3] >> (place & 7) & 1 for place in _places(run_id))


def _places(run_id: str) -> tuple[int, ...]:
    number = int(run_id.replace("-", ""), 16)
    low, high = number & ((1 << _LOW_BITS) - 1), number >> 80
    return tuple(
        part & _MASK
        for part in (
            low,
            low >> _STEP_BITS,
            low >> 2 * _STEP_BITS,
            low >> 3 * _STEP_BITS,
            high,
            high >> _STEP_BITS,
        )
    )
