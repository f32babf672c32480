"""A time limit: over in time or when told to, silent afterwards; others' cancellations are not lost."""

import asyncio

import pytest

from streams.time_limit import TimeLimit


async def test_a_block_that_takes_too_long_is_ended() -> None:
    limit = TimeLimit(0.01)
    with pytest.raises(TimeoutError), limit:
        await asyncio.sleep(30)
    assert limit.is_over
    await asyncio.sleep(0)  # nothing is left of the cancellation


async def test_a_block_without_a_time_ends_when_told() -> None:
    limit = TimeLimit(None)
    asyncio.get_running_loop().call_soon(limit.end)
    with pytest.raises(TimeoutError), limit:
        await asyncio.sleep(30)


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    limit = TimeLimit(0.01)
    with limit:
        await asyncio.sleep(0)
    limit.end()
    await asyncio.sleep(0.02)
    assert not limit.is_over


async def test_an_error_inside_passes() -> None:
    with pytest.raises(KeyError), TimeLimit(30):
        raise KeyError


async def test_a_time_limit_inside_another_ends_first() -> None:
    outer, inner = TimeLimit(30), TimeLimit(0.01)
    with outer, pytest.raises(TimeoutError), inner:
        await asyncio.sleep(30)
    assert (inner.is_over, outer.is_over) == (True, False)


async def test_who_is_cancelled_from_outside_at_the_same_moment_stays_cancelled() -> None:
    limit = TimeLimit(None)

    async def work() -> None:
        with limit:
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    limit.end()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
