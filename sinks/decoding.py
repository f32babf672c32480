"""Messages to rows, without holding the event loop."""

import asyncio
from collections.abc import Mapping, Sequence

from bus.message import Message, Place
from schemas.errors import ErrorCode, MaestroError, PoisonError
from schemas.lists import DeadLetterReason
from schemas.topics import TopicSpec
from sinks.ports import Decoder, Entry, Refused
from telemetry.logs import logger, without_text

_TURN = 250
"""Messages decoded in one turn of the loop: 5,000 in one go hold it for 36 ms."""

_REASONS = {
    ErrorCode.UNKNOWN_SCHEMA: DeadLetterReason.UNKNOWN_SCHEMA,
    ErrorCode.INVALID: DeadLetterReason.INVALID,
    ErrorCode.TOO_LARGE: DeadLetterReason.TOO_LARGE,
}

_log = logger(__name__)


async def decoded(
    decoder: Decoder, topics: Mapping[str, TopicSpec], messages: Mapping[Place, Sequence[Message]]
) -> dict[Place, list[Entry]]:
    """Return the entries of the messages in order; what cannot be decoded says why.

    `topics` are full names. A message without a value is a tombstone on a compacted topic, and undecodable
    elsewhere. An error that the decoder did not foresee is the fault of one message: the others are kept.
    """
    found: dict[Place, list[Entry]] = {}
    left = _TURN
    for place, several in messages.items():
        spec = topics[place[0]]
        entries = found[place] = []
        for message in several:
            entries.append(_outcome(decoder, spec, message))
            left -= 1
            if not left:
                left = _TURN
                await asyncio.sleep(0)
    return found


def _outcome(decoder: Decoder, spec: TopicSpec, message: Message) -> Entry:
    if message.value is None and spec.is_compacted:
        return Entry(message, None)
    try:
        return Entry(message, decoder.decode_plain(spec, message.value))
    except PoisonError as error:
        reason = _REASONS.get(error.code, DeadLetterReason.UNDECODABLE)
        return Entry(message, None, Refused(message, reason, error.message))
    except MaestroError:
        raise
    except Exception as error:  # noqa: BLE001  raised again, it would stop the sink here after each restart
        place = {"topic": spec.name, "partition": message.partition, "offset": message.offset}
        _log.error("decoding raised", **place, exc_info=without_text(error))
        sentence = f"decoding raised {type(error).__name__}: {error}"
        return Entry(message, None, Refused(message, DeadLetterReason.HANDLER_ERROR, sentence))
