"""The broker: topics in memory that tell when they have grown, and a publisher with the real headers' ids."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bus.headers import event_id_of
from bus.publisher import Delivery
from schemas.errors import TransientError
from schemas.records import Record
from streams.runtime.record import Record as Message
from telemetry.tracing import Trace
from tests.fakes.topics import FakeTopics, Kept


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as a sink reads it."""

    kept: Kept

    @property
    def topic(self) -> str:
        return self.kept.message.topic

    @property
    def partition(self) -> int:
        return self.kept.message.partition

    @property
    def offset(self) -> int:
        return self.kept.message.offset

    @property
    def timestamp(self) -> int:
        return self.kept.message.timestamp_ms

    @property
    def key(self) -> bytes | None:
        return self.kept.message.key

    @property
    def value(self) -> bytes | None:
        return self.kept.message.value

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        return self.kept.message.headers


class Topics(FakeTopics):
    """The topics of a history. `watch` sees every record as it is appended."""

    def __init__(self, clock_ms: Callable[[], int], *, partitions: int) -> None:
        super().__init__(clock_ms, partitions=partitions)
        self._grew = asyncio.Event()
        self.watch: Callable[[Record, Message], None] = lambda _record, _message: None

    def append(
        self,
        record: Record,
        *,
        partition: int | None = None,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> Delivery:
        delivery = super().append(record, partition=partition, key=key, headers=headers)
        self.watch(record, self.read(delivery.topic, delivery.partition)[delivery.offset].message)
        grew, self._grew = self._grew, asyncio.Event()
        grew.set()
        return delivery

    async def growth(self) -> None:
        """Return when something was appended."""
        await self._grew.wait()

    def end(self, topic: str, partition: int) -> int:
        """The offset that the next message gets."""
        return len(self.read(topic, partition))


class Publisher:
    """Publishes one record, as the real one does: with the id that joins repeated requests."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def publish(
        self,
        record: Record,
        *,
        trace: Trace,
        partition: int | None = None,
        more_headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> Delivery:
        ours = (("ce_id", event_id_of(record).encode()), ("traceparent", trace.traceparent.encode()))
        headers = (*ours, *((name, content or b"") for name, content in more_headers))
        return self._topics.append(record, partition=partition, headers=headers)


class ProcessPublisher:
    """The publisher of a process, over its wired port: what is published together arrives one by one."""

    def __init__(self, port: Publisher, random: Random) -> None:
        self._port = port
        self._random = random

    async def publish(
        self,
        record: Record,
        *,
        trace: Trace,
        partition: int | None = None,
        more_headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> Delivery:
        return await self._port.publish(record, trace=trace, partition=partition, more_headers=more_headers)

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        order = list(records)
        self._random.shuffle(order)
        failure: TransientError | None = None
        for record in order:
            try:
                await self._port.publish(record, trace=trace, partition=partition)
            except TransientError as error:
                failure = error
        if failure is not None:
            raise failure
