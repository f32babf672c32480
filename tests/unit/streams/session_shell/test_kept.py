"""A worker goes on with the context that it stored last, and believes it no further than the store does."""

import pytest

from streams.session.context import empty
from streams.session.kept import KeptContexts
from streams.session.opened import Opened
from tests.unit.streams.session_shell.process import Process, flush
from tests.unit.streams.session_shell.world import World, uuid

BEFORE_DECIDING = 0


def opened(name: str) -> Opened:
    return Opened(context=empty(name), term=1, epoch="e", expected=(1, 0), now_ms=1_000_000, is_rebuilt=False)


async def run_by(world: World, process: Process, *texts: str) -> list[int]:
    """Say each text and bring all that follows through in one process; returns the turns of each delivery."""
    turns: list[int] = []
    for text in texts:
        world.say("chat", text)
        while waiting := world.inputs():
            await world.deliver(process, waiting[0], process.plan)
            turns.append(process.turns)
            world.work()
    return turns


async def test_what_was_stored_is_not_loaded_again() -> None:
    world = World()
    loads: list[str] = []
    process = world.process()
    original = process.step._contexts.load

    async def counted(partition: int, session_id: str, *, leave_token: bool) -> object:
        loads.append(session_id)
        return await original(partition, session_id, leave_token=leave_token)

    process.step._contexts.load = counted  # pyright: ignore[reportAttributeAccessIssue]
    await run_by(world, process, "one")
    loads.clear()
    await run_by(world, process, "two", "three")
    assert loads == []
    world.check("chat")


async def test_what_another_process_has_changed_is_loaded() -> None:
    world = World()
    first, second = world.process(), world.process()
    await run_by(world, first, "one")
    await run_by(world, second, "two")
    await run_by(world, first, "three")
    await run_by(world, second, "four")
    world.check("chat")
    assert world.record.void == 0


async def test_what_redis_has_forgotten_is_rebuilt_although_the_process_still_has_it() -> None:
    world = World()
    process = world.process()
    await run_by(world, process, "one")
    process.plan = {BEFORE_DECIDING: flush}
    await run_by(world, process, "two")
    world.check("chat")
    assert len({decision.term for decision in world.record.accepted(uuid("chat"))}) > 1


async def test_a_message_that_comes_again_is_judged_by_what_is_stored() -> None:
    world = World()
    process = world.process()
    await run_by(world, process, "one")
    before = world.context("chat")
    world.say("chat", "one")
    for message in world.inputs():
        await world.deliver(process, message)
    assert world.context("chat") == before


async def test_the_oldest_contexts_make_room() -> None:
    kept = KeptContexts(max_bytes=100)
    for name in ("a", "b", "c"):
        kept.put(opened(name), 40)
    assert kept.take("a") is None
    assert kept.take("b") is not None
    assert kept.take("b") is None, "whoever takes it must store it again"


@pytest.mark.parametrize("max_bytes", [0, 39])
async def test_what_is_larger_than_the_room_is_not_kept(max_bytes: int) -> None:
    kept = KeptContexts(max_bytes)
    kept.put(opened("a"), 40)
    assert kept.take("a") is None
