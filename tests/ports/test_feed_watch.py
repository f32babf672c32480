"""Feeds as the edge follows them: pages of what is kept, and one read for many sessions. Real Redis only."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts, FeedEntry, Stored
from stores.redis.feed import Feed
from stores.redis.feed_watch import NOTHING_YET, FeedWatch
from tests.ports.redis_server import RedisServer

PATIENCE_MS = 20_000
LIMIT_S = 15.0


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    """A connection under key names of the test's own."""
    opened = await redis_server.connect(f"{uuid.uuid4()}:")
    yield opened
    await opened.stop()


async def begin(connection: RedisConnection, partition: int, session_id: str, *words: str) -> None:
    """Let a decision begin a feed with the stages `words`, in one entry."""
    contexts = Contexts(connection)
    loaded = await contexts.load(partition, session_id, leave_token=True)
    assert await contexts.store(
        partition,
        session_id,
        epoch=loaded.epoch.id,
        expected=loaded.token or "",
        new=Stored(b"context", b"", 1, 1),
        ttl_s=60,
        feed=tuple(FeedEntry("stage", word.encode()) for word in words),
    )


async def add(connection: RedisConnection, partition: int, session_id: str, *words: str) -> None:
    """Append words to a feed, each in an entry of its own."""
    entries = [FeedEntry("delta", word.encode()) for word in words]
    await Feed(connection).append(partition, session_id, entries, keep_s=60, max_len=1_000)


async def test_pages_of_what_is_kept_begin_where_they_are_asked_to(connection: RedisConnection) -> None:
    watch, session = FeedWatch(connection), str(uuid.uuid4())
    assert await watch.page(0, session, count=5) == []
    await begin(connection, 0, session, "a", "b")
    await add(connection, 0, session, "c", "d")
    records = await watch.page(0, session, count=10)
    assert [[item.data for item in each.items] for each in records] == [[b"a", b"b"], [b"c"], [b"d"]]
    assert [each.items[-1].id for each in records] == [each.id for each in records]
    assert await watch.page(0, session, start=records[1].id, count=10) == records[1:]
    assert await watch.page(0, session, after=records[1].id, count=10) == records[2:]
    assert await watch.page(0, session, count=2) == records[:2]
    assert await watch.newest(0, session, count=2) == records[:0:-1]


async def test_many_feeds_are_followed_by_one_read(connection: RedisConnection) -> None:
    watch, one, other = FeedWatch(connection), (0, str(uuid.uuid4())), (1, str(uuid.uuid4()))
    places = {one: NOTHING_YET, other: NOTHING_YET}
    waiting = asyncio.create_task(watch.follow(places, block_ms=PATIENCE_MS, count=10))
    await asyncio.sleep(0.05)
    await begin(connection, *other, "a")
    async with asyncio.timeout(LIMIT_S):
        found = await waiting
    assert list(found) == [other]
    await begin(connection, *one, "b")
    await add(connection, *other, "c")
    places[other] = found[other][-1].id
    found = await watch.follow(places, block_ms=PATIENCE_MS, count=10)
    assert {
        watched: [item.data for each in records for item in each.items] for watched, records in found.items()
    } == {
        one: [b"b"],
        other: [b"c"],
    }


async def test_the_bell_ends_a_wait_once(connection: RedisConnection) -> None:
    watch, session = FeedWatch(connection), (0, str(uuid.uuid4()))
    waiting = asyncio.create_task(watch.follow({session: NOTHING_YET}, block_ms=PATIENCE_MS, count=10))
    await asyncio.sleep(0.05)
    await watch.ring()
    async with asyncio.timeout(LIMIT_S):
        assert await waiting == {}
    again = asyncio.create_task(watch.follow({session: NOTHING_YET}, block_ms=PATIENCE_MS, count=10))
    await asyncio.sleep(0.05)
    assert not again.done()
    await begin(connection, *session, "a")
    async with asyncio.timeout(LIMIT_S):
        assert list(await again) == [session]


async def test_the_bell_of_one_process_wakes_no_other(
    connection: RedisConnection, redis_server: RedisServer
) -> None:
    other = await redis_server.connect(connection.keys.prefix)
    try:
        session = (0, str(uuid.uuid4()))
        waiting = asyncio.create_task(
            FeedWatch(other).follow({session: NOTHING_YET}, block_ms=PATIENCE_MS, count=10)
        )
        await FeedWatch(connection).ring()
        await asyncio.sleep(0.2)
        assert not waiting.done()
        waiting.cancel()
        _ = await asyncio.gather(waiting, return_exceptions=True)
    finally:
        await other.stop()
