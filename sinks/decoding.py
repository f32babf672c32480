"""Messages to rows, without holding the event loop."""

import asyncio
from collections.abc import Sequence

from bus.message import Message
from schemas.errors import ErrorCode, PoisonError
from schemas.lists import DeadLetterReason
from schemas.topics import TopicSpec
from sinks.ports import Decoder, Entry, Refused

_TURN = 250
"""Messages decoded in one turn of the loop: 5,000 in one go hold it for 36 ms."""

_REASONS = {
    ErrorCode.UNKNOWN_SCHEMA: DeadLetterReason.UNKNOWN_SCHEMA,
    ErrorCode.INVALID: DeadLetterReason.INVALID,
    ErrorCode.TOO_LARGE: DeadLetterReason.TOO_LARGE,
}


async def decoded(
    decoder: Decoder, spec: TopicSpec, messages: Sequence[Message]
) -> tuple[list[Entry], list[Refused]]:
    """Return the rows of the messages in order, and those that cannot be decoded.

    A message without a value is a tombstone on a compacted topic, and undecodable elsewhere.
    """
    entries: list[Entry] = []
    refused: list[Refused] = []
    for number, message in enumerate(messages, 1):
        if message.value is None and spec.is_compacted:
            entries.append(Entry(message, None))
            continue
        try:
            entries.append(Entry(message, decoder.decode_plain(spec, message.value)))
        except PoisonError as error:
            reason = _REASONS.get(error.code, DeadLetterReason.UNDECODABLE)
            refused.append(Refused(message, reason, error.message))
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return entries, refused
