"""The runner over rebalances: what is kept, given up, finished where it runs, and believed. No network."""

import asyncio

from tests.unit.streams.runtime.runner_bench import Bench, record, settle, until


async def test_a_message_delivered_again_joins_its_running_step() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0), record(1))
    await settle()
    bench.runner.revoking()
    await bench.begin(2)
    await bench.send(record(0), record(1), generation=2)
    bench.open(0, 1)
    await until(lambda: bench.acknowledged == {0: 2})
    assert bench.role.started == [0, 1]


async def test_an_old_generations_acknowledgement_is_dropped_and_remembered() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), record(2, key=b"c"))
    bench.open(1)
    await until(lambda: bench.runner.unfinished == 2)
    bench.runner.revoking()
    bench.open(0, 2)
    await until(lambda: bench.runner.unfinished == 0)
    assert bench.acknowledged == {}
    await bench.begin(2)
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), record(2, key=b"c"), generation=2)
    assert bench.acknowledged == {0: 3}
    assert bench.role.started == [0, 1, 2]


async def test_what_finished_before_its_partition_went_elsewhere_is_not_believed_afterwards() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"))
    bench.open(1)
    await until(lambda: bench.runner.unfinished == 1)
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    bench.runner.revoking()
    await bench.begin(3)
    bench.open(0)
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), generation=3)
    await until(lambda: bench.acknowledged == {0: 2})
    assert bench.role.started == [0, 1, 0, 1]


async def test_a_process_that_missed_a_generation_believes_nothing_of_what_it_did() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(1, key=b"b"))
    await settle()
    bench.runner.revoking()
    bench.open(1)
    await until(lambda: bench.runner.unfinished == 1)
    await bench.begin(3)
    assert bench.role.cancelled == [0]
    bench.open(0)
    await bench.send(record(0, key=b"a"), record(1, key=b"b"), generation=3)
    await until(lambda: bench.acknowledged == {0: 2})
    assert bench.role.started == [0, 1, 0, 1]


async def test_messages_of_an_old_generation_are_left_alone() -> None:
    bench = Bench()
    await bench.begin(2)
    await bench.send(record(0), generation=1)
    bench.runner.revoking()
    await bench.send(record(1), generation=2)
    await settle()
    assert bench.role.started == []


async def test_steps_of_a_partition_that_went_elsewhere_are_cancelled() -> None:
    bench = Bench()
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(0, key=b"b", partition=1), record(1, key=b"a"))
    await settle()
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    assert bench.role.cancelled == [0]
    assert bench.runner.unfinished == 1
    await bench.send(record(0, key=b"b", partition=1), generation=2)
    bench.open(0)
    await until(lambda: bench.acknowledged == {1: 1})


async def test_a_shielded_step_goes_on_when_its_partition_goes_elsewhere_and_acknowledges_nothing() -> None:
    bench = Bench()
    bench.role.is_shielded = True
    await bench.begin()
    await bench.send(record(0))
    await settle()
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    assert bench.role.cancelled == []
    bench.open(0)
    await until(lambda: bench.runner.unfinished == 0)
    assert bench.acknowledged == {}
    bench.runner.revoking()
    await bench.begin(3)
    await bench.send(record(0), generation=3)
    await until(lambda: bench.acknowledged == {0: 1})
    assert bench.role.started == [0, 0], "another process may have had the message: it is looked at again"


async def test_a_message_that_comes_back_joins_the_shielded_step_it_left() -> None:
    bench = Bench()
    bench.role.is_shielded = True
    await bench.begin()
    await bench.send(record(0))
    await settle()
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    bench.runner.revoking()
    await bench.begin(3)
    await bench.send(record(0), generation=3)
    bench.open(0)
    await until(lambda: bench.acknowledged == {0: 1})
    assert bench.role.started == [0]


async def test_a_step_waits_no_longer_when_its_shield_is_gone_and_its_partition_too() -> None:
    bench = Bench()
    bench.role.is_shielded = True
    bench.role.parks_afterwards = True
    await bench.begin()
    await bench.send(record(0, key=b"a"), record(0, key=b"b", partition=1))
    await settle()
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    await bench.send(record(0, key=b"b", partition=1), generation=2)
    bench.open(0)
    await until(lambda: bench.role.cancelled == [0])
    assert bench.runner.unfinished == 1
    bench.open(-1)
    await until(lambda: bench.acknowledged == {1: 1})


async def test_a_drain_cancels_shielded_steps_at_its_limit_too() -> None:
    bench = Bench()
    bench.role.is_shielded = True
    await bench.begin()
    await bench.send(record(0))
    await settle()
    await bench.runner.drain(0.02)
    assert bench.role.cancelled == [0]


async def test_a_dispatch_that_waits_for_a_slot_ends_with_its_generation() -> None:
    bench = Bench(max_in_flight=1)
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0))
    waiting = asyncio.create_task(bench.send(record(1)))
    await settle()
    bench.runner.revoking()
    await until(waiting.done)
