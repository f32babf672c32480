"""A consumer group member whose positions are kept elsewhere, for example in the store that it fills."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from bus.connection import client_options, translated
from bus.follower import Follower, Stream
from bus.membership import MembershipFacts, facts_of
from bus.message import Message, Place
from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError, TransientError

REBALANCE_TIMEOUT_MS = 60_000
REQUEST_TIMEOUT_MS = 90_000
"""Joining a group takes as long as a rebalance, so requests may take longer than one."""

_HEARTBEATS_PER_SESSION = 3
_MAX_POLL_INTERVAL_MS = 365 * 24 * 60 * 60 * 1000
"""Checked by the client only. A member that left while waiting for its store would never return."""

_STOP_LIMIT_S = 10.0
_CHECK_EVERY_S = 1.0

OnAssigned = Callable[[frozenset[Place]], Awaitable[Mapping[Place, int]]]
"""Told the places that were assigned; returns the next offset to read of each. Places left out start at the
beginning of the topic."""


class Consumer:
    """A member of a consumer group over the topics of all `streams`; equal partition numbers stay together.

    The member itself fetches nothing: each stream has a connection of its own, so that topics which somebody
    waits for do not pay for those which nobody waits for. After each assignment, and before the first message
    of it, `on_assigned` is asked where to go on. It is called from within `get_batch`, so what it raises
    reaches the caller and the next `get_batch` asks again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        streams: Sequence[Stream],
        group: str,
        on_assigned: OnAssigned,
    ) -> None:
        self._kafka = kafka
        self._topics = tuple(topic for stream in streams for topic in stream.topics)
        self._followers = tuple(Follower(kafka, stream) for stream in streams)
        self._group = group
        self._on_assigned = on_assigned
        self._member: Any = None
        self._generation = 0
        self._positioned = 0
        self._positioning = asyncio.Lock()
        self._checked_s = 0.0

    async def start(self) -> None:
        """Connect and begin to join the group.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        options: dict[str, Any] = client_options(self._kafka)
        options["request_timeout_ms"] = REQUEST_TIMEOUT_MS
        member: Any = AIOKafkaConsumer(
            **options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._kafka.session_timeout_ms,
            heartbeat_interval_ms=self._kafka.session_timeout_ms // _HEARTBEATS_PER_SESSION,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
        )
        logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_is_worth_a_line)
        member.subscribe(self._topics, listener=_Listener(self))
        self._member = member
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000):
                for follower in self._followers:
                    await follower.start()
                await member.start()
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise translated(error, doing=f"joining {self._group}") from error

    async def stop(self) -> None:
        """Leave the group and disconnect, within twenty seconds. Stopping twice does nothing."""
        member, self._member = self._member, None
        if member is not None:
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await member.stop()
            except (KafkaError, TimeoutError):
                pass  # the broker is away: it forgets this member after the session timeout
        async with asyncio.TaskGroup() as group:
            for follower in self._followers:
                group.create_task(follower.stop())

    @property
    def assignment(self) -> frozenset[Place]:
        """The places that belong to this member now."""
        return frozenset((place.topic, place.partition) for place in self._member.assignment())

    @property
    def generation(self) -> int:
        """Number of assignments so far: messages of an earlier one may belong to another member by now."""
        return self._generation

    def membership(self) -> MembershipFacts:
        """Look at the group membership, for who has to notice that it is gone for good."""
        return facts_of(getattr(self._member, "_coordinator", None))

    async def get_batch(
        self, stream: int = 0, *, max_records: int, timeout_s: float
    ) -> Mapping[Place, Sequence[Message]]:
        """Return what is there of a stream, at most `max_records`, by offset for each place.

        Empty after `timeout_s`. Streams may be read at the same time; each by one caller.

        Raises:
            TransientError: Kafka does not answer; call again.
            FatalError: an offset to go on from is outside the topic (recreated, or retention was faster than
                this group), or Kafka refuses us.
            Exception: whatever `on_assigned` raises; call again.

        """
        try:
            async with asyncio.timeout(timeout_s + REBALANCE_TIMEOUT_MS / 1000):
                if not await self._is_positioned(timeout_s):
                    return {}
                batch = await self._followers[stream].get_batch(max_records=max_records, timeout_s=timeout_s)
        except OffsetOutOfRangeError as error:
            raise _out_of_range(error, self._group) from error
        except NoOffsetForPartitionError:
            return {}  # a place that was assigned while we waited: the next call asks where to go on
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=f"reading as {self._group}") from error
        # What the client returns is of the partitions that it follows at this moment, also when they were
        # assigned and positioned by the call for another stream while this one waited. When a rebalance has
        # begun since, it is dropped: whoever has the partitions next reads it again.
        return batch if self._positioned == self._generation else {}

    def rest(self, stream: int, rest_s: float) -> None:
        """Change how long nothing of a stream is fetched after each of its batches."""
        self._followers[stream].rest_s = rest_s

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell Kafka the next offsets, for those who watch the group's lag. Positions do not depend on it.

        Raises:
            TransientError: Kafka does not answer, or the group is rebalancing.

        """
        mine = self._assigned(offsets)
        try:
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):
                await self._member.commit({place: offsets[place.topic, place.partition] for place in mine})
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=f"committing for {self._group}") from error

    async def end_offsets(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Return the offset after the last message of each place, whoever is assigned it.

        Raises:
            TransientError: Kafka does not answer.

        """
        asked = [TopicPartition(*place) for place in places]
        try:
            if self._member is None:
                message = "it has left the group"
                raise TransientError(message)
            async with asyncio.timeout(self._kafka.request_timeout_ms / 1000):
                ends = await self._member.end_offsets(asked)
        except (KafkaError, TimeoutError) as error:
            raise translated(error, doing=f"asking for end offsets as {self._group}") from error
        if len(ends) < len(asked):
            # Kafka leaves out partitions without a leader.
            message = "some partitions have no leader: their ends are unknown now"
            raise TransientError(message)
        return ends

    def assigned(self) -> None:
        """Note a new assignment: nothing of it is read until its positions are known."""
        self._generation += 1
        self._member.pause(*self._member.assignment())

    def revoked(self) -> None:
        """Note that the assignment is being given back."""
        self._generation += 1

    async def _is_positioned(self, timeout_s: float) -> bool:
        is_new = self._positioned != self._generation
        if is_new or monotonic() - self._checked_s > _CHECK_EVERY_S:
            self._checked_s = monotonic()
            try:
                # All partitions of the member are paused, so nothing is returned. But it waits while the
                # group is rebalancing, and raises what the group refuses.
                async with asyncio.timeout(timeout_s):
                    await self._member.getmany(timeout_ms=0)
            except TimeoutError:
                return False
        if is_new:
            await self._position()
        return True

    async def _position(self) -> None:
        async with self._positioning:
            generation = self._generation
            if self._positioned == generation:
                return
            for follower in self._followers:
                follower.follow({})
            places = self.assignment
            positions = await self._positions(places) if places else {}
            if generation != self._generation:
                return
            for place, position in positions.items():
                # Else the member would look for a position by itself, again and again.
                self._member.seek(place, position)
            for follower in self._followers:
                topics = follower.topics
                follower.follow({place: at for place, at in positions.items() if place.topic in topics})
            self._positioned = generation

    async def _positions(self, places: frozenset[Place]) -> dict[TopicPartition, int]:
        wanted = await self._on_assigned(places)
        firsts = await self._member.beginning_offsets(self._assigned(places))
        ends = await self._member.end_offsets(self._assigned(places))
        return {
            place: _checked(place, wanted.get(place), first, ends[place], self._group)
            for place, first in firsts.items()
        }

    def _assigned(self, places: Iterable[Place]) -> list[TopicPartition]:
        mine = self._member.assignment()
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


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    # One line per partition in each rebalance; these offsets only show lag, and are committed again soon.
    return not str(record.msg).startswith("OffsetCommit failed")
