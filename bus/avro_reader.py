"""Reads Avro: a schema becomes one function, several times as fast as a general reader.

Made for the types that `bus.avro_writer` writes, in the form in which it writes them. Whatever else Avro
allows, such as arrays in several blocks, is left to a general reader, and so is saying what is wrong with
broken bytes.
The form of the bytes: Apache Avro specification 1.12, "Binary Encoding".
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from struct import Struct, error
from typing import Any, cast

Read = Callable[[bytes, int], dict[str, Any] | None]
"""Takes bytes and the place where a datum begins that reaches to their end; returns its fields, or None: a
general reader has to look at it."""

_LONGEST = 1 << 64
_LAST_SHIFT = 63
_SEVEN_BITS = 0x7F
_MORE = 0x80
_INSTANTS_REMEMBERED = 1_024
"""The records of one decision share their instants. Those of our time have eight bytes."""


def reader_of(schema: Mapping[str, Any]) -> Read:
    """Return the function that reads a record of `schema`: uuids as text, instants as integer microseconds.

    Raises:
        TypeError: a type that this module does not read.

    """
    source = _Source()
    source.add(0, "def read(b, p):", " try:")
    source.record(2, schema, "found")
    source.add(1, "except unreadable:", " return None")
    source.add(1, "return found if p == len(b) else None")
    exec("\n".join(source.lines), source.names)  # noqa: S102  as dataclasses do: names are ours, quoted by repr
    return cast("Read", source.names["read"])


class _Source:
    """Lines of a function in which `b` are the bytes and `p` is the next place to read."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "long": _long,
            "instant": _instant,
            "double": Struct("<d").unpack_from,
            "unreadable": (ValueError, IndexError, KeyError, error),
        }
        self._locals = 0

    def add(self, depth: int, *lines: str) -> None:
        self.lines += [" " * depth + line for line in lines]

    def record(self, depth: int, schema: Mapping[str, Any], into: str) -> None:
        fields = [(field["name"], self._local(), field["type"]) for field in schema["fields"]]
        for _, name, kind in fields:
            self._value(depth, kind, name)
        self.add(depth, f"{into} = {{{', '.join(f'{field!r}: {name}' for field, name, _ in fields)}}}")

    def _local(self) -> str:
        self._locals += 1
        return f"v{self._locals}"

    def _value(self, depth: int, kind: object, into: str) -> None:
        if isinstance(kind, list):
            self._optional(depth, cast("list[object]", kind), into)
            return
        parts = cast("Mapping[str, Any]", kind if isinstance(kind, dict) else {"type": kind})
        match parts["type"]:
            case _ if parts.get("logicalType") == "timestamp-micros":
                self.add(depth, f"{into} = instant(b[p:p + 8])", f"if {into} is None:")
                self.add(depth, f" {into}, p = long(b, p)", "else:", " p += 8")
            case "enum":
                table = f"symbols_of_{into}"
                self.names[table] = {2 * place: symbol for place, symbol in enumerate(parts["symbols"])}
                self.add(depth, f"{into} = {table}[b[p]]", "p += 1")
            case "array" if parts["items"]["type"] == "record":
                self._array(depth, parts["items"], into)
            case plain if plain in _PRIMITIVES:
                self.add(depth, *(line.format(into=into) for line in _PRIMITIVES[plain]))
            case other:
                message = f"no reader for the Avro type {other}"
                raise TypeError(message)

    def _optional(self, depth: int, branches: list[object], into: str) -> None:
        if len(branches) != 2 or branches[0] != "null":  # noqa: PLR2004 - null and one other
            message = f"no reader for the Avro union {branches}"
            raise TypeError(message)
        self.add(depth, "k = b[p]", "p += 1", "if k == 2:")
        self._value(depth + 1, branches[1], into)
        self.add(depth, "elif k:", " raise ValueError", "else:", f" {into} = None")

    def _array(self, depth: int, items: Mapping[str, Any], into: str) -> None:
        count, item = self._local(), self._local()
        self.add(depth, f"{into} = []", f"{count}, p = long(b, p)", f"if {count} < 0:", " raise ValueError")
        self.add(depth, f"if {count}:", f" for _ in range({count}):")
        self.record(depth + 2, items, item)
        self.add(depth + 2, f"{into}.append({item})")
        self.add(depth + 1, "if b[p]:", " raise ValueError", "p += 1")


# A short length and a small number are one even byte: odd ones are negative, greater ones go on. Most others
# are below 8,192: two bytes.
_PRIMITIVES: Mapping[str, tuple[str, ...]] = {
    "string": (
        "n = b[p]",
        "if not n & 129:",
        " p += 1",
        " e = p + (n >> 1)",
        "elif not n & 1 and (m := b[p + 1]) < 128:",
        " p += 2",
        " e = p + (m << 6 | (n & 127) >> 1)",
        "else:",
        " n, p = long(b, p)",
        " if n < 0:",
        "  raise ValueError",
        " e = p + n",
        "{into} = b[p:e].decode()",
        "p = e",
    ),
    "long": (
        "n = b[p]",
        "if not n & 129:",
        " {into} = n >> 1",
        " p += 1",
        "elif not n & 1 and (m := b[p + 1]) < 128:",
        " {into} = m << 6 | (n & 127) >> 1",
        " p += 2",
        "else:",
        " {into}, p = long(b, p)",
    ),
    "boolean": ("{into} = (False, True)[b[p]]", "p += 1"),
    "double": ("{into} = double(b, p)[0]", "p += 8"),
}


def _long(b: bytes, p: int) -> tuple[int, int]:
    byte = b[p]
    found, shift = byte & _SEVEN_BITS, 0
    while byte & _MORE:
        p += 1
        shift += 7
        byte = b[p]
        found |= (byte & _SEVEN_BITS) << shift
        if found >= _LONGEST or shift > _LAST_SHIFT:
            raise ValueError
    return (found >> 1) ^ -(found & 1), p + 1


@lru_cache(maxsize=_INSTANTS_REMEMBERED)
def _instant(eight: bytes) -> int | None:
    # None when the number does not end just here.
    try:
        found, end = _long(eight, 0)
    except IndexError:
        return None
    return found if end == len(eight) == 8 else None  # noqa: PLR2004  as many as were taken
