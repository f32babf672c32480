"""Due times become messages, and lost timers come back from the record."""

import asyncio
import contextlib

import pytest

from schemas.errors import FatalError, TransientError
from schemas.lists import RunStatus, StopReason
from schemas.partition import partition_of
from schemas.records import Run, TimerFired
from schemas.topics import SESSIONS, TASK_LOGS, TIMERS, USER_MESSAGES
from stores.redis.timers import DueTimer
from tests.fakes.redis_stores import FakeTimers
from tests.unit.streams.session_shell.process import Process, flush, kill
from tests.unit.streams.session_shell.world import World, uuid

HOUR_MS = 3_600_000


def home(world: World) -> int:
    return partition_of(uuid("chat"), world.topics.partitions)


async def asked(world: World) -> Process:
    """A session that waits for its model."""
    world.say("chat", "one")
    process = world.process()
    await world.deliver(process, world.inputs()[0])
    return process


async def test_a_deadline_that_passes_ends_the_run() -> None:
    world = World()
    process = await asked(world)
    assert await process.timer_loop.fire_due(home(world)) == 0
    world.now_ms += HOUR_MS
    assert await process.timer_loop.fire_due(home(world)) == 1
    assert await process.timer_loop.fire_due(home(world)) == 0
    await world.deliver(process, world.inputs()[0])
    world.check("chat")
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run)]
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.DEADLINE)


async def test_a_timer_that_was_set_anew_while_it_fired_is_not_removed() -> None:
    world = World()
    process = await asked(world)
    world.now_ms += HOUR_MS
    shard = world.redis.shard(home(world))
    [(place, timer)] = shard.timers.items()
    later = DueTimer(timer.session_id, timer.key, timer.kind, world.now_ms + 5)

    def set_anew(_process: Process) -> None:
        shard.timers[place] = later

    process.turns = 0
    process.plan = {4: set_anew}
    await process.timer_loop.fire_due(home(world))
    assert list(shard.timers.values()) == [later]


async def test_a_kill_at_any_await_of_firing_fires_once_for_every_reader() -> None:
    for turn in range(6):
        world = World()
        process = await asked(world)
        world.now_ms += HOUR_MS
        process.turns, process.plan = 0, {turn: kill}
        with pytest.raises(asyncio.CancelledError):
            await process.timer_loop.fire_due(home(world))
        await world.process().timer_loop.fire_due(home(world))
        fired = {one.record.id for one in world.topics.of(TIMERS) if isinstance(one.record, TimerFired)}
        assert len(fired) == 1
        await world.settle()
        world.check("chat")


async def test_lost_timers_are_armed_from_the_record_once_an_epoch() -> None:
    world = World()
    process = await asked(world)
    timers = dict(world.redis.shard(home(world)).timers)
    world.redis.flush()
    assert await process.timer_loop.arm(home(world))
    assert world.redis.shard(home(world)).timers == timers
    world.redis.shard(home(world)).timers.clear()
    assert await world.process().timer_loop.arm(home(world))
    assert not world.redis.shard(home(world)).timers


async def test_a_session_whose_worker_and_redis_die_still_ends_by_its_deadline() -> None:
    world = World()
    await asked(world)
    world.redis.flush()
    process = world.process()
    await process.timer_loop.arm(home(world))
    world.now_ms += HOUR_MS
    await process.timer_loop.fire_due(home(world))
    await world.deliver(process, world.inputs()[0])
    world.check("chat")


async def test_a_flush_at_any_await_of_arming_is_noticed() -> None:
    for turn in range(14):
        world = World()
        process = await asked(world)
        timers = dict(world.redis.shard(home(world)).timers)
        world.redis.flush()
        process.turns, process.plan = 0, {turn: flush}
        while not (await process.timer_loop.arm(home(world)) and await armed(world)):
            pass
        assert world.redis.shard(home(world)).timers == timers, f"flushed at turn {turn}"


async def armed(world: World) -> bool:
    return await FakeTimers(world.redis).is_armed(home(world))


