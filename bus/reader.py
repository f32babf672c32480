"""Reads topics without a group: to follow them, to wait for an answer, or to read them once to the end."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from enum import Enum
from time import monotonic
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bus.connection import client_options, translated
from bus.message import Message, Place
from bus.settings import KafkaSettings
from schemas.errors import TransientError

_FETCH_WAIT_MS = 250
_POLL_S = 0.25
_STOP_LIMIT_S = 10.0
_BATCH = 500


class Start(Enum):
    """Where reading begins."""

    BEGINNING = "beginning"
    END = "end"


class TopicReader:
    """Reads `topics` (full names), all partitions or only the `partitions` named. Use as `async with`.

    When `start` returns, the positions are resolved: whatever is published afterwards is read, so the
    answer to a question that is sent then cannot be missed.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Collection[str],
        *,
        start: Start | Mapping[Place, int] = Start.END,
        partitions: Collection[int] | None = None,
    ) -> None:
        self._kafka = kafka
        self._topics = tuple(topics)
        self._start = start
        self._partitions = partitions
        self._consumer: Any = None
        self._places: list[TopicPartition] = []

    async def start(self) -> None:
        """Connect and resolve the positions.

        Raises:
            TransientError: Kafka cannot be reached, or a topic is missing.
            FatalError: Kafka refuses us.

        """
        self._consumer = AIOKafkaConsumer(
            **client_options(self._kafka), auto_offset_reset="earliest", fetch_max_wait_ms=_FETCH_WAIT_MS
        )
        try:
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):
                await self._consumer.start()
                self._places = await self._existing()
                offsets = await self._first_offsets()
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise translated(error, doing=f"opening {', '.join(self._topics)}") from error
        except TransientError:
            await self.stop()
            raise
        # Assigned and positioned without a pause in between, so that no fetch starts anywhere else.
        self._consumer.assign(self._places)
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)

    async def stop(self) -> None:
        """Disconnect. Stopping twice does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await consumer.stop()
            except (KafkaError, TimeoutError):
                pass  # the broker is away: nobody is there to say goodbye to

    async def __aenter__(self) -> Self:
        """Connect and resolve the positions."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.stop()

    async def read(self, *, timeout_s: float, max_records: int = _BATCH) -> Sequence[Message]:
        """Return the next messages, in offset order within each partition; empty after `timeout_s`.

        Raises:
            TransientError: Kafka does not answer; call again.
            FatalError: Kafka refuses us.

        """
        try:
            batch = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except KafkaError as error:
            raise translated(error, doing=f"reading {', '.join(self._topics)}") from error
        return [message for messages in batch.values() for message in messages]

    async def read_to_end(self, *, deadline_s: float) -> AsyncIterator[Message]:
        """Yield every message up to the end of each partition as it is now; the last batch may go further.

        Raises:
            TransientError: more than `deadline_s` were spent waiting, or Kafka does not answer.
            FatalError: Kafka refuses us.

        """
        ends = await self.end_offsets()
        waited_s = 0.0
        while not await self.has_read(ends):
            started = monotonic()
            messages = await self.read(timeout_s=_POLL_S)
            waited_s += monotonic() - started
            if waited_s > deadline_s:
                message = f"the end of {', '.join(self._topics)} was not reached within {deadline_s} s"
                raise TransientError(message)
            for message in messages:
                yield message

    async def message_at(self, place: Place, offset: int, *, deadline_s: float) -> Message | None:
        """Return the message at `offset` of a partition that is read, None when it is not there (any more).

        Reading goes on behind it: for a reader that looks single messages up, not for one that follows.

        Raises:
            TransientError: no answer within `deadline_s`; or Kafka does not answer.
            FatalError: Kafka refuses us.

        """
        partition = TopicPartition(*place)
        doing = f"reading {place[0]}, partition {place[1]}, offset {offset}"
        try:
            async with asyncio.timeout(deadline_s):
                ends = await self._consumer.end_offsets([partition])
                firsts = await self._consumer.beginning_offsets([partition])
                if not firsts[partition] <= offset < ends[partition]:
                    return None
                self._consumer.seek(partition, offset)
                message: Message = await self._consumer.getone(partition)
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=doing) from error
        return message if message.offset == offset else None

    async def end_offsets(self) -> Mapping[Place, int]:
        """Return the offset after the last message of each partition that is read.

        Raises:
            TransientError: Kafka does not answer.

        """
        try:
            ends = await self._consumer.end_offsets(self._places)
        except KafkaError as error:
            raise translated(error, doing=f"asking for the end of {', '.join(self._topics)}") from error
        return ends

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        """Whether every message before `ends` was returned (or no longer exists)."""
        return all(
            [await self._consumer.position(TopicPartition(*place)) >= end for place, end in ends.items()]
        )

    async def _existing(self) -> list[TopicPartition]:
        places: list[TopicPartition] = []
        # The public way to learn a topic's partitions is to subscribe, which would begin to fetch.
        await self._consumer._client.set_topics(self._topics)  # noqa: SLF001  see above
        for topic in self._topics:
            found: set[int] | None = self._consumer.partitions_for_topic(topic)
            if not found:
                message = f"topic {topic} is missing: create it with `maestro topics`"
                raise TransientError(message)
            places += [
                TopicPartition(topic, number)
                for number in sorted(found)
                if self._partitions is None or number in self._partitions
            ]
        return places

    async def _first_offsets(self) -> dict[TopicPartition, int]:
        if isinstance(self._start, Mapping):
            firsts = await self._consumer.beginning_offsets(self._places)
            return {place: max(first, self._start.get(place, first)) for place, first in firsts.items()}
        if self._start is Start.BEGINNING:
            return await self._consumer.beginning_offsets(self._places)
        return await self._consumer.end_offsets(self._places)
