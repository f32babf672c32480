"""The barrier at a topic's end: to the end that the topic has now, and no further."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from bus.names import TopicNames
from schemas.errors import TransientError
from schemas.topics import GENERATIONS, TOOL_RESULTS
from streams.end_barrier import EndBarrier


@dataclass
class FakeEnds:
    """Ends of topics; a topic without any is one that Kafka leaves out."""

    ends: dict[tuple[str, int], int]
    asked: list[Collection[str]] = field(default_factory=list[Collection[str]])

    async def end_offsets(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        self.asked.append(topics)
        return {place: end for place, end in self.ends.items() if place[0] in topics}


@dataclass
class FakeBarrier:
    """Notes what is waited for."""

    error: TransientError | None = None
    waited: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])

    async def wait(self, topic: str, partition: int, offset_end: int) -> None:
        self.waited.append((topic, partition, offset_end))
        if self.error is not None:
            raise self.error


def of(ends: FakeEnds, barrier: FakeBarrier) -> EndBarrier:
    return EndBarrier(names=TopicNames("test."), ends=ends, barrier=barrier)


async def test_the_record_must_hold_what_the_partition_holds_now() -> None:
    ends = FakeEnds({("test.generations", 3): 41, ("test.generations", 4): 7, ("test.tool-results", 3): 9})
    barrier = FakeBarrier()
    await of(ends, barrier).passed(GENERATIONS, 3)
    assert barrier.waited == [("test.generations", 3, 41)]
    assert ends.asked == [("test.generations",)]


async def test_each_time_the_end_is_asked_for_anew() -> None:
    ends = FakeEnds({("test.tool-results", 0): 1})
    barrier = FakeBarrier()
    one = of(ends, barrier)
    await one.passed(TOOL_RESULTS, 0)
    ends.ends["test.tool-results", 0] = 2
    await one.passed(TOOL_RESULTS, 0)
    assert [end for _, _, end in barrier.waited] == [1, 2]


async def test_a_partition_without_a_leader_is_asked_for_again_later() -> None:
    with pytest.raises(TransientError, match=r"test\.generations/3"):
        await of(FakeEnds({("test.generations", 0): 5}), FakeBarrier()).passed(GENERATIONS, 3)


async def test_a_sink_that_stays_behind_is_told_to_the_step() -> None:
    barrier = FakeBarrier(TransientError("too far behind"))
    with pytest.raises(TransientError, match="too far behind"):
        await of(FakeEnds({("test.generations", 0): 5}), barrier).passed(GENERATIONS, 0)
