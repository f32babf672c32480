"""A session left alone, on real parts: idle, expired by the clock, resumed with what was said; and erased."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest

from schemas import ids
from schemas.lists import CommandKind, RunStatus
from schemas.partition import partition_of
from schemas.records import SessionCommand, UserMessage
from stores.redis.connection import RedisConnection
from tests.e2e.outside.conftest import GRACE_S, IDLE_S, PARTITIONS
from tests.fleet.outside import Outside

LIMIT_S = 40.0
TTL_S = IDLE_S + 1


@pytest.fixture
async def redis(outside: Outside) -> AsyncIterator[RedisConnection]:
    """The fleet's Redis."""
    connection = RedisConnection(outside.fleet.redis)
    await connection.start(PARTITIONS)
    yield connection
    await connection.stop()


async def until(what: str, holds: Callable[[], Awaitable[bool]], *, within_s: float = LIMIT_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.1)


async def command(outside: Outside, session_id: str, kind: CommandKind, payload: str | None = None) -> None:
    """Send a command of the owner."""
    await outside.fleet.publish(
        SessionCommand(id=ids.new_id(), session_id=session_id, user_id="alice", kind=kind, payload=payload)
    )


async def said(outside: Outside, session_id: str, text: str) -> str:
    """Say something and wait for the answer; return the message's id."""
    message_id = ids.new_id()
    await outside.fleet.publish(
        UserMessage(id=message_id, session_id=session_id, user_id="alice", content=text)
    )
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    assert outside.runs.by_message[message_id].status is RunStatus.COMPLETED
    return message_id


async def short_session(outside: Outside, ttl_s: int = TTL_S) -> str:
    """Begin a session that does not live long."""
    session_id = ids.new_id()
    await command(outside, session_id, CommandKind.CREATE, f'{{"ttl_seconds":{ttl_s}}}')
    await said(outside, session_id, "my word is swordfish")
    return session_id


def context_key(redis: RedisConnection, session_id: str) -> bytes:
    """Name of the session's context in Redis."""
    return redis.keys.context(partition_of(session_id, PARTITIONS), session_id)


def is_gone(redis: RedisConnection, session_id: str) -> Callable[[], Awaitable[bool]]:
    """Whether Redis has no context of the session."""

    async def answer() -> bool:
        return await redis.command(b"EXISTS", context_key(redis, session_id)) == 0

    return answer


def has_logged(outside: Outside, session_id: str, *actions: str) -> Callable[[], Awaitable[bool]]:
    """Whether the session's log has all these entries."""

    async def answer() -> bool:
        return set(actions) <= await actions_of(outside, session_id)

    return answer


async def actions_of(outside: Outside, session_id: str) -> set[str]:
    rows = await outside.fleet.database.fetch(
        "select action from task_logs where session_id = $1", session_id
    )
    return {row["action"] for row in rows}


async def test_a_session_left_alone_goes_idle_expires_and_goes_on_with_what_was_said(
    outside: Outside, redis: RedisConnection
) -> None:
    session_id = await short_session(outside)
    # Redis forgets the session's partition as a flush would, timers and all: they come back from the record.
    partition = partition_of(session_id, PARTITIONS)
    keys = redis.keys
    await redis.command(
        b"DEL",
        keys.epoch(partition),
        keys.timers(partition),
        keys.armed(partition),
        context_key(redis, session_id),
    )
    await until("idle and expired", has_logged(outside, session_id, "session_idle", "session_expired"))
    await until("its key is gone", is_gone(redis, session_id), within_s=GRACE_S + 2)
    [row] = await outside.fleet.database.fetch("select status from sessions where id = $1", session_id)
    assert row["status"] == "expired"
    message_id = await said(outside, session_id, "what was my word?")
    run_id = outside.runs.by_message[message_id].id
    await until("resumed", has_logged(outside, session_id, "session_resumed"))
    [asked] = await outside.fleet.database.fetch("select prompt from generations where run_id = $1", run_id)
    contents = [message["content"] for message in orjson.loads(asked["prompt"])]
    assert "my word is swordfish" in contents


async def test_without_a_worker_redis_forgets_a_context_by_itself(
    outside: Outside, redis: RedisConnection
) -> None:
    session_id = await short_session(outside, ttl_s=2)
    sessions = [one for one in outside.fleet.supervisor.statuses() if one.name.startswith("session")]
    pids = [one.pid for one in sessions if one.pid is not None]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert await redis.command(b"EXISTS", context_key(redis, session_id)) == 1
        await until("its key is gone", is_gone(redis, session_id), within_s=2 + GRACE_S + 1)
        assert "session_expired" not in await actions_of(outside, session_id)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await until("expired", has_logged(outside, session_id, "session_expired"))


async def test_an_erased_session_leaves_nothing(outside: Outside, redis: RedisConnection) -> None:
    session_id = await short_session(outside, ttl_s=600)
    await command(outside, session_id, CommandKind.ERASE)
    tables = {"task_logs": "session_id", "runs": "session_id", "messages": "session_id", "sessions": "id"}

    async def is_empty() -> bool:
        counts = [
            await outside.fleet.database.fetch_one(
                f"select count(*) as rows from {table} where {column} = $1",  # noqa: S608 - names of our own
                session_id,
            )
            for table, column in tables.items()
        ]
        return all(row is not None and row["rows"] == 0 for row in counts)

    await until("no row is left", is_empty)
    await until("its key is gone", is_gone(redis, session_id), within_s=GRACE_S + 2)
    feed = redis.keys.feed(partition_of(session_id, PARTITIONS), session_id)
    assert await redis.command(b"EXISTS", feed) == 0
    late = ids.new_id()
    await outside.fleet.publish(
        UserMessage(id=late, session_id=session_id, user_id="alice", content="are you there?")
    )
    await short_session(outside)
    assert await is_empty()
    assert late not in outside.runs.by_message
