"""The runner: back-pressure, lanes, joins, retries, poison, drain. No network."""

import asyncio
import logging

import pytest

from schemas.errors import FatalError, PoisonError, TransientError
from tests.unit.streams.runtime.runner_bench import PLACE, Bench, record, settle, until


async def test_steps_of_a_key_run_one_after_another_and_keys_side_by_side() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"a"), record(2, key=b"b"))
    await settle()
    assert bench.role.started == [0, 2]
    bench.open(0, 1, 2)
    await until(lambda: bench.acknowledged == {0: 3})
    assert bench.role.started == [0, 2, 1]


async def test_acknowledgements_wait_for_the_oldest() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"))
    bench.open(1)
    await until(lambda: bench.runner.unfinished == 1)
    assert bench.acknowledged == {}
    bench.open(0)
    await until(lambda: bench.acknowledged == {0: 2})


async def test_the_intake_stops_when_every_slot_is_taken() -> None:
    bench = Bench(max_in_flight=2)
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0), record(1))
    third = asyncio.create_task(bench.send(record(2)))
    await settle()
    assert not third.done()
    bench.open(0)
    await until(third.done)
    assert bench.role.started == [0, 1, 2]


async def test_a_transient_error_blocks_its_lane_only_and_is_tried_again() -> None:
    bench = Bench(max_in_flight=1)
    bench.role.errors[0] = [TransientError("away"), TransientError("away")]
    await bench.begin()
    bench.open(0, 1, 2)
    await bench.send(record(0, key=b"a"), record(1, key=b"a"), record(2, key=b"b"))
    await until(lambda: bench.acknowledged == {0: 3})
    assert bench.role.started == [0, 2, 0, 0, 1]


async def test_poison_is_buried_and_acknowledged() -> None:
    bench = Bench()
    bench.role.errors[0] = [ValueError("bad")]
    bench.role.bury_errors = [TransientError("broker away"), OSError("disk")]
    bench.role.errors[0] *= 3
    await bench.begin()
    bench.open(0)
    await bench.send(record(0))
    await until(lambda: bench.acknowledged == {0: 1})
    assert bench.role.buried == [0]
    assert bench.failures == []


async def test_a_bad_message_is_told_in_a_sentence_and_a_bug_with_its_stack_but_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    bench.role.errors[0] = [PoisonError("no JSON")]
    bench.role.errors[1] = [ValueError("a bug")]
    await bench.begin()
    bench.open(0, 1)
    await bench.send(record(0), record(1))
    await until(lambda: bench.acknowledged == {0: 2})
    # Tasks of tests before this one may be collected, and complain, at any moment.
    bad, bug = (each for each in caplog.records if each.name == "streams.runtime.attempt")
    assert "no JSON" in bad.getMessage()
    assert not bad.exc_info
    stack = caplog.handler.format(bug)
    assert "in step" in stack
    assert "ValueError" in stack
    assert "a bug" not in stack


async def test_a_fatal_error_ends_the_process_and_acknowledges_nothing() -> None:
    bench = Bench()
    bench.role.errors[0] = [FatalError("fenced")]
    await bench.begin()
    bench.open(0)
    await bench.send(record(0))
    await until(lambda: bool(bench.failures))
    assert bench.acknowledged == {}


async def test_a_message_with_the_key_of_a_running_step_is_joined() -> None:
    bench = Bench()
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0, value=b"step"), record(1, value=b"step"))
    bench.open(0, 1)
    await until(lambda: bench.acknowledged == {0: 2})
    assert bench.role.started == [0]


async def test_a_message_joined_to_poison_gets_a_step_of_its_own() -> None:
    bench = Bench()
    bench.role.has_lanes = False
    bench.role.errors[0] = [ValueError("bad")]
    await bench.begin()
    await bench.send(record(0, value=b"step"), record(1, value=b"step"))
    bench.open(0, 1)
    await until(lambda: bench.acknowledged == {0: 2})
    assert bench.role.started == [0, 1]
    assert bench.role.buried == [0]


async def test_a_step_cancelled_before_its_first_line_frees_its_slot() -> None:
    bench = Bench(max_in_flight=1)
    await bench.begin()
    await bench.send(record(0))
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    assert bench.role.started == []
    assert bench.runner.in_flight == 0


async def test_a_parked_step_lets_others_use_its_slot() -> None:
    bench = Bench(max_in_flight=1)
    bench.role.is_parking = True
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), record(2, key=b"c"))
    await until(lambda: bench.role.started == [0, 1, 2])
    bench.open(0, 1, 2)
    await until(lambda: bench.acknowledged == {0: 3})
    assert bench.runner.in_flight == 0


async def test_a_cancellation_that_nobody_asked_for_is_a_retry() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0))
    await settle()
    for task in asyncio.all_tasks():
        if "_attempt" in repr(task.get_coro()):
            task.cancel()
    bench.open(0)
    await until(lambda: bench.acknowledged == {0: 1})
    assert bench.role.started == [0, 0]


@pytest.mark.parametrize("limit_s", [0.0, 0.05])
async def test_the_drain_waits_for_running_steps_up_to_its_limit(limit_s: float) -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), record(2, key=b"a"))
    await settle()
    bench.open(0)
    if limit_s:
        await bench.runner.drain(limit_s)
        assert bench.acknowledged == {0: 1}
    else:
        await bench.runner.drain(limit_s)
    assert 1 in bench.role.cancelled
    assert 2 not in bench.role.started, "what only waits for its turn is left to the next process"
    assert bench.runner.unfinished == 0


async def test_a_full_window_pauses_its_partition_and_not_the_others() -> None:
    bench = Bench(partition_window=2)
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0), record(1), record(2), record(3), record(0, partition=1))
    await settle()
    assert bench.role.started == [0, 1, 0]
    assert set(bench.paused) == {PLACE}
    bench.open(0, 1, 2, 3)
    await until(lambda: bench.acknowledged == {0: 4, 1: 1})
    assert bench.resumed == [PLACE]


async def test_a_message_that_comes_again_in_one_generation_does_not_block_its_partition() -> None:
    bench = Bench()
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0), record(1), record(0), record(1), record(2))
    bench.open(0, 1, 2)
    await until(lambda: bench.acknowledged == {0: 3})
    assert bench.role.started == [0, 1, 2]
    assert bench.runner.unfinished == 0
