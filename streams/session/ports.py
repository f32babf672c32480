"""What the session step needs of the world: stores, topics and the record, as protocols."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schemas.lists import DeadLetterReason
from schemas.records import Agent, LogEntry, Record
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
        """Store all or nothing, on condition of epoch and (term, version) or token; False when refused."""
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

    async def publish(
        self,
        record: Record,
        *,
        trace: Trace,
        partition: int | None = None,
        more_headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> Delivery:
        """Publish and return when the broker has acknowledged it. `more_headers` follow our own."""
        ...

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        """Publish at the same time, in no order; return when the broker has acknowledged all of them.

        Raises what the gravest failure is: FatalError before TransientError.
        """
        ...


class EndOffsets(Protocol):
    """The topics' ends."""

    async def end_offsets(self, topics: Collection[str]) -> Mapping[tuple[str, int], int]:
        """Return the offset that the next message of each partition will get; topics by their full names.

        A topic that is not there, or has no leader at the moment, is left out. Raises TransientError.
        """
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


class StoredLog(Protocol):
    """One accepted entry with the columns of its decision."""

    @property
    def session_id(self) -> str:
        """Session that decided."""
        ...

    @property
    def task_id(self) -> str:
        """Task of the session."""
        ...

    @property
    def user_id(self) -> str:
        """Owner of the session."""
        ...

    @property
    def term(self) -> int:
        """Fence in force when it was decided."""
        ...

    @property
    def cause_id(self) -> str:
        """Event that caused it."""
        ...

    @property
    def cause_topic(self) -> str:
        """Topic of that event, without prefix."""
        ...

    @property
    def cause_partition(self) -> int:
        """Partition of that event."""
        ...

    @property
    def cause_offset(self) -> int:
        """Offset of that event."""
        ...

    @property
    def trace_id(self) -> str:
        """Trace of that event."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """The broker's time of that event."""
        ...

    def entry(self) -> LogEntry:
        """Return the entry as it was published."""
        ...


class SessionLogs(Protocol):
    """The record of the sessions' logs."""

    async def head(self, session_id: str) -> Head:
        """Return where the session's log stands; zeros for an unknown session."""
        ...

    async def entries(
        self, session_id: str, *, after: int = 0, upto: int | None = None
    ) -> Sequence[StoredLog]:
        """Return the accepted entries with `after` < sequence ≤ `upto`, in order."""
        ...

    async def since_checkpoint(
        self, session_id: str, *, upto: int, context_format: int
    ) -> Sequence[StoredLog]:
        """Return the accepted entries from the last checkpoint of that format up to `upto`, in order.

        Where there is none, from the first entry on.
        """
        ...


class Runs(Protocol):
    """The record of runs."""

    async def is_known(self, session_id: str, run_id: str) -> bool:
        """Return whether the accepted log of the session took the run's message, or rejected it."""
        ...

    async def is_decided(self, session_id: str, event_id: str) -> bool:
        """Return whether the accepted log of the session has a decision that the event caused."""
        ...


class RecordedSteps(Protocol):
    """The record of steps."""

    async def of_session(self, session_id: str) -> Collection[str]:
        """Return the ids of a session's generations and tool calls, as far as they are recorded."""
        ...


class StepValues(Protocol):
    """The journal's values of steps."""

    async def forget(self, partition: int, step_ids: Collection[str]) -> None:
        """Delete what is kept of these steps; whether they are done is in the record alone from then on."""
        ...


class Feeds(Protocol):
    """The live feeds."""

    async def delete(self, partition: int, session_id: str) -> None:
        """Forget the feed of a session."""
        ...


class RecordedTimer(Protocol):
    """One moment that a session's record says it waits for."""

    @property
    def session_id(self) -> str:
        """Session that waits."""
        ...

    @property
    def key(self) -> str:
        """What the timer guards."""
        ...

    @property
    def kind(self) -> str:
        """What the timer is for."""
        ...

    @property
    def due_ms(self) -> int:
        """Unix time in milliseconds."""
        ...


class RecordedTimers(Protocol):
    """The timers on the sessions' records."""

    async def of_partition(
        self, partition: int, *, after: str | None = None, limit: int = 1000
    ) -> Sequence[RecordedTimer]:
        """Return the timers of the next sessions after one, in session order; nothing at the end."""
        ...


class Barrier(Protocol):
    """Waiting for the record."""

    async def wait(self, topic: str, partition: int, offset_end: int) -> None:
        """Return when the record has everything of the partition below the offset."""
        ...
