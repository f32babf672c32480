"""Notices that a run has ended while one of its steps waits or works: the session's live feed tells.

The feed is written in the Redis script that stores the decision to end the run: nobody else has to be told.
It is a view and may be lost: not to notice is harmless, a late result is logged and ignored.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import orjson

from schemas.errors import TransientError
from schemas.lists import Action
from stores.redis.feed import FeedItem
from telemetry.logs import logger

log = logger(__name__)

_STAGE: Final = "stage"
_ENDS: Final = frozenset(
    {Action.RUN_COMPLETED, Action.RUN_FAILED, Action.RUN_CANCELLED, Action.RUN_ROLLED_BACK}
)
_PAGE: Final = 200
_ASK_WITHIN_S: Final = 2.0


class ReadFeed(Protocol):
    """The live feeds of sessions."""

    async def read(
        self, partition: int, session_id: str, *, after: str, block_ms: int = 0, count: int = 100
    ) -> Sequence[FeedItem]:
        """Return entries after an id, in order. Raises TransientError."""
        ...


class RunWatch:
    """Watches one run from `since_ms` (Unix milliseconds by Redis' clock, about) on."""

    def __init__(
        self, feed: ReadFeed, *, partition: int, session_id: str, run_id: str, since_ms: int, every_s: float
    ) -> None:
        self._feed = feed
        self._place = (partition, session_id)
        self._run_id = run_id
        self._after = f"{since_ms}-0"
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.has_ended = False
        """Whether the run was seen to end."""

    async def look(self) -> bool:
        """Return whether the run has ended, as far as the feed tells."""
        try:
            async with asyncio.timeout(_ASK_WITHIN_S):
                while not self.has_ended and (items := await self._next()):
                    self._after = items[-1].id
                    self.has_ended = any(self._is_end(item) for item in items)
        except (TransientError, TimeoutError) as error:
            log.info("live feed not read", run_id=self._run_id, error=str(error))
        return self.has_ended

    def start(self, then: Callable[[], None]) -> None:
        """Look every `every_s` seconds until stopped; call `then` once when the run has ended."""
        # Most calls end before the first look: a timer costs less than a task.
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._begin, then)

    async def stop(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_ASK_WITHIN_S)

    def _begin(self, then: Callable[[], None]) -> None:
        self._task = asyncio.create_task(self._look_on(then))

    async def _look_on(self, then: Callable[[], None]) -> None:
        while True:
            if await self.look():
                then()
                return
            await asyncio.sleep(self._every_s)

    async def _next(self) -> Sequence[FeedItem]:
        partition, session_id = self._place
        return await self._feed.read(partition, session_id, after=self._after, count=_PAGE)

    def _is_end(self, item: FeedItem) -> bool:
        if item.kind != _STAGE:
            return False
        stage = orjson.loads(item.data)
        return stage["run_id"] == self._run_id and stage["stage"] in _ENDS
