"""What the publisher relies on inside the pinned client."""

import inspect
import os
import re
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch

from bus.batch import COMPRESSED_FROM_BYTES, Batch

_SNAPPY = 2


def lines_of(function: Callable[..., Any]) -> list[str]:
    lines = [line.strip() for line in inspect.getsource(function).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_send_ends_in_the_call_that_the_publisher_makes_itself() -> None:
    source = inspect.getsource(AIOKafkaProducer.send)
    assert "await self._message_accumulator.add_message(" in source
    named = list(inspect.signature(MessageAccumulator.add_message).parameters)
    assert named == ["self", "tp", "key", "value", "timeout", "timestamp_ms", "headers"]


def test_what_send_checks_before_is_what_the_publisher_checks() -> None:
    # A new step there is one that we would leave out.
    source = inspect.getsource(AIOKafkaProducer.send)
    steps = [line.strip() for line in source.splitlines() if "await " in line or "self._" in line]
    assert [step for step in steps if "txn_manager" not in step and "transaction" not in step] == [
        "await self.client._wait_on_metadata(topic)",
        "key_bytes, value_bytes = self._serialize(key, value, headers)",
        "partition = self._partition(",
        "fut = await self._message_accumulator.add_message(",
        "self._request_timeout_ms / 1000,",
    ]


def test_a_record_is_added_as_the_publisher_adds_it_while_there_is_room() -> None:
    lines = lines_of(MessageAccumulator.add_message)
    start, end = lines.index("while True:"), lines.index("return future")
    assert lines[start : end + 1] == [
        "while True:",
        "if self._closed:",
        "raise ProducerClosed()",
        "if self._exception is not None:",
        "raise copy.copy(self._exception)",
        "pending_batches = self._batches.get(tp)",
        "if not pending_batches:",
        "builder = self.create_builder()",
        "batch = self._append_batch(builder, tp)",
        "else:",
        "batch = pending_batches[-1]",
        "future = batch.append(key, value, timestamp_ms, headers=headers)",
        "if future is not None:",
        "return future",
    ]


def test_all_that_a_batch_does_with_a_record_is_to_settle_it() -> None:
    # `bus.awaited.Sent` stands for a future of asyncio's.
    named = list(inspect.signature(MessageBatch.append).parameters)
    assert named == ["self", "key", "value", "timestamp_ms", "_create_future", "headers"]
    source = inspect.getsource(MessageBatch)
    assert set(re.findall(r"(?<!self\.)\bfuture\.(\w+)", source)) == {"done", "set_result", "set_exception"}
    assert "_msg_futures" not in inspect.getsource(MessageAccumulator) + inspect.getsource(sender)


def made(builder: BatchBuilder, values: list[bytes]) -> bytes:
    for number, value in enumerate(values):
        place = builder.append(
            timestamp=1_000 + number, key=b"key", value=value, headers=[("name", b"content")]
        )
        assert place is not None
        assert place.offset == number
    builder._set_producer_state(7, 1, 3)
    assert builder._build() is builder._build()  # sent again, it is the same
    return bytes(builder._build())


def aiokafkas(compression: int) -> BatchBuilder:
    return BatchBuilder(262_144, compression, is_transactional=0)


def test_a_small_batch_is_what_aiokafka_writes_without_compression() -> None:
    values = [b"text", b"text" * 100]
    assert made(Batch(), values) == made(aiokafkas(0), values)


def test_a_large_batch_is_what_aiokafka_writes_with_snappy() -> None:
    values = [b"some text" * 30] * (COMPRESSED_FROM_BYTES // 200)
    assert made(Batch(), values) == made(aiokafkas(_SNAPPY), values)


def test_what_does_not_get_shorter_stays_as_it_is() -> None:
    values = [os.urandom(COMPRESSED_FROM_BYTES)]
    assert made(Batch(), values) == made(aiokafkas(0), values)
