"""Clients of a test's Redis: a context made, a return waited for."""

import asyncio
import uuid

from schemas.errors import TransientError
from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts, Stored
from tests.ports.redis_server import RedisServer

P = 1
VALUE = Stored(b"context", b"outbox", 1, 1)
DEADLINE_S = 20


async def connected(server: RedisServer) -> RedisConnection:
    """Return a client with key names of its own; the caller stops it."""
    return await server.connect(f"{uuid.uuid4()}:")


async def begin(connection: RedisConnection, session_id: str) -> str:
    """Store a context and return its epoch."""
    contexts = Contexts(connection)
    loaded = await contexts.load(P, session_id, leave_token=True)
    assert loaded.token is not None
    assert await contexts.store(
        P, session_id, epoch=loaded.epoch.id, expected=loaded.token, new=VALUE, ttl_s=600
    )
    return loaded.epoch.id


async def reconnected(connection: RedisConnection) -> None:
    """Wait until a command goes through again."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await connection.command(b"PING")
            except TransientError:
                await asyncio.sleep(0.02)
            else:
                return
