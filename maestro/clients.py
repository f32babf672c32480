"""What commands use to reach the system: each opened for one use and closed again."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from bus.admin import Admin
from bus.agents_table import AgentsTable
from bus.codec import Codec
from bus.message import Place
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.reader import Start, TopicReader
from bus.schema_source import open_codec
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from maestro.settings import load
from schemas.topics import TopicSpec
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings
from stores.redis.connection import RedisConnection
from stores.redis.feed import Feed
from stores.redis.settings import RedisSettings

_FEED_PATIENCE_S = 2.0
"""A person waits for words of the live feed no longer than this; the answer comes without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """How the topics are reached, named and read; connections are opened by its methods."""

    settings: KafkaSettings
    topics: TopicSettings
    names: TopicNames
    codec: Codec

    @classmethod
    async def from_environment(cls) -> Self:
        """Return the access that the environment describes, with the schema registry's ids where one is set.

        Raises:
            SettingsError: the environment does not fit.
            TransientError: the schema registry cannot be reached.
            FatalError: it refuses us, or lacks a current schema: `maestro topics --register`.

        """
        settings, topics, schemas = load(KafkaSettings, TopicSettings, SchemaSettings)
        names = TopicNames(topics.prefix)
        codec = await open_codec(schemas, names)
        return cls(settings=settings, topics=topics, names=names, codec=codec)

    def reader(
        self,
        *specs: TopicSpec,
        start: Start | Mapping[Place, int] = Start.END,
        partitions: Collection[int] | None = None,
    ) -> TopicReader:
        """Return a reader of topics, not opened yet: use it with `async with`."""
        topics = [self.names.full(spec) for spec in specs]
        return TopicReader(self.settings, topics, start=start, partitions=partitions)

    def admin(self) -> Admin:
        """Return a connection for administration, not opened yet: use it with `async with`."""
        return Admin(self.settings, self.topics)

    @asynccontextmanager
    async def publisher(self) -> AsyncGenerator[Publisher]:
        """Open a producer.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        opened = Publisher(self.settings, names=self.names, codec=self.codec, source="cli")
        await opened.start()
        try:
            yield opened
        finally:
            await opened.stop()

    @asynccontextmanager
    async def agents(self) -> AsyncGenerator[AgentsTable]:
        """Open the table of agents, read to the end of its topic.

        Raises:
            TransientError: Kafka cannot be reached, or the topic is missing.
            FatalError: Kafka refuses us.

        """
        table = AgentsTable(self.settings, names=self.names, codec=self.codec)
        await table.start()
        try:
            yield table
        finally:
            await table.stop()


@asynccontextmanager
async def database() -> AsyncGenerator[Database]:
    """Open the record.

    Raises:
        SettingsError: the environment does not fit.
        TransientError: the server cannot be reached.

    """
    (settings,) = load(PostgresSettings)
    opened = Database(settings)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


@asynccontextmanager
async def live_feed(partitions: int) -> AsyncGenerator[Feed]:
    """Open the live feeds of sessions on topics with that many partitions.

    Raises:
        SettingsError: the environment does not fit.
        TransientError: Redis cannot be reached within two seconds.
        FatalError: Redis must not be used.

    """
    (settings,) = load(RedisSettings)
    patience = {"start_timeout_s": _FEED_PATIENCE_S, "connect_timeout_s": _FEED_PATIENCE_S, "connections": 1}
    connection = RedisConnection(settings.model_copy(update=patience))
    await connection.start(partitions)
    try:
        yield Feed(connection)
    finally:
        await connection.stop()
