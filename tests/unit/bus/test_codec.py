"""Records survive the wire, and every kind of bad bytes is refused with its own code."""

import copy
import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import FRAME_BYTES, Codec, RegisteredSchema
from schemas import examples
from schemas.avro_schema import schema_id, schema_of, without_logical_types
from schemas.committed import Committed
from schemas.errors import ErrorCode, FatalError, PoisonError
from schemas.records import AnyRecord, Document, Record, TaskLogs, UserMessage
from schemas.topics import (
    ALL_TOPICS,
    BY_NAME,
    BY_RECORD,
    DEAD_LETTERS,
    DOCUMENTS,
    GENERATIONS,
    MAX_VALUE_BYTES,
    USER_MESSAGES,
    TopicSpec,
)

GOLDEN = Path(__file__).parents[2] / "golden"
CODEC = Codec()
GOOD = CODEC.encode(examples.USER_MESSAGE)
TOPICS = [spec.name for spec in ALL_TOPICS if spec.record is not None]


def framed(identity: int, schema: dict[str, Any], datum: dict[str, Any]) -> bytes:
    """Bytes as another program's Avro serializer would send them."""
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema(copy.deepcopy(schema)), datum)
    return b"\x00" + identity.to_bytes(4, "big") + buffer.getvalue()


@pytest.mark.parametrize("topic", TOPICS)
def test_the_golden_bytes_are_written_and_read(topic: str) -> None:
    golden = json.loads((GOLDEN / f"{topic}.json").read_text())
    record = examples.ALL[topic]
    assert json.loads(record.model_dump_json()) == golden["json"]
    assert CODEC.encode(record).hex() == golden["avro"]
    assert CODEC.decode(BY_NAME[topic], bytes.fromhex(golden["avro"])) == record


@pytest.mark.parametrize("topic", TOPICS)
def test_plain_fields_have_uuid_text_and_integer_microseconds(topic: str) -> None:
    record = examples.ALL[topic]
    plain = CODEC.decode_plain(BY_NAME[topic], CODEC.encode(record))
    assert set(plain) == set(type(record).model_fields)
    for name, value in record:
        if isinstance(value, datetime):
            assert plain[name] == round(
                (value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000
            )
        elif not isinstance(value, tuple):
            assert plain[name] == value


def test_a_fence_survives() -> None:
    assert CODEC.decode(BY_NAME["task-logs"], CODEC.encode(examples.FENCE)) == examples.FENCE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)


