"""What every program needs: topics, codec, producer, stores, barriers; opened in order and closed again."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bus.admin import Admin
from bus.codec import Codec
from bus.connection import client_options
from bus.deadletter import DeadLetters
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.schema_source import open_codec
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from maestro.settings import load
from maestro.wiring.reach import Reach
from schemas.errors import FatalError
from stores.postgres.pool import Database
from stores.postgres.progress import Progress
from stores.postgres.settings import PostgresSettings
from stores.redis.connection import RedisConnection
from stores.redis.settings import RedisSettings
from streams.barrier import Barrier
from streams.runtime.connection import ConnectionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """The way to Kafka."""

    kafka: KafkaSettings
    topics: TopicSettings
    names: TopicNames
    codec: Codec
    publisher: Publisher
    dead_letters: DeadLetters

    def connection(self) -> ConnectionOptions:
        """Return how Faust reaches the brokers."""
        options = client_options(self.kafka)
        uses_sasl = self.kafka.security_protocol.startswith("SASL_")
        return ConnectionOptions(
            bootstrap_servers=tuple(server.strip() for server in self.kafka.bootstrap_servers.split(",")),
            ssl_context=options["ssl_context"],
            sasl_mechanism=self.kafka.sasl_mechanism if uses_sasl else None,
            sasl_username=options["sasl_plain_username"],
            sasl_password=options["sasl_plain_password"],
            client_id=self.kafka.client_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """The bus and the stores of a worker."""

    bus: Bus
    redis: RedisConnection
    database: Database
    ends: Admin
    """Tells where partitions end."""
    barrier: Barrier
    reach: Reach
    """Tells whether the stores answer."""


@asynccontextmanager
async def open_bus(source: str) -> AsyncGenerator[Bus]:
    """Open the way to Kafka; `source` names the program in the messages' headers.

    Raises:
        FatalError: a topic is missing or not as it must be; the sentence says what to do.
        TransientError: Kafka or the schema registry cannot be reached.

    """
    kafka, topics, schemas = load(KafkaSettings, TopicSettings, SchemaSettings)
    names = TopicNames(topics.prefix)
    await check_topics(kafka, topics)
    codec = await open_codec(schemas, names)
    publisher = Publisher(kafka, names=names, codec=codec, source=source)
    await publisher.start()
    try:
        yield Bus(
            kafka=kafka,
            topics=topics,
            names=names,
            codec=codec,
            publisher=publisher,
            dead_letters=DeadLetters(publisher, names),
        )
    finally:
        await publisher.stop()


@asynccontextmanager
async def open_database() -> AsyncGenerator[Database]:
    """Open the record."""
    (settings,) = load(PostgresSettings)
    database = Database(settings)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


@asynccontextmanager
async def open_wires(source: str, *, barrier_limit_s: float = 60.0) -> AsyncGenerator[Wires]:
    """Open everything that a worker needs."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(source))
        database = await stack.enter_async_context(open_database())
        (redis_settings,) = load(RedisSettings)
        redis = RedisConnection(redis_settings)
        await redis.start(bus.topics.partitions)
        stack.push_async_callback(redis.stop)
        ends = await stack.enter_async_context(Admin(bus.kafka, bus.topics))
        barrier = Barrier(Progress(database), limit_s=barrier_limit_s)
        stack.push_async_callback(barrier.stop)
        reach = Reach(
            {"PostgreSQL": lambda: database.fetch_one("select 1"), "Redis": lambda: redis.command(b"PING")},
            also=lambda: barrier.trouble,
        )
        reach.start()
        stack.push_async_callback(reach.stop)
        yield Wires(bus=bus, redis=redis, database=database, ends=ends, barrier=barrier, reach=reach)


async def check_topics(kafka: KafkaSettings, topics: TopicSettings) -> None:
    """Refuse to start on topics that are missing or not as they must be.

    Raises:
        FatalError: with a sentence per topic.

    """
    async with Admin(kafka, topics) as admin:
        problems = await admin.check_topics()
    if problems:
        raise FatalError("the topics are not as they must be (see `maestro topics`): " + "; ".join(problems))
