"""Pieces of an answer on their way to the live feed: few entries a second, however fast the model is."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import orjson

from schemas.errors import MaestroError
from schemas.records import GenerationRequest
from stores.redis.contexts import FeedEntry
from streams.generate.settings import GenerateSettings
from streams.well_formed import well_formed
from telemetry.logs import logger

log = logger(__name__)

DELTA: Final = "delta"
"""Kind of these feed entries; data is a JSON object: run_id, generation_id, attempt_id, n (from 0), text.

Each call of a model has its own attempt_id: words of a new one replace those of the one before.
"""
_CLOSE_WITHIN_S: Final = 2.0


class LiveFeed(Protocol):
    """What watchers of a session read."""

    async def append(
        self, partition: int, session_id: str, entries: Sequence[FeedEntry], *, keep_s: int, max_len: int
    ) -> None:
        """Append entries. Raises TransientError."""
        ...


class Deltas:
    """Collects the text of one attempt's model calls and appends it in the background.

    An answer that is complete within the first interval sends nothing: the stage that follows has its text.
    Trouble with the feed never harms the generation: watchers miss words, the record does not.
    """

    def __init__(
        self,
        feed: LiveFeed,
        settings: GenerateSettings,
        *,
        partition: int,
        request: GenerationRequest,
        attempt_id: str,
    ) -> None:
        self._feed = feed
        self._settings = settings
        self._partition = partition
        self._request = request
        self._attempt_id = attempt_id
        self._buffer: list[str] = []
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def begin(self, attempt_id: str) -> None:
        """Forget what was not sent yet: from here on the words are those of another call."""
        self._attempt_id = attempt_id
        self._buffer.clear()
        self._sent = 0

    def add(self, text: str) -> None:
        """Take the next piece of text."""
        self._buffer.append(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                self._settings.delta_interval_s, self._interval_over
            )

    async def close(self) -> None:
        """Send the rest, where something was sent before, and stop."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_CLOSE_WITHIN_S)
            self._writing.cancel()
            await self._write()

    def _interval_over(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self._timer = asyncio.get_running_loop().call_later(
                self._settings.delta_interval_s, self._interval_over
            )
            return
        self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        if not self._buffer:
            return
        text, self._buffer = "".join(self._buffer), []
        data = orjson.dumps(
            {
                "run_id": self._request.run_id,
                "generation_id": self._request.id,
                "attempt_id": self._attempt_id,
                "n": self._sent,
                "text": well_formed(text),
            }
        )
        self._sent += 1
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._feed.append(
                    self._partition,
                    self._request.session_id,
                    [FeedEntry(DELTA, data)],
                    keep_s=self._settings.feed_keep_s,
                    max_len=self._settings.feed_max_entries,
                )
        except (MaestroError, TimeoutError) as error:
            log.info("live feed not written", generation_id=self._request.id, error=str(error))