def values_of(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of one field, by its Avro type and by what the models demand of the name."""
    kind = field["type"]
    if isinstance(kind, list):
        return st.none() | values_of(field | {"type": kind[1]})
    if isinstance(kind, dict):
        if kind["type"] == "enum":
            return st.sampled_from(kind["symbols"])
        if kind["type"] == "array":
            return st.lists(data_of(kind["items"]), max_size=3).map(tuple)
        if kind.get("logicalType") == "uuid":
            return st.uuids().map(str)
        return st.datetimes(
            min_value=datetime(1, 1, 2),  # noqa: DTZ001  the strategy wants naive bounds
            max_value=datetime(9999, 12, 30),  # noqa: DTZ001
            timezones=st.just(UTC),
        )
    plain: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "long": st.integers(1, 2**63 - 1),
        "double": st.floats(0, allow_nan=False, allow_infinity=False),
    }
    return plain.get(kind, JSON)


def data_of(schema: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Field values of a whole record."""
    return st.fixed_dictionaries({field["name"]: values_of(field) for field in schema["fields"]})


NAMED = {"user_id", "agent_id", "approved_by", "model_name", "name", "tool_name", "type", "content_type"}


def limited(datum: dict[str, Any], record: type[Record]) -> dict[str, Any]:
    """The same with names no longer than names may be (JSON text is never empty)."""
    return {
        name: value[:200]
        if isinstance(value, str) and (name in NAMED or (name == "id" and record.__name__ == "Agent"))
        else value
        for name, value in datum.items()
    }


def records_of(record: type[AnyRecord]) -> st.SearchStrategy[AnyRecord]:
    def made(datum: dict[str, Any]) -> AnyRecord:
        return record.model_validate(limited(datum, record))

    return data_of(schema_of(record)).map(made)


RECORD_TYPES: list[type[AnyRecord]] = [spec.record for spec in ALL_TOPICS if spec.record is not None]
RECORDS = st.sampled_from(RECORD_TYPES).flatmap(records_of)


@given(RECORDS)
def test_every_record_survives_the_wire(record: AnyRecord) -> None:
    spec = BY_RECORD[type(record)]
    assert CODEC.decode(spec, CODEC.encode(record)) == record


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_poison(value: bytes) -> None:
    for spec in (USER_MESSAGES, GENERATIONS):
        frame = CODEC.encode(examples.ALL[spec.name])[:FRAME_BYTES]
        for candidate in (value, frame + value):
            assert outcome(spec, candidate) in {
                spec.record,
                ErrorCode.UNDECODABLE,
                ErrorCode.UNKNOWN_SCHEMA,
                ErrorCode.INVALID,
            }


def outcome(spec: TopicSpec, value: bytes) -> type[Record] | ErrorCode:
    try:
        return type(CODEC.decode(spec, value))
    except PoisonError as error:
        return error.code


def json_message(**changes: Any) -> bytes:
    fields = {"session_id": examples.SESSION_ID, "user_id": "alice", "content": "hello"} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def test_a_plain_json_object_is_read_on_inbound_topics() -> None:
    record = CODEC.decode(USER_MESSAGES, json_message(metadata={"nested": [1]}, content="nul: \x00"))
    assert record == UserMessage(
        session_id=examples.SESSION_ID, user_id="alice", content="nul: \ufffd", metadata='{"nested":[1]}'
    )
    plain = CODEC.decode_plain(USER_MESSAGES, json_message())
    assert (plain["content"], plain["id"]) == ("hello", None)


def test_leading_white_space_does_not_matter() -> None:
    assert CODEC.decode(USER_MESSAGES, b" \n" + json_message()) == CODEC.decode(USER_MESSAGES, json_message())


BAD_BYTES: list[tuple[str, bytes | None, ErrorCode, str]] = [
    ("no value", None, ErrorCode.UNDECODABLE, "is empty"),
    ("empty", b"", ErrorCode.UNDECODABLE, "is empty"),
    ("wrong magic", b"\x01" + GOOD[1:], ErrorCode.UNDECODABLE, "starts with 0x01"),
    ("text", b"hello", ErrorCode.UNDECODABLE, "starts with 0x68"),
    ("short frame", b"\x00\x00\x01", ErrorCode.UNDECODABLE, "framed Avro"),
    ("frame only", GOOD[:5], ErrorCode.UNDECODABLE, "are not its Avro"),
    ("cut", GOOD[:-3], ErrorCode.UNDECODABLE, "are not its Avro"),
    ("trailing", GOOD + b"\x00", ErrorCode.UNDECODABLE, "1 bytes are left"),
    ("unknown id", b"\x00\x00\x00\x00\x07" + GOOD[5:], ErrorCode.UNKNOWN_SCHEMA, "nobody knows schema id 7"),
    ("another topic's", CODEC.encode(examples.RUN), ErrorCode.INVALID, "belongs to runs"),
    ("broken JSON", b'{"session_id": ', ErrorCode.UNDECODABLE, "is not JSON"),
    ("not UTF-8", b'{"content": "\xff"}', ErrorCode.UNDECODABLE, "is not JSON"),
    ("JSON but no object", b" [1]", ErrorCode.UNDECODABLE, "not an object"),
    ("missing field", json_message(content=...), ErrorCode.INVALID, "content: Field required"),
    ("wrong type", json_message(content=5), ErrorCode.INVALID, "content: Input should be a valid string"),
    ("unknown field", json_message(contents="x"), ErrorCode.INVALID, "contents: Extra inputs"),
    ("no uuid", json_message(session_id="s1"), ErrorCode.INVALID, "session_id: "),
    ("unknown symbol", json_message(on_busy="sing"), ErrorCode.INVALID, "on_busy: "),
    ("bad JSON text", json_message(metadata="{"), ErrorCode.INVALID, "metadata: "),
    ("huge", b"{" + b" " * MAX_VALUE_BYTES, ErrorCode.TOO_LARGE, "at most 900000"),
]


@pytest.mark.parametrize(
    ("value", "code", "words"), [case[1:] for case in BAD_BYTES], ids=[c[0] for c in BAD_BYTES]
)
def test_bad_bytes_are_refused_with_code_and_reason(value: bytes | None, code: ErrorCode, words: str) -> None:
    with pytest.raises(PoisonError) as raised:
        _ = CODEC.decode(USER_MESSAGES, value)
    assert raised.value.code is code
    assert words in raised.value.message
    with pytest.raises(PoisonError) as raised:
        _ = CODEC.decode_plain(USER_MESSAGES, value)
    assert raised.value.code is code


def test_avro_with_a_field_that_the_model_refuses_is_invalid_and_named() -> None:
    schema = schema_of(UserMessage)
    datum = examples.USER_MESSAGE.model_dump() | {"content": "", "on_busy": None}
    with pytest.raises(PoisonError, match="content: String should have at least 1 character") as raised:
        _ = CODEC.decode(USER_MESSAGES, framed(schema_id(schema), schema, datum))
    assert raised.value.code is ErrorCode.INVALID


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "no uuid"), ("session_id", "no uuid"), ("metadata", "{"), ("created_at", 2**62)],
)
def test_avro_of_others_is_checked_also_where_no_record_is_wanted(field: str, value: object) -> None:
    schema = without_logical_types(schema_of(Document))
    datum = CODEC.decode_plain(DOCUMENTS, CODEC.encode(examples.DOCUMENT)) | {field: value}
    with pytest.raises(PoisonError, match=field) as raised:
        _ = CODEC.decode_plain(DOCUMENTS, framed(schema_id(schema_of(Document)), schema, datum))
    assert raised.value.code is ErrorCode.INVALID


