"""All streams of this process: one blocking read follows the feeds of every session that somebody watches."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from api.streams.events import DONE, Translation, in_order
from api.streams.ids import BEFORE_ALL, BEGINNING, EventId, Place, entry_at, place_of
from api.streams.reader import Batch, Reader
from schemas.errors import MaestroError
from stores.redis.feed_watch import FeedRecord, Watched
from telemetry.logs import logger

_BLOCK_MS: Final = 1_000
"""How long a session that was added while the bell cannot ring waits for its first entry."""

_REST_S: Final = 0.01
"""Pause after a read that brought something: what comes meanwhile is read, and sent, together."""

_RETRY_S: Final = 0.25
_ENTRIES_AT_ONCE: Final = 200

_log = logger(__name__)


class Feeds(Protocol):
    """The live feeds. Every method raises TransientError."""

    async def newest(self, partition: int, session_id: str, *, count: int) -> Sequence[FeedRecord]:
        """Return the newest entries, the newest first."""
        ...

    async def follow(
        self, places: Mapping[Watched, str], *, block_ms: int, count: int
    ) -> Mapping[Watched, Sequence[FeedRecord]]:
        """Return what comes behind each place; wait for the first of them."""
        ...

    async def ring(self) -> None:
        """End the wait of `follow`."""
        ...


@dataclass(slots=True, eq=False)
class Following:
    """One session that is watched."""

    watched: Watched
    user_id: str
    """Whose session it is."""
    began: Place
    """The place behind which everything is handed over."""
    after: str
    """The entry that was handed over last."""
    last: EventId = BEGINNING
    """The event that was handed over last."""
    translation: Translation | None = None
    """Unknown until the first reader has read up to where following began."""
    readers: set[Reader] = field(default_factory=set[Reader])
    early: list[FeedRecord] = field(default_factory=list[FeedRecord])
    """What came before the translation was known."""


OnEnd = Callable[[str, str, str], Awaitable[None]]
"""Told user, session and run before a run's end is handed to who watches. It raises nothing."""


class FeedHub:
    """Follows feeds and hands their events out. Use as `async with`."""

    def __init__(self, feeds: Feeds, *, queue: int, on_end: OnEnd) -> None:
        self._feeds = feeds
        self._queue = queue
        self._on_end = on_end
        self._followed: dict[Watched, Following] = {}
        self._is_any = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ringing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to follow."""
        self._running = asyncio.create_task(self._run(), name="feed hub")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all readers and stop."""
        self.end_all()
        for task in (self._running, self._ringing):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return sum(len(each.readers) for each in self._followed.values())

    @property
    def followed(self) -> list[Following]:
        """The sessions that are watched."""
        return list(self._followed.values())

    def end_all(self) -> None:
        """End every reader: their clients go on elsewhere."""
        for following in self.followed:
            self.end(following)

    def end(self, following: Following) -> None:
        """End every reader of one session: their clients come back and find what they have missed."""
        for reader in tuple(following.readers):
            reader.end()

    async def join(self, watched: Watched, *, user_id: str) -> tuple[Reader, Following]:
        """Return a new reader of a user's session: all that comes from now on, once `know` was called.

        Raises:
            TransientError: Redis cannot be reached.

        """
        reader = Reader(self._queue)
        following = self._followed.get(watched)
        if following is None:
            newest = await self._feeds.newest(*watched, count=1)
            # Another may have come meanwhile: its place is as good.
            following = self._followed.get(watched)
            if following is None:
                after = newest[0].id if newest else entry_at(BEFORE_ALL)
                following = self._followed[watched] = Following(watched, user_id, place_of(after), after)
                self._is_any.set()
                self._ring()
        following.readers.add(reader)
        return reader, following

    def know(self, following: Following, sequence: int) -> None:
        """Say which log entry stands where following began, so that events can have their ids."""
        if following.translation is None:
            following.translation = Translation(sequence)
            early, following.early = following.early, []
            hand_out(following, batch_of(following, following.translation, early))

    def leave(self, following: Following, reader: Reader) -> None:
        """Forget a reader, and its session when nobody else watches."""
        following.readers.discard(reader)
        if not following.readers and self._followed.get(following.watched) is following:
            del self._followed[following.watched]
            if not self._followed:
                self._is_any.clear()

    def _ring(self) -> None:
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring_once(), name="feed hub's bell")

    async def _ring_once(self) -> None:
        with suppress(MaestroError):  # the read ends by itself soon
            await self._feeds.ring()

    async def _run(self) -> None:
        while True:
            await self._is_any.wait()
            places = {watched: each.after for watched, each in self._followed.items()}
            try:
                found = await self._feeds.follow(places, block_ms=_BLOCK_MS, count=_ENTRIES_AT_ONCE)
            except MaestroError as error:
                _log.warning("feeds_not_read", code=error.code, error=error.message)
                await asyncio.sleep(_RETRY_S)
                continue
            for watched, records in found.items():
                following = self._followed.get(watched)
                if following is not None and following.after == places[watched]:
                    following.after = records[-1].id
                    await self._arrived(following, records)
            if found:
                await asyncio.sleep(_REST_S)

    async def _arrived(self, following: Following, records: Sequence[FeedRecord]) -> None:
        if following.translation is None:
            following.early += records
            return
        batch = batch_of(following, following.translation, records)
        for event in batch.events:
            if event.name == DONE and event.run_id is not None:
                await self._on_end(following.user_id, following.watched[1], event.run_id)
        hand_out(following, batch)


def batch_of(following: Following, translation: Translation, records: Sequence[FeedRecord]) -> Batch:
    """Return what entries of a session's feed show behind what was handed over, as one batch."""
    items = (item for record in records for item in record.items)
    events = tuple(in_order(translation.events_of(items), following.last))
    if events:
        following.last = events[-1].id
    return Batch.of(events)


def hand_out(following: Following, batch: Batch) -> None:
    """Give a batch to all who watch a session."""
    if batch.events:
        for reader in tuple(following.readers):
            reader.put(batch)
