"""Builds the PostgreSQL sink."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bus.consumer import Consumer
from maestro.settings import load
from maestro.wiring.observed import observed_sink
from maestro.wiring.wires import open_bus, open_database
from schemas.topics import SESSIONS, TASKS
from sinks.postgres.store import PostgresStore
from sinks.postgres.sweep import Sweep
from sinks.postgres.tables import BY_TOPIC
from sinks.process import SinkProcess, topics_of
from sinks.settings import SinkSettings


@asynccontextmanager
async def postgres_sink() -> AsyncGenerator[SinkProcess]:
    """Build the process that keeps the record; its clients are open while the context is."""
    (settings,) = load(SinkSettings)
    async with open_bus("maestro.sink-postgres") as bus, open_database() as database:
        store = PostgresStore(database, weeks_ahead=settings.weeks_ahead)
        topics = topics_of(BY_TOPIC, bus.topics.prefix)
        process = SinkProcess(
            topics=topics, settings=settings, store=store, decoder=bus.codec, dead_letters=bus.dead_letters
        )
        member = Consumer(
            bus.kafka,
            streams=process.streams,
            group=bus.names.group("sink-postgres"),
            on_assigned=process.on_assigned,
        )
        sweep = Sweep(
            database,
            ends=member,
            tombstones=bus.publisher,
            topics=tuple(topics),
            compacted=(bus.names.full(TASKS), bus.names.full(SESSIONS)),
            partitions=bus.topics.partitions,
        )
        process.connect(member, chores=[sweep])
        stores = {"PostgreSQL": lambda: database.fetch_one("select 1")}
        async with observed_sink(process, bus, member, stores):
            yield process
