"""The machine of paid steps on both journals: a step that is killed anywhere has one result in the end."""

import asyncio
import time
from contextlib import suppress

import pytest

from schemas.lists import EffectClass, ToolOutcome
from tests.ports.redis_sides import RedisSide
from tests.unit.streams.paid_world import Killed, Process, World

LEASE_S = 0.15
PLACES = 7
"""Claim, effect and complete, before and after each, and before the publication."""


def world_on(redis: RedisSide, effect: EffectClass, *, is_young: bool) -> World:
    # Born in the future or in the past of an epoch that has just begun: without and with a look-up.
    now_ms = time.time_ns() // 1_000_000
    world = World(effect=effect, born_ms=now_ms - 60_000 if is_young else now_ms + 60_000)
    world.now_ms = now_ms
    world.journal = redis.one.journal
    return world


async def killed(world: World, at: int) -> Process:
    process = Process(at)
    with suppress(Killed):
        await world.run(process, lease_s=LEASE_S)
    return process


@pytest.mark.parametrize("at", range(1, PLACES + 1))
@pytest.mark.parametrize("effect", [EffectClass.PURE, EffectClass.ONCE, EffectClass.RECONCILE])
async def test_a_killed_step_has_one_result(redis: RedisSide, effect: EffectClass, at: int) -> None:
    world = world_on(redis, effect, is_young=False)
    process = await killed(world, at)
    calls_before, was_complete = world.calls, "after complete" in process.places
    async with asyncio.timeout(5):
        await world.run(lease_s=LEASE_S)
    assert len({each.result for each in world.published}) == 1
    assert world.calls <= (2 if effect is EffectClass.PURE else 1)
    if was_complete:
        assert world.calls == calls_before


@pytest.mark.parametrize("effect", [EffectClass.ONCE, EffectClass.RECONCILE])
async def test_a_try_that_redis_forgot_is_not_made_again(redis: RedisSide, effect: EffectClass) -> None:
    world = world_on(redis, effect, is_young=True)
    at = Process()
    await world_on(redis, effect, is_young=True).run(at, lease_s=LEASE_S)
    await redis.flush()
    _ = await killed(world, at.places.index("after the effect") + 1)
    await redis.flush()
    async with asyncio.timeout(5):
        await world.run(lease_s=LEASE_S)
    assert world.calls == 1
    expected = ToolOutcome.SUCCEEDED if effect is EffectClass.RECONCILE else ToolOutcome.OUTCOME_UNKNOWN
    assert [each.outcome for each in world.published] == [expected]


async def test_a_forgotten_step_is_looked_up_however_young_it_is(redis: RedisSide) -> None:
    world = world_on(redis, EffectClass.PURE, is_young=False)
    await world.run(lease_s=LEASE_S)
    assert world.journal is not None
    await redis.one.journal.forget(0, ["step"])
    await world.run(lease_s=LEASE_S)
    assert world.calls == 1
    assert [each.result for each in world.published] == ["1", "1"]


async def test_a_step_that_works_longer_than_its_lease_is_not_taken_over(redis: RedisSide) -> None:
    world = world_on(redis, EffectClass.PURE, is_young=False)

    async def long() -> None:
        await asyncio.sleep(3 * LEASE_S)

    world.during_work = long
    async with asyncio.timeout(5):
        await asyncio.gather(world.run(lease_s=LEASE_S), world.run(lease_s=LEASE_S))
    assert world.calls == 1
    assert [each.result for each in world.published] == ["1", "1"]
