"""What is taken from Kafka at once: from the client's records to ours."""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from streams.runtime.record import Record


class Take(NamedTuple):
    """Messages of one generation of the group, those of a partition in their order."""

    records: Sequence[Record]
    generation: int


def records_of(messages: Iterable[Any]) -> list[Record]:
    """Return the messages of one partition as the client gives them, as records."""
    return [
        Record(
            message.topic,
            message.partition,
            message.offset,
            message.timestamp or 0,
            message.key,
            message.value,
            tuple([(name, value or b"") for name, value in message.headers]),
        )
        for message in messages
    ]


def in_turn(partitions: Sequence[list[Record]]) -> list[Record]:
    """Return the records of all partitions, the oldest of each first: a long one holds no other up."""
    if len(partitions) == 1:
        return partitions[0]
    return [record for record in chain.from_iterable(zip_longest(*partitions)) if record is not None]
