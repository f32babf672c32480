"""`maestro send`: publishes user messages and does not wait for answers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import orjson
from pydantic import ValidationError

from bus.codec import Codec
from bus.publisher import Delivery
from maestro.cli.ask import user_message
from maestro.cli.options import checked_text, checked_uuid, login_name
from maestro.cli.output import EXIT_USAGE, fail, json_option, lines, print_fields, print_rows
from maestro.clients import KafkaAccess
from schemas import ids
from schemas.errors import PoisonError
from schemas.records import UserMessage
from schemas.topics import MAX_VALUE_BYTES, USER_MESSAGES
from telemetry.tracing import derived

_AT_A_TIME = 500
_SHOWN_PROBLEMS = 20
_COLUMNS = ("message_id", "session_id", "run_id", "partition", "offset")


@click.command()
@click.argument("content", required=False, callback=checked_text)
@click.option("--session", "session_id", metavar="ID", callback=checked_uuid, help="Session to go on with.")
@click.option(
    "--user", "user_id", metavar="NAME", help="Who sends; by default your login, except with --file."
)
@click.option("--agent", "agent_id", metavar="ID", help="Agent that shall answer.")
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    help="Messages as JSON lines, `-` is stdin; options fill in what a line lacks.",
)
@json_option
def send(
    *,
    content: str | None,
    session_id: str | None,
    user_id: str | None,
    agent_id: str | None,
    source: Iterable[bytes] | None,
    as_json: bool,
) -> None:
    """Publish CONTENT (`-` reads it from stdin) as a user message, or every line of a file; print the ids."""
    if (content is None) == (source is None):
        fail("give a message, or --file with JSON lines", exit_code=EXIT_USAGE)
    if content is not None:
        message = user_message(
            content, session_id or ids.new_id(), user_id=user_id or login_name(), agent_id=agent_id
        )
        (row,) = asyncio.run(_sent([message]))
        print_fields(row, as_json=as_json)
        return
    given = {"session_id": session_id, "user_id": user_id, "agent_id": agent_id}
    defaults = {name: value for name, value in given.items() if value is not None}
    messages, problems = read_messages(source or (), defaults)
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        told = [*problems[:_SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        fail(f"nothing was sent, lines do not fit:\n{lines(told)}", code="invalid", exit_code=EXIT_USAGE)
    print_rows(asyncio.run(_sent(messages)), _COLUMNS, as_json=as_json)


def read_messages(
    source: Iterable[bytes], defaults: Mapping[str, str]
) -> tuple[list[UserMessage], list[str]]:
    """Return the messages of JSON lines, each with an id, and a sentence for each line that does not fit.

    `defaults` fill in what a line lacks; empty lines are skipped.
    """
    messages: list[UserMessage] = []
    problems: list[str] = []
    codec = Codec()
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            messages.append(_message(line, defaults, codec))
        except PoisonError as error:
            problems.append(f"line {number}: {error.message}")
    return messages, problems


def _message(line: bytes, defaults: Mapping[str, str], codec: Codec) -> UserMessage:
    try:
        fields: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = f"not JSON: {error}"
        raise PoisonError(message) from error
    if not isinstance(fields, dict):
        message = "not a JSON object"
        raise PoisonError(message)
    try:
        record = UserMessage.model_validate({"id": ids.new_id(), **defaults, **fields})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise PoisonError("; ".join(problems)) from error
    size = len(codec.encode(record))
    if size > MAX_VALUE_BYTES:
        message = f"too large: {size} bytes, at most {MAX_VALUE_BYTES} are accepted"
        raise PoisonError(message)
    return record


async def _sent(messages: Sequence[UserMessage]) -> list[dict[str, Any]]:
    kafka = await KafkaAccess.from_environment()
    async with kafka.publisher() as publisher:
        # Known before, so that the messages of a session are batched in the order of their lines.
        _ = await publisher.partitions(kafka.names.full(USER_MESSAGES))
        rows: list[dict[str, Any]] = []
        for start in range(0, len(messages), _AT_A_TIME):
            part = messages[start : start + _AT_A_TIME]
            publishing = (publisher.publish(each, trace=derived(str(each.id))) for each in part)
            deliveries = await asyncio.gather(*publishing)
            rows += [_row(*pair) for pair in zip(part, deliveries, strict=True)]
    return rows


def _row(message: UserMessage, delivery: Delivery) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "session_id": message.session_id,
        "run_id": ids.run_id(message.session_id, str(message.id)),
        "partition": delivery.partition,
        "offset": delivery.offset,
    }
