"""Waiting for the record: one poll for all, a deadline for each."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.errors import FatalError, TransientError
from streams.barrier import Barrier
from streams.runtime.running_step import CURRENT_STEP, RunningStep


class Sink:
    """A sink whose position the test moves."""

    def __init__(self) -> None:
        self.next: dict[tuple[str, int], int] = {}
        self.asked: list[Sequence[tuple[str, int]]] = []
        self.error: Exception | None = None

    async def next_offsets(self, pairs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Answer with the positions, or with the error."""
        self.asked.append(pairs)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {pair: self.next.get(pair, 0) for pair in pairs}


async def test_waiters_are_let_through_when_the_sink_has_passed_their_offset_and_not_before() -> None:
    sink = Sink()
    barrier = Barrier(sink, limit_s=5)
    low, high = (asyncio.create_task(barrier.wait("logs", 0, end)) for end in (3, 5))
    sink.next["logs", 0] = 3
    await asyncio.wait_for(low, 2)
    await asyncio.sleep(0.05)
    assert not high.done()
    sink.next["logs", 0] = 5
    await asyncio.wait_for(high, 2)


async def test_all_waiters_share_one_poll_which_ends_with_the_last() -> None:
    sink = Sink()
    barrier = Barrier(sink, limit_s=5)
    waiting = [asyncio.create_task(barrier.wait("logs", number % 3, 1)) for number in range(300)]
    await asyncio.sleep(0.05)
    assert len(sink.asked) < 30
    assert sink.asked[-1] == [("logs", 0), ("logs", 1), ("logs", 2)]
    sink.next = {("logs", number): 1 for number in range(3)}
    await asyncio.wait_for(asyncio.gather(*waiting), 2)
    await asyncio.sleep(0.1)
    asked = len(sink.asked)
    await asyncio.sleep(0.15)
    assert len(sink.asked) == asked


async def test_a_sink_that_does_not_come_is_a_transient_error_that_says_where_it_stands_still() -> None:
    barrier = Barrier(Sink(), limit_s=0.05)
    with pytest.raises(TransientError, match="logs/2 up to 7"):
        await barrier.wait("logs", 2, 7)


async def test_postgres_away_is_waited_out_and_named_as_the_trouble() -> None:
    sink = Sink()
    sink.error = TransientError("Postgres is away")
    barrier = Barrier(sink, limit_s=5)
    waiting = asyncio.create_task(barrier.wait("logs", 0, 1))
    async with asyncio.timeout(2):
        while barrier.trouble is None:  # noqa: ASYNC110 - the moment has no event
            await asyncio.sleep(0.01)
    assert "away" in barrier.trouble
    sink.error, sink.next["logs", 0] = None, 1
    await asyncio.wait_for(waiting, 3)
    assert barrier.trouble is None


async def test_an_error_that_will_not_pass_reaches_the_waiters() -> None:
    sink = Sink()
    sink.error = FatalError("wrong password")
    with pytest.raises(FatalError, match="wrong password"):
        await Barrier(sink, limit_s=5).wait("logs", 0, 1)


async def test_nothing_published_is_nothing_to_wait_for() -> None:
    sink = Sink()
    await Barrier(sink).wait("logs", 0, 0)
    assert not sink.asked


async def test_a_step_waits_without_its_slot() -> None:
    sink = Sink()
    sink.next["logs", 0] = 1
    events: list[str] = []

    async def retake() -> None:
        events.append("retaken")

    def shield(is_on: bool) -> None:
        events.append(f"shield {is_on}")

    step = RunningStep(lambda: events.append("left"), retake, shield)
    token = CURRENT_STEP.set(step)
    try:
        await Barrier(sink, limit_s=5).wait("logs", 0, 1)
    finally:
        CURRENT_STEP.reset(token)
    assert events == ["left", "retaken"]


async def test_a_cancelled_waiter_is_forgotten_and_the_others_go_on() -> None:
    sink = Sink()
    barrier = Barrier(sink, limit_s=5)
    first, second = (asyncio.create_task(barrier.wait("logs", number, 1)) for number in (0, 1))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait({first})
    sink.next["logs", 1] = 1
    await asyncio.wait_for(second, 2)
    await barrier.stop()
