"""The port of contexts: one of two writers wins; what was lost or belongs to another epoch is absent."""

import asyncio

import pytest

from stores.redis.contexts import FeedEntry, Loaded, Stored, TimerEntry
from tests.ports.redis_sides import RedisSide, Stores

P = 1
TTL_S = 60
FIRST = Stored(context=b'{"n":1}', outbox=b"[]", term=7, version=3)
SECOND = Stored(context=b'{"n":2}', outbox=b"[1]", term=7, version=5)


async def store(stores: Stores, session_id: str, loaded: Loaded, new: Stored, *, ttl_s: int = TTL_S) -> bool:
    """Store as a step does: on condition of what it loaded."""
    expected = loaded.token
    if loaded.stored is not None:
        expected = (loaded.stored.term, loaded.stored.version)
    assert expected is not None
    return await stores.contexts.store(
        P, session_id, epoch=loaded.epoch.id, expected=expected, new=new, ttl_s=ttl_s
    )


async def begin(stores: Stores, session_id: str, new: Stored = FIRST, *, ttl_s: int = TTL_S) -> Loaded:
    """Make the session's context and return a load of it."""
    absent = await stores.contexts.load(P, session_id, leave_token=True)
    assert await store(stores, session_id, absent, new, ttl_s=ttl_s)
    return await stores.contexts.load(P, session_id, leave_token=True)


async def test_an_unknown_context_is_absent_and_leaves_a_token_when_asked(
    redis: RedisSide, session_id: str
) -> None:
    without = await redis.one.contexts.load(P, session_id, leave_token=False)
    with_token = await redis.one.contexts.load(P, session_id, leave_token=True)
    assert (without.stored, without.token) == (None, None)
    assert with_token.stored is None
    assert with_token.token
    assert without.epoch == with_token.epoch
    assert with_token.epoch.born_ms <= with_token.now_ms


async def test_what_is_stored_is_loaded_byte_for_byte(redis: RedisSide, session_id: str) -> None:
    every_byte = Stored(context=bytes(range(256)) * 40, outbox=b"\r\n$-1\r\n\x00", term=1, version=2**40)
    loaded = await begin(redis.one, session_id, every_byte)
    assert loaded.stored == every_byte
    assert loaded.token is None


async def test_of_two_writers_who_loaded_the_same_one_wins(redis: RedisSide, session_id: str) -> None:
    await begin(redis.one, session_id)
    mine = await redis.one.contexts.load(P, session_id, leave_token=True)
    theirs = await redis.other.contexts.load(P, session_id, leave_token=True)
    won = await asyncio.gather(
        store(redis.one, session_id, mine, SECOND), store(redis.other, session_id, theirs, SECOND)
    )
    assert sorted(won) == [False, True]
    assert (await redis.one.contexts.load(P, session_id, leave_token=False)).stored == SECOND


async def test_of_many_writers_each_round_has_one_winner(redis: RedisSide, session_id: str) -> None:
    await begin(redis.one, session_id)

    async def add_ten(stores: Stores) -> None:
        done = 0
        while done < 10:
            loaded = await stores.contexts.load(P, session_id, leave_token=True)
            assert loaded.stored is not None
            new = Stored(b"", b"", loaded.stored.term, loaded.stored.version + 1)
            done += await store(stores, session_id, loaded, new)

    await asyncio.gather(*(add_ten(stores) for stores in (redis.one, redis.other) * 4))
    loaded = await redis.one.contexts.load(P, session_id, leave_token=False)
    assert loaded.stored is not None
    assert loaded.stored.version == FIRST.version + 80


@pytest.mark.parametrize("expected", [(7, 2), (6, 3), (8, 3)])
async def test_another_term_or_version_is_refused(
    redis: RedisSide, session_id: str, expected: tuple[int, int]
) -> None:
    loaded = await begin(redis.one, session_id)
    assert not await redis.one.contexts.store(
        P, session_id, epoch=loaded.epoch.id, expected=expected, new=SECOND, ttl_s=TTL_S
    )
    assert (await redis.one.contexts.load(P, session_id, leave_token=False)).stored == FIRST


async def test_a_store_under_another_epoch_is_refused(redis: RedisSide, session_id: str) -> None:
    loaded = await begin(redis.one, session_id)
    assert not await redis.one.contexts.store(
        P, session_id, epoch="another", expected=(FIRST.term, FIRST.version), new=SECOND, ttl_s=TTL_S
    )
    assert not await redis.one.contexts.store(
        P, session_id, epoch="another", expected="token", new=SECOND, ttl_s=TTL_S
    )
    assert (await redis.one.contexts.load(P, session_id, leave_token=False)).epoch == loaded.epoch


async def test_a_flush_between_load_and_store_refuses_the_store(redis: RedisSide, session_id: str) -> None:
    loaded = await begin(redis.one, session_id)
    absent = await redis.one.contexts.load(P, "another", leave_token=True)
    await redis.flush()
    assert not await store(redis.one, session_id, loaded, SECOND)
    assert not await store(redis.one, "another", absent, SECOND)
    again = await redis.one.contexts.load(P, session_id, leave_token=False)
    assert again.stored is None
    assert again.epoch.id != loaded.epoch.id


