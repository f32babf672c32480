"""One reader's stream of a session: what is kept, what has expired from the record, then what comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.event_ids import BEFORE_ALL, BEGINNING, EventId, entry_at, place_of
from api.events import DONE, Event, Translation, first_sequence, in_order, stage_events
from api.feed_hub import Batch, FeedHub, Following, Reader
from api.recorded_stages import stage_of
from stores.postgres.session_logs import Head, StoredLog
from stores.redis.feed_watch import FeedRecord, Watched

OPENING: Final = b"retry: 1000\n\n"
"""Milliseconds after which a client that was cut off comes back."""

PING: Final = b": ping\n\n"

_PAGE: Final = 500
_MOST_REBUILT: Final = 2_000
"""Log entries that are rebuilt for a reader who missed more: about what a feed keeps."""

_FIRST_SHOWN: Final = 2
"""Log entries of a session before its first run: nobody misses any of them."""

_RECORD_PAUSE_S: Final = 0.05


class Pages(Protocol):
    """What is kept of live feeds."""

    async def page(
        self,
        partition: int,
        session_id: str,
        *,
        start: str | None = None,
        after: str | None = None,
        count: int,
    ) -> Sequence[FeedRecord]:
        """Return kept entries from a place on, or behind it. Raises TransientError."""
        ...

    async def newest(self, partition: int, session_id: str, *, count: int) -> Sequence[FeedRecord]:
        """Return the newest entries, the newest first. Raises TransientError."""
        ...


class Shown(Protocol):
    """What the record can show."""

    async def newest(
        self, session_id: str, *, after: int, upto: int | None, run_id: str | None, limit: int
    ) -> Sequence[StoredLog]:
        """Return the newest shown entries in order. Raises TransientError."""
        ...


class Heads(Protocol):
    """How far the record is."""

    async def head(self, session_id: str) -> Head:
        """Return where a session's log stands. Raises TransientError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the events of all streams come from. `record_wait_s` is how long the record is waited for."""

    hub: FeedHub
    pages: Pages
    shown: Shown
    heads: Heads
    record_wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader asks for: a session, one run of it or all, from the beginning or behind an event."""

    watched: Watched
    user_id: str
    run_id: str | None = None
    last: EventId | None = None


class EventStream:
    """A reader's way through a session's events, each once and in order. Close it in any case."""

    def __init__(self, sources: Sources, asked: Asked) -> None:
        self._sources = sources
        self._asked = asked
        self._last = asked.last or BEGINNING
        self._place = BEFORE_ALL
        self._translation = Translation(self._last.sequence)
        self._reader: Reader | None = None
        self._following: Following | None = None
        self._first: Sequence[FeedRecord] = ()
        self._is_kept = False
        self.is_done = False
        """Whether the run that was asked for has ended for this reader."""

    async def open(self) -> None:
        """Find where to begin. Raises TransientError."""
        hub, asked = self._sources.hub, self._asked
        self._reader, self._following = await hub.join(asked.watched, user_id=asked.user_id)
        place = self._last.place
        start = None if place is None else entry_at(place)
        self._first = await self._sources.pages.page(*asked.watched, start=start, count=_PAGE)
        self._is_kept = bool(self._first) and place == place_of(self._first[0].id)
        if place is not None and not self._is_kept:
            self._first = await self._sources.pages.page(*asked.watched, count=_PAGE)

    async def is_over(self) -> bool:
        """Whether the reader has been sent the end of the run that it asks for already."""
        if self._asked.run_id is None or self._asked.last is None:
            return False
        known = _events_of(await self._end_of_run())
        if self._is_kept:  # the record may be behind
            known += Translation().events_of(self._first[0].items)
        return any(
            event.name == DONE and event.run_id == self._asked.run_id and event.id <= self._last
            for event in known
        )

    def close(self) -> None:
        """Stop watching."""
        if self._following is not None and self._reader is not None:
            self._sources.hub.leave(self._following, self._reader)

    def end(self) -> None:
        """Let the stream end after what waits for the reader."""
        if self._reader is not None:
            self._reader.end()

    def when_ended(self, then: Callable[[], object]) -> None:
        """Call `then` once when the stream shall end, however slow its client is."""
        if self._reader is not None:
            self._reader.when_ended(then)

    async def kept(self) -> AsyncIterator[list[Event]]:
        """Yield what came before now, in parts: rebuilt from the record where it has expired.

        Raises:
            TransientError: Redis or the record cannot be reached; what was yielded holds.

        """
        if not self._is_kept:
            yield self._fresh(await self._rebuilt())
        async for events in self._pages(self._first):
            yield events
        if self._asked.last is not None:
            yield await self._lost()

    async def coming(self, *, within_s: float) -> list[Batch] | None:
        """Return what has come since; nothing after `within_s` seconds; None when the stream shall end."""
        if self._reader is None:
            return None
        batches = await self._reader.take(within_s=within_s)
        return None if not batches and self._reader.has_ended else batches

    def wires(self, batches: Iterable[Batch]) -> bytes:
        """Return what is sent of batches."""
        parts: list[bytes] = []
        for batch in batches:
            if batch.place > self._place:
                self._place = batch.place
                for event, wire in zip(batch.events, batch.wires, strict=True):
                    if event.id > self._last and not self.is_done and self._takes(event):
                        parts.append(wire)
        return b"".join(parts)

    async def ended_in_record(self) -> list[Event]:
        """Return the rest of the run that was asked for, where its end never came to the feed.

        To be asked when nothing has come for a while. The stream is done when there is any.

        Raises:
            TransientError: the record cannot be reached.

        """
        end = _events_of(await self._end_of_run())
        if self._asked.run_id is None or not any(event.name == DONE for event in end):
            return []
        rest = self._fresh(_events_of(await self._logs_after(self._last.sequence - 1, None)))
        is_told, self.is_done = self.is_done, True
        return rest if is_told else [*rest, *end]

    async def _end_of_run(self) -> Sequence[StoredLog]:
        run_id = self._asked.run_id
        if run_id is None:
            return ()
        return await self._sources.shown.newest(
            self._asked.watched[1], after=0, upto=None, run_id=run_id, limit=1
        )

    async def _pages(self, page: Sequence[FeedRecord]) -> AsyncIterator[list[Event]]:
        while page:
            yield self._fresh(self._read(page))
            if len(page) < _PAGE:
                break
            page = await self._sources.pages.page(*self._asked.watched, after=page[-1].id, count=_PAGE)
        self._know()

    def _read(self, page: Sequence[FeedRecord]) -> list[Event]:
        events: list[Event] = []
        for record in page:
            place = place_of(record.id)
            if self._following is not None and place > self._following.began:
                self._know()
            events += self._translation.events_of(record.items)
            self._place = place
        return events

    def _know(self) -> None:
        if self._following is not None:
            self._sources.hub.know(self._following, self._translation.sequence)

    async def _rebuilt(self) -> list[Event]:
        """Return what the feed does not have any more, and set where its first words stand."""
        first = first_sequence(item for record in self._first for item in record.items)
        upto = None if first is None else first - 1
        asked = self._asked
        is_wanted = asked.last is not None or asked.run_id is not None or first is None
        events: list[Event] = []
        if is_wanted and (upto is None or upto > max(self._last.sequence, _FIRST_SHOWN)):
            if upto is not None:
                await self._recorded(upto)
            events = _events_of(await self._logs_after(self._last.sequence - 1, upto))
        known = [event.id.sequence for event in events]
        # The feed may begin before what the reader has: its words stand where they stood, not behind that.
        self._translation.sequence = max([self._last.sequence, *known[-1:]]) if upto is None else upto
        return events

    async def _lost(self) -> list[Event]:
        """Return what the record has behind the end of the feed: a Redis that lost its last writes."""
        logs = await self._logs_after(self._translation.sequence, None)
        if not logs:
            return []
        # They may have come to the feed between its end and the record's answer.
        after = entry_at(self._place)
        page = await self._sources.pages.page(*self._asked.watched, after=after, count=_PAGE)
        events = [event async for some in self._pages(page) for event in some]
        return [*events, *self._fresh(_events_of(logs))]

    async def _logs_after(self, sequence: int, upto: int | None) -> Sequence[StoredLog]:
        return await self._sources.shown.newest(
            self._asked.watched[1],
            after=max(sequence, 0),
            upto=upto,
            run_id=self._asked.run_id,
            limit=_MOST_REBUILT,
        )

    async def _recorded(self, sequence: int) -> None:
        """Wait until the record has a log entry, but not for long: what it has is better than nothing."""
        for _ in range(round(self._sources.record_wait_s / _RECORD_PAUSE_S)):
            if await self._head() >= sequence:
                return
            await asyncio.sleep(_RECORD_PAUSE_S)

    async def _head(self) -> int:
        return (await self._sources.heads.head(self._asked.watched[1])).sequence

    def _fresh(self, events: Iterable[Event]) -> list[Event]:
        return [event for event in in_order(events, self._last) if not self.is_done and self._takes(event)]

    def _takes(self, event: Event) -> bool:
        self._last = event.id
        run_id = self._asked.run_id
        if run_id is None:
            return True
        is_its = event.run_id == run_id
        self.is_done = is_its and event.name == DONE
        return is_its


def _events_of(logs: Iterable[StoredLog]) -> list[Event]:
    return [event for log in logs for event in stage_events(stage_of(log), None)]
