"""Random histories of the real step: everything that can go wrong at any await, several processes at once."""

import asyncio
from random import Random

import pytest

from schemas.errors import TransientError
from streams.runtime.record import Record as Message
from streams.session.settings import SessionSettings
from tests.unit.streams.session_shell.process import Process, fail, flush, freeze, kill
from tests.unit.streams.session_shell.world import Fault, World

SESSIONS = ("north", "south", "east")


def lag_and_flush(process: Process) -> None:
    process.services.record.batch = 1
    flush(process)


FAULTS: tuple[Fault, ...] = (kill, flush, freeze, fail, lag_and_flush)


class History:
    """One random history of a few conversations."""

    def __init__(self, seed: int, *, settings: SessionSettings | None = None) -> None:
        self.random = Random(seed)  # noqa: S311 - it only has to be the same for the same seed
        self.world = World(scheduler=self.random, settings=settings)
        self.processes = [self.world.process(), self.world.process()]
        self.delivered: list[Message] = []
        self.budget = self.random.randrange(1, 8)
        self.unsaid = [
            (name, f"message {number}") for name in SESSIONS for number in range(self.random.randrange(1, 4))
        ]
        self.random.shuffle(self.unsaid)

    async def run(self) -> World:
        """Play it to its end, until everybody is back and nothing is left to do."""
        world = self.world
        while self.unsaid or world.inputs():
            self._people_talk()
            await self.happen()
            await self._one_delivery()
            if world.zombies and self.random.random() < 0.3:
                await world.wake_zombies()
            if self.random.random() < 0.7 or not world.inputs():
                world.work()
        await world.wake_zombies()
        world.work()
        world.record.batch = 1 << 30
        await world.settle()
        return world

    async def happen(self) -> None:
        """Do what else happens between two deliveries."""

    def _people_talk(self) -> None:
        if self.unsaid and self.random.random() < 0.5:
            name, text = self.unsaid.pop()
            self.world.say(name, text)
            if self.random.random() < 0.2:
                self.world.say(name, text)

    async def _one_delivery(self) -> None:
        waiting = self.world.inputs()
        if not waiting:
            return
        message = self.random.choice(waiting)
        if self.delivered and self.random.random() < 0.1:
            message = self.random.choice(self.delivered)
        chosen = self.random.randrange(2)
        if self.random.random() < 0.1:
            await self._raced(message)
        self.processes[chosen] = await self.world.deliver(self.processes[chosen], message, self._plan())
        self.delivered.append(message)

    async def _raced(self, message: Message) -> None:
        """Two processes believe that they own the partition."""
        tasks = [process.start(message) for process in self.processes]
        await asyncio.wait(tasks, timeout=30)
        for task in tasks:
            error = task.exception()
            assert error is None or isinstance(error, TransientError), error

    def _plan(self) -> dict[int, Fault]:
        plan: dict[int, Fault] = {}
        while self.budget and self.random.random() < 0.3:
            self.budget -= 1
            plan[self.random.randrange(30)] = self.random.choice(FAULTS)
        return plan


@pytest.mark.parametrize("first", range(0, 120, 20))
async def test_random_histories_keep_every_promise(first: int) -> None:
    for seed in range(first, first + 20):
        world = await History(seed).run()
        for name in {name for name, _ in world.said}:
            try:
                world.check(name)
            except AssertionError as error:
                error.add_note(f"seed {seed}, session {name}")
                raise
