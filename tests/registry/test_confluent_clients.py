"""Confluent's own Avro clients beside a fleet: they read every topic, and what they write is answered."""

import asyncio
import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bus.message import Message
from bus.reader import Start, TopicReader
from bus.registry import Registry
from bus.settings import SchemaSettings
from schemas import examples, ids
from schemas.agent_file import AgentFile, Approval, Planning
from schemas.avro_schema import schema_id, schema_of
from schemas.lists import CommandKind, RunStatus
from schemas.records import Document, Record, SessionCommand, UserMessage
from schemas.topics import ALL_TOPICS, BY_RECORD, DOCUMENTS, TIMERS, USER_MESSAGES
from tests.fleet.fleet import Fleet
from tests.fleet.outsider import Outsider
from tests.fleet.runs import Runs, reading_runs

pytestmark = pytest.mark.timeout(240)

LIMIT_S = 60.0
TYPED = [spec for spec in ALL_TOPICS if spec.record is not None]
ASSISTANT = AgentFile(
    id="assistant", model="rehearsal:asking", planning=Planning.NONE, tools=("current_time",)
)
HESITANT = ASSISTANT.model_copy(
    update={"id": "hesitant", "approvals": {"current_time": Approval.ALWAYS}, "approval_limit_s": 1}
)


@pytest.fixture
def confluent(registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry_url}) as client:
        yield client


def as_ours(value: Any) -> Any:
    """What their deserializer gives, with ids as text and arrays as tuples, as our records have them."""
    match value:
        case UUID():
            return str(value)
        case dict():
            return {key: as_ours(part) for key, part in value.items()}
        case list():
            return tuple(as_ours(part) for part in value)
        case _:
            return value


async def messages_of_a_whole_life(fleet: Fleet) -> list[Message]:
    """Return every message of a session with tools and an approval that times out, and of producers."""
    session_id = ids.new_id()
    await fleet.apply(ASSISTANT)
    await fleet.apply(HESITANT)
    await fleet.publish(
        SessionCommand(
            id=ids.new_id(),
            session_id=session_id,
            user_id="alice",
            kind=CommandKind.CREATE,
            payload='{"title": "the registry"}',
        )
    )
    await fleet.publish(
        Document(id=ids.new_id(), user_id="alice", title="a", content="b", created_at=datetime.now(UTC))
    )
    async with reading_runs(fleet) as runs:
        for agent_id in ("assistant", "hesitant"):
            message = UserMessage(
                id=ids.new_id(),
                session_id=session_id,
                user_id="alice",
                content="What time is it?",
                agent_id=agent_id,
            )
            await fleet.publish(message)
            await runs.wait([str(message.id)], within_s=LIMIT_S)
            assert runs.by_message[str(message.id)].status is RunStatus.COMPLETED
    names = [fleet.names.full(spec) for spec in TYPED]
    async with TopicReader(fleet.kafka, names, start=Start.BEGINNING) as reader:
        return [message async for message in reader.read_to_end(deadline_s=LIMIT_S)]


async def test_their_deserializer_reads_every_topic(fleet: Fleet, confluent: SchemaRegistryClient) -> None:
    messages = await messages_of_a_whole_life(fleet)
    theirs = AvroDeserializer(confluent)  # pyright: ignore[reportCallIssue]
    read: set[str] = set()
    for message in messages:
        spec = fleet.names.spec_of(message.topic)
        assert spec is not None
        assert spec.record is not None
        value = message.value
        context = SerializationContext(message.topic, MessageField.VALUE)
        found: Any = await asyncio.to_thread(theirs, value, context)
        ours = fleet.codec.decode(spec, value)
        assert {str(key) for key in found} == set(type(ours).model_fields)
        assert as_ours(found) == ours.model_dump()
        # The registry's ids are small numbers; a built-in one would have been read by us alone.
        assert int.from_bytes((value or b"")[1:5], "big") != schema_id(schema_of(spec.record))
        read.add(spec.name)
    assert read == {spec.name for spec in TYPED}
    assert TIMERS.name in read


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
