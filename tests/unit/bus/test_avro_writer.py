"""What our writer writes is what fastavro writes, for every field type; what has no Avro form is refused."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.avro_writer import writer_of
from schemas.avro_schema import schema_of
from schemas.records import Record
from schemas.topics import ALL_TOPICS
from tests.unit.bus.avro_values import by_fastavro, of_fields


class Attributes:
    """Stands for a nested record: its values are its attributes."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def with_attributes(value: Any) -> Any:
    return [Attributes(**each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("record", [spec.record for spec in ALL_TOPICS if spec.record is not None])
@given(data=st.data())
def test_it_writes_what_fastavro_writes(record: type[Record], data: st.DataObject) -> None:
    schema = schema_of(record)
    datum = data.draw(st.fixed_dictionaries(of_fields(schema["fields"])))
    ours = writer_of(schema)({name: with_attributes(value) for name, value in datum.items()})
    assert ours == by_fastavro(schema, datum)


def one(kind: object, value: object) -> bytes:
    return writer_of({"fields": [{"name": "it", "type": kind}]})({"it": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("long", 2**63),
        ("long", -(2**63) - 1),
        ("long", "one"),
        ("string", 1),
        ("string", None),
        ("string", "\ud800"),
        ("double", "much"),
        ({"type": "enum", "symbols": ["a"]}, "b"),
        ({"type": "long", "logicalType": "timestamp-micros"}, datetime(2026, 1, 1)),  # noqa: DTZ001 - naive
    ],
)
def test_what_has_no_avro_form_is_refused(kind: object, value: object) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError, KeyError, AttributeError, struct.error)):
        one(kind, value)


@pytest.mark.parametrize("kind", ["bytes", ["null", "string", "long"], {"type": "map", "values": "string"}])
def test_a_type_that_our_schemas_do_not_have_is_refused_when_the_writer_is_made(kind: object) -> None:
    with pytest.raises((TypeError, KeyError)):
        one(kind, None)


def test_an_instant_before_1970_is_negative() -> None:
    kind = {"type": "long", "logicalType": "timestamp-micros"}
    assert one(kind, datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)) == b"\x01"


@pytest.mark.parametrize("bits", range(64))
def test_a_number_of_every_length_is_what_fastavro_writes(bits: int) -> None:
    schema = {"type": "record", "name": "it", "fields": [{"name": "it", "type": "long"}]}
    for number in (2**bits - 1, 2**bits, -(2**bits), -(2**bits) - 1):
        if -(2**63) <= number < 2**63:
            assert one("long", number) == by_fastavro(schema, {"it": number})
