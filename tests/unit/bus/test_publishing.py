"""What becomes of the records of one call, over aiokafka's own batches and without a broker."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError, ProducerFenced
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch

from bus.batch import MAX_BATCH_BYTES, Batch
from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Delivery, Publisher
from bus.settings import KafkaSettings
from schemas import examples
from schemas.errors import FatalError, TransientError
from telemetry.tracing import derived

TRACE = derived("test")
CODEC = Codec()


class World:
    """A publisher whose batches are settled by hand."""

    def __init__(self) -> None:
        self.publisher = Publisher(KafkaSettings(), names=TopicNames(""), codec=CODEC, source="test")
        self.waiting = MessageAccumulator(None, MAX_BATCH_BYTES, 0, 30)
        self.waiting.create_builder = Batch  # pyright: ignore[reportAttributeAccessIssue]
        self.publisher._producer = SimpleNamespace(
            _message_accumulator=self.waiting, partitions_for=self.partitions_for
        )

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1, 2}

    async def batches(self) -> Mapping[str, MessageBatch]:
        """Let what was asked for begin, and return the batches by topic."""
        for _ in range(3):
            await asyncio.sleep(0)
        return {place.topic: batches[0] for place, batches in self.waiting._batches.items()}


async def test_one_call_shares_batches_with_others_and_ends_with_its_last_record() -> None:
    world = World()
    alone = asyncio.ensure_future(world.publisher.publish(examples.RUN, trace=TRACE, partition=1))
    records = [examples.RUN, examples.TASK, examples.RUN]
    together = asyncio.ensure_future(world.publisher.publish_all(records, trace=TRACE, partition=1))
    batches = await world.batches()
    assert {topic: batch.record_count for topic, batch in batches.items()} == {"runs": 3, "tasks": 1}
    batches["runs"].done(40, 1_000)
    assert await alone == Delivery("runs", 1, 40, 1_000)
    assert not together.done()
    batches["tasks"].done(7, 1_000)
    await together


async def test_of_several_failures_the_fatal_one_is_raised_when_all_are_settled() -> None:
    world = World()
    records = [examples.RUN, examples.TASK, examples.SESSION]
    together = asyncio.ensure_future(world.publisher.publish_all(records, trace=TRACE, partition=1))
    batches = await world.batches()
    batches["runs"].failure(KafkaConnectionError())
    batches["tasks"].failure(ProducerFenced())
    await asyncio.sleep(0)
    assert not together.done()
    batches["sessions"].done(7, 1_000)
    with pytest.raises(FatalError, match="publishing to tasks: another producer took over"):
        await together


async def test_a_record_that_cannot_be_put_does_not_keep_the_others() -> None:
    world = World()
    world.publisher._partitions["tasks"] = 1
    records = [examples.RUN, examples.TASK]
    together = asyncio.ensure_future(world.publisher.publish_all(records, trace=TRACE, partition=2))
    batches = await world.batches()
    assert set(batches) == {"runs"}
    batches["runs"].done(0, 1_000)
    with pytest.raises(FatalError, match="tasks has 1 partitions, not 3"):
        await together


async def test_a_repetition_whose_place_is_unknown_is_published_again() -> None:
    world = World()
    alone = asyncio.ensure_future(world.publisher.publish(examples.RUN, trace=TRACE, partition=1))
    (await world.batches())["runs"].done(-1, 1_000)
    with pytest.raises(TransientError, match="its offset is unknown"):
        await alone


async def test_a_call_that_is_given_up_leaves_nothing_behind() -> None:
    world = World()
    together = asyncio.ensure_future(world.publisher.publish_all([examples.RUN], trace=TRACE, partition=1))
    batches = await world.batches()
    together.cancel()
    with pytest.raises(asyncio.CancelledError):
        await together
    assert not world.publisher._unacknowledged
    batches["runs"].failure(KafkaConnectionError())


async def test_nothing_to_publish_is_published_at_once() -> None:
    await World().publisher.publish_all([], trace=TRACE, partition=0)


async def test_a_producer_that_failed_takes_no_more() -> None:
    world = World()
    world.waiting.fail_all(ProducerFenced())
    with pytest.raises(FatalError, match="another producer took over"):
        await world.publisher.publish(examples.RUN, trace=TRACE, partition=1)
    assert not await world.batches()