async def test_arming_waits_for_the_steps_in_flight() -> None:
    world = World()
    process = await asked(world)
    world.redis.flush()
    arming = None
    with process.in_flight.step(home(world)):
        arming = asyncio.create_task(process.timer_loop.arm(home(world)))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not arming.done()
    assert await asyncio.wait_for(arming, 5)


async def test_a_void_session_record_does_not_make_a_deadline_vanish() -> None:
    world = World()
    process = await asked(world)
    first = next(one.message for one in world.topics.of(USER_MESSAGES))
    while len(world.inputs()) != 1 or world.context("chat").run is None or not second_asked(world):
        world.work()
        await world.deliver(process, world.inputs()[0])
        world.work()
    # The answer is decided and stored, then Redis forgets it, and its process stops before it publishes.
    task = process.start(world.inputs()[0])
    before = world.context("chat").sequence
    contexts = world.redis.shard(home(world)).contexts
    async with asyncio.timeout(10):
        while contexts[uuid("chat")].stored.version == before:  # noqa: ASYNC110 - a fake has no event
            await asyncio.sleep(0)
    process.freeze()
    world.redis.flush()
    other = await world.deliver(world.process(), first)
    world.zombies.append((process, task))
    await world.wake_zombies()
    world.record.catch_up_all()
    assert world.record.void == 1
    world.redis.flush()
    await other.timer_loop.arm(home(world))
    pending = {step.step_id for step in world.context("chat").pending}
    assert pending
    assert {timer.key for timer in world.redis.shard(home(world)).timers.values()} == pending


def second_asked(world: World) -> bool:
    return any(step.index == 1 and step.kind == "generation" for step in world.context("chat").pending)


async def test_the_loop_tends_what_it_owns_and_says_when_it_cannot() -> None:
    world = World()
    process = await asked(world)
    world.redis.flush()
    await process.role.on_assigned(frozenset({home(world)}))
    async with asyncio.timeout(10):
        while not await armed(world):  # noqa: ASYNC110 - a fake has no event
            await asyncio.sleep(0.01)
    await process.role.on_revoked(frozenset({home(world)}))
    told: list[BaseException] = []
    process.timer_loop.report_to(told.append)

    def broken(_process: Process) -> None:
        raise ZeroDivisionError

    process.turns, process.plan = 0, dict.fromkeys(range(4), broken)
    await process.role.on_assigned(frozenset({home(world)}))
    async with asyncio.timeout(10):
        while not told:  # noqa: ASYNC110 - a fake has no event
            await asyncio.sleep(0.01)
    [failure] = told
    assert isinstance(failure, FatalError)
    assert f"timers of partition {home(world)}" in failure.message
    await process.role.stop()


async def test_a_loop_that_does_not_end_does_not_hold_up_the_rebalance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.session.timer_loop._STOP_LIMIT_S", 0.05)
    world = World()
    process = world.process()
    stuck = asyncio.Event()

    class Deaf:
        async def due(self, _partition: int, _limit: int) -> tuple[DueTimer, ...]:
            while not stuck.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await stuck.wait()
            return ()

        async def is_armed(self, _partition: int) -> bool:
            return True

    monkeypatch.setattr(process.timer_loop, "_timers", Deaf())
    await process.timer_loop.tend(frozenset({home(world)}))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await process.timer_loop.stop()
    stuck.set()
    await asyncio.sleep(0.01)


async def test_a_record_that_is_away_is_said_and_nothing_is_marked() -> None:
    world = World()
    await asked(world)
    process = Process(world, barrier_limit_s=0.2)
    world.redis.flush()
    world.record.is_away = True
    with pytest.raises(TransientError):
        async with asyncio.timeout(30):
            await process.timer_loop.arm(home(world))
    assert not await armed(world)


async def test_without_a_leader_nobody_knows_what_is_missing_and_nothing_is_marked() -> None:
    for spec in (TASK_LOGS, SESSIONS):
        world = World()
        process = await asked(world)
        world.redis.flush()
        world.topics.without_leader.add(world.topics.names.full(spec))
        with pytest.raises(TransientError, match=spec.name):
            await process.timer_loop.arm(home(world))
        assert not await armed(world)
