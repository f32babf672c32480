"""The port of timers: due by the store's clock, removed only when unchanged, armed once an epoch."""

import time

from stores.redis.timers import DueTimer
from tests.ports.redis_sides import RedisSide

P = 2
HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def timer(session_id: str, due_ms: int, key: str = "step") -> DueTimer:
    return DueTimer(session_id=session_id, key=key, kind="deadline", due_ms=due_ms)


async def arm(redis: RedisSide, *timers: DueTimer) -> None:
    epoch = await redis.one.timers.epoch(P)
    assert await redis.one.timers.arm(P, epoch.id, timers)


async def test_due_timers_come_in_order_and_up_to_the_limit(redis: RedisSide, session_id: str) -> None:
    late, early = timer(session_id, 20, "late"), timer(session_id, 10, "early")
    await arm(redis, late, early, timer(session_id, now_ms() + HOUR_MS, "future"))
    assert await redis.one.timers.due(P, 10) == (early, late)
    assert await redis.one.timers.due(P, 1) == (early,)
    assert await redis.one.timers.due(P + 1, 10) == ()


async def test_a_fired_timer_is_removed_only_if_its_due_time_is_unchanged(
    redis: RedisSide, session_id: str
) -> None:
    first = timer(session_id, 10)
    moved = timer(session_id, 20)
    await arm(redis, first)
    await arm(redis, moved)
    assert not await redis.one.timers.remove_if_unchanged(P, first)
    assert await redis.one.timers.due(P, 10) == (moved,)
    assert await redis.other.timers.remove_if_unchanged(P, moved)
    assert not await redis.one.timers.remove_if_unchanged(P, moved)
    assert await redis.one.timers.due(P, 10) == ()


async def test_arming_does_not_set_a_later_due_time_back(redis: RedisSide, session_id: str) -> None:
    await arm(redis, timer(session_id, 20))
    await arm(redis, timer(session_id, 10))
    assert await redis.one.timers.due(P, 10) == (timer(session_id, 20),)


async def test_arming_a_thousand_timers_keeps_each(redis: RedisSide, session_id: str) -> None:
    await arm(redis, *(timer(session_id, 1 + number, str(number)) for number in range(1200)))
    assert len(await redis.one.timers.due(P, 2000)) == 1200


async def test_a_partition_is_armed_until_its_epoch_ends(redis: RedisSide) -> None:
    epoch = await redis.one.timers.epoch(P)
    assert not await redis.one.timers.is_armed(P)
    assert await redis.one.timers.mark_armed(P, epoch.id)
    assert await redis.other.timers.is_armed(P)
    assert not await redis.one.timers.is_armed(P + 1)
    await redis.begin_epoch(P)
    assert not await redis.one.timers.is_armed(P)
    assert (await redis.one.timers.epoch(P)).id != epoch.id


async def test_arming_for_an_ended_epoch_is_refused(redis: RedisSide, session_id: str) -> None:
    ended = await redis.one.timers.epoch(P)
    await redis.flush()
    assert not await redis.one.timers.arm(P, ended.id, (timer(session_id, 1),))
    assert not await redis.one.timers.mark_armed(P, ended.id)
    assert await redis.one.timers.due(P, 10) == ()
    assert not await redis.one.timers.is_armed(P)
