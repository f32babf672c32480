"""A lane writes everything once and in order, also when the store is away, and drops what it lost."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bus.message import Place
from schemas.errors import TransientError
from schemas.lists import DeadLetterReason
from schemas.topics import MESSAGES, RUNS, TASK_LOGS, TopicSpec
from sinks.errors import OvertakenError
from sinks.lane import Lane
from sinks.ports import Batch, Entry, OnRefused, Refused
from sinks.settings import SinkSettings
from tests.unit.sinks.sent import Sent

WAIT_S = 5.0
PLACE = ("messages", 0)
FOREVER_S = 60.0


@dataclass
class MemoryStore:
    """Keeps offsets as the real store does; fails as often as told."""

    next_offset: int = 0
    failures: int = 0
    written: list[int] = field(default_factory=list[int])
    transactions: list[list[tuple[str, int]]] = field(default_factory=list[list[tuple[str, int]]])
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the stored offset."""
        return dict.fromkeys(places, self.next_offset)

    async def keep_up(self) -> None:
        """Nothing is made ahead."""

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        """Compare and set the offset of the first batch, keep the rows."""
        del refuse
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            message = "away"
            raise TransientError(message)
        move = batches[0].moves[0]
        if move.first != self.next_offset:
            message = "moved"
            raise OvertakenError(message)
        self.next_offset = move.next
        self.written += [entry.message.offset for batch in batches for entry in batch.entries]
        self.transactions.append([(batch.topic, len(batch.entries)) for batch in batches])


@dataclass
class Bench:
    """A lane on a store in memory."""

    store: MemoryStore
    lane: Lane
    generation: list[int]
    overtaken: list[str]
    refused: list[Refused]

    def put(self, first: int, last: int, *, place: Place = PLACE) -> None:
        """Hand over messages of a partition."""
        self.lane.put({place: entries(first, last, place)}, self.generation[0])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  neither store nor lane give a sign
                await asyncio.sleep(0.001)

    async def until_written(self, count: int) -> None:
        """Wait until the store has that many rows."""
        await self.until(lambda: len(self.store.written) >= count)


@asynccontextmanager
async def running(
    topics: dict[str, TopicSpec] | None = None, *, linger_s: float = 0, **options: float
) -> AsyncGenerator[Bench]:
    """Run a lane on a store in memory that stands at offset 0 of partition 0."""
    settings = SinkSettings.model_validate({"retry_first_s": 0.001, **options})
    store, generation, overtaken, given_up = MemoryStore(), [1], list[str](), list[Refused]()
    store.gate.set()

    async def refuse(refused: Sequence[Refused]) -> None:
        given_up.extend(refused)

    used = topics or {"messages": MESSAGES}
    lane = Lane(
        used,
        settings=settings,
        linger_s=linger_s,
        store=store,
        refuse=refuse,
        generation=lambda: generation[0],
        overtaken=overtaken.append,
    )
    for topic in used:
        lane.claim((topic, 0), 0, 1)
    task = asyncio.create_task(lane.run())
    try:
        yield Bench(store, lane, generation, overtaken, given_up)
    finally:
        task.cancel()
        await asyncio.wait([task])


def entries(first: int, last: int, place: Place = PLACE) -> list[Entry]:
    sent = [Sent(offset, partition=place[1], topic=place[0]) for offset in range(first, last)]
    return [Entry(message, {"fence_previous": None}) for message in sent]


async def test_nothing_is_skipped_or_repeated_while_the_store_is_away() -> None:
    async with running(batch_rows=3, behind_batch_rows=3) as bench:
        bench.store.failures = 4
        bench.put(0, 5)
        bench.put(2, 8)  # fetched twice
        await bench.until_written(8)
        assert bench.store.written == list(range(8))
        assert not bench.lane.is_store_away


async def test_what_waits_fills_the_lane_and_makes_room_again() -> None:
    async with running(behind_batch_rows=2, buffer_records=4) as bench:
        bench.store.gate.clear()
        assert await bench.lane.has_room(0)
        bench.put(0, 10)
        assert not await bench.lane.has_room(0.01)
        bench.store.gate.set()
        assert await bench.lane.has_room(WAIT_S)
        await bench.until_written(10)


