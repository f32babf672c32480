"""A consumer group member whose positions are kept elsewhere, for example in the store that it fills."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from bus.connection import client_options, translated
from bus.message import Message, Place
from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError

REBALANCE_TIMEOUT_MS = 60_000
REQUEST_TIMEOUT_MS = 90_000
"""Joining a group takes as long as a rebalance, so requests may take longer than one."""

_HEARTBEATS_PER_SESSION = 3
_MAX_POLL_INTERVAL_MS = 365 * 24 * 60 * 60 * 1000
"""Checked by the client only. A member that left while waiting for its store would never return."""

_FETCH_WAIT_MS = 250
_STOP_LIMIT_S = 10.0

OnAssigned = Callable[[frozenset[Place]], Awaitable[Mapping[Place, int]]]
"""Told the places that were assigned; returns the next offset to read of each. Places left out start at the
beginning of the topic."""


class Consumer:
    """A member of a consumer group over `topics` (full names); equal partition numbers stay together.

    After each assignment, and before the first message of it, `on_assigned` is asked where to go on. It is
    called from within `get_batch`, so what it raises reaches the caller and the next `get_batch` asks again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        topics: Sequence[str],
        group: str,
        on_assigned: OnAssigned,
    ) -> None:
        self._kafka = kafka
        self._topics = tuple(topics)
        self._group = group
        self._on_assigned = on_assigned
        self._consumer: Any = None
        self._generation = 0
        self._positioned = 0
        self._paused: frozenset[Place] = frozenset()

    async def start(self) -> None:
        """Connect and begin to join the group.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        options: dict[str, Any] = client_options(self._kafka)
        options["request_timeout_ms"] = REQUEST_TIMEOUT_MS
        consumer: Any = AIOKafkaConsumer(
            **options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._kafka.session_timeout_ms,
            heartbeat_interval_ms=self._kafka.session_timeout_ms // _HEARTBEATS_PER_SESSION,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        consumer.subscribe(self._topics, listener=_Listener(self))
        self._consumer = consumer
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000):
                await consumer.start()
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise translated(error, doing=f"joining {self._group}") from error

    async def stop(self) -> None:
        """Leave the group and disconnect, within ten seconds. Stopping twice does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await consumer.stop()
            except (KafkaError, TimeoutError):
                pass  # the broker is away: it forgets this member after the session timeout

    @property
    def assignment(self) -> frozenset[Place]:
        """The places that belong to this member now."""
        return frozenset((place.topic, place.partition) for place in self._consumer.assignment())

    @property
    def generation(self) -> int:
        """Number of assignments so far: messages of an earlier one may belong to another member by now."""
        return self._generation

    async def get_batch(self, *, max_records: int, timeout_s: float) -> Mapping[Place, Sequence[Message]]:
        """Return what is there, at most `max_records`, by offset for each place; empty after `timeout_s`.

        Raises:
            TransientError: Kafka does not answer; call again.
            FatalError: an offset to go on from is outside the topic (recreated, or retention was faster than
                this group), or Kafka refuses us.
            Exception: whatever `on_assigned` raises; call again.

        """
        generation = self._generation
        try:
            async with asyncio.timeout(timeout_s + REBALANCE_TIMEOUT_MS / 1000):
                if self._positioned != generation:
                    await self._position(generation)
                batch = await self._consumer.getmany(
                    timeout_ms=int(timeout_s * 1000), max_records=max_records
                )
        except OffsetOutOfRangeError as error:
            raise _out_of_range(error, self._group) from error
        except NoOffsetForPartitionError:
            return {}  # a place that was assigned while we waited: the next call asks where to go on
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=f"reading as {self._group}") from error
        # Messages read across an assignment are dropped: it will be asked for its positions again.
        return batch if generation == self._generation and self._positioned == generation else {}

    def pause(self, places: Iterable[Place]) -> None:
        """Return no messages of these places until `resume`; membership goes on, also over assignments."""
        self._paused |= frozenset(places)
        self._consumer.pause(*self._assigned(self._paused))

    def resume(self, places: Iterable[Place]) -> None:
        """Return messages of these places again."""
        self._paused -= (freed := frozenset(places))
        if self._positioned == self._generation:
            self._consumer.resume(*self._assigned(freed))

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell Kafka the next offsets, for those who watch the group's lag. Positions do not depend on it.

        Raises:
            TransientError: Kafka does not answer, or the group is rebalancing.

        """
        mine = self._assigned(offsets)
        try:
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):
                await self._consumer.commit({place: offsets[place.topic, place.partition] for place in mine})
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=f"committing for {self._group}") from error

    async def end_offsets(self) -> Mapping[Place, int]:
        """Return the offset after the last message of each assigned place.

        Raises:
            TransientError: Kafka does not answer.

        """
        try:
            ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        except KafkaError as error:
            raise translated(error, doing=f"asking for end offsets as {self._group}") from error
        return ends

    def assigned(self) -> None:
        """Note a new assignment: nothing of it is read until its positions are known."""
        self._generation += 1
        self._consumer.pause(*self._consumer.assignment())

    def revoked(self) -> None:
        """Note that the assignment is being given back."""
        self._generation += 1

    async def _position(self, generation: int) -> None:
        places = self.assignment
        if not places:
            self._positioned = generation
            return
        wanted = await self._on_assigned(places)
        firsts = await self._consumer.beginning_offsets(self._assigned(places))
        ends = await self._consumer.end_offsets(self._assigned(places))
        if generation != self._generation:
            return
        for place, first in firsts.items():
            self._consumer.seek(place, _checked(place, wanted.get(place), first, ends[place], self._group))
        self._positioned = generation
        self._consumer.resume(*self._assigned(places - self._paused))

    def _assigned(self, places: Iterable[Place]) -> list[TopicPartition]:
        mine = self._consumer.assignment()
        return [place for place in (TopicPartition(*each) for each in places) if place in mine]


class _Listener(ConsumerRebalanceListener):
    """Notes assignments and cannot fail: aiokafka would log a failure and go on reading."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: Any) -> None:
        del revoked
        self._consumer.revoked()

    def on_partitions_assigned(self, assigned: Any) -> None:
        del assigned
        self._consumer.assigned()


def _checked(place: TopicPartition, wanted: int | None, first: int, end: int, group: str) -> int:
    if not wanted:
        return first
    if first <= wanted <= end:
        return wanted
    name = f"{place.topic} {place.partition}"
    if wanted > end:
        message = f"{group} is at offset {wanted} of {name}, which ends at {end}: was the topic recreated?"
    else:
        message = (
            f"{group} is at offset {wanted} of {name}, whose messages before {first} are gone: too far behind"
        )
    raise FatalError(message, code=ErrorCode.TOPIC_RECREATED)


def _out_of_range(error: OffsetOutOfRangeError, group: str) -> FatalError:
    message = f"{group} reads where the topic has nothing ({error}): recreated, or deleted before it was read"
    return FatalError(message, code=ErrorCode.TOPIC_RECREATED)
