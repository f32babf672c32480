"""The live context beside the fold of the record, to the byte."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from maestro.replay.history import context_at, known_head
from maestro.settings import load
from schemas.errors import PoisonError, TransientError
from schemas.partition import partition_of
from stores.postgres.session_logs import SessionLogs
from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts, Stored
from stores.redis.settings import RedisSettings
from streams.session.context import from_bytes, to_bytes
from streams.session.redecide import context_difference

_REDIS_PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.1


class Standing(StrEnum):
    """How the live context compares with the record."""

    SAME = "same"
    DIFFERENT = "different"
    ABSENT = "absent"
    """Redis does not have it: it is rebuilt from the record with the next message."""
    UNREADABLE = "unreadable"
    """Another version's: it is rebuilt from the record with the next message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of comparing. `sequence` is the entry that both stand at; the rest tells of a difference."""

    standing: Standing
    sequence: int
    field: str | None = None
    recorded: JsonValue = None
    live: JsonValue = None


@asynccontextmanager
async def live_contexts(partitions: int) -> AsyncGenerator[Contexts]:
    """Open the live contexts of sessions on topics with that many partitions.

    Raises:
        SettingsError: the environment does not fit.
        TransientError: Redis cannot be reached within five seconds.
        FatalError: Redis must not be used.

    """
    (settings,) = load(RedisSettings)
    patience = {
        "start_timeout_s": _REDIS_PATIENCE_S,
        "connect_timeout_s": _REDIS_PATIENCE_S,
        "connections": 1,
    }
    connection = RedisConnection(settings.model_copy(update=patience))
    await connection.start(partitions)
    try:
        yield Contexts(connection)
    finally:
        await connection.stop()


async def compared(
    contexts: Contexts, logs: SessionLogs, session_id: str, *, partitions: int, timeout_s: float
) -> Comparison:
    """Compare the live context with the fold of the record at the same entry.

    A session that goes on meanwhile is looked at again; a record that is behind is waited for.

    Raises:
        NotFoundError: nothing is recorded of the session.
        PoisonError: it was erased, or its log does not hold.
        TransientError: a store is away, or the record stays behind for `timeout_s`.

    """
    partition = partition_of(session_id, partitions)
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                stored = (await contexts.load(partition, session_id, leave_token=False)).stored
                found = await _compared(logs, session_id, stored)
                again = (await contexts.load(partition, session_id, leave_token=False)).stored
                if found is not None and _version(again) == _version(stored):
                    return found
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError as error:
        message = (
            f"the record did not come to where session {session_id} stands within {timeout_s:g} s: is the"
            " sink running (`maestro sink postgres`)?"
        )
        raise TransientError(message) from error


async def _compared(logs: SessionLogs, session_id: str, stored: Stored | None) -> Comparison | None:
    """Return what the two say, or None while the record is behind."""
    head = await known_head(logs, session_id)
    if stored is None:
        return Comparison(standing=Standing.ABSENT, sequence=head.sequence)
    try:
        _ = from_bytes(stored.context)
    except PoisonError:
        return Comparison(standing=Standing.UNREADABLE, sequence=head.sequence)
    if head.sequence < stored.version or head.fence < stored.term:
        return None
    if head.fence != stored.term:
        return Comparison(
            standing=Standing.DIFFERENT,
            sequence=stored.version,
            field="term",
            recorded=head.fence,
            live=stored.term,
        )
    folded = await context_at(logs, session_id, stored.version)
    found = context_difference(to_bytes(folded), stored.context)
    if found is None:
        return Comparison(standing=Standing.SAME, sequence=stored.version)
    field, recorded, live = found
    return Comparison(
        standing=Standing.DIFFERENT, sequence=stored.version, field=field, recorded=recorded, live=live
    )


def _version(stored: Stored | None) -> tuple[int, int] | None:
    return None if stored is None else (stored.term, stored.version)
