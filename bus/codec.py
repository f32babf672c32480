"""Records to bytes and back: Avro in the Confluent framing, and plain JSON objects on inbound topics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Protocol, cast

import orjson
from fastavro import (
    parse_schema,
    schemaless_reader,  # pyright: ignore[reportUnknownVariableType]
)
from fastavro.read import SchemaResolutionError
from pydantic import ValidationError

from bus.avro_reader import Read, reader_of
from bus.avro_writer import Write, writer_of
from schemas.avro_names import is_same
from schemas.avro_schema import canonical_text, schema_id, schema_of, without_logical_types
from schemas.committed import Committed, read_committed
from schemas.errors import ErrorCode, FatalError, PoisonError
from schemas.records import AnyRecord, Record
from schemas.topics import ALL_TOPICS, BY_NAME, MAX_VALUE_BYTES, TopicSpec

FRAME_BYTES = 5
"""The Confluent framing: a zero byte and the schema's id in four bytes, big-endian."""

CONTENT_TYPE = b"application/avro"
_MAGIC = 0
_JSON_STARTS = frozenset(b"{ \t\r\n")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMED_PROBLEMS = 5
"""Wrong fields named in one error; more would drown the first."""

_DECODE_FAILURES = (EOFError, ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError)
"""What fastavro raises for bytes that are not the datum they claim to be."""


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """One version of a topic's value schema under the id that a registry gave it. `topic` has no prefix."""

    topic: str
    id: int
    schema: dict[str, Any]


class Lookup(Protocol):
    """Finds schemas that were registered after the codec was made."""

    def find(self, topic: str, number: int) -> RegisteredSchema | None:
        """Return the schema of a topic with this id, None without one. Raises TransientError."""
        ...


@dataclass(frozen=True, slots=True)
class _Writer:
    """How a topic's values were written, parsed once and without logical types."""

    topic: str
    read: Read | None
    """The quick way for values of the current schema; None for another, whose values are resolved to it."""
    schema: Any


@dataclass(frozen=True, slots=True)
class _Form:
    """How a record type is read now."""

    record: type[AnyRecord]
    validate: Callable[[Mapping[str, Any]], AnyRecord]
    writer: _Writer
    times: tuple[str, ...]


