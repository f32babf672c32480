"""Database values as JSON values that a model can read. Pure."""

import math
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, cast

import orjson

from stores.postgres.readonly import Table

_MAX_CELL_CHARS: Final = 4_000
_EXACT_IN_JSON: Final = 2**53
_JSON_TYPES: Final = frozenset({"json", "jsonb"})


def plain_rows(table: Table, *, limit_bytes: int) -> tuple[list[list[Any]], bool]:
    """Return the rows as JSON values, and whether some were left out to stay within `limit_bytes`."""
    rows: list[list[Any]] = []
    size = 0
    for row in table.rows:
        values = [
            plain_json(value) if column.type in _JSON_TYPES else plain(value)
            for column, value in zip(table.columns, row, strict=True)
        ]
        size += len(orjson.dumps(values)) + 1
        if size > limit_bytes:
            return rows, True
        rows.append(values)
    return rows, False


def plain(value: Any) -> Any:
    """Return one value: numbers, text, booleans and null as they are, times in ISO 8601, the rest as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
    for kind, convert in _BY_TYPE:
        if isinstance(value, kind):
            return convert(value)
    return _short(str(value))


def plain_json(value: Any) -> Any:
    """Return a JSON column's value, which arrives as text."""
    if not isinstance(value, str):
        return plain(value)
    if len(value) > _MAX_CELL_CHARS:
        return _short(value)
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _number(value: Decimal) -> Any:
    # A JSON number where it says exactly the same, text where a float would round.
    if not value.is_finite():
        return str(value)
    as_float = float(value)
    if Decimal(repr(as_float)) != value:
        return str(value)
    return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else as_float


def _short(text: str) -> str:
    clean = text.encode(errors="replace").decode()
    return clean if len(clean) <= _MAX_CELL_CHARS else clean[: _MAX_CELL_CHARS - 1] + "…"


_BY_TYPE: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (int, lambda value: value if -_EXACT_IN_JSON <= value <= _EXACT_IN_JSON else str(value)),
    (float, lambda value: value if math.isfinite(value) else str(value)),
    (Decimal, _number),
    (str, _short),
    (date, lambda value: value.isoformat()),  # and datetime, which is a date
    (time, lambda value: value.isoformat()),
    (bytes, lambda value: _short(f"\\x{value.hex()}")),
)
