"""Steps of `reconcile` tools: who may have been started before is asked about, and nobody else."""

import asyncio

import pytest

from schemas.lists import EffectClass, ToolOutcome
from tests.unit.streams.paid_world import LEASE_S, SESSION, START_MS, Killed, Process, World

AFTER_THE_EFFECT = 4
"""Place number: claim before and after, before and after the effect."""


def world_of(*, can_tell: bool = True) -> World:
    return World(effect=EffectClass.RECONCILE, can_tell=can_tell)


async def killed_after_the_effect(world: World) -> None:
    process = Process(AFTER_THE_EFFECT)
    with pytest.raises(Killed):
        await world.run(process)
    assert process.places[-1] == "after the effect"


async def test_a_first_try_asks_nobody() -> None:
    world = world_of()
    await world.run()
    assert (world.calls, world.asked) == (1, [])


async def test_what_the_killed_try_did_is_the_result() -> None:
    world = world_of()
    await killed_after_the_effect(world)
    world.now_ms += int(LEASE_S * 1000) + 1
    await world.run()
    assert (world.calls, world.asked) == (1, ["step"])
    assert [(each.outcome, each.result) for each in world.published] == [(ToolOutcome.SUCCEEDED, "1")]


async def test_what_the_killed_try_did_not_do_is_done() -> None:
    world = world_of()
    with pytest.raises(Killed):
        await world.run(Process(AFTER_THE_EFFECT - 1))
    world.now_ms += int(LEASE_S * 1000) + 1
    await world.run()
    assert (world.calls, world.asked) == (1, ["step"])
    assert [each.outcome for each in world.published] == [ToolOutcome.SUCCEEDED]


async def test_a_try_that_redis_forgot_is_asked_about() -> None:
    world = world_of()
    await killed_after_the_effect(world)
    world.redis.flush()
    world.now_ms += 1
    await world.run()
    assert (world.calls, world.asked) == (1, ["step"])


async def test_a_step_older_than_the_journal_is_asked_about() -> None:
    world = world_of()
    world.now_ms += 3_700_000
    await world.run()
    assert (world.calls, world.asked) == (1, ["step"])


async def test_a_step_born_when_redis_had_just_begun_is_asked_about() -> None:
    world = World(effect=EffectClass.RECONCILE, born_ms=START_MS + 1)
    await world.run()
    assert (world.calls, world.asked) == (1, ["step"])


async def test_where_nobody_can_tell_the_outcome_is_unknown_and_stays_so() -> None:
    world = world_of(can_tell=False)
    await killed_after_the_effect(world)
    world.now_ms += int(LEASE_S * 1000) + 1
    await world.run()
    world.can_tell = True
    await world.run()
    assert world.calls == 1
    assert [each.outcome for each in world.published] == [ToolOutcome.OUTCOME_UNKNOWN] * 2
    assert "it does not answer" in (world.published[0].error_message or "")


async def test_a_cancelled_try_is_asked_about_at_once() -> None:
    world = world_of()
    gate = asyncio.Event()
    world.during_work = gate.wait
    first = asyncio.create_task(world.run())
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    world.during_work = None
    async with asyncio.timeout(0.2):
        await world.run()
    assert (world.calls, world.asked) == (1, ["step"])
    assert [each.result for each in world.published] == ["1"]


async def test_a_once_tool_of_an_erased_session_is_not_started() -> None:
    world = World(effect=EffectClass.ONCE)
    world.erased.add(SESSION)
    await world.run()
    assert (world.calls, world.claims, world.published) == (0, {}, [])
