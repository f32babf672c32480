"""`maestro chat`: a conversation in one session, line by line."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import import_module
from typing import Any, TypeVar

import click

from maestro.cli.approving import Approving
from maestro.cli.ask import user_message
from maestro.cli.live import LiveView, Watched
from maestro.cli.options import session_options
from maestro.cli.outcome import tell
from maestro.cli.output import err, note
from maestro.conversation import Conversation, conversation
from schemas import ids
from schemas.errors import PoisonError, TransientError
from schemas.records import Run, UserMessage

T = TypeVar("T")


class _LeftError(Exception):
    """The person does not want to wait any longer."""


@click.command()
@session_options
def chat(*, session_id: str | None, user_id: str, agent_id: str | None) -> None:
    """Talk in a session. Ctrl-C cancels the run, or leaves at the prompt; Ctrl-D leaves.

    Without a terminal every line of stdin is a message, and the exit code is that of the last run.
    """
    session = session_id or ids.new_id()
    note(f"session {session}: Ctrl-C cancels a run, Ctrl-D leaves")
    exit_code = 0
    for line in _lines():
        message = user_message(line, session, user_id=user_id, agent_id=agent_id)
        try:
            exit_code = tell(asyncio.run(_turn(message)))
        except _LeftError:
            break
        except (PoisonError, TransientError) as error:
            err.print(f"[bold red]error[/bold red] ({error.code}): ", end="")
            err.print(error.message, markup=False)
            exit_code = 1
    note(f"go on with `maestro chat --session {session}`; see `maestro trail --session {session}`")
    raise SystemExit(0 if sys.stdin.isatty() else exit_code)


def _lines() -> Iterator[str]:
    """Yield what the person types; it ends with Ctrl-C or Ctrl-D at the prompt, or with stdin."""
    if not sys.stdin.isatty():
        with suppress(KeyboardInterrupt):
            yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with suppress(ImportError):
        _ = import_module("readline")  # gives `input` its line editing

    while True:
        try:
            line = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            err.print()
            return
        if line:
            yield line


async def _turn(message: UserMessage) -> Run:
    """Say one thing and return the run that it came to.

    Opened anew each time: while a person types, no connection is kept that could go stale.
    """
    run_id = ids.run_id(message.session_id, str(message.id))
    async with conversation(message.session_id) as opened:
        with _interrupts() as interrupted:
            delivery = await opened.send(message)
            watched = Watched(
                session_id=message.session_id,
                run_id=run_id,
                partition=opened.partition,
                partitions=opened.partitions,
                since_ms=delivery.timestamp_ms,
            )
            async with _approving(opened, run_id, message.user_id) as noticed, LiveView(watched, noticed):
                return await _outcome(opened, run_id, message.user_id, interrupted)


@asynccontextmanager
async def _approving(
    opened: Conversation, run_id: str, user_id: str
) -> AsyncGenerator[Callable[[Mapping[str, Any]], None] | None]:
    """Ask at the terminal whether tool calls may start; without a terminal ask nobody."""
    if not sys.stdin.isatty():
        yield None
        return

    async def decide(call: str, is_approved: bool, reason: str | None) -> None:
        try:
            await opened.decide(run_id, call, user_id=user_id, is_approved=is_approved, reason=reason)
        except TransientError as error:
            note(f"not sent: {error.message} Try `maestro approve {call}`.")

    approving = Approving(decide)
    asking = asyncio.create_task(approving.run(), name="questions to the person")
    try:
        yield approving.notice
    finally:
        _ = asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


async def _outcome(opened: Conversation, run_id: str, user_id: str, interrupted: asyncio.Event) -> Run:
    waiting = asyncio.create_task(opened.outcome(run_id), name="outcome of the run")
    try:
        run = await _unless(interrupted, waiting)
        if run is not None:
            return run
        interrupted.clear()
        note("cancelling the run; Ctrl-C again leaves it behind")
        await opened.cancel(run_id, user_id=user_id, reason="the user pressed Ctrl-C")
        run = await _unless(interrupted, waiting)
        if run is None:
            raise _LeftError
        return run
    finally:
        _ = waiting.cancel()


async def _unless(interrupted: asyncio.Event, waiting: "asyncio.Task[T]") -> T | None:
    """Return what `waiting` comes to, None when the person interrupts before."""
    stop = asyncio.create_task(interrupted.wait(), name="interruption")
    try:
        _ = await asyncio.wait([waiting, stop], return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        _ = stop.cancel()


@contextmanager
def _interrupts() -> Generator[asyncio.Event]:
    """Turn Ctrl-C into an event while the block runs."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, interrupted.set)
    try:
        yield interrupted
    finally:
        _ = loop.remove_signal_handler(signal.SIGINT)
        _ = signal.signal(signal.SIGINT, before)
