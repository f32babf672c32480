"""Misplaced messages: sent on to the partition and under the key that their session has, with the same id."""

from collections.abc import Sequence

from schemas.partition import partition_of
from streams.runtime.record import Record as Message
from streams.session.event import Event
from streams.session.ports import Publisher
from telemetry.tracing import HEADER, Trace

FORWARDED_FROM = "maestro.forwarded_from"
"""Header with the place that a message was first written to: topic/partition/offset."""

_OURS = frozenset({HEADER, "content-type", FORWARDED_FROM})
_OUR_PREFIX = "ce_"
_MAX_HEADER_BYTES = 32_768
"""Beyond it the producer's own headers are left out, so that the message still fits."""


def is_misplaced(message: Message, session_id: str, *, partitions: int) -> bool:
    """Return whether a message came without its session's key, or not in its session's partition.

    Either would let one session run in two lanes: here, or on two workers.
    """
    if message.key != session_id.encode():
        return True
    return message.partition != partition_of(session_id, partitions)


async def forward(
    publisher: Publisher, message: Message, event: Event, *, trace: Trace, partitions: int
) -> None:
    """Publish the event's record where it belongs and await the delivery.

    The record carries its id from now on: doing this twice gives a repetition, not a second event. The
    producer's headers go with it, and one that says where the message was first.
    """
    record = event.record.model_copy(update={"id": event.id})
    await publisher.publish(
        record,
        trace=trace,
        partition=partition_of(event.session_id, partitions),
        more_headers=kept_headers(message),
    )


def kept_headers(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers that a message keeps when it is sent on: its producer's, and where it was. Pure."""
    known = [content for name, content in message.headers if name == FORWARDED_FROM]
    place = f"{message.topic}/{message.partition}/{message.offset}".encode()
    origin = (FORWARDED_FROM, known[0] if known else place)
    theirs: list[tuple[str, bytes | None]] = [
        (name, content)
        for name, content in message.headers
        if name not in _OURS and not name.startswith(_OUR_PREFIX)
    ]
    if sum(len(name) + len(content or b"") for name, content in theirs) > _MAX_HEADER_BYTES:
        theirs = []
    return [*theirs, origin]
