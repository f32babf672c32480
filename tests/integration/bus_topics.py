"""Topics and a publisher for one test of the bus, under a prefix of its own."""

import uuid
from dataclasses import dataclass

from bus.admin import Admin
from bus.codec import Codec
from bus.message import Message
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.reader import TopicReader
from bus.settings import KafkaSettings, TopicSettings
from telemetry.tracing import derived

DEADLINE_S = 30
PARTITIONS = 3
TRACE = derived("test")


@dataclass(frozen=True)
class Bus:
    """One test's topics, under a prefix of their own."""

    kafka: KafkaSettings
    topics: TopicSettings
    names: TopicNames
    codec: Codec
    publisher: Publisher


async def made(bootstrap: str) -> Bus:
    kafka = KafkaSettings(bootstrap_servers=bootstrap)
    topics = TopicSettings(prefix=f"t{uuid.uuid4().hex[:10]}.", partitions=PARTITIONS)
    names, codec = TopicNames(topics.prefix), Codec()
    async with Admin(kafka, topics) as admin:
        _ = await admin.create_topics()
    publisher = Publisher(kafka, names=names, codec=codec, source="test")
    await publisher.start()
    return Bus(kafka, topics, names, codec, publisher)


async def read_all(reader: TopicReader) -> list[Message]:
    return [message async for message in reader.read_to_end(deadline_s=DEADLINE_S)]