class Codec:
    """Encodes and decodes the records of all topics. Schemas are parsed once, here.

    Every committed version can be read under its built-in id. With `registered` schemas those of a registry
    can be read too, and the current ones are written under the registry's ids; topics that the registry does
    not know keep their built-in ids. Ids that nobody knew are looked up with `lookup`, where there is one.

    Raises:
        FatalError: the registry has schemas of a topic, and its current one is not among them.

    """

    def __init__(
        self,
        registered: Iterable[RegisteredSchema] = (),
        *,
        committed: Committed | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._lookup = lookup
        self._writers: dict[int, _Writer] = {}
        self._forms: dict[str, _Form] = {}
        self._writes: dict[type[Record], Write] = {}
        versions = (committed or read_committed()).versions
        theirs = tuple(registered)
        for spec in ALL_TOPICS:
            if spec.record is not None:
                for schema in versions.get(spec.name, {}).values():
                    self.learn(RegisteredSchema(spec.name, schema_id(schema), schema))
                self._forms[spec.name] = self._form(spec.name, spec.record, theirs)
        for schema in theirs:
            self.learn(schema)

    def learn(self, registered: RegisteredSchema) -> None:
        """Make values readable that were written with this schema."""
        topic = BY_NAME[registered.topic]
        if topic.record is not None:
            self._writers[registered.id] = _writer(registered, schema_of(topic.record))

    def encode(self, record: Record) -> bytes:
        """Return the framed Avro bytes of `record`.

        Raises:
            PoisonError: a value has no Avro form (an integer beyond 64 bits).

        """
        try:
            return self._writes[type(record)](record.__dict__)
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as error:
            message = f"{type(record).__name__} cannot be written as Avro: {error}"
            raise PoisonError(message) from error

    def decode(self, spec: TopicSpec, value: bytes | None) -> AnyRecord:
        """Return the record that `value` holds, whichever known schema it was written with.

        On inbound topics a plain JSON object is read as well.

        Raises:
            PoisonError: with code undecodable (not our framing, broken Avro or JSON), unknown_schema (nobody
                knows the id, or it is another topic's), invalid (a field does not fit: named) or too_large.
            TransientError: the registry is being asked for the schema's id; read the value again later.

        """
        form = self._form_of(spec)
        _refuse_size(value)
        if value and spec.inbound and value[0] in _JSON_STARTS:
            return _validated(form, _json_object(value))
        if value and value[0] == _MAGIC:
            return _validated(form, _with_times(form, self._datum(spec, value, form.writer)))
        raise _not_a_value(spec, value)

    def decode_plain(self, spec: TopicSpec, value: bytes | None) -> dict[str, Any]:
        """Return the fields of `value` without a record: uuids as text, instants as integer microseconds.

        For consumers of many values that hand them to a database. Only the Avro types are checked. What comes
        on inbound topics goes through the record: others may write texts there that are no uuids, instants
        that are no dates, and JSON.

        Raises:
            PoisonError, TransientError: as `decode`.

        """
        form = self._form_of(spec)
        _refuse_size(value)
        if value and value[0] == _MAGIC and not spec.inbound:
            return self._datum(spec, value, form.writer)
        record = self.decode(spec, value)
        return self._datum(spec, self.encode(record), form.writer)

    def _form_of(self, spec: TopicSpec) -> _Form:
        form = self._forms.get(spec.name)
        if form is None:
            message = f"topic {spec.name} carries no records"
            raise PoisonError(message, code=ErrorCode.UNDECODABLE)
        return form

    def _form(self, topic: str, record: type[AnyRecord], registered: Iterable[RegisteredSchema]) -> _Form:
        current = schema_of(record)
        theirs = {each.id: each.schema for each in registered if each.topic == topic}
        identity = schema_id(current)
        if theirs:
            same = [number for number, schema in theirs.items() if is_same(schema, current)]
            if not same:
                message = (
                    f"the schema registry has {topic} but not its current schema: register it"
                    " with `maestro topics --register` and start again"
                )
                raise FatalError(message)
            identity = same[-1]
        own = RegisteredSchema(topic, identity, current)
        self.learn(own)
        self._writes[record] = writer_of(current, prefix=bytes([_MAGIC]) + identity.to_bytes(4, "big"))
        return _Form(
            record=record,
            validate=record.__pydantic_validator__.validate_python,
            writer=self._writers[identity],
            times=_times(current),
        )

    def _datum(self, spec: TopicSpec, value: bytes, reader: _Writer) -> dict[str, Any]:
        if len(value) < FRAME_BYTES:
            raise _not_a_value(spec, value)
        identity = int.from_bytes(value[1:FRAME_BYTES], "big")
        writer = self._writers.get(identity) or self._looked_up(spec, identity)
        if writer is None:
            message = (
                f"nobody knows schema id {identity}: register the schema for {spec.name}, "
                "or use a committed id"
            )
            raise PoisonError(message, code=ErrorCode.UNKNOWN_SCHEMA)
        if writer.topic != spec.name:
            message = f"schema id {identity} belongs to {writer.topic}: its records are not for {spec.name}"
            raise PoisonError(message)
        if writer.read and (quick := writer.read(value, FRAME_BYTES)):
            return quick
        buffer = BytesIO(value)
        _ = buffer.seek(FRAME_BYTES)
        try:
            datum = schemaless_reader(buffer, writer.schema, None if writer.read else reader.schema)
        except SchemaResolutionError as error:
            message = f"schema {identity} does not resolve to the current {spec.name}: {error}"
            raise PoisonError(message, code=ErrorCode.UNKNOWN_SCHEMA) from error
        except _DECODE_FAILURES as error:
            message = (
                f"the bytes after schema id {identity} are not its Avro: {type(error).__name__}: {error}"
            )
            raise PoisonError(message, code=ErrorCode.UNDECODABLE) from error
        if buffer.tell() != len(value):
            message = f"{len(value) - buffer.tell()} bytes are left after the Avro value"
            raise PoisonError(message, code=ErrorCode.UNDECODABLE)
        return cast("dict[str, Any]", datum)

    def _looked_up(self, spec: TopicSpec, identity: int) -> _Writer | None:
        found = None if self._lookup is None else self._lookup.find(spec.name, identity)
        if found is None:
            return None
        self.learn(found)
        return self._writers[identity]


def _writer(registered: RegisteredSchema, current: Mapping[str, Any]) -> _Writer:
    # Records and sinks both keep UUIDs as text; converting them to objects and back halves the speed.
    return _Writer(
        topic=registered.topic,
        read=reader_of(current) if is_same(registered.schema, current) else None,
        schema=parse_schema(without_logical_types(registered.schema)),
    )


def _times(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(field["name"] for field in schema["fields"] if "timestamp-micros" in canonical_text(field))


def _with_times(form: _Form, datum: dict[str, Any]) -> dict[str, Any]:
    for name in form.times:
        micros = datum[name]
        if micros is not None:
            try:
                datum[name] = _EPOCH + timedelta(microseconds=micros)
            except OverflowError as error:
                message = f"{form.record.__name__} has wrong fields: {name}: {micros} µs is no date"
                raise PoisonError(message, code=ErrorCode.INVALID) from error
    return datum


def _refuse_size(value: bytes | None) -> None:
    if value is not None and len(value) > MAX_VALUE_BYTES:
        message = f"the value has {len(value)} bytes; at most {MAX_VALUE_BYTES} are accepted"
        raise PoisonError(message, code=ErrorCode.TOO_LARGE)


def _json_object(value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        message = f"the value is not JSON: {error}"
        raise PoisonError(message, code=ErrorCode.UNDECODABLE) from error
    if not isinstance(parsed, dict):
        message = "the value is JSON but not an object"
        raise PoisonError(message, code=ErrorCode.UNDECODABLE)
    return cast("dict[str, Any]", parsed)


def _validated(form: _Form, datum: Mapping[str, Any]) -> AnyRecord:
    try:
        return form.validate(datum)
    except ValidationError as error:
        # Inputs are left out: what people wrote belongs in no log.
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        named = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems[:_NAMED_PROBLEMS]]
        message = f"{form.record.__name__} has wrong fields: {'; '.join(named)}"
        raise PoisonError(message, code=ErrorCode.INVALID) from error


def _not_a_value(spec: TopicSpec, value: bytes | None) -> PoisonError:
    wanted = "framed Avro (0x00, four bytes of schema id, datum)"
    if spec.inbound:
        wanted += " or a JSON object"
    found = f"starts with 0x{value[0]:02x}" if value else "is empty"
    return PoisonError(f"the value {found}; {spec.name} takes {wanted}", code=ErrorCode.UNDECODABLE)
