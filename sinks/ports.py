"""What a sink needs of the bus and of its store."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bus.membership import MembershipFacts
from bus.message import Message, Place
from schemas.lists import DeadLetterReason
from schemas.topics import TopicSpec

Row = dict[str, Any]
"""A record's fields: uuids as text, instants as integer microseconds, JSON as text."""


class Source(Protocol):
    """A member of a consumer group that asks its owner where to go on, never the group."""

    @property
    def generation(self) -> int:
        """Number of assignments so far: what was ours in an earlier one may be another's by now."""
        ...

    def membership(self) -> MembershipFacts:
        """Look at the membership: whether messages can arrive."""
        ...

    async def start(self) -> None:
        """Join the group."""
        ...

    async def stop(self) -> None:
        """Leave the group."""
        ...

    async def get_batch(
        self, stream: int = 0, *, max_records: int, timeout_s: float
    ) -> Mapping[Place, Sequence[Message]]:
        """Return what is there of a stream, in offset order within a place; empty after `timeout_s`.

        After an assignment the owner is asked first where to go on; what that raises is raised here.
        """
        ...

    def rest(self, stream: int, rest_s: float) -> None:
        """Change how long nothing of a stream is fetched after each of its batches."""
        ...

    def assigned(self) -> None:
        """Read nothing more until the owner was asked again where to go on, as after an assignment."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group's watchers the next offsets; positions do not depend on it."""
        ...

    async def end_offsets(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Return the offset after the last message of each place, whoever is assigned it."""
        ...


class Decoder(Protocol):
    """Bytes to rows."""

    def decode_plain(self, spec: TopicSpec, value: bytes | None) -> Row:
        """Return the fields of a value.

        Raises:
            PoisonError: the bytes are no record of this topic.

        """
        ...


class DeadLetterBox(Protocol):
    """Where messages go that cannot be processed."""

    async def put(
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        reason: DeadLetterReason,
        message: str,
        stage: str,
    ) -> None:
        """Keep the message with the reason; returns when the broker has it."""
        ...


class Refused(NamedTuple):
    """A message that cannot be kept, and why."""

    message: Message
    reason: DeadLetterReason
    sentence: str


class Entry(NamedTuple):
    """One message on its way into the store. A tuple: a hundred thousand of them are made in two seconds."""

    message: Message
    row: Row | None
    """None for a tombstone, and for what could not be decoded."""
    refused: Refused | None = None
    """Why it could not be decoded."""


@dataclass(frozen=True, slots=True)
class Move:
    """How far a batch moves a partition: from the offset that must be stored now to the next one."""

    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written of one topic: entries in order within each partition, and how far they move it."""

    spec: TopicSpec
    topic: str
    """Full name."""
    entries: Sequence[Entry]
    moves: Sequence[Move]


OnRefused = Callable[[Sequence[Refused]], Awaitable[None]]


class Store(Protocol):
    """Where one sink's rows and offsets are kept, together."""

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the next offset of each partition.

        Raises:
            TransientError: the store cannot answer now.

        """
        ...

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        """Write the rows of some topics and move their offsets, all or nothing.

        Rows that the store refuses are given to `refuse` before the commit; if that fails, nothing is
        written. Entries that could not be decoded only move the offsets: they are dead letters by then.

        Raises:
            OvertakenError: a partition does not stand at `first`: somebody else moved it.
            FatalError: something is refused that must not be passed over.
            TransientError: the store cannot answer now.

        """
        ...

    async def keep_up(self) -> None:
        """Do what has to be done ahead of time: at the start and several times a day."""
        ...
