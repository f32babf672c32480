"""Two processes that both believe that a session is theirs: one decision comes of it."""

import asyncio
from random import Random

from schemas.errors import TransientError
from tests.unit.streams.session_shell.world import World


async def race(seed: int, *, is_known: bool) -> World:
    world = World(scheduler=Random(seed))  # noqa: S311 - it only has to be the same for the same seed
    if is_known:
        world.say("chat", "before")
        await world.settle()
    world.say("chat", "one")
    message = world.inputs()[0]
    tasks = [world.process().start(message) for _ in range(2)]
    await asyncio.wait(tasks, timeout=30)
    for task in tasks:
        error = task.exception()
        assert error is None or isinstance(error, TransientError)
    await world.settle()
    return world


async def test_two_processes_that_rebuild_a_session_at_once_leave_one_history() -> None:
    voids = 0
    for seed in range(30):
        world = await race(seed, is_known=False)
        world.check("chat")
        voids += world.record.void
    assert voids == 0, "a decision was stored under a fence that was not in force"


async def test_two_processes_that_apply_the_same_message_leave_one_history() -> None:
    for seed in range(30):
        world = await race(seed, is_known=True)
        world.check("chat")
        assert world.record.void == 0
