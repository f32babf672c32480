"""A worker without Faust: the real runner and acker between a group of the simulated broker and a role."""

import asyncio
from typing import Any, Protocol

from streams.runtime.role import Role
from streams.runtime.runner import Runner
from streams.runtime.settings import RuntimeSettings
from tests.simulation.group import Group, Place
from tests.simulation.process import Process
from tests.simulation.topics import Topics

_JOIN_PAUSE_S = 0.02
_COMMIT_EVERY_S = 0.2


class Deathbed(Protocol):
    """Who hears that a process cannot go on."""

    def gave_up(self, process: Process, error: BaseException) -> None:
        """A process ended by itself."""
        ...


class Worker:
    """One member. It gives back, joins, takes and commits in the order that the real door does."""

    def __init__(
        self,
        process: Process,
        role: Role,
        group: Group,
        topics: Topics,
        settings: RuntimeSettings,
        *,
        world: Deathbed,
    ) -> None:
        self.process = process
        self._role = role
        self._group = group
        self._topics = topics
        self._world = world
        self._paused: set[Place] = set()
        self._runner = Runner(
            role,
            settings,
            acknowledge=self._acknowledge,
            pause=self._paused.add,
            resume=self._paused.discard,
            fail=lambda error: world.gave_up(process, error),
        )
        self._told = asyncio.Event()
        self._partitions: frozenset[int] = frozenset()
        self._positions: dict[Place, int] = {}
        self._acked: dict[Place, int] = {}
        self._intake: asyncio.Task[None] | None = None

    @property
    def unfinished(self) -> int:
        """Steps that the runner knows."""
        return self._runner.unfinished

    def told(self, generation: int) -> None:
        """Learn that a new generation begins."""
        del generation
        self._told.set()

    async def run(self) -> None:
        """Follow the group for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_committing())
                tasks.create_task(self._follow())
        except Exception as error:  # noqa: BLE001 - whatever ends a member ends its process
            self._world.gave_up(self.process, error)

    async def _follow(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            await self._give_back()
            generation = self._group.generation
            self._group.joined(self)
            while (owned := self._group.assignment(self, generation)) is None:
                if self._group.generation != generation or self._told.is_set():
                    break
                await asyncio.sleep(_JOIN_PAUSE_S)
            if owned is not None:
                await self._take_over(owned, generation)

    async def _give_back(self) -> None:
        if self._intake is not None:
            self._intake.cancel()
            await asyncio.wait([self._intake])
            self._intake = None
        self._runner.revoking()
        await self.process.turn("before kafka.commit")
        self._commit()
        self._acked.clear()
        partitions, self._partitions = self._partitions, frozenset[int]()
        if partitions:
            await self._role.on_revoked(partitions)

    async def _take_over(self, owned: frozenset[int], generation: int) -> None:
        places = frozenset((topic, number) for topic in self._group.topics for number in owned)
        await self._runner.assigned(places, generation)
        self._partitions = owned
        await self._role.on_assigned(owned)
        self._paused.clear()
        self._positions = {place: self._group.committed[place] for place in sorted(places)}
        self._intake = asyncio.get_running_loop().create_task(self._take_in(generation))

    async def _take_in(self, generation: int) -> None:
        while True:
            ready = [
                place
                for place, position in self._positions.items()
                if position < self._topics.end(*place) and place not in self._paused
            ]
            if not ready:
                if not self._paused:  # a place that goes on has no growth to wait for
                    await self._topics.growth()
                await asyncio.sleep(self.process.world.delay_s())
                continue
            place = ready[self._choice(len(ready))]
            message = self._topics.read(*place)[self._positions[place]].message
            self._positions[place] += 1
            await self._runner.dispatch((message,), generation)
            await asyncio.sleep(0)

    def _choice(self, many: int) -> int:
        world: Any = self.process.world
        return world.random.randrange(many)

    def _acknowledge(self, place: Place, offset: int) -> None:
        self._acked[place] = offset

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_EVERY_S)
            self._commit()

    def _commit(self) -> None:
        self._group.commit(self, self._acked)
