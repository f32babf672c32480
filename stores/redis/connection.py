"""The door to Redis: commands of one turn of the event loop, whoever issued them, go out as one pipeline."""

import asyncio
import secrets
from collections.abc import Sequence
from itertools import count

import structlog

from schemas.errors import FatalError, MaestroError, TransientError
from stores.redis.address import address_of
from stores.redis.blocking import BlockingLinks
from stores.redis.keys import Keys
from stores.redis.link import Call, Link
from stores.redis.opening import Opener
from stores.redis.scripts import Script
from stores.redis.settings import RedisSettings
from stores.redis.wire import Reply

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_log = structlog.get_logger(__name__)


class RedisConnection:
    """A few connections to one Redis, kept up: a lost one fails only what it carried and is reopened."""

    def __init__(self, settings: RedisSettings) -> None:
        self.settings = settings
        self.keys = Keys(settings.prefix)
        self._address = address_of(settings.redis_url.get_secret_value())
        self.owner = secrets.token_hex(8).encode()
        """Name of this connection, which no other has."""
        self._numbers = count(1)
        self._links: list[Link] = []
        self._pending: list[Call] = []
        self._is_flush_due = False
        self._stranded: asyncio.TimerHandle | None = None
        self._refusal: MaestroError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._blocking: BlockingLinks | None = None
        self._opener: Opener | None = None

    def fresh_id(self) -> bytes:
        """Return an id that nobody else makes."""
        return b"%b-%d" % (self.owner, next(self._numbers))

    @property
    def is_connected(self) -> bool:
        """Whether a command can go out now."""
        return self._least_busy() is not None

    async def start(self, partitions: int) -> None:
        """Connect for the partitions 0 … `partitions` - 1.

        Raises TransientError when Redis cannot be reached within the start's time limit, FatalError when it
        must not be used (login refused, keys may be evicted).
        """
        self._opener = Opener(
            address=self._address,
            keys=self.keys,
            partitions=partitions,
            connect_timeout_s=self.settings.connect_timeout_s,
            owner=self.owner,
        )
        first = await self._open_first(self._opener)
        self._blocking = BlockingLinks(self._opener, self.settings)
        self._links.append(first)
        for link in (first, *(None,) * (self.settings.connections - 1)):
            self._tasks.append(asyncio.create_task(self._keep(self._opener, link), name="redis connection"))

    async def _open_first(self, opener: Opener) -> Link:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.start_timeout_s
        while True:
            try:
                return await opener.open(self.settings.command_timeout_s)
            except TransientError:
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(_LONGEST_PAUSE_S / 4)

    async def stop(self) -> None:
        """Close everything; commands without a reply fail with TransientError."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._blocking is not None:
            await self._blocking.close()
        links, self._links = self._links, []
        for link in links:
            link.abort("it was closed by us")
        for link in links:
            await link.lost.wait()
        self._opener = None
        self._fail_pending(TransientError("The connection to Redis was closed by us."))

    def run(self, script: Script, *arguments: bytes) -> asyncio.Future[Reply]:
        """Issue a script: its keys, then its arguments. Awaiting raises TransientError or FatalError."""
        return self._issue(arguments, script)

    def command(self, *arguments: bytes) -> asyncio.Future[Reply]:
        """Issue a plain command. Awaiting raises TransientError or FatalError."""
        return self._issue(arguments, None)

    async def block(self, *arguments: bytes, block_ms: int) -> Reply:
        """Issue a command that may block for `block_ms` on a connection of its own.

        Raises TransientError when it is lost or no connection becomes free in time.
        """
        if self._blocking is None:
            message = "The connection to Redis was not started."
            raise FatalError(message)
        return await self._blocking.run(arguments, block_ms)

    def _issue(self, arguments: tuple[bytes, ...], script: Script | None) -> asyncio.Future[Reply]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._pending.append(Call(arguments, future, script))
        if not self._is_flush_due:
            self._is_flush_due = True
            loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        """Send what this turn of the loop has gathered on the connection with the least in flight."""
        self._is_flush_due = False
        if not self._pending:
            return
        if self._opener is None:
            self._fail_pending(TransientError("The connection to Redis is not open."))
        elif (link := self._least_busy()) is not None:
            calls, self._pending = self._pending, []
            link.send(calls)
        elif self._refusal is not None:
            self._fail_pending(self._refusal)
        elif self._stranded is None:
            loop = asyncio.get_running_loop()
            self._stranded = loop.call_later(self.settings.command_timeout_s, self._give_up)

    def _least_busy(self) -> Link | None:
        links = [link for link in self._links if link.is_open]
        return min(links, key=lambda link: link.in_flight, default=None)

    def _give_up(self) -> None:
        self._stranded = None
        self._fail_pending(TransientError(f"Redis at {self._address} cannot be reached."))

    def _fail_pending(self, error: MaestroError) -> None:
        self._cancel_stranded()
        calls, self._pending = self._pending, []
        _fail(calls, error)

    def _cancel_stranded(self) -> None:
        if self._stranded is not None:
            self._stranded.cancel()
            self._stranded = None

    async def _keep(self, opener: Opener, link: Link | None) -> None:
        """Keep one connection up for ever."""
        while True:
            if link is None:
                link = await self._reopen(opener)
                self._links.append(link)
                self._cancel_stranded()
                self._flush()
            await link.lost.wait()
            self._links.remove(link)
            link = None

    async def _reopen(self, opener: Opener) -> Link:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                link = await opener.open(self.settings.command_timeout_s)
            except MaestroError as error:
                if isinstance(error, FatalError):
                    self._refusal = error
                    self._flush()
                _log.warning("redis_unavailable", reason=error.message)
            else:
                self._refusal = None
                return link
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _fail(calls: Sequence[Call], error: MaestroError) -> None:
    for call in calls:
        # Each caller gets an error of its own: a shared one would gather the tracebacks of all of them.
        call.fail(type(error)(error.message, code=error.code))
