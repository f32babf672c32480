"""Messages to rows, without holding the event loop."""

import asyncio
from collections.abc import Sequence

from bus.message import Message
from schemas.errors import ErrorCode, MaestroError, PoisonError
from schemas.lists import DeadLetterReason
from schemas.topics import TopicSpec
from sinks.ports import Decoder, Entry, Refused
from telemetry.logs import logger

_TURN = 250
"""Messages decoded in one turn of the loop: 5,000 in one go hold it for 36 ms."""

_REASONS = {
    ErrorCode.UNKNOWN_SCHEMA: DeadLetterReason.UNKNOWN_SCHEMA,
    ErrorCode.INVALID: DeadLetterReason.INVALID,
    ErrorCode.TOO_LARGE: DeadLetterReason.TOO_LARGE,
}

_log = logger(__name__)


async def decoded(
    decoder: Decoder, spec: TopicSpec, messages: Sequence[Message]
) -> tuple[list[Entry], list[Refused]]:
    """Return the rows of the messages in order, and those that cannot be decoded.

    A message without a value is a tombstone on a compacted topic, and undecodable elsewhere. An error that
    the decoder did not foresee is the fault of one message: the others are kept all the same.
    """
    entries: list[Entry] = []
    refused: list[Refused] = []
    for number, message in enumerate(messages, 1):
        if message.value is None and spec.is_compacted:
            entries.append(Entry(message, None))
            continue
        outcome = _outcome(decoder, spec, message)
        if isinstance(outcome, Entry):
            entries.append(outcome)
        else:
            refused.append(outcome)
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return entries, refused


def _outcome(decoder: Decoder, spec: TopicSpec, message: Message) -> Entry | Refused:
    try:
        return Entry(message, decoder.decode_plain(spec, message.value))
    except PoisonError as error:
        reason = _REASONS.get(error.code, DeadLetterReason.UNDECODABLE)
        return Refused(message, reason, error.message)
    except MaestroError:
        raise
    except Exception as error:  # noqa: BLE001  raised again, it would stop the sink here after each restart
        _log.exception("decoding raised", topic=spec.name, partition=message.partition, offset=message.offset)
        sentence = f"decoding raised {type(error).__name__}: {error}"
        return Refused(message, DeadLetterReason.HANDLER_ERROR, sentence)
