"""What our reader reads is what fastavro reads; what it does not read it leaves alone."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader
from hypothesis import given
from hypothesis import strategies as st

from bus.avro_reader import reader_of
from schemas.avro_schema import schema_of, without_logical_types
from schemas.records import Record
from schemas.topics import ALL_TOPICS
from tests.unit.bus.avro_values import PLAIN, by_fastavro, of_fields

RECORDS = [spec.record for spec in ALL_TOPICS if spec.record is not None]
FRAME = b"frame"


def plain(schema: Any) -> Any:
    return parse_schema(without_logical_types(schema))


def read_by_fastavro(schema: Any, value: bytes) -> Any:
    """Return the datum, None when it is broken or ends before the bytes do."""
    buffer = BytesIO(value)
    try:
        datum = schemaless_reader(buffer, plain(schema), None)
    except (EOFError, ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError):
        return None
    return datum if buffer.tell() == len(value) else None


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_it_reads_what_fastavro_writes(record: type[Record], data: st.DataObject) -> None:
    schema = schema_of(record)
    value = by_fastavro(schema, data.draw(st.fixed_dictionaries(of_fields(schema["fields"]))))
    found = reader_of(schema)(FRAME + value, len(FRAME))
    assert found == read_by_fastavro(schema, value)
    assert found is not None


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_of_damaged_bytes_it_reads_what_fastavro_reads_or_nothing(
    record: type[Record], data: st.DataObject
) -> None:
    schema = schema_of(record)
    value = bytearray(by_fastavro(schema, data.draw(st.fixed_dictionaries(of_fields(schema["fields"])))))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] = data.draw(st.integers(0, 255))
    cut = bytes(value[: data.draw(st.sampled_from((None, -1, place)))])
    found = reader_of(schema)(FRAME + cut, len(FRAME))
    assert found is None or found == read_by_fastavro(schema, cut)


def one(kind: object, value: bytes) -> object:
    found = reader_of({"fields": [{"name": "it", "type": kind}]})(value, 0)
    return None if found is None else found["it"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", b"\x01"),  # a negative length
        ("string", b"\x04a"),
        ("string", b"\x02\xff"),
        ("long", b"\x80" * 1_000_000),
        ("long", b"\xff" * 9 + b"\x7f"),  # beyond 64 bits
        ("double", b"\x00" * 7),
        ("boolean", b"\x02"),
        (["null", "long"], b"\x04"),
        ({"type": "enum", "symbols": ["a"]}, b"\x02"),
        ({"type": "long", "logicalType": "timestamp-micros"}, b"\x80" * 8),
        ({"type": "array", "items": {"type": "record", "fields": []}}, b"\x01\x00\x00"),
        ("long", b"\x00\x00"),  # something is left
    ],
)
def test_what_is_broken_or_rare_is_left_to_others(kind: object, value: bytes) -> None:
    assert one(kind, value) is None


@pytest.mark.parametrize("kind", ["bytes", ["null", "string", "long"], {"type": "map", "values": "string"}])
def test_a_type_that_our_schemas_do_not_have_is_refused_when_the_reader_is_made(kind: object) -> None:
    with pytest.raises(TypeError):
        one(kind, b"")


@pytest.mark.parametrize("micros", [0, -1, 1, 2**40, 1_790_000_000_000_000, 2**62, -(2**63)])
def test_instants_of_any_length_are_read(micros: int) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "it", "type": "long"}]}
    value = by_fastavro(schema, {"it": micros})
    assert one({"type": "long", "logicalType": "timestamp-micros"}, value) == micros


def test_every_plain_type_is_read() -> None:
    assert set(PLAIN) == {"string", "long", "double", "boolean"}
