"""The id of a message that brought none: the place where it was published first."""

from collections.abc import Sequence

from bus.redrive import first_place
from schemas import ids
from schemas.topics import TopicSpec
from streams.session.ports import TopicNames


def place_id(
    spec: TopicSpec,
    partition: int,
    offset: int,
    *,
    headers: Sequence[tuple[str, bytes | None]],
    names: TopicNames,
) -> str:
    """Return the id that follows from a message's place on the topic `spec`. Pure.

    A dead letter that is driven again has another place each time. It keeps its id, because it names its
    first one: however often it is driven again, it is one message.
    """
    first = first_place(headers)
    if first is None or names.spec_of(first.topic) is not spec:
        return ids.event_id(spec.name, partition, offset)
    return ids.event_id(spec.name, first.partition, first.offset)
