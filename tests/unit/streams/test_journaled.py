"""The machine of paid steps, killed at every place: one result, never bought again once it is recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from schemas.errors import TransientError
from schemas.lists import EffectClass, ToolOutcome
from streams.journaled import OnceTokens
from tests.unit.streams.paid_world import (
    LEASE_S,
    SESSION,
    START_MS,
    Killed,
    Process,
    World,
    away,
    taken_over_while_frozen,
)

DEATHS: list[Callable[[], BaseException]] = [Killed, asyncio.CancelledError, away]


def places(effect: EffectClass, born_ms: int) -> int:
    """How many places an undisturbed run passes by."""
    process = Process()
    asyncio.run(World(effect=effect, born_ms=born_ms).run(process))
    return len(process.places)


OLD = START_MS + 3_600_000
"""Born long after Redis began: no look-up."""
YOUNG = START_MS + 1
"""Born when Redis had just begun: looked up."""
CASES = [
    pytest.param(effect, born_ms, at, how, id=f"{effect}-{born_ms - START_MS}-{at}-{how.__name__}")
    for effect in (EffectClass.PURE, EffectClass.ONCE, EffectClass.RECONCILE)
    for born_ms in (OLD, YOUNG)
    for at in range(1, places(effect, born_ms) + 1)
    for how in DEATHS
]


async def die(world: World, process: Process) -> None:
    try:
        await world.run(process)
    except (Killed, asyncio.CancelledError, TransientError):
        return


def one_result(world: World) -> None:
    assert world.published
    assert len({each.result for each in world.published}) == 1
    assert len({each.outcome for each in world.published}) == 1


@pytest.mark.parametrize(("effect", "born_ms", "at", "how"), CASES)
@pytest.mark.parametrize("flushed", [False, True])
async def test_a_death_anywhere_leaves_one_result(
    effect: EffectClass, born_ms: int, at: int, how: Callable[[], BaseException], flushed: bool
) -> None:
    world = World(effect=effect, born_ms=born_ms)
    process = Process(at, how)
    await die(world, process)
    was_recorded, calls_before = bool(world.published), world.calls
    was_complete = "after complete" in process.places
    if flushed:
        world.redis.flush()
    world.now_ms += int(LEASE_S * 1000) + 1
    async with asyncio.timeout(5):
        await world.run()
    one_result(world)
    assert world.calls <= (2 if effect is EffectClass.PURE else 1)
    if was_recorded or (was_complete and not flushed):
        assert world.calls == calls_before


async def test_an_undisturbed_step_asks_for_little() -> None:
    process = Process()
    await World().run(process)
    assert [each for each in process.places if each.startswith("before")] == [
        "before claim",
        "before the effect",
        "before complete",
        "before publish",
    ]


async def test_of_two_attempts_at_once_one_works_and_both_publish_its_result() -> None:
    world = World()
    gate = asyncio.Event()
    world.during_work = gate.wait
    one, other = asyncio.create_task(world.run()), asyncio.create_task(world.run())
    await asyncio.sleep(0.05)
    gate.set()
    async with asyncio.timeout(5):
        await asyncio.gather(one, other)
    assert world.calls == 1
    assert len(world.published) == 2
    one_result(world)


async def test_a_frozen_attempt_that_was_taken_over_publishes_the_others_result() -> None:
    world = World()
    await taken_over_while_frozen(world)
    assert [each.result for each in world.published] == ["2", "2"]


async def test_a_paid_answer_is_kept_when_redis_forgot_the_claim() -> None:
    world = World()

    async def flush() -> None:
        world.redis.flush()

    world.during_work = flush
    await world.run()
    await world.run()
    assert world.calls == 1
    one_result(world)


async def test_a_claim_is_renewed_while_the_work_lasts() -> None:
    world = World()

    async def long() -> None:
        for _ in range(10):
            await asyncio.sleep(0.03)
            world.now_ms += 30

    world.during_work = long
    async with asyncio.timeout(5):
        await asyncio.gather(world.run(lease_s=0.15), world.run(lease_s=0.15))
    assert world.calls == 1


async def test_a_step_older_than_the_journal_is_looked_up() -> None:
    world = World()
    await world.run()
    world.now_ms += 3_700_000
    process = Process()
    await world.run(process)
    assert "look-up" in process.places
    assert world.calls == 1


async def test_steps_of_an_erased_session_are_dropped() -> None:
    world = World(born_ms=YOUNG)
    world.erased.add(SESSION)
    await world.run()
    assert world.calls == 0
    assert world.published == []


async def test_a_once_tool_that_another_attempt_claimed_is_not_started() -> None:
    world = World(effect=EffectClass.ONCE)
    world.claims["step"] = "another"
    await world.run()
    assert world.calls == 0
    assert [each.outcome for each in world.published] == [ToolOutcome.OUTCOME_UNKNOWN]


@pytest.mark.parametrize("born_ms", [OLD, YOUNG])
@pytest.mark.parametrize("at", range(1, places(EffectClass.ONCE, YOUNG) + 1))
@pytest.mark.parametrize("how", [away, asyncio.CancelledError])
async def test_a_once_tool_that_was_never_started_is_not_called_unknown(
    born_ms: int, at: int, how: Callable[[], BaseException]
) -> None:
    world, memory, process = World(effect=EffectClass.ONCE, born_ms=born_ms), OnceTokens(), Process(at, how)
    with suppress(TransientError, asyncio.CancelledError):
        await world.run(process, undecided=memory)
    world.now_ms += int(LEASE_S * 1000) + 1
    async with asyncio.timeout(5):
        await world.run(undecided=memory)
    one_result(world)
    assert world.calls <= 1
    if "before the effect" not in process.places:
        assert {each.outcome for each in world.published} == {ToolOutcome.SUCCEEDED}


async def test_a_token_starts_once_however_many_attempts_of_a_process_hold_it() -> None:
    tokens = OnceTokens()
    token = tokens.of("step")
    assert tokens.of("step") == token
    assert tokens.take("step")
    assert not tokens.take("step")
    assert tokens.of("step") != token


async def test_a_cancelled_attempt_lets_go_at_once() -> None:
    world = World()
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
    one_result(world)


async def test_a_process_that_came_back_under_its_name_waits_for_no_lease_of_the_one_before_it() -> None:
    world = World()
    process = Process()
    with suppress(Killed):
        world.during_work = _killed(process)
        await world.run(process, token_prefix="execute.1:0001:")
    world.during_work = None
    assert world.calls == 1
    async with asyncio.timeout(5):
        await world.run(token_prefix="execute.1:0002:")
    assert world.calls == 2
    one_result(world)


def _killed(process: Process) -> Callable[[], Awaitable[None]]:
    async def kill() -> None:
        process.is_dead = True
        process.pass_by("in the middle of the work")

    return kill


class ErasedAtTheLookUp(Process):
    """A process whose session is erased, its result with it, while it looks that up."""

    world: World

    def pass_by(self, name: str) -> None:
        super().pass_by(name)
        if name == "look-up":
            self.world.published.clear()
            self.world.erased.add(SESSION)


async def test_a_step_whose_result_is_erased_while_it_is_looked_up_is_not_started_again() -> None:
    world = World(born_ms=START_MS + 1)
    await world.run()
    assert world.calls == 1
    world.redis.flush()
    process = ErasedAtTheLookUp()
    process.world = world
    async with asyncio.timeout(5):
        await world.run(process)
    assert world.calls == 1
