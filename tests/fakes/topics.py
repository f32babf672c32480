"""Topics in memory: what is published is encoded, kept in order, and read back as consumers would."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Delivery
from schemas.partition import partition_of
from schemas.records import Record
from schemas.topics import BY_RECORD, TopicSpec, key_of
from streams.runtime.record import Record as Message
from telemetry.tracing import Trace


@dataclass(frozen=True, slots=True)
class Kept:
    """A message with what it decodes to."""

    message: Message
    record: Record


@cache
def shared_codec() -> Codec:
    """The built-in schemas, parsed once a test run."""
    return Codec()


class FakeTopics:
    """All topics of one broker. `clock_ms` gives the broker's timestamps."""

    def __init__(self, clock_ms: Callable[[], int], *, partitions: int = 4) -> None:
        self.names = TopicNames()
        self.partitions = partitions
        self.codec = shared_codec()
        self._clock_ms = clock_ms
        self.order: list[Record] = []
        self.without_leader: set[str] = set()
        self._kept: defaultdict[tuple[str, int], list[Kept]] = defaultdict(list)

    def append(
        self,
        record: Record,
        *,
        partition: int | None = None,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> Delivery:
        """Put a record where its key belongs, or as another producer would: elsewhere, under another key."""
        spec = BY_RECORD[type(record)]
        topic = self.names.full(spec)
        own = key_of(record)
        place = partition_of(own, self.partitions) if partition is None else partition
        value = self.codec.encode(record)
        at_ms = self._clock_ms()
        log = self._kept[topic, place]
        self.order.append(record)
        message = Message(
            topic, place, len(log), at_ms, own.encode() if key is None else key or None, value, headers
        )
        log.append(Kept(message, self.codec.decode(spec, value)))
        return Delivery(topic, place, message.offset, at_ms)

    def read(self, topic: str, partition: int) -> list[Kept]:
        """Everything in a partition, by the topic's full name."""
        return self._kept[topic, partition]

    def of(self, spec: TopicSpec) -> Iterator[Kept]:
        """Everything on a topic."""
        for partition in range(self.partitions):
            yield from self.read(self.names.full(spec), partition)


def _values(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
    return [(name, content or b"") for name, content in headers]


class FakePublisher:
    """Publishes to topics in memory."""

    def __init__(self, topics: FakeTopics) -> None:
        self._topics = topics

    async def publish(
        self,
        record: Record,
        *,
        trace: Trace,
        partition: int | None = None,
        more_headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> Delivery:
        headers = (("traceparent", trace.traceparent.encode()), *_values(more_headers))
        return self._topics.append(record, partition=partition, headers=headers)

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        for record in records:
            await self.publish(record, trace=trace, partition=partition)


class FakeEnds:
    """End offsets of topics in memory; those in `without_leader` are left out, as Kafka does."""

    def __init__(self, topics: FakeTopics) -> None:
        self._topics = topics

    async def end_offsets(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        return {
            (topic, partition): len(self._topics.read(topic, partition))
            for topic in topics
            if topic not in self._topics.without_leader
            for partition in range(self._topics.partitions)
        }
