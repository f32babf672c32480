"""Connections for commands that block: each has one to itself while it waits, apart from the pipelines."""

import asyncio

from schemas.errors import TransientError
from stores.redis.link import Call, Link
from stores.redis.opening import Opener
from stores.redis.settings import RedisSettings
from stores.redis.wire import Reply


class BlockingLinks:
    """A bounded set of connections, opened when needed and used again."""

    def __init__(self, opener: Opener, settings: RedisSettings) -> None:
        self._opener = opener
        self._answer_within_s = settings.command_timeout_s
        self._free = asyncio.Semaphore(settings.blocking_connections)
        self._idle: list[Link] = []
        self._busy: set[Link] = set()

    async def run(self, arguments: tuple[bytes, ...], block_ms: int) -> Reply:
        """Issue one command that may block for `block_ms`. Raises TransientError."""
        try:
            async with asyncio.timeout(self._answer_within_s):
                await self._free.acquire()
        except TimeoutError as error:
            message = "Too many readers wait for live feeds: raise MAESTRO_REDIS_BLOCKING_CONNECTIONS."
            raise TransientError(message) from error
        try:
            return await self._run(arguments, block_ms)
        finally:
            self._free.release()

    async def _run(self, arguments: tuple[bytes, ...], block_ms: int) -> Reply:
        link = await self._take()
        self._busy.add(link)
        call = Call(arguments, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(block_ms / 1000 + self._answer_within_s):
                link.send([call])
                reply = await call.future
        except TimeoutError as error:
            message = "Redis did not answer a blocking read in time."
            raise TransientError(message) from error
        else:
            self._idle.append(link)
            return reply
        finally:
            self._busy.discard(link)
            if link not in self._idle:
                link.abort("its reader left")  # a reply may still come: nobody else may read it

    async def _take(self) -> Link:
        while self._idle:
            link = self._idle.pop()
            if not link.lost.is_set():
                return link
        return await self._opener.open(None)

    async def close(self) -> None:
        """Drop all connections."""
        links = [*self._idle, *self._busy]
        self._idle.clear()
        for link in links:
            link.abort("it was closed by us")
        for link in links:
            await link.lost.wait()
