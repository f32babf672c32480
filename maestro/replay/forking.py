"""Begins a new session with another one's log: copies on the log's topic, then a command that wakes it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from bus.publisher import Publisher
from maestro.clients import KafkaAccess
from maestro.commands import Came, outcome
from maestro.replay.history import history, known_head
from schemas import ids
from schemas.errors import PoisonError
from schemas.lists import Action, CommandKind
from schemas.records import ConversationMessage, SessionCommand, TaskLogs
from stores.postgres.pool import Database
from stores.postgres.session_logs import SessionLogs
from streams.session.fork import Fork
from streams.session.new_session import MARGIN_MS, YOUNG_MS, born_ms
from streams.session.outbox import trace_of
from telemetry.tracing import derived

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """A session that began as a copy of `source` up to `sequence`.

    `cancelled` counts the runs that were open there. `came` is what came of the command that gives it its
    title, None when no worker took it in time: the fork is there all the same.
    """

    session_id: str
    source: str
    sequence: int
    entries: int
    cancelled: int
    user_id: str
    title: str
    came: Came | None


@dataclass(frozen=True, slots=True)
class _Copy:
    fork: Fork
    decisions: list[TaskLogs]
    messages: list[tuple[TaskLogs, Sequence[ConversationMessage]]]
    sequence: int


async def forked(
    record: Database,
    kafka: KafkaAccess,
    source: str,
    session_id: str,
    *,
    at: int | None,
    forked_by: str,
    timeout_s: float,
) -> Forked:
    """Fork `source` after its entry `at` (None: its last) into the unused session `session_id`.

    The log goes first and is waited for in the record: should somebody use the new session meanwhile, his
    fence makes the rest of the copy void, and this fails. Then the conversation is told once more, and a
    command gives the fork its title: the worker that takes it rebuilds the session as after any loss.

    Raises:
        NotFoundError: nothing is recorded of the source.
        PoisonError: it was erased or its log does not hold; or the new session is in use.
        TimeoutError: the record does not have the copy in time.
        TransientError: Kafka or the record cannot be reached.

    """
    logs = SessionLogs(record)
    await _check_unused(logs, session_id)
    sequence = at or (await known_head(logs, source)).sequence
    copy = await _copied(logs, Fork(source, session_id, partitions=kafka.topics.partitions), sequence)
    copy.decisions.extend(copy.fork.concluded(forked_by=forked_by, at=_now()))
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(kafka.publisher())
        for decision in copy.decisions:
            _ = await publisher.publish(decision, trace=trace_of(decision), partition=copy.fork.partition)
        async with asyncio.timeout(timeout_s):
            await _recorded(logs, copy)
        for decision, messages in copy.messages:
            await publisher.publish_all(messages, trace=trace_of(decision), partition=copy.fork.partition)
        came = await _woken(record, publisher, copy, timeout_s=timeout_s)
    context = copy.fork.context
    return Forked(
        session_id=session_id,
        source=source,
        sequence=sequence,
        entries=context.sequence,
        cancelled=sum(
            entry.action is Action.RUN_CANCELLED and entry.sequence > sequence
            for decision in copy.decisions
            for entry in decision.entries
        ),
        user_id=context.user_id,
        title=_title(copy),
        came=came,
    )


async def _check_unused(logs: SessionLogs, session_id: str) -> None:
    head = await logs.head(session_id)
    if head.erased or head.sequence or head.fence:
        message = f"session {session_id} was used before: a fork begins a new one, give another id"
        raise PoisonError(message)
    born = born_ms(session_id)
    if born is not None and born + MARGIN_MS + YOUNG_MS > time.time() * 1000:
        # With MAESTRO_SESSION_FAST_PATH a worker may take a young id for a new session, and not look.
        message = f"{session_id} is an id for new sessions, which carries its time: give a UUIDv4, or `new`"
        raise PoisonError(message)


async def _copied(logs: SessionLogs, fork: Fork, sequence: int) -> _Copy:
    copy = _Copy(fork, [], [], sequence)
    async for moment in history(logs, fork.source, upto=sequence):
        decision = fork.copied(moment.logs)
        copy.decisions.append(decision)
        messages = fork.messages(decision)
        if messages:
            copy.messages.append((decision, messages))
    return copy


async def _recorded(logs: SessionLogs, copy: _Copy) -> None:
    """Wait until the record has the copy and nothing else.

    Raises:
        PoisonError: somebody uses the session.

    """
    context = copy.fork.context
    while True:
        head = await logs.head(context.session_id)
        if (head.sequence, head.hash, head.fence) == (context.sequence, context.hash, 0):
            return
        if head.fence or head.erased or head.sequence > context.sequence:
            message = (
                f"session {context.session_id} was used while it was made: it is no copy of"
                f" {copy.fork.source}; erase it, and fork again under another id"
            )
            raise PoisonError(message)
        await asyncio.sleep(_LOOK_EVERY_S)


async def _woken(record: Database, publisher: Publisher, copy: _Copy, *, timeout_s: float) -> Came | None:
    context = copy.fork.context
    command = SessionCommand(
        id=ids.new_id(),
        session_id=context.session_id,
        user_id=context.user_id,
        kind=CommandKind.CONFIGURE,
        payload=orjson.dumps({"title": _title(copy)}).decode(),
    )
    _ = await publisher.publish(command, trace=derived(str(command.id)))
    try:
        async with asyncio.timeout(timeout_s):
            return await outcome(record, command)
    except TimeoutError:
        return None


def _title(copy: _Copy) -> str:
    return f"Fork at {copy.sequence}: {copy.fork.context.title}"


def _now() -> datetime:
    # Whole milliseconds, as the broker's times are: a context keeps no more.
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
