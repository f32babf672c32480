"""The consumer: what becomes of a take, what is committed when, and that nothing flows before its time."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from aiokafka import ConsumerRecord
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.consumer import Fetcher, ThreadDelegateConsumer
from faust.types import TP
from mode.services import ServiceTask

from streams.runtime.app import FaustDoor
from streams.runtime.connection import ConnectionOptions
from streams.runtime.consumer import Consumer
from streams.runtime.record import Record
from streams.runtime.settings import RuntimeSettings
from streams.runtime.take import Take

PLACE = TP("in", 0)


class QuietHooks:
    """Hooks that have nothing to do."""

    rebalance_limit_s = 1.0
    in_flight = 0

    def revoking(self) -> None: ...

    async def revoked(self) -> None: ...

    async def assigned(self, places: frozenset[TP], generation: int) -> None: ...


@pytest.fixture
def door() -> Iterator[FaustDoor]:
    door = FaustDoor(
        topics=("in",),
        group="group",
        static_name=None,
        settings=RuntimeSettings(buffer_messages=256, max_poll_records=64),
        connection=ConnectionOptions(bootstrap_servers=("127.0.0.1:1",)),
        dispatch=AsyncMock(),
        hooks=QuietHooks(),
        fail=Mock(),
    )
    yield door
    door._app.consumer._thread.thread_loop.close()


def test_faust_takes_messages_by_the_calls_that_are_replaced() -> None:
    fetcher = inspect.getsource(Fetcher)
    assert "await consumer._drain_messages(self)" in fetcher
    taking = inspect.getsource(FaustConsumer._wait_next_records)
    assert "return records, active_partitions" in taking
    assert "await self._getmany(" in taking
    delegated = inspect.getsource(ThreadDelegateConsumer._getmany)
    assert "await self._thread.getmany(active_partitions, timeout)" in delegated
    for name in ("_commit_handler", "_commit_livelock_detector"):
        assert isinstance(vars(FaustConsumer)[name], ServiceTask)
    assert "self.force_commit(" in inspect.getsource(FaustConsumer.commit)
    assert "self._buffered_partitions.add(tp)" in inspect.getsource(FaustConsumer.on_buffer_full)


async def test_nothing_flows_between_an_assignment_and_the_seek_that_follows_it(door: FaustDoor) -> None:
    app = door._app
    consumer: Any = app.consumer
    # As Faust leaves it to a member that was assigned nothing.
    app.flow_control.resume()
    consumer.resume_flow()
    seen: list[tuple[bool, bool]] = []

    async def assigned(_places: object, _generation: int) -> None:
        seen.append((consumer.flow_active, app.flow_control.is_active()))

    consumer._on_partitions_assigned = assigned
    await consumer.on_partitions_assigned({PLACE}, 2)
    assert seen == [(False, False)]


def test_faust_opens_the_flow_after_its_seek() -> None:
    source = inspect.getsource(Recovery._resume_streams)
    seek, flow = source.index("consumer.perform_seek()"), source.index("app.flow_control.resume()")
    assert seek < flow < source.index("consumer.resume_flow()")


def messages(*offsets: int, place: TP = PLACE) -> list[Any]:
    headers: Any = (("a", b"1"), ("b", None))
    return [
        ConsumerRecord(place.topic, place.partition, offset, 5, 0, None, b"v", None, -1, 1, headers)
        for offset in offsets
    ]


def flowing(door: FaustDoor, *places: TP) -> Any:
    """Return a consumer in the middle of a generation, with a queue to put takes into."""
    consumer: Any = door._app.consumer
    door._app.consumer_generation_id = 4
    consumer.resume_flow()
    consumer._set_active_tps(set(places or (PLACE,)))
    consumer.feed(asyncio.Queue())
    return consumer


async def test_a_take_is_one_batch_of_records_of_its_generation(door: FaustDoor) -> None:
    other = TP("in", 1)
    consumer = flowing(door, PLACE, other)
    await consumer._deliver(
        {PLACE: messages(7, 8), other: messages(3, place=other)}, consumer._get_active_partitions()
    )
    take: Take = consumer._queue.get_nowait()
    headers = (("a", b"1"), ("b", b""))
    assert take.generation == 4
    assert take.records == [
        Record("in", 0, 7, 5, None, b"v", headers),
        Record("in", 1, 3, 5, None, b"v", headers),
        Record("in", 0, 8, 5, None, b"v", headers),
    ]


async def test_what_the_client_reads_twice_is_delivered_once(door: FaustDoor) -> None:
    consumer = flowing(door)
    for offsets in ((7, 8), (8, 9), (9,)):
        await consumer._deliver({PLACE: messages(*offsets)}, {PLACE})
    taken = [consumer._queue.get_nowait() for _ in range(consumer._queue.qsize())]
    assert [record.offset for take in taken for record in take.records] == [7, 8, 9]


async def test_a_paused_partition_delivers_what_is_on_the_way_and_a_lost_one_does_not(
    door: FaustDoor,
) -> None:
    consumer = flowing(door)
    door.pause(("in", 0))
    stranger = TP("in", 5)
    await consumer._deliver({PLACE: messages(7), stranger: messages(1, place=stranger)}, set())
    assert [record.offset for record in consumer._queue.get_nowait().records] == [7]


async def test_what_was_taken_before_the_flow_stopped_is_read_again(door: FaustDoor) -> None:
    consumer = flowing(door)
    consumer.perform_seek = AsyncMock()
    consumer.stop_flow()
    await consumer._deliver({PLACE: messages(7)}, {PLACE})
    assert consumer._queue.empty()
    consumer.perform_seek.assert_awaited_once()


async def test_takes_wait_until_the_agent_has_room_or_the_flow_stops(door: FaustDoor) -> None:
    consumer = flowing(door)
    for offset in (1, 2, 3):
        await consumer._deliver({PLACE: messages(offset)}, {PLACE})
    full = asyncio.create_task(consumer._deliver({PLACE: messages(4)}, {PLACE}))
    await asyncio.sleep(0.01)
    assert not full.done()
    consumer._queue.get_nowait()
    consumer.handed_on()
    await asyncio.wait_for(full, 2)
    stopped = asyncio.create_task(consumer._deliver({PLACE: messages(5)}, {PLACE}))
    await asyncio.sleep(0.01)
    assert not stopped.done()
    consumer.stop_flow()
    await asyncio.wait_for(stopped, 2)


def committing(door: FaustDoor, *answers: bool) -> Any:
    """Return a consumer that owns one place, and whose commits end as told."""
    consumer = flowing(door)
    consumer.assignment = lambda: {PLACE}
    consumer._commit = AsyncMock(side_effect=answers)
    return consumer


async def test_the_newest_offset_of_each_owned_place_is_committed_once(door: FaustDoor) -> None:
    consumer = committing(door, True)
    door.acknowledge(("in", 0), 8)
    door.acknowledge(("in", 0), 9)
    door.acknowledge(("in", 6), 3)
    assert await consumer.commit()
    assert not await consumer.commit()
    consumer._commit.assert_awaited_once_with({PLACE: 9})


async def test_an_offset_that_could_not_be_committed_is_tried_again(door: FaustDoor) -> None:
    consumer = committing(door, False, True)
    door.acknowledge(("in", 0), 8)
    assert not await consumer.commit()
    assert await consumer.commit()
    assert [call.args for call in consumer._commit.await_args_list] == [({PLACE: 8},)] * 2


async def test_what_is_acknowledged_during_a_commit_belongs_to_the_next(door: FaustDoor) -> None:
    consumer = committing(door)

    async def commit(_offsets: object) -> bool:
        if consumer._due[("in", 0)] == 8:
            door.acknowledge(("in", 0), 9)
        return True

    consumer._commit = AsyncMock(side_effect=commit)
    door.acknowledge(("in", 0), 8)
    assert await consumer.commit()
    assert await consumer.commit()
    assert [call.args for call in consumer._commit.await_args_list] == [({PLACE: 8},), ({PLACE: 9},)]


async def test_a_generation_ends_with_a_commit_and_leaves_nothing_to_the_next(door: FaustDoor) -> None:
    consumer = committing(door, False)
    consumer._on_partitions_revoked = AsyncMock()
    door.acknowledge(("in", 0), 8)
    await consumer.on_partitions_revoked({PLACE})
    consumer._commit.assert_awaited_once_with({PLACE: 8})
    assert not await consumer.commit()
    consumer._commit.assert_awaited_once()


async def test_acknowledged_offsets_are_committed_after_the_interval(door: FaustDoor) -> None:
    consumer = committing(door, True)
    consumer.commit_interval = 0.001
    handler = asyncio.ensure_future(Consumer._commit_handler.fun(consumer))
    door.acknowledge(("in", 0), 8)
    async with asyncio.timeout(2):
        while not consumer._commit.await_count:  # noqa: ASYNC110 - what is waited for gives no sign
            await asyncio.sleep(0.001)
    handler.cancel()
    consumer._commit.assert_awaited_once_with({PLACE: 8})