async def test_what_was_fetched_in_an_older_assignment_is_not_taken() -> None:
    async with running() as bench:
        bench.lane.drop()
        bench.generation[0] = 2
        bench.lane.claim(PLACE, 0, 2)
        # Decoding took so long that the partition was given back and came again: 0 to 2 are still to be read.
        bench.lane.put({PLACE: entries(3, 5)}, 1)
        bench.put(0, 3)
        await bench.until_written(3)
        assert bench.store.written == [0, 1, 2]


async def test_what_an_older_assignment_left_waiting_is_not_written() -> None:
    async with running() as bench:
        bench.generation[0] = 2
        bench.lane.put({PLACE: entries(0, 5)}, 1)
        bench.lane.drop()
        bench.lane.claim(PLACE, 0, 2)
        bench.put(0, 3)
        await bench.until_written(3)
        assert bench.store.written == [0, 1, 2]


async def test_a_retry_gives_up_what_was_lost_meanwhile() -> None:
    async with running() as bench:
        bench.store.failures = 10**9
        bench.put(0, 5)
        await bench.until(lambda: bench.lane.is_store_away)
        bench.generation[0] = 2
        await bench.lane.settle(WAIT_S)
        assert bench.store.written == []
        assert not bench.lane.is_store_away


async def test_a_lane_that_was_overtaken_says_so_and_forgets_everything() -> None:
    async with running() as bench:
        bench.store.next_offset = 7
        bench.put(0, 5)
        await bench.until(lambda: bool(bench.overtaken))
        assert bench.lane.positions == {}
        assert bench.store.written == []


async def test_rows_of_all_topics_travel_in_one_transaction() -> None:
    async with running({"runs": RUNS, "messages": MESSAGES}) as bench:
        bench.lane.put({PLACE: entries(0, 3), ("runs", 0): entries(0, 2, ("runs", 0))}, 1)
        await bench.until_written(5)
        assert bench.store.transactions == [[("runs", 2), ("messages", 3)]]


async def test_offsets_move_from_where_the_store_stands_over_gaps() -> None:
    async with running() as bench:
        bench.put(2, 3)
        bench.put(5, 7)
        await bench.until(lambda: bench.store.next_offset == 7)
        assert bench.store.written == [2, 5, 6]


async def test_a_partition_that_is_far_behind_does_not_hold_up_the_others() -> None:
    async with running({"runs": RUNS, "messages": MESSAGES}, behind_batch_rows=4) as bench:
        bench.lane.put({("runs", 0): entries(0, 20, ("runs", 0)), PLACE: entries(0, 1)}, 1)
        await bench.until_written(21)
        assert [topic for topic, _ in bench.store.transactions[1]] == ["runs", "messages"]


async def test_a_decision_waits_for_company_and_a_fence_does_not() -> None:
    place = ("logs", 0)
    async with running({"logs": TASK_LOGS}, linger_s=FOREVER_S) as bench:
        bench.put(0, 2, place=place)
        await asyncio.sleep(0.02)
        assert bench.store.written == []
        started = time.monotonic()
        bench.lane.put({place: [Entry(Sent(2, topic="logs"), {"fence_previous": 0})]}, 1)
        await bench.until_written(3)
        assert time.monotonic() - started < WAIT_S


async def test_enough_company_ends_the_waiting() -> None:
    async with running(linger_s=FOREVER_S, batch_rows=3) as bench:
        bench.put(0, 3)
        await bench.until_written(3)


@pytest.mark.parametrize("spec", [MESSAGES, TASK_LOGS])
async def test_what_cannot_be_decoded_is_refused(spec: TopicSpec) -> None:
    async with running({"messages": spec}) as bench:
        bad = Refused(Sent(1), DeadLetterReason.UNDECODABLE, "no magic byte")
        bench.lane.put({PLACE: [*entries(0, 1), Entry(bad.message, None, bad), *entries(2, 3)]}, 1)
        await bench.until_written(3)
        assert bench.refused == [bad]
        assert bench.store.next_offset == 3
