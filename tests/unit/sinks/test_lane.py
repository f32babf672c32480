"""A lane writes everything once and in order, also when the store is away, and drops what it lost."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bus.message import Message
from schemas.errors import TransientError
from schemas.topics import MESSAGES, TopicSpec
from sinks.errors import OvertakenError
from sinks.lane import Lane
from sinks.ports import Entry, Move, OnRefused, Place, Refused
from sinks.settings import SinkSettings
from tests.unit.sinks.sent import Sent

WAIT_S = 5.0


class PlainDecoder:
    """Every value is a row."""

    def decode_plain(self, spec: TopicSpec, value: bytes | None) -> dict[str, Any]:
        """Return the value as a row."""
        return {"topic": spec.name, "value": value}


@dataclass
class MemoryStore:
    """Keeps offsets as the real store does; fails as often as told."""

    next_offset: int = 0
    failures: int = 0
    written: list[int] = field(default_factory=list[int])
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the stored offset."""
        return dict.fromkeys(places, self.next_offset)

    async def keep_up(self) -> None:
        """Nothing is made ahead."""

    async def write(
        self, spec: TopicSpec, topic: str, entries: Sequence[Entry], moves: Sequence[Move], refuse: OnRefused
    ) -> None:
        """Compare and set the offset, keep the rows."""
        del spec, topic, refuse
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            message = "away"
            raise TransientError(message)
        if moves[0].first != self.next_offset:
            message = "moved"
            raise OvertakenError(message)
        self.next_offset = moves[0].next
        self.written += [entry.message.offset for entry in entries]


@dataclass
class Bench:
    """A lane on a store in memory."""

    store: MemoryStore
    lane: Lane
    generation: list[int]
    overtaken: list[str]

    async def until_written(self, count: int) -> None:
        """Wait until the store has that many rows."""
        async with asyncio.timeout(WAIT_S):
            while len(self.store.written) < count:  # noqa: ASYNC110  the store gives no sign
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running(**options: float) -> AsyncGenerator[Bench]:
    """Run a lane on a store in memory that stands at offset 0 of partition 0."""
    settings = SinkSettings.model_validate({"linger_ms": 0, "retry_first_s": 0.001, **options})
    store, generation, overtaken = MemoryStore(), [1], list[str]()
    store.gate.set()

    async def refuse(refused: Sequence[Refused]) -> None:
        raise AssertionError(refused)

    lane = Lane(
        MESSAGES,
        "messages",
        settings=settings,
        store=store,
        decoder=PlainDecoder(),
        refuse=refuse,
        generation=lambda: generation[0],
        overtaken=overtaken.append,
    )
    lane.claim(0, 0, 1)
    task = asyncio.create_task(lane.run())
    try:
        yield Bench(store, lane, generation, overtaken)
    finally:
        task.cancel()
        await asyncio.wait([task])


def messages(first: int, last: int) -> list[Message]:
    return [Sent(offset) for offset in range(first, last)]


async def test_nothing_is_skipped_or_repeated_while_the_store_is_away() -> None:
    async with running(batch_rows=3) as bench:
        bench.store.failures = 4
        bench.lane.put(messages(0, 5))
        bench.lane.put(messages(2, 8))  # fetched twice
        await bench.until_written(8)
        assert bench.store.written == list(range(8))
        assert not bench.lane.is_store_away


async def test_what_waits_fills_the_lane_and_empties_it_again() -> None:
    async with running(batch_rows=2, behind_batch_rows=2, buffer_records=4) as bench:
        bench.store.gate.clear()
        bench.lane.put(messages(0, 10))
        assert bench.lane.is_full
        bench.store.gate.set()
        await bench.until_written(10)
        assert bench.lane.is_half_empty


async def test_what_an_older_assignment_fetched_is_not_written() -> None:
    async with running() as bench:
        bench.generation[0] = 2
        bench.lane.put(messages(0, 5))
        bench.lane.drop()
        bench.lane.claim(0, 0, 2)
        bench.lane.put(messages(0, 3))
        await bench.until_written(3)
        assert bench.store.written == [0, 1, 2]


async def test_a_retry_gives_up_what_was_lost_meanwhile() -> None:
    async with running() as bench:
        bench.store.failures = 10**9
        bench.lane.put(messages(0, 5))
        async with asyncio.timeout(WAIT_S):
            while not bench.lane.is_store_away:  # noqa: ASYNC110  the lane gives no sign
                await asyncio.sleep(0.001)
        bench.generation[0] = 2
        await bench.lane.settle(WAIT_S)
        assert bench.store.written == []
        assert not bench.lane.is_store_away


async def test_a_lane_that_was_overtaken_says_so_and_forgets_everything() -> None:
    async with running() as bench:
        bench.store.next_offset = 7
        bench.lane.put(messages(0, 5))
        async with asyncio.timeout(WAIT_S):
            while not bench.overtaken:  # noqa: ASYNC110  the lane gives no sign
                await asyncio.sleep(0.001)
        assert bench.lane.positions == {}
        assert bench.store.written == []
