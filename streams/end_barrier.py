"""The barrier at a topic's end: the record holds everything that was published there before now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import TransientError
from schemas.topics import TopicSpec


class EndOffsets(Protocol):
    """The topics' ends."""

    async def end_offsets(self, topics: Collection[str]) -> Mapping[tuple[str, int], int]:
        """Return the offset that the next message of each partition will get; topics by their full names.

        A topic that is not there, or has no leader at the moment, is left out. Raises TransientError.
        """
        ...


class Barrier(Protocol):
    """The record's progress."""

    async def wait(self, topic: str, partition: int, offset_end: int) -> None:
        """Return when everything of the partition below `offset_end` is in the record."""
        ...


class Names(Protocol):
    """Topic names with the prefix."""

    def full(self, spec: TopicSpec) -> str:
        """Return the full name of a topic."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EndBarrier:
    """Waits for the sink to pass the end that a topic has now."""

    names: Names
    ends: EndOffsets
    barrier: Barrier

    async def passed(self, topic: TopicSpec, partition: int) -> None:
        """Return when the record holds what the topic's partition holds now.

        Raises:
            TransientError: Kafka or Postgres is away, or the sink is too far behind.

        """
        name = self.names.full(topic)
        ends = await self.ends.end_offsets((name,))
        if (name, partition) not in ends:
            # Kafka leaves out what has no leader at the moment.
            message = f"Kafka does not say where {name}/{partition} ends; is the topic there?"
            raise TransientError(message)
        await self.barrier.wait(name, partition, ends[name, partition])
