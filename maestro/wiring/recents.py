"""Builds the recents sink."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bus.consumer import Consumer
from maestro.settings import load
from maestro.wiring.observed import observed_sink
from maestro.wiring.wires import open_bus
from schemas.topics import SESSIONS
from sinks.process import SinkProcess, topics_of
from sinks.recents.settings import RecentsSettings
from sinks.recents.store import RecentsStore
from sinks.settings import SinkSettings
from stores.redis.connection import RedisConnection
from stores.redis.recents import Recents
from stores.redis.settings import RedisSettings


@asynccontextmanager
async def recents_sink() -> AsyncGenerator[SinkProcess]:
    """Build the process that keeps recent sessions in Redis; its clients are open while the context is."""
    general, own, redis_settings = load(SinkSettings, RecentsSettings, RedisSettings)
    async with open_bus("maestro.sink-recents") as bus:
        redis = RedisConnection(redis_settings)
        await redis.start(bus.topics.partitions)
        try:
            store = RecentsStore(Recents(redis, keep_s=own.keep_s, most=own.most))
            process = SinkProcess(
                topics=topics_of([SESSIONS], bus.topics.prefix),
                settings=general,
                store=store,
                decoder=bus.codec,
                dead_letters=bus.dead_letters,
            )
            member = Consumer(
                bus.kafka,
                streams=process.streams,
                group=bus.names.group("sink-recents"),
                on_assigned=process.on_assigned,
            )
            process.connect(member, chores=[store.watch(member.assigned)])
            async with observed_sink(process, bus, member, {"Redis": lambda: redis.command(b"PING")}):
                yield process
        finally:
            await redis.stop()