def test_what_people_wrote_is_not_in_the_error() -> None:
    with pytest.raises(PoisonError) as raised:
        _ = CODEC.decode(USER_MESSAGES, json_message(session_id="my secret"))
    assert "secret" not in raised.value.message


def test_json_is_not_taken_on_internal_topics() -> None:
    with pytest.raises(PoisonError) as raised:
        _ = CODEC.decode(GENERATIONS, examples.GENERATION.model_dump_json().encode())
    assert raised.value.code is ErrorCode.UNDECODABLE


def test_the_dead_letter_topic_carries_no_records() -> None:
    with pytest.raises(PoisonError, match="carries no records"):
        _ = CODEC.decode(DEAD_LETTERS, GOOD)


def test_an_instant_beyond_the_calendar_is_invalid() -> None:
    schema = json.loads(json.dumps(schema_of(TaskLogs)).replace('"timestamp-micros"', '"none"'))
    datum = examples.TASK_LOGS.model_dump() | {"occurred_at": 2**62, "entries": []}
    with pytest.raises(PoisonError, match="occurred_at") as raised:
        _ = CODEC.decode(BY_NAME["task-logs"], framed(schema_id(schema_of(TaskLogs)), schema, datum))
    assert raised.value.code is ErrorCode.INVALID


def test_an_integer_beyond_64_bits_is_refused_before_it_is_sent() -> None:
    with pytest.raises(PoisonError, match="cannot be written"):
        _ = CODEC.encode(examples.RUN.model_copy(update={"term": 2**70}))


def older() -> dict[str, Any]:
    schema = copy.deepcopy(schema_of(UserMessage))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "metadata"]
    return schema


def newer() -> dict[str, Any]:
    schema = json.loads(json.dumps(schema_of(UserMessage)).replace('"rollback"', '"rollback", "defer"'))
    schema["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    return schema


def test_an_older_version_is_read_with_its_own_schema() -> None:
    codec = Codec(committed=Committed({"user-messages": {1: older(), 2: schema_of(UserMessage)}}))
    datum = examples.USER_MESSAGE.model_dump(mode="json")
    value = framed(schema_id(older()), older(), datum)
    assert codec.decode(USER_MESSAGES, value) == examples.USER_MESSAGE.model_copy(update={"metadata": None})
    assert codec.decode_plain(USER_MESSAGES, value)["metadata"] is None


def test_a_registrys_ids_are_written_and_its_other_versions_read() -> None:
    theirs = [
        RegisteredSchema("user-messages", 41, schema_of(UserMessage)),
        RegisteredSchema("user-messages", 42, newer()),
    ]
    codec = Codec(theirs)
    assert codec.encode(examples.USER_MESSAGE)[:5] == b"\x00" + (41).to_bytes(4, "big")
    datum = examples.USER_MESSAGE.model_dump(mode="json") | {"mood": "fine", "on_busy": "defer"}
    record = codec.decode(USER_MESSAGES, framed(42, newer(), datum))
    assert isinstance(record, UserMessage)
    assert record.on_busy == "unknown"
    assert codec.decode(USER_MESSAGES, GOOD) == examples.USER_MESSAGE


def test_a_schema_that_does_not_resolve_is_unknown() -> None:
    foreign = {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "string"}]}
    codec = Codec()
    codec.learn(RegisteredSchema("user-messages", 9, foreign))
    with pytest.raises(PoisonError, match="does not resolve") as raised:
        _ = codec.decode(USER_MESSAGES, framed(9, foreign, {"x": "y"}))
    assert raised.value.code is ErrorCode.UNKNOWN_SCHEMA


def test_a_registry_without_the_current_schema_is_fatal() -> None:
    with pytest.raises(FatalError, match="register it"):
        _ = Codec([RegisteredSchema("user-messages", 42, newer())])
