"""Publishes records: encoded, checked for size, and acknowledged by the broker before the caller goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from bus.awaited import Awaited, Sent
from bus.batch import MAX_BATCH_BYTES, Batch
from bus.codec import Codec
from bus.connection import client_options, translated
from bus.headers import headers_of
from bus.names import TopicNames
from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError, MaestroError, PoisonError
from schemas.partition import partition_of
from schemas.records import Record
from schemas.topics import BY_RECORD, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES, key_of
from telemetry.metrics import (
    MESSAGES_PUBLISHED,
    PUBLISH_FAILURES,
    PUBLISH_SECONDS,
    UNACKNOWLEDGED_SECONDS,
)
from telemetry.tracing import Trace

MAX_RECORD_BYTES = MAX_MESSAGE_BYTES - 16_384
"""Largest sum of key, value and headers: room for framing and for what compression adds to random bytes."""

_STOP_LIMIT_S = 10.0
_LATE_S = 5.0
"""An acknowledgement that takes longer says that the broker is away or in trouble."""


_Message = tuple[str, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Topic (full name), key, value and headers."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the broker put a message, and the time that it counts for (milliseconds since 1970-01-01 UTC)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Publisher:
    """The program's only producer: idempotent, acknowledged by all replicas, batches shared.

    Messages published in one turn of the loop share batches and requests. `source` names the program in the
    CloudEvents headers, for example `session`.
    """

    def __init__(self, kafka: KafkaSettings, *, names: TopicNames, codec: Codec, source: str) -> None:
        self._kafka = kafka
        self._topics = {kind: names.full(spec) for kind, spec in BY_RECORD.items()}
        self._codec = codec
        self._source = f"/maestro/{source}".encode()
        self._producer: Any = None
        self._partitions: dict[str, int] = {}
        self._published: dict[str, int] = {}
        self._unacknowledged: dict[asyncio.Future[None], float] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._oldest_s = 0.0

    async def start(self) -> None:
        """Connect.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        producer: Any = AIOKafkaProducer(
            **client_options(self._kafka),
            acks="all",
            enable_idempotence=True,
            linger_ms=self._kafka.linger_ms,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        try:
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await _stopped(producer)
            raise translated(error, doing="connecting a producer") from error
        producer._message_accumulator.create_builder = Batch  # noqa: SLF001  a test guards the name
        self._producer = producer
        self._watch_deliveries()

    async def stop(self) -> None:
        """Send what is waiting, for at most ten seconds, and disconnect. Stopping twice does nothing."""
        producer, self._producer = self._producer, None
        if self._watch is not None:
            self._watch.cancel()
        if producer is not None:
            await _stopped(producer)
        self._count()

    def trouble(self) -> str | None:
        """Return why messages do not get out, in a sentence; None when they do, as far as is known.

        As it was found within the last second; may be asked from any thread.
        """
        if self._oldest_s < _LATE_S:
            return None
        return f"Kafka has not acknowledged a message for {self._oldest_s:.0f} s"

    async def publish(
        self,
        record: Record,
        *,
        trace: Trace,
        partition: int | None = None,
        more_headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> Delivery:
        """Publish `record` on its topic and return when all replicas have it.

        The partition is murmur2 of the key unless it is given. `more_headers` follow our own. A size that the
        broker would refuse is refused here, because a refused batch would break the producer's sequence for
        good.

        Raises:
            PoisonError: the record is too large (too_large) or has no Avro form (invalid); nothing was sent.
            TransientError: no acknowledgement in time; the message may arrive all the same.
            FatalError: this producer cannot go on.

        """
        topic, key, value, headers = self._message(record, trace)
        if partition is None:
            partition = partition_of(key, self._partitions.get(topic) or await self.partitions(topic))
        message = (topic, key, value, [*headers, *more_headers] if more_headers else headers)
        return await self._delivered(message, partition)

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        """Publish `records` at the same time, in no order, and return when all replicas have all of them.

        One call for what belongs together: a task for each record would cost more than sending it.

        Raises:
            PoisonError: a record is too large or has no Avro form; nothing was sent.
            FatalError: this producer cannot go on.
            TransientError: one is not acknowledged in time; any of them may arrive all the same.

        """
        messages = [self._message(record, trace) for record in records]
        if messages:
            _ = await self._sent(messages, partition)

    async def send_raw(
        self,
        topic: str,
        *,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Delivery:
        """Publish bytes as they are: misplaced messages, dead letters, tombstones. `topic` is the full name.

        Raises:
            PoisonError: too large; nothing was sent.
            TransientError: no acknowledgement in time; the message may arrive all the same.
            FatalError: this producer cannot go on.

        """
        total = len(value or b"") + len(key or b"")
        total += sum(len(name) + len(content or b"") for name, content in headers)
        if total > MAX_RECORD_BYTES or len(value or b"") > MAX_VALUE_BYTES:
            raise _too_large(topic, total)
        # The client takes a list only; what it hands out is a tuple.
        return await self._delivered((topic, key, value, list(headers)), partition)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` (full name) has. Asked once: topics never grow under us.

        Raises:
            TransientError: the topic is not there, or Kafka does not answer.
            FatalError: Kafka refuses us, or the publisher is not started.

        """
        known = self._partitions.get(topic)
        if known is None:
            try:
                found: set[int] = await self._running().partitions_for(topic)
            except KafkaError as error:
                raise translated(error, doing=f"looking up topic {topic}") from error
            known = self._partitions.setdefault(topic, len(found))
        return known

    async def _delivered(self, message: _Message, partition: int) -> Delivery:
        (sent,) = await self._sent([message], partition)
        placed = sent.outcome
        return Delivery(sent.topic, placed.partition, placed.offset, placed.timestamp)

    def _message(
        self, record: Record, trace: Trace
    ) -> tuple[str, bytes, bytes, Sequence[tuple[str, bytes | None]]]:
        value = self._codec.encode(record)
        topic = self._topics[type(record)]
        if len(value) > MAX_VALUE_BYTES:
            raise _too_large(topic, len(value))
        return topic, key_of(record).encode(), value, headers_of(record, trace=trace, source=self._source)

    async def _sent(self, messages: Sequence[_Message], partition: int) -> list[Sent]:
        """Return the records when all are acknowledged; raise the first failure when all are settled."""
        started = perf_counter()
        call = Awaited([message[0] for message in messages])
        self._unacknowledged[call.future] = monotonic()
        try:
            for sent, message in zip(call.sent, messages, strict=True):
                try:
                    await self._put(sent, message, partition)
                except (KafkaError, TimeoutError, MaestroError) as error:
                    sent.set_exception(error)
            await call.future
        finally:
            del self._unacknowledged[call.future]
        failures: list[MaestroError] = []
        for sent in call.sent:
            problem = sent.problem
            if problem is None:
                self._published[sent.topic] = self._published.get(sent.topic, 0) + 1
            else:
                failures.append(_failed(sent.topic, problem))
        if failures:
            raise next((each for each in failures if isinstance(each, FatalError)), failures[0])
        PUBLISH_SECONDS.observe(perf_counter() - started)
        return call.sent

    async def _put(self, sent: Sent, message: _Message, partition: int) -> None:
        topic, key, value, headers = message
        count = self._partitions.get(topic) or await self.partitions(topic)
        if not 0 <= partition < count:
            problem = f"{topic} has {count} partitions, not {partition + 1}: check MAESTRO_TOPIC_PARTITIONS"
            raise FatalError(problem)
        # What `send` comes to in the end, without looking at topic, partition and size once more. This does
        # not suspend while the batch has room, so all that is published in this turn of the loop is batched
        # before the sender wakes up. A test guards the names.
        batches = self._running()._message_accumulator  # noqa: SLF001
        place = TopicPartition(topic, partition)
        if not batches._closed and batches._exception is None:  # noqa: SLF001
            waiting = batches._batches.get(place)  # noqa: SLF001
            batch = waiting[-1] if waiting else batches._append_batch(batches.create_builder(), place)  # noqa: SLF001
            if batch.append(key, value, None, lambda: sent, headers) is not None:
                return
        timeout_s = self._kafka.request_timeout_ms / 1000
        future = await batches.add_message(place, key, value, timeout_s, headers=headers)
        future.add_done_callback(sent.follow)

    def _count(self) -> None:
        # Once for many: counting each record would cost as much as encoding it.
        for topic, count in self._published.items():
            MESSAGES_PUBLISHED.labels(topic).inc(count)
        self._published.clear()

    def _watch_deliveries(self) -> None:
        # One timer for all: a time limit around each publish would cost as much as encoding the record.
        self._count()
        now = monotonic()
        self._oldest_s = now - next(iter(self._unacknowledged.values()), now)
        UNACKNOWLEDGED_SECONDS.set(self._oldest_s)
        overdue = now - self._kafka.delivery_timeout_s
        for future, since in self._unacknowledged.items():
            if since > overdue:
                break  # in the order of sending
            if not future.done():
                future.set_result(None)
        interval_s = min(1.0, self._kafka.delivery_timeout_s / 4)
        self._watch = asyncio.get_running_loop().call_later(interval_s, self._watch_deliveries)

    def _running(self) -> Any:
        if self._producer is None:
            message = "the publisher is not running"
            raise FatalError(message)
        return self._producer


def _failed(topic: str, problem: BaseException) -> MaestroError:
    if isinstance(problem, MaestroError):
        failure = problem
    elif isinstance(problem, KafkaError | TimeoutError):
        failure = translated(problem, doing=f"publishing to {topic}")
        failure.__cause__ = problem
    else:
        raise problem
    PUBLISH_FAILURES.labels(topic, failure.code).inc()
    return failure


def _too_large(topic: str, size: int) -> PoisonError:
    message = f"a message of {size} bytes for {topic}: values may have {MAX_VALUE_BYTES} bytes"
    return PoisonError(message, code=ErrorCode.TOO_LARGE)


async def _stopped(producer: Any) -> None:
    try:
        async with asyncio.timeout(_STOP_LIMIT_S):
            await producer.stop()
    except (TimeoutError, KafkaError):
        # The broker is away: what is unsent stays unsent. Its callers were told so, or are being cancelled.
        await producer.client.close()
        sender = producer._sender.sender_task  # noqa: SLF001  the client offers no way to give up
        if sender is not None:
            _ = sender.cancel()
            _ = await asyncio.wait([sender], timeout=1)
