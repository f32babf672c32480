"""Vectors of half precision on the wire: packed once, then bytes straight through."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

from schemas.errors import FatalError

_HEADER = struct.Struct(">HH")
_PLACE = (
    "select n.nspname from pg_type as t join pg_namespace as n on n.oid = t.typnamespace where t.typname = $1"
)
_TYPE = "halfvec"


def pack(values: Sequence[float]) -> bytes:
    """Return the binary form that pgvector's halfvec_send and halfvec_recv speak.

    Raises:
        OverflowError: a value is beyond half precision (65504).

    """
    return _layout(len(values)).pack(len(values), 0, *values)


def unpack(data: bytes) -> tuple[float, ...]:
    """Return the values of the binary form."""
    (count, _) = _HEADER.unpack_from(data)
    return _layout(count).unpack(data)[2:]


async def use_halfvec(connection: Any) -> None:
    """Let a connection take and return vectors as packed bytes.

    Raises:
        FatalError: the database has no such type.

    """
    place: str | None = await connection.fetchval(_PLACE, _TYPE)
    if place is None:
        message = "the database has no type halfvec: install pgvector 0.7 or newer and run `maestro migrate`"
        raise FatalError(message)
    await connection.set_type_codec(_TYPE, schema=place, encoder=_same, decoder=_same, format="binary")


@cache
def _layout(count: int) -> struct.Struct:
    # Network byte order: dimensions and an unused number, two bytes each, then IEEE 754 halves.
    return struct.Struct(f">HH{count}e")


def _same(data: bytes) -> bytes:
    return data