async def test_a_context_of_an_ended_epoch_is_absent_and_cannot_be_stored_over(
    redis: RedisSide, session_id: str
) -> None:
    before = await begin(redis.one, session_id)
    await redis.begin_epoch(P)
    assert not await store(redis.one, session_id, before, SECOND)
    after = await redis.one.contexts.load(P, session_id, leave_token=True)
    assert after.stored is None
    assert after.epoch.id != before.epoch.id
    assert await store(redis.one, session_id, after, SECOND)


async def test_a_store_that_follows_an_absence_hides_no_context_of_an_ended_epoch(
    redis: RedisSide, session_id: str
) -> None:
    await begin(redis.one, session_id)
    await redis.begin_epoch(P)
    epoch = await redis.one.timers.epoch(P)
    assert not await redis.one.contexts.store(
        P, session_id, epoch=epoch.id, expected=(FIRST.term, FIRST.version), new=SECOND, ttl_s=TTL_S
    )


async def test_only_the_last_token_may_store(redis: RedisSide, session_id: str) -> None:
    early = await redis.one.contexts.load(P, session_id, leave_token=True)
    late = await redis.other.contexts.load(P, session_id, leave_token=True)
    assert early.token != late.token
    assert not await store(redis.one, session_id, early, FIRST)
    assert await store(redis.other, session_id, late, SECOND)
    assert not await store(redis.one, session_id, early, FIRST)


async def test_a_token_does_not_store_over_a_context_that_is_there(redis: RedisSide, session_id: str) -> None:
    absent = await redis.one.contexts.load(P, session_id, leave_token=True)
    assert await store(redis.one, session_id, absent, FIRST)
    assert not await store(redis.one, session_id, absent, SECOND)


async def test_a_token_never_left_is_refused(redis: RedisSide, session_id: str) -> None:
    absent = await redis.one.contexts.load(P, session_id, leave_token=False)
    assert not await redis.one.contexts.store(
        P, session_id, epoch=absent.epoch.id, expected="invented", new=FIRST, ttl_s=TTL_S
    )


async def test_a_load_that_leaves_no_token_keeps_the_one_left(redis: RedisSide, session_id: str) -> None:
    absent = await redis.one.contexts.load(P, session_id, leave_token=True)
    await redis.other.contexts.load(P, session_id, leave_token=False)
    assert await store(redis.one, session_id, absent, FIRST)


async def test_a_context_expires_and_each_store_renews_that(redis: RedisSide, session_id: str) -> None:
    loaded = await begin(redis.one, session_id, ttl_s=1)
    await asyncio.sleep(0.6)
    assert await store(redis.one, session_id, loaded, SECOND, ttl_s=1)
    await asyncio.sleep(0.6)
    loaded = await redis.one.contexts.load(P, session_id, leave_token=False)
    assert loaded.stored == SECOND
    await asyncio.sleep(0.6)
    expired = await redis.one.contexts.load(P, session_id, leave_token=False)
    assert expired.stored is None
    assert expired.epoch == loaded.epoch
    assert not await store(redis.one, session_id, loaded, FIRST)


async def test_timers_and_feed_come_with_the_context_or_not_at_all(redis: RedisSide, session_id: str) -> None:
    absent = await redis.one.contexts.load(P, session_id, leave_token=True)
    assert absent.token is not None

    async def store_all(expected: str | tuple[int, int], removed: tuple[str, ...]) -> bool:
        return await redis.one.contexts.store(
            P,
            session_id,
            epoch=absent.epoch.id,
            expected=expected,
            new=FIRST,
            ttl_s=TTL_S,
            timers_set=(TimerEntry("step/1", "deadline", 1), TimerEntry("idle", "idle", 2)),
            timers_removed=removed,
            feed=(FeedEntry("stage", b"plan"), FeedEntry("stage", b"act")),
        )

    assert not await store_all("invented", ())
    assert await redis.one.timers.due(P, 10) == ()
    assert await redis.one.feed.read(P, session_id) == ()
    assert await store_all(absent.token, ())
    due = await redis.one.timers.due(P, 10)
    assert [(t.session_id, t.key, t.kind, t.due_ms) for t in due] == [
        (session_id, "step/1", "deadline", 1),
        (session_id, "idle", "idle", 2),
    ]
    assert [item.data for item in await redis.one.feed.read(P, session_id)] == [b"plan", b"act"]
    assert await store_all((FIRST.term, FIRST.version), ("step/1", "never there"))
    assert [timer.key for timer in await redis.one.timers.due(P, 10)] == ["idle"]


async def test_partitions_and_sessions_do_not_see_each_other(redis: RedisSide, session_id: str) -> None:
    await begin(redis.one, session_id)
    assert (await redis.one.contexts.load(P + 1, session_id, leave_token=False)).stored is None
    assert (await redis.one.contexts.load(P, session_id + "x", leave_token=False)).stored is None


async def test_a_load_tells_whether_somebody_left_a_token_before_in_this_epoch(
    redis: RedisSide, session_id: str
) -> None:
    looked = await redis.one.contexts.load(P, session_id, leave_token=False)
    first = await redis.one.contexts.load(P, session_id, leave_token=True)
    second = await redis.other.contexts.load(P, session_id, leave_token=True)
    assert [loaded.had_token for loaded in (looked, first, second)] == [False, False, True]
    await redis.flush()
    assert not (await redis.one.contexts.load(P, session_id, leave_token=True)).had_token
