"""Misplaced messages: sent on to the partition and under the key that their session has, with the same id."""

from schemas.partition import partition_of
from streams.runtime.record import Record as Message
from streams.session.event import Event
from streams.session.ports import Publisher
from telemetry.tracing import Trace


def is_misplaced(message: Message, session_id: str, *, partitions: int) -> bool:
    """Return whether a message came without its session's key, or not in its session's partition.

    Either would let one session run in two lanes: here, or on two workers.
    """
    if message.key != session_id.encode():
        return True
    return message.partition != partition_of(session_id, partitions)


async def forward(publisher: Publisher, event: Event, *, trace: Trace, partitions: int) -> None:
    """Publish the event's record where it belongs and await the delivery.

    The record carries its id from now on: doing this twice gives a repetition, not a second event.
    """
    record = event.record.model_copy(update={"id": event.id})
    await publisher.publish(record, trace=trace, partition=partition_of(event.session_id, partitions))
