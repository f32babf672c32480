"""The port of the live feed: order, places, waiting, length, expiry."""

import asyncio
import time

from stores.redis.contexts import FeedEntry, Stored
from tests.ports.redis_sides import RedisSide

P = 0
KEEP_S = 60
MANY = 5_000


def entries(*words: str) -> tuple[FeedEntry, ...]:
    return tuple(FeedEntry("stage", word.encode()) for word in words)


async def begun(redis: RedisSide, session_id: str, *words: str, ttl_s: int = KEEP_S) -> None:
    """A decision begins the feed with the stages `words`."""
    contexts = redis.one.contexts
    loaded = await contexts.load(P, session_id, leave_token=True)
    assert await contexts.store(
        P,
        session_id,
        epoch=loaded.epoch.id,
        expected=loaded.token or "",
        new=Stored(b"context", b"", 1, 1),
        ttl_s=ttl_s,
        feed=entries(*words),
    )


async def test_entries_are_read_in_order_and_after_a_place(redis: RedisSide, session_id: str) -> None:
    await begun(redis, session_id, "a")
    await redis.one.feed.append(P, session_id, entries("b"), keep_s=KEEP_S, max_len=MANY)
    await redis.other.feed.append(P, session_id, entries("c"), keep_s=KEEP_S, max_len=MANY)
    items = await redis.one.feed.read(P, session_id)
    assert [(item.kind, item.data) for item in items] == [("stage", b"a"), ("stage", b"b"), ("stage", b"c")]
    assert await redis.one.feed.read(P, session_id, after=items[0].id) == items[1:]
    assert await redis.one.feed.read(P, session_id, after=items[-1].id) == ()
    assert await redis.one.feed.read(P, session_id, count=2) == items[:2]


async def test_the_stages_of_one_decision_are_read_one_by_one(redis: RedisSide, session_id: str) -> None:
    await begun(redis, session_id, "a", "b", "c")
    await redis.one.feed.append(P, session_id, entries("d", "e"), keep_s=KEEP_S, max_len=MANY)
    items = await redis.other.feed.read(P, session_id)
    assert [item.data for item in items] == [b"a", b"b", b"c", b"d", b"e"]
    assert len({item.id for item in items}) == len(items)
    after = "0"
    for item in items:
        assert await redis.one.feed.read(P, session_id, after=after, count=1) == (item,)
        after = item.id
    assert await redis.one.feed.read(P, session_id, after=items[0].id, count=3) == items[1:4]
    assert await redis.one.feed.read(P, session_id, after=after) == ()


async def test_a_waiting_reader_gets_what_comes(redis: RedisSide, session_id: str) -> None:
    waiting = asyncio.create_task(redis.one.feed.read(P, session_id, block_ms=5_000))
    await asyncio.sleep(0.05)
    await begun(redis, session_id, "a")
    async with asyncio.timeout(2):
        assert [item.data for item in await waiting] == [b"a"]


async def test_a_reader_stops_waiting_in_time(redis: RedisSide, session_id: str) -> None:
    started = time.monotonic()
    assert await redis.one.feed.read(P, session_id, block_ms=100) == ()
    assert 0.05 < time.monotonic() - started < 2


async def test_waiting_readers_do_not_hold_up_other_commands(redis: RedisSide, session_id: str) -> None:
    waiting = [
        asyncio.create_task(redis.one.feed.read(P, f"{session_id}{number}", block_ms=20_000))
        for number in range(10)
    ]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        await redis.one.timers.epoch(P)
    for task in waiting:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


async def test_a_reader_that_left_takes_nothing_from_the_next(redis: RedisSide, session_id: str) -> None:
    left = asyncio.create_task(redis.one.feed.read(P, session_id, block_ms=20_000))
    await asyncio.sleep(0.05)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    other = asyncio.create_task(redis.one.feed.read(P, session_id + "x", block_ms=5_000))
    await asyncio.sleep(0.05)
    await begun(redis, session_id, "not for it")
    await begun(redis, session_id + "x", "for it")
    async with asyncio.timeout(2):
        assert [item.data for item in await other] == [b"for it"]


async def test_a_feed_does_not_grow_without_end(redis: RedisSide, session_id: str) -> None:
    await begun(redis, session_id, "a")
    for _ in range(10):
        await redis.one.feed.append(P, session_id, entries(*"abcdefghij" * 10), keep_s=KEEP_S, max_len=10)
    left = await redis.one.feed.read(P, session_id, count=2_000)
    assert 10 <= len(left) < 200  # the server drops whole blocks of entries


async def test_a_feed_expires_and_appending_renews_that(redis: RedisSide, session_id: str) -> None:
    await begun(redis, session_id, "a", ttl_s=1)
    await asyncio.sleep(0.6)
    await redis.one.feed.append(P, session_id, entries("b"), keep_s=1, max_len=MANY)
    await asyncio.sleep(0.6)
    assert len(await redis.one.feed.read(P, session_id)) == 2
    await asyncio.sleep(0.6)
    assert await redis.one.feed.read(P, session_id) == ()


async def test_a_deleted_feed_is_empty_and_words_that_come_late_begin_no_other(
    redis: RedisSide, session_id: str
) -> None:
    await begun(redis, session_id, "secret")
    await redis.other.feed.delete(P, session_id)
    await redis.other.feed.delete(P, session_id)
    await redis.one.feed.append(P, session_id, entries("late"), keep_s=KEEP_S, max_len=MANY)
    assert await redis.one.feed.read(P, session_id) == ()
