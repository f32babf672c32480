"""`maestro ask`: one question, its stages while they happen, its answer."""

import asyncio
from contextlib import AsyncExitStack

import click
from pydantic import ValidationError

from maestro.cli.live import LiveView, Watched
from maestro.cli.options import checked_text, session_options
from maestro.cli.outcome import tell, unanswered
from maestro.cli.output import EXIT_REJECTED, EXIT_TIMEOUT, EXIT_USAGE, fail, json_option, note
from maestro.conversation import Conversation, conversation
from schemas import ids
from schemas.errors import PoisonError
from schemas.records import Run, UserMessage


@click.command()
@click.argument("question", callback=checked_text)
@session_options
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but the answer and errors.")
@json_option
def ask(
    *,
    question: str,
    session_id: str | None,
    user_id: str,
    agent_id: str | None,
    timeout_s: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Ask QUESTION (`-` reads it from stdin) and print the answer.

    Exit codes: 0 answered, 1 failed, 2 wrong use or settings, 3 cancelled, 4 rejected, 5 no answer in time.
    """
    message = user_message(question, session_id or ids.new_id(), user_id=user_id, agent_id=agent_id)
    run = asyncio.run(_asked(message, timeout_s=timeout_s, quiet=quiet))
    exit_code = tell(run, as_json=as_json)
    if not quiet:
        note(f"session {run.session_id}: see `maestro trail --session {run.session_id}`")
    raise SystemExit(exit_code)


def user_message(content: str, session_id: str, *, user_id: str, agent_id: str | None) -> UserMessage:
    """Return a message with a new id; leave with exit code 2 when a field does not fit."""
    try:
        return UserMessage(
            id=ids.new_id(), session_id=session_id, user_id=user_id, content=content, agent_id=agent_id
        )
    except ValidationError as error:
        problems = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        fail(problems, code="invalid", exit_code=EXIT_USAGE)


async def _asked(message: UserMessage, *, timeout_s: float, quiet: bool) -> Run:
    async with conversation(message.session_id) as opened:
        try:
            async with asyncio.timeout(timeout_s):
                return await _answered(opened, message, quiet=quiet)
        except TimeoutError:
            text = unanswered(
                opened.last_seen,
                session_id=message.session_id,
                timeout_s=timeout_s,
                trouble=opened.trouble,
            )
            fail(text, code="timeout", exit_code=EXIT_TIMEOUT)
        except PoisonError as error:
            fail(f"not sent: {error.message}", code=error.code, exit_code=EXIT_REJECTED)


async def _answered(opened: Conversation, message: UserMessage, *, quiet: bool) -> Run:
    run_id = ids.run_id(message.session_id, str(message.id))
    delivery = await opened.send(message)
    async with AsyncExitStack() as stack:
        if not quiet:
            watched = Watched(
                session_id=message.session_id,
                run_id=run_id,
                partition=opened.partition,
                partitions=opened.partitions,
                since_ms=delivery.timestamp_ms,
            )
            _ = await stack.enter_async_context(LiveView(watched))
        return await opened.outcome(run_id)
