"""A producer that knows nothing of Maestro: librdkafka with its default settings, any bytes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, Message, Producer

from schemas.topics import MAX_MESSAGE_BYTES, TopicSpec
from tests.fleet.fleet import Ground

SEND_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker put a message. `topic` is the full name."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class _Report:
    places: list[Place] = field(default_factory=list[Place])
    errors: list[str] = field(default_factory=list[str])

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """Keep what the broker said."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if error is not None or topic is None or partition is None or offset is None:
            self.errors.append(str(error))
        else:
            self.places.append(Place(topic, partition, offset))


class Outsider:
    """Sends bytes to the topics of a fleet."""

    def __init__(self, fleet: Ground) -> None:
        self._fleet = fleet
        servers = fleet.env["KAFKA_BOOTSTRAP_SERVERS"]
        self._stock = Producer({"bootstrap.servers": servers})
        self._large = Producer({"bootstrap.servers": servers, "message.max.bytes": MAX_MESSAGE_BYTES - 100})

    async def send(
        self,
        spec: TopicSpec,
        value: bytes | None,
        *,
        key: bytes | None,
        partition: int = -1,
        headers: Mapping[str, bytes] | None = None,
        is_large: bool = False,
    ) -> Place:
        """Send one message and return where it is; -1 leaves the partition to librdkafka's own partitioner.

        `is_large` raises librdkafka's limit of a million bytes to what the broker takes.
        """
        report = _Report()
        producer = self._large if is_large else self._stock
        producer.produce(
            self._fleet.names.full(spec),
            value=value,
            key=key,
            partition=partition,
            headers=list((headers or {}).items()),
            on_delivery=report.delivered,
        )
        left = await asyncio.to_thread(producer.flush, SEND_LIMIT_S)
        assert left == 0, "the broker did not take the message in time"
        assert not report.errors, report.errors
        return report.places[0]
