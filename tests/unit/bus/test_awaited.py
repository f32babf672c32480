"""The records of one call are settled one by one, and waited for once."""

import asyncio

from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.structs import TopicPartition

from bus.awaited import Awaited, Sent
from bus.batch import Batch
from schemas.errors import TransientError

PLACE = TopicPartition("runs", 3)


def batch_of(*records: Sent) -> MessageBatch:
    """Return a batch of aiokafka's that settles `records`."""
    batch = MessageBatch(PLACE, Batch(), 30, 0)
    for sent in records:
        added = batch.append(b"key", b"value", None, lambda sent=sent: sent, [])
        assert added is sent
    return batch


async def test_a_call_is_over_when_the_last_record_is_settled() -> None:
    call = Awaited(["runs", "runs", "tasks"])
    batch_of(*call.sent[:2]).done(7, 1_000)
    assert not call.future.done()
    batch_of(call.sent[2]).done(4, 1_000)
    assert call.future.done()
    assert [(sent.outcome.offset, sent.problem) for sent in call.sent] == [(7, None), (8, None), (4, None)]


async def test_each_record_has_its_own_problem() -> None:
    call = Awaited(["runs", "tasks", "sessions"])
    batch_of(call.sent[0]).failure(KafkaConnectionError())
    batch_of(call.sent[1]).done(-1, 1_000)
    batch_of(call.sent[2]).done(0, 1_000)
    await call.future
    first, second, third = (sent.problem for sent in call.sent)
    assert isinstance(first, KafkaConnectionError)
    assert isinstance(second, TransientError)
    assert "tasks has the message" in str(second)
    assert third is None


async def test_what_is_settled_after_the_call_was_given_up_came_too_late_and_does_no_harm() -> None:
    call = Awaited(["runs"])
    batch = batch_of(*call.sent)
    call.future.set_result(None)
    assert isinstance(call.sent[0].problem, TimeoutError)
    batch.done(0, 1_000)
    left = Awaited(["runs"])
    batch = batch_of(*left.sent)
    left.future.cancel()
    batch.failure(KafkaConnectionError())


async def test_a_record_that_waited_for_room_follows_the_future_that_it_got() -> None:
    outcomes: list[asyncio.Future[object]] = [asyncio.get_running_loop().create_future() for _ in range(3)]
    call = Awaited(["runs"] * 3)
    for sent, future in zip(call.sent, outcomes, strict=True):
        future.add_done_callback(sent.follow)
    outcomes[0].set_exception(KafkaConnectionError())
    outcomes[1].cancel()
    batch = batch_of(Awaited(["runs"]).sent[0])
    batch.done(5, 1_000)
    outcomes[2].set_result(batch.future.result())
    await call.future
    assert isinstance(call.sent[0].problem, KafkaConnectionError)
    assert isinstance(call.sent[1].problem, TimeoutError)
    assert call.sent[2].problem is None
