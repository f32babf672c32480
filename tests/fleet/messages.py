"""The conversation of one session as the topic tells it."""

import time

from bus.reader import Start, TopicReader
from schemas.partition import partition_of
from schemas.records import ConversationMessage
from schemas.topics import MESSAGES
from tests.fleet.fleet import Fleet


async def messages_of(
    fleet: Fleet, session_id: str, *, count: int, within_s: float
) -> list[ConversationMessage]:
    """Return the session's messages in the order of the conversation, when there are `count`, each once.

    Raises:
        AssertionError: there are fewer in time.

    """
    partition = partition_of(session_id, fleet.topics.partitions)
    topic = fleet.names.full(MESSAGES)
    deadline = time.monotonic() + within_s
    found: dict[str, ConversationMessage] = {}
    async with TopicReader(fleet.kafka, [topic], start=Start.BEGINNING, partitions=[partition]) as reader:
        while len(found) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"session {session_id} has {len(found)} messages on the topic, not {count}"
            for message in await reader.read(timeout_s=min(left, 1.0)):
                if message.key != session_id.encode():
                    continue
                record = fleet.codec.decode(MESSAGES, message.value)
                if isinstance(record, ConversationMessage):
                    found[record.id] = record
    return sorted(found.values(), key=lambda each: each.sequence_order)
