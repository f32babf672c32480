"""What the session step needs of the world: stores, topics and the record, as protocols."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schemas.lists import DeadLetterReason
from schemas.records import Agent, Record
from schemas.topics import TopicSpec
from stores.redis.contexts import Epoch, FeedEntry, Loaded, Stored, TimerEntry
from stores.redis.timers import DueTimer
from telemetry.tracing import Trace


class Contexts(Protocol):
    """Contexts in Redis."""

    async def load(self, partition: int, session_id: str, *, leave_token: bool) -> Loaded:
        """Return the context or its absence; where it is absent and wished, leave a fresh token."""
        ...

    async def store(
        self,
        partition: int,
        session_id: str,
        *,
        epoch: str,
        expected: tuple[int, int] | str,
        new: Stored,
        ttl_s: int,
        timers_set: Sequence[TimerEntry] = (),
        timers_removed: Sequence[str] = (),
        feed: Sequence[FeedEntry] = (),
    ) -> bool:
        """Store all or nothing, on condition of epoch and (term, version) or own token; False when refused."""
        ...


class Timers(Protocol):
    """Due times in Redis."""

    async def epoch(self, partition: int) -> Epoch:
        """Return the partition's current epoch."""
        ...

    async def due(self, partition: int, limit: int) -> tuple[DueTimer, ...]:
        """Return what is due by Redis' clock."""
        ...

    async def remove_if_unchanged(self, partition: int, timer: DueTimer) -> bool:
        """Remove a timer unless it was given another due time."""
        ...

    async def is_armed(self, partition: int) -> bool:
        """Tell whether the timers were made complete in the current epoch."""
        ...

    async def arm(self, partition: int, epoch: str, entries: Sequence[DueTimer]) -> bool:
        """Put timers back; False when the epoch has changed."""
        ...

    async def mark_armed(self, partition: int, epoch: str) -> bool:
        """Note that the timers are complete; False when the epoch has changed."""
        ...


class Delivery(Protocol):
    """Where the broker put a message."""

    @property
    def topic(self) -> str:
        """Full name of the topic."""
        ...

    @property
    def offset(self) -> int:
        """Offset within its partition."""
        ...


class Publisher(Protocol):
    """The topics, for writing."""

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Delivery:
        """Publish and return when the broker has acknowledged it."""
        ...


class EndOffsets(Protocol):
    """The topics' ends."""

    async def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset that the next message of the partition will get; `topic` is the full name."""
        ...


class Decoder(Protocol):
    """Bytes to records."""

    def decode(self, spec: TopicSpec, value: bytes) -> Record:
        """Return the record. Raises PoisonError."""
        ...


class TopicNames(Protocol):
    """Names with and without the prefix."""

    def full(self, spec: TopicSpec) -> str:
        """Return the full name of a topic."""
        ...

    def spec_of(self, full_name: str) -> TopicSpec | None:
        """Return the topic of that full name, or None when it is not one of ours."""
        ...


class DeadLetters(Protocol):
    """Where messages go that cannot be processed."""

    async def put(
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        reason: DeadLetterReason,
        message: str,
        stage: str,
    ) -> None:
        """Keep a message with the reason."""
        ...


class Agents(Protocol):
    """The agents' configurations."""

    async def get(self, agent_id: str) -> Agent | None:
        """Return the agent, or None when nobody has published it."""
        ...


class Head(Protocol):
    """Where the record of a session ends."""

    @property
    def fence(self) -> int:
        """The fence in force; 0 before any."""
        ...

    @property
    def sequence(self) -> int:
        """Sequence of the last entry; 0 before any."""
        ...

    @property
    def hash(self) -> str:
        """Hash of the last entry; empty before any."""
        ...

    @property
    def erased(self) -> bool:
        """Whether the session was erased."""
        ...
