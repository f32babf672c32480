"""The runner: back-pressure, lanes, joins, retries, poison, generations, drain. No network."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextlib import nullcontext

import pytest

from schemas.errors import FatalError, PoisonError, TransientError
from streams.runtime.acker import Place
from streams.runtime.record import Record
from streams.runtime.runner import Runner
from streams.runtime.running_step import parked, shielded
from streams.runtime.settings import RuntimeSettings

PLACE = ("in", 0)


def record(offset: int, *, key: bytes = b"k", value: bytes | None = None, partition: int = 0) -> Record:
    return Record("in", partition, offset, 1000 + offset, key, value)


class GatedRole:
    """A role whose steps wait until the test opens their gate. Fails as told."""

    def __init__(self) -> None:
        self.topics = ("in",)
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.buried: list[int] = []
        self.errors: dict[int, list[Exception]] = {}
        self.bury_errors: list[Exception] = []
        self.has_lanes = True
        self.is_parking = False
        self.is_shielded = False
        self.parks_afterwards = False
        self._gates: dict[int, asyncio.Event] = {}

    def gate(self, offset: int) -> asyncio.Event:
        return self._gates.setdefault(offset, asyncio.Event())

    def lane(self, record: Record) -> Hashable | None:
        return record.key if self.has_lanes else None

    def join_key(self, record: Record) -> Hashable | None:
        return record.value

    async def step(self, record: Record) -> None:
        self.started.append(record.offset)
        try:
            if self.is_parking:
                async with parked():
                    await self.gate(record.offset).wait()
            else:
                with shielded() if self.is_shielded else nullcontext():
                    await self.gate(record.offset).wait()
            if self.parks_afterwards:
                async with parked():
                    await self.gate(-1).wait()
        except asyncio.CancelledError:
            self.cancelled.append(record.offset)
            raise
        if self.errors.get(record.offset):
            raise self.errors[record.offset].pop(0)

    async def on_poison(self, record: Record, error: Exception) -> None:
        _ = error
        if self.bury_errors:
            raise self.bury_errors.pop(0)
        self.buried.append(record.offset)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Nothing to do."""

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Nothing to do."""


class Bench:
    """A runner with a role, and what it called."""

    def __init__(self, **settings: object) -> None:
        self.role = GatedRole()
        self.acknowledged: dict[int, int] = {}
        """The offset up to which each partition is acknowledged."""
        self.paused: list[Place] = []
        self.resumed: list[Place] = []
        self.failures: list[BaseException] = []
        self.runner = Runner(
            self.role,
            RuntimeSettings.model_validate({"retry_backoff_min_s": 0.01, **settings}),
            acknowledge=self._acknowledge,
            pause=self.paused.append,
            resume=self.resumed.append,
            fail=self.failures.append,
        )

    def _acknowledge(self, place: Place, offset: int) -> None:
        assert offset > self.acknowledged.get(place[1], 0)
        self.acknowledged[place[1]] = offset

    async def begin(self, generation: int = 1, partitions: tuple[int, ...] = (0, 1)) -> None:
        await self.runner.assigned(frozenset(("in", number) for number in partitions), generation)

    async def send(self, *records: Record, generation: int = 1) -> None:
        await self.runner.dispatch(records, generation)

    def open(self, *offsets: int) -> None:
        for offset in offsets:
            self.role.gate(offset).set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not is_so():  # noqa: ASYNC110 - what is waited for gives no sign
            await asyncio.sleep(0.002)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


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


async def test_a_step_cancelled_before_its_first_line_frees_its_slot() -> None:
    bench = Bench(max_in_flight=1)
    await bench.begin()
    await bench.send(record(0))
    bench.runner.revoking()
    await bench.begin(2, partitions=(1,))
    assert bench.role.started == []
    assert bench.runner.in_flight == 0


async def test_a_dispatch_that_waits_for_a_slot_ends_with_its_generation() -> None:
    bench = Bench(max_in_flight=1)
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0))
    waiting = asyncio.create_task(bench.send(record(1)))
    await settle()
    bench.runner.revoking()
    await until(waiting.done)


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


async def test_a_message_that_comes_again_in_one_generation_does_not_block_its_partition() -> None:
    bench = Bench()
    bench.role.has_lanes = False
    await bench.begin()
    await bench.send(record(0), record(1), record(0), record(1), record(2))
    bench.open(0, 1, 2)
    await until(lambda: bench.acknowledged == {0: 3})
    assert bench.role.started == [0, 1, 2]
    assert bench.runner.unfinished == 0
