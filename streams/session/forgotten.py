"""A Bloom filter of the runs that a context no longer lists: "surely not" or "perhaps", in two kilobytes.

Without it every message of a long session would have to ask the record whether its run is known. Bloom,
"Space/time trade-offs in hash coding with allowable errors", CACM 13 (1970). With 1,000 runs about 1 message
in 1,000 asks in vain; with 4,000, one in 5. A run id is itself a hash (version 5): its bits are the hashes.
"""

SIZE_BYTES = 2_048
_MASK = SIZE_BYTES * 8 - 1
_SHIFTS = (0, 14, 28, 42, 80, 94)
"""Where the hashes begin in the id's 128 bits: version and variant are between bits 62 and 80."""


def with_run(forgotten: bytes, run_id: str) -> bytes:
    """Return the filter with `run_id` in it; an empty filter is `b""`."""
    bits = bytearray(forgotten or SIZE_BYTES)
    number = _number(run_id)
    for shift in _SHIFTS:
        place = number >> shift & _MASK
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def may_have(forgotten: bytes, run_id: str) -> bool:
    """Return False when `run_id` was certainly never added."""
    if not forgotten:
        return False
    number = _number(run_id)
    for shift in _SHIFTS:
        place = number >> shift & _MASK
        if not forgotten[place >> 3] >> (place & 7) & 1:
            return False
    return True


def _number(run_id: str) -> int:
    return int(run_id.replace("-", ""), 16)
