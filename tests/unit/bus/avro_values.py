"""Values of every type that our schemas have, and fastavro's bytes of them."""

from datetime import UTC
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer
from hypothesis import strategies as st

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INSTANTS = st.datetimes(timezones=st.just(UTC))

PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "long": LONGS,
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    match kind:
        case ["null", other]:
            found = st.none() | values_of(other)
        case {"logicalType": "timestamp-micros"}:
            found = INSTANTS
        case {"type": "enum", "symbols": symbols}:
            found = st.sampled_from(symbols)
        case {"type": "array", "items": {"fields": fields}}:
            found = st.lists(st.fixed_dictionaries(of_fields(fields)), max_size=3)
        case {"type": plain}:
            found = PLAIN[plain]
        case plain:
            found = PLAIN[plain]
    return found


def of_fields(fields: list[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {field["name"]: values_of(field["type"]) for field in fields}


def by_fastavro(schema: Any, datum: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema(schema), datum)
    return buffer.getvalue()
