"""Compares the feeds that are followed with the record, so that nobody waits for what Redis has lost."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from api.streams.hub import FeedHub, Following
from api.streams.sources import Heads, Shown
from schemas.errors import MaestroError
from stores.redis.feed_watch import Watched
from telemetry.logs import logger

_AT_ONCE: Final = 8
"""Sessions that are compared at a time: watching must not crowd out reading."""

_log = logger(__name__)


class Watchman:
    """Ends the readers of a session whose feed lacks what the record has: they come back, and get it.

    The feed is written before the record. So what the record had at one look and the feed does not have at
    the next was lost. Use as `async with`.
    """

    def __init__(self, hub: FeedHub, shown: Shown, heads: Heads, *, every_s: float) -> None:
        self._hub = hub
        self._shown = shown
        self._heads = heads
        self._every_s = every_s
        self._seen: dict[Watched, int] = {}
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to compare."""
        self._running = asyncio.create_task(self._run(), name="feed watchman")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def look(self) -> None:
        """Compare all sessions that are followed once."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(following: Following) -> None:
            async with places:
                await self._compare(following)

        followed = self._hub.followed
        async with asyncio.TaskGroup() as group:
            for following in followed:
                group.create_task(one(following))
        there = {following.watched for following in followed}
        self._seen = {watched: seen for watched, seen in self._seen.items() if watched in there}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def _compare(self, following: Following) -> None:
        if following.translation is None:
            return
        session_id = following.watched[1]
        try:
            sequence = following.translation.sequence
            if self._seen.get(following.watched, 0) > sequence:
                _log.warning("feed_lacks_entries", session_id=session_id, sequence=sequence)
                del self._seen[following.watched]
                self._hub.end(following)
                return
            logs = await self._shown.newest(session_id, after=sequence, upto=None, run_id=None, limit=1)
            if logs:
                self._seen[following.watched] = logs[-1].sequence
            elif (await self._heads.head(session_id)).erased:
                self._hub.end(following)
        except MaestroError as error:
            _log.info("feed_not_compared", session_id=session_id, error=error.message)
