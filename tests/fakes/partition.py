"""A partition in memory, and a store that is fed from it as a sink would."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bus.codec import Codec
from bus.message import Message
from schemas.records import Record
from schemas.topics import BY_RECORD, TopicSpec
from sinks.ports import Batch, Entry, Move, Refused, Store

CODEC = Codec()


@dataclass(frozen=True)
class Kept:
    """One message as it lies in a partition."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = b"key"
    timestamp: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass
class Partition:
    """Records of one topic, one partition, written to the store batch by batch."""

    spec: TopicSpec
    number: int = 3
    entries: list[Entry] = field(default_factory=list[Entry])
    position: int = 0
    refused: list[Refused] = field(default_factory=list[Refused])

    def append(self, *records: Record) -> "Partition":
        """Add records at the end; they must be of this topic."""
        for record in records:
            assert BY_RECORD[type(record)] is self.spec
            value = CODEC.encode(record)
            message: Message = Kept(self.spec.name, self.number, len(self.entries), value)
            self.entries.append(Entry(message, CODEC.decode_plain(self.spec, value)))
        return self

    async def write(self, store: Store, count: int | None = None, *, from_offset: int | None = None) -> None:
        """Write the next `count` records (all), standing where this process believes the store to be."""
        first = self.position if from_offset is None else from_offset
        batch = self.entries[first:] if count is None else self.entries[first : first + count]
        moves = [Move(self.number, first, first + len(batch))] if batch else []
        await store.write([Batch(self.spec, self.spec.name, batch, moves)], self._refuse)
        self.position = first + len(batch)

    async def _refuse(self, refused: Sequence[Refused]) -> None:
        self.refused += refused


async def write_all(store: Store, *records: Record) -> None:
    """Write records of any topics, each topic from the beginning of a partition of its own."""
    partitions: dict[TopicSpec, Partition] = {}
    for record in records:
        spec = BY_RECORD[type(record)]
        partitions.setdefault(spec, Partition(spec)).append(record)
    await store.begin([(spec.name, partition.number) for spec, partition in partitions.items()])
    for partition in partitions.values():
        await partition.write(store)
