"""A session that leaves a message on every typed topic, and what Confluent's deserializer makes of each."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bus.message import Message
from bus.reader import Start, TopicReader
from schemas import ids
from schemas.agent_file import AgentFile, Approval, Planning
from schemas.examples import DOCUMENT
from schemas.lists import CommandKind, RunStatus
from schemas.records import SessionCommand, UserMessage
from schemas.topics import ALL_TOPICS
from tests.fleet.fleet import Fleet
from tests.fleet.runs import reading_runs

SCRIPTS = Path(__file__).parent / "rehearsal"
"""The folder of the model's script that these agents need."""
LIMIT_S = 60.0
TYPED = [spec for spec in ALL_TOPICS if spec.record is not None]
ASSISTANT = AgentFile(
    id="assistant", model="rehearsal:asking", planning=Planning.NONE, tools=("current_time",)
)
HESITANT = ASSISTANT.model_copy(
    update={"id": "hesitant", "approvals": {"current_time": Approval.ALWAYS}, "approval_limit_s": 1}
)


async def messages_of_a_whole_life(fleet: Fleet) -> list[Message]:
    """Return every message of a session with tools and an approval that times out, and of producers."""
    session_id = ids.new_id()
    await fleet.apply(ASSISTANT)
    await fleet.apply(HESITANT)
    command = SessionCommand(
        id=ids.new_id(),
        session_id=session_id,
        user_id="alice",
        kind=CommandKind.CREATE,
        payload='{"title": "the registry"}',
    )
    await fleet.publish(command)
    await fleet.publish(DOCUMENT)
    async with reading_runs(fleet) as runs:
        for agent in (ASSISTANT, HESITANT):
            message = UserMessage(
                id=ids.new_id(),
                session_id=session_id,
                user_id="alice",
                content="What time is it?",
                agent_id=agent.id,
            )
            await fleet.publish(message)
            await runs.wait([str(message.id)], within_s=LIMIT_S)
            assert runs.by_message[str(message.id)].status is RunStatus.COMPLETED
    names = [fleet.names.full(spec) for spec in TYPED]
    async with TopicReader(fleet.kafka, names, start=Start.BEGINNING) as reader:
        return [message async for message in reader.read_to_end(deadline_s=LIMIT_S)]


async def read_by_confluent(fleet: Fleet, client: SchemaRegistryClient, messages: list[Message]) -> set[str]:
    """Compare what their deserializer reads with what ours does; return the names of the topics read."""
    theirs = AvroDeserializer(client)  # pyright: ignore[reportCallIssue]
    read: set[str] = set()
    for message in messages:
        spec = fleet.names.spec_of(message.topic)
        assert spec is not None
        context = SerializationContext(message.topic, MessageField.VALUE)
        found: Any = await asyncio.to_thread(theirs, message.value, context)
        ours = fleet.codec.decode(spec, message.value)
        assert {str(key) for key in found} == set(type(ours).model_fields)
        assert as_ours(found) == ours.model_dump()
        read.add(spec.name)
    return read


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
