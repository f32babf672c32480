"""`maestro tail`: a topic as JSON lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import click

from bus.message import Message
from bus.reader import Start, TopicReader
from maestro.cli.messages import as_json, is_of_session, topic_named
from maestro.cli.options import checked_uuid
from maestro.cli.output import EXIT_USAGE, fail, note, print_json
from maestro.clients import KafkaAccess
from schemas.errors import NotFoundError, TransientError
from schemas.topics import TopicSpec

_POLL_S = 1.0
_RETRY_S = 0.5
_END_LIMIT_S = 30.0


@click.command()
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help="Start with the oldest message, not with the next one.")
@click.option("--session", "session_id", metavar="ID", callback=checked_uuid, help="Only this session's.")
@click.option(
    "--until-end", is_flag=True, help="Print what is there now, from the beginning, and stop; do not wait."
)
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many messages.")
def tail(
    *, topic: str, from_beginning: bool, session_id: str | None, until_end: bool, limit: int | None
) -> None:
    """Print the messages of TOPIC (with or without prefix) as JSON lines; Ctrl-C stops.

    Each has topic, partition, offset, timestamp, key, headers and value: the record. What cannot be decoded
    has `raw` (base64) and `error` instead of a value.
    """
    start = Start.BEGINNING if from_beginning or until_end else Start.END
    with suppress(KeyboardInterrupt):
        asyncio.run(_print(topic, start=start, until_end=until_end, session_id=session_id, limit=limit))


async def _print(
    topic: str, *, start: Start, until_end: bool, session_id: str | None, limit: int | None
) -> None:
    kafka = await KafkaAccess.from_environment()
    left = limit
    async with kafka.reader(_spec(topic, kafka), start=start) as reader:
        messages = reader.read_to_end(deadline_s=_END_LIMIT_S) if until_end else _following(reader)
        async for message in messages:
            shown = as_json(message, kafka.names, kafka.codec)
            if session_id is not None and not is_of_session(shown, session_id):
                continue
            print_json(shown)
            if left is not None:
                left -= 1
                if left == 0:
                    return


def _spec(topic: str, kafka: KafkaAccess) -> TopicSpec:
    try:
        return topic_named(topic, kafka.names)
    except NotFoundError as error:
        fail(error.message, code=error.code, exit_code=EXIT_USAGE)


async def _following(reader: TopicReader) -> AsyncIterator[Message]:
    while True:
        try:
            messages = await reader.read(timeout_s=_POLL_S)
        except TransientError as error:
            note(f"{error.message}; trying again")
            await asyncio.sleep(_RETRY_S)
            continue
        for message in messages:
            yield message
