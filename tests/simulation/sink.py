"""A sink's place in its group: the source port on topics in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from bus.membership import MembershipFacts
from bus.message import Message
from tests.simulation.group import Group, Place
from tests.simulation.process import Process
from tests.simulation.topics import Fetched, Topics

_JOIN_PAUSE_S = 0.02

OnAssigned = Callable[[frozenset[Place]], Awaitable[Mapping[Place, int]]]


class Source:
    """One member. Positions come from its owner, after each assignment."""

    def __init__(
        self,
        process: Process,
        group: Group,
        topics: Topics,
        *,
        streams: Sequence[tuple[str, ...]],
        on_assigned: OnAssigned,
    ) -> None:
        self.process = process
        self.generation = 0
        self._group = group
        self._topics = topics
        self._streams = streams
        self._on_assigned = on_assigned
        self._is_told = False
        self._is_unasked = False
        self._places: frozenset[Place] = frozenset()
        self._positions: dict[Place, int] = {}
        self._asking = asyncio.Lock()

    def told(self, generation: int) -> None:
        """Learn that a new generation of the group begins."""
        del generation
        self._is_told = True

    def assigned(self) -> None:
        """Ask the owner again."""
        self._is_unasked = True

    def membership(self) -> MembershipFacts:
        return MembershipFacts(generation=1, rejoin_pending=False, coordinator_known=True)

    async def start(self) -> None:
        self._group.join(self)

    async def stop(self) -> None:
        """Nothing to close."""

    def rest(self, stream: int, rest_s: float) -> None:
        """Fetch as before: how long a call takes is the seed's choice."""

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        self._group.commit(self, offsets)

    async def end_offsets(self, places: Iterable[Place]) -> Mapping[Place, int]:
        return {place: self._topics.end(*place) for place in places}

    async def get_batch(
        self, stream: int = 0, *, max_records: int, timeout_s: float
    ) -> Mapping[Place, Sequence[Message]]:
        await self.process.turn("before kafka.fetch", may_fail=True)
        async with self._asking:
            while self._is_told:
                await self._join()
            if self._is_unasked:
                self._positions = {}
                self._is_unasked = False
                try:
                    self._positions = dict(await self._on_assigned(self._places))
                except BaseException:
                    self._is_unasked = True
                    raise
        batch = self._fetched(stream, max_records)
        if not batch:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._topics.growth()
            except TimeoutError:
                return {}
            batch = {} if self._is_told or self._is_unasked else self._fetched(stream, max_records)
        return batch

    async def _join(self) -> None:
        self._is_told = False
        generation = self._group.generation
        self._group.joined(self)
        while (owned := self._group.assignment(self, generation)) is None:
            if self._group.generation != generation or self._is_told:
                self._is_told = True
                return
            await asyncio.sleep(_JOIN_PAUSE_S)
        self._places = frozenset((topic, number) for topic in self._group.topics for number in owned)
        self.generation += 1
        self._is_unasked = True

    def _fetched(self, stream: int, max_records: int) -> dict[Place, list[Message]]:
        batch: dict[Place, list[Message]] = {}
        for place, position in self._positions.items():
            if place[0] not in self._streams[stream]:
                continue
            kept = self._topics.read(*place)[position : position + max_records]
            if kept:
                batch[place] = [Fetched(one) for one in kept]
                self._positions[place] = position + len(kept)
        return batch
