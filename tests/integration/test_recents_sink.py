"""The recents sink on real Kafka and Redis: lists follow the topic, also when Redis forgot everything."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import SecretStr

from bus.codec import Codec
from bus.consumer import Consumer
from bus.deadletter import DeadLetters
from maestro.embedded.stack import EmbeddedStack
from schemas.partition import partition_of
from schemas.records import Session
from schemas.topics import SESSIONS
from sinks.process import SinkProcess, topics_of
from sinks.recents.store import RecentsStore
from sinks.settings import SinkSettings
from stores.redis.connection import RedisConnection
from stores.redis.recents import Recents
from stores.redis.settings import RedisSettings
from tests.fakes.made_session import Made
from tests.integration.bus_topics import DEADLINE_S, PARTITIONS, TRACE, Bus, made


@pytest.fixture
async def redis(stack: EmbeddedStack) -> AsyncIterator[RedisConnection]:
    """A client with key names of the test's own."""
    url, prefix = SecretStr(stack.urls.redis_url), f"{uuid4()}:"
    opened = RedisConnection(RedisSettings(redis_url=url, prefix=prefix))
    await opened.start(PARTITIONS)
    yield opened
    await opened.stop()


@pytest.fixture
async def bus(stack: EmbeddedStack) -> AsyncIterator[Bus]:
    """Topics of the test's own."""
    opened = await made(stack.urls.kafka_bootstrap)
    yield opened
    await opened.publisher.stop()


@asynccontextmanager
async def running(bus: Bus, recents: Recents) -> AsyncGenerator[None]:
    """The sink as it is wired."""
    store = RecentsStore(recents)
    process = SinkProcess(
        topics=topics_of([SESSIONS], bus.names.prefix),
        settings=SinkSettings(linger_ms=20),
        store=store,
        decoder=Codec(),
        dead_letters=DeadLetters(bus.publisher, bus.names),
    )
    member = Consumer(
        bus.kafka,
        streams=process.streams,
        group=bus.names.group("sink-recents"),
        on_assigned=process.on_assigned,
    )
    process.connect(member, chores=[store.watch(member.assigned)])
    task = asyncio.create_task(process.run())
    try:
        yield
    finally:
        process.stop()
        async with asyncio.timeout(DEADLINE_S):
            assert await task == 0


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until the condition holds."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await condition():  # noqa: ASYNC110  Redis gives no sign
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {DEADLINE_S} s: {what}")


async def test_lists_follow_the_topic_and_are_made_again_when_redis_forgot(
    bus: Bus, redis: RedisConnection
) -> None:
    recents = Recents(redis, keep_s=60, most=10)
    one, two = Made(str(uuid4())), Made(str(uuid4()))

    def shows(*wanted: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return {each.session_id for each in await recents.of_user("alice")} == set(wanted)

        return check

    async with running(bus, recents):
        for each in (one, two):
            await bus.publisher.publish(_now(each.session()), trace=TRACE)
        await until(shows(one.session_id, two.session_id), "both sessions")
        keys = await redis.command(b"KEYS", redis.keys.prefix.encode() + b"recents:*")
        assert isinstance(keys, list)
        await redis.command(b"DEL", *(key for key in keys if isinstance(key, bytes)))
        await until(shows(one.session_id, two.session_id), "both sessions again")
        await bus.publisher.send_raw(
            bus.names.full(SESSIONS),
            partition=partition_of(one.session_id, PARTITIONS),
            key=one.session_id.encode(),
            value=None,
            headers=[],
        )
        await until(shows(two.session_id), "the erased session gone")


def _now(session: Session) -> Session:
    return session.model_copy(update={"last_activity": datetime.now(UTC)})
