"""Asks something of a session other than an answer, and waits for what the record says came of it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson

from maestro.clients import KafkaAccess, database
from schemas import ids
from schemas.errors import ErrorCode, NotFoundError, PoisonError
from schemas.lists import Action, CommandKind
from schemas.records import SessionCommand
from stores.postgres.listing import Approval, Listing
from stores.postgres.pool import Database
from stores.postgres.runs import Runs
from stores.postgres.session_logs import SessionLogs, StoredLog
from telemetry.tracing import derived

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a command: the actions that it caused, and why when it was ignored."""

    command_id: str
    actions: tuple[Action, ...]
    ignored: str | None = None


async def asked_about(tool_call_id: str) -> Approval:
    """Return the open question about a tool call.

    Raises:
        NotFoundError: nobody is asked about it, or not any more.
        TransientError: the record cannot be reached.

    """
    async with database() as record:
        found = await Listing(record).approvals(tool_call_id=tool_call_id, limit=1)
    if not found:
        message = f"nobody is asked about tool call {tool_call_id}: `maestro approvals` lists what waits"
        raise NotFoundError(message)
    return found[0]


async def cancelled(run_id: str, *, user_id: str, reason: str | None, timeout_s: float) -> Came:
    """Cancel a run and return what came of it.

    Raises:
        NotFoundError: the run is not recorded.
        PoisonError: it is somebody else's.
        TimeoutError: nothing is recorded in time; the command stays.
        TransientError: Kafka or the record cannot be reached.

    """
    async with database() as record:
        run = await Runs(record).get(run_id)
    if run is None:
        message = f"run {run_id} is not recorded: `maestro runs` lists those that are"
        raise NotFoundError(message)
    command = SessionCommand(
        id=ids.new_id(),
        session_id=run.session_id,
        user_id=user_id,
        kind=CommandKind.CANCEL,
        run_id=run_id,
        reason=reason,
    )
    return await sent(command, timeout_s=timeout_s)


async def sent(command: SessionCommand, *, timeout_s: float) -> Came:
    """Publish a command that has an id; return what came of it.

    Raises:
        NotFoundError: its session is not recorded.
        PoisonError: the session is somebody else's.
        TimeoutError: nothing is recorded in time; the command stays and will be decided.
        TransientError: Kafka or the record cannot be reached.

    """
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(database())
        await _check_owner(record, command)
        kafka = await KafkaAccess.from_environment()
        publisher = await stack.enter_async_context(kafka.publisher())
        _ = await publisher.publish(command, trace=derived(str(command.id)))
        async with asyncio.timeout(timeout_s):
            return await outcome(record, command)


async def _check_owner(record: Database, command: SessionCommand) -> None:
    owner = await Listing(record).owner(command.session_id)
    if owner is None:
        message = f"session {command.session_id} is not recorded: `maestro sessions` lists those that are"
        raise NotFoundError(message)
    if owner != command.user_id:
        message = f"the session belongs to {owner}, not to {command.user_id}: name its owner with --user"
        raise PoisonError(message, code=ErrorCode.WRONG_OWNER)


async def outcome(record: Database, command: SessionCommand) -> Came:
    """Wait for what the record says came of a published command, however long it takes."""
    listing, logs = Listing(record), SessionLogs(record)
    command_id = str(command.id)
    while True:
        # Erasing removes the very entries that would tell of it.
        if command.kind is CommandKind.ERASE and (await logs.head(command.session_id)).erased:
            return Came(command_id=command_id, actions=(Action.SESSION_ERASED,))
        entries = await listing.caused_by(command.session_id, command_id)
        if entries and command.kind is not CommandKind.ERASE:
            return came(command_id, entries)
        if entries and entries[0].action is Action.COMMAND_IGNORED:
            return came(command_id, entries)
        await asyncio.sleep(_LOOK_EVERY_S)


def came(command_id: str, entries: Sequence[StoredLog]) -> Came:
    """Return what the entries that a command caused say. Pure."""
    ignored = next((entry for entry in entries if entry.action is Action.COMMAND_IGNORED), None)
    return Came(
        command_id=command_id,
        actions=tuple(entry.action for entry in entries),
        ignored=None if ignored is None else str(orjson.loads(ignored.payload)["reason"]),
    )
