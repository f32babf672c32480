"""The id of a message that brought none: the place where it was published first."""

from bus.redrive import first_place
from schemas import ids
from schemas.topics import TopicSpec
from streams.runtime.record import Record as Message
from streams.session.ports import TopicNames


def place_id(message: Message, spec: TopicSpec, names: TopicNames) -> str:
    """Return the id that follows from a message's place; `spec` is its topic. Pure.

    A dead letter that is driven again has another place each time. It keeps its id, because it names its
    first one: however often it is driven again, it is one message.
    """
    first = first_place(message.headers)
    if first is None or names.spec_of(first.topic) is not spec:
        return ids.event_id(spec.name, message.partition, message.offset)
    return ids.event_id(spec.name, first.partition, first.offset)
