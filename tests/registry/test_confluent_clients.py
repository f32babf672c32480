"""Confluent's own Avro clients beside a fleet: they read every topic, and what they write is answered."""

import asyncio
import copy
import json
from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bus.registry import Registry
from bus.settings import SchemaSettings
from schemas import examples, ids
from schemas.avro_schema import schema_id, schema_of
from schemas.lists import RunStatus
from schemas.records import Record, UserMessage
from schemas.topics import BY_RECORD, DOCUMENTS, TIMERS, USER_MESSAGES
from tests.fleet.fleet import Fleet
from tests.fleet.outsider import Outsider
from tests.fleet.runs import Runs, reading_runs
from tests.fleet.whole_life import ASSISTANT, LIMIT_S, TYPED, messages_of_a_whole_life, read_by_confluent

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def confluent(registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry_url}) as client:
        yield client


async def test_their_deserializer_reads_every_topic(fleet: Fleet, confluent: SchemaRegistryClient) -> None:
    messages = await messages_of_a_whole_life(fleet)
    read = await read_by_confluent(fleet, confluent, messages)
    assert read == {spec.name for spec in TYPED}
    assert TIMERS.name in read
    for message in messages:
        # The registry's ids are small numbers; a built-in one would have been read by us alone.
        spec = fleet.names.spec_of(message.topic)
        assert spec is not None
        record = spec.record
        assert record is not None
        assert int.from_bytes((message.value or b"")[1:5], "big") != schema_id(schema_of(record))


async def answered(fleet: Fleet, runs: Runs, value: bytes, message: UserMessage) -> None:
    _ = await Outsider(fleet).send(USER_MESSAGES, value, key=message.session_id.encode())
    await runs.wait([str(message.id)], within_s=LIMIT_S)
    assert runs.by_message[str(message.id)].status is RunStatus.COMPLETED


def a_message() -> UserMessage:
    return examples.USER_MESSAGE.model_copy(
        update={"id": ids.new_id(), "session_id": ids.new_id(), "agent_id": "assistant", "content": "Hello"}
    )


async def test_what_their_serializer_writes_is_answered(
    fleet: Fleet, confluent: SchemaRegistryClient
) -> None:
    await fleet.apply(ASSISTANT)
    schema = json.dumps(schema_of(UserMessage))
    serializer = AvroSerializer(confluent, schema, conf={"auto.register.schemas": False})  # pyright: ignore[reportCallIssue]
    topic = fleet.names.full(BY_RECORD[UserMessage])
    context = SerializationContext(topic, MessageField.VALUE)
    message = a_message()
    async with reading_runs(fleet) as runs:
        value = await asyncio.to_thread(serializer, message.model_dump(), context)
        assert value is not None
        await answered(fleet, runs, value, message)


async def test_a_newer_producer_needs_no_restart_of_the_workers(
    fleet: Fleet, confluent: SchemaRegistryClient
) -> None:
    await fleet.apply(ASSISTANT)
    message = a_message()
    async with reading_runs(fleet) as runs:
        value = await newer_value(fleet, confluent, message)
        await answered(fleet, runs, value, message)


async def test_a_newer_producer_needs_no_restart_of_the_sink(
    fleet: Fleet, confluent: SchemaRegistryClient
) -> None:
    document = examples.DOCUMENT.model_copy(update={"id": ids.new_id(), "session_id": None})
    value = await newer_value(fleet, confluent, document)
    _ = await Outsider(fleet).send(DOCUMENTS, value, key=document.user_id.encode())
    async with asyncio.timeout(LIMIT_S):
        while not await fleet.database.fetch("select from documents where id = $1", document.id):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def newer_value(fleet: Fleet, confluent: SchemaRegistryClient, record: Record) -> bytes:
    """Write `record` with a schema that is registered only now, while all processes are running."""
    newer = copy.deepcopy(schema_of(type(record)))
    newer["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    topic = fleet.names.full(BY_RECORD[type(record)])
    async with Registry(
        SchemaSettings.model_validate({"url": fleet.env["SCHEMA_REGISTRY_URL"]}), fleet.names
    ) as registry:
        _ = await registry.register(BY_RECORD[type(record)], newer)
    serializer = AvroSerializer(confluent, json.dumps(newer), conf={"auto.register.schemas": False})  # pyright: ignore[reportCallIssue]
    value = await asyncio.to_thread(
        serializer,
        record.model_dump() | {"mood": "sunny"},
        SerializationContext(topic, MessageField.VALUE),
    )
    assert value is not None
    return value
