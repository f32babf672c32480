"""What came to a session before its reader did: kept in the feed, or rebuilt from the record."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from api.streams.events import Event, Translation, first_sequence
from api.streams.hub import Following
from api.streams.ids import BEGINNING, entry_at, place_of
from api.streams.recorded import Recorded
from api.streams.sieve import Sieve
from api.streams.sources import Asked, Sources
from stores.redis.feed_watch import FeedRecord

_PAGE: Final = 500
_FIRST_SHOWN: Final = 2
"""Log entries of a session before its first run: nobody misses any of them."""


class Kept:
    """Reads what is kept once, for a reader who has joined the hub before. Use `find`, then `parts`."""

    def __init__(self, sources: Sources, asked: Asked, following: Following, sieve: Sieve) -> None:
        self._sources = sources
        self._asked = asked
        self._following = following
        self._sieve = sieve
        self._recorded = Recorded(sources, asked)
        self._translation = Translation((asked.last or BEGINNING).sequence)
        self._first: Sequence[FeedRecord] = ()
        self._has_last = False

    async def find(self) -> None:
        """Find where to begin. Raises TransientError."""
        asked = self._asked
        place = None if asked.last is None else asked.last.place
        start = None if place is None else entry_at(place)
        self._first = await self._sources.pages.page(*asked.watched, start=start, count=_PAGE)
        self._has_last = bool(self._first) and place == place_of(self._first[0].id)
        if place is not None and not self._has_last:
            self._first = await self._sources.pages.page(*asked.watched, count=_PAGE)

    def with_last(self) -> list[Event]:
        """Return the events of the feed's entry that the reader had last; nothing where it has expired."""
        return list(Translation().events_of(self._first[0].items)) if self._has_last else []

    async def parts(self) -> AsyncIterator[list[Event]]:
        """Yield what came before now: rebuilt from the record where it has expired.

        Raises:
            TransientError: Redis or the record cannot be reached; what was yielded holds.

        """
        if not self._has_last:
            yield self._sieve.fresh(await self._rebuilt())
        async for events in self._pages(self._first):
            yield events
        if self._asked.last is not None:
            yield await self._lost()

    async def _pages(self, page: Sequence[FeedRecord]) -> AsyncIterator[list[Event]]:
        while page:
            yield self._sieve.fresh(self._read(page))
            if len(page) < _PAGE:
                break
            page = await self._sources.pages.page(*self._asked.watched, after=page[-1].id, count=_PAGE)
        self._know()

    def _read(self, page: Sequence[FeedRecord]) -> list[Event]:
        events: list[Event] = []
        for record in page:
            place = place_of(record.id)
            if place > self._following.began:
                self._know()
            events += self._translation.events_of(record.items)
            self._sieve.place = place
        return events

    def _know(self) -> None:
        self._sources.hub.know(self._following, self._translation.sequence)

    async def _rebuilt(self) -> list[Event]:
        """Return what the feed does not have any more, and set where its first words stand."""
        last = self._sieve.last.sequence
        first = first_sequence(item for record in self._first for item in record.items)
        upto = None if first is None else first - 1
        asked = self._asked
        is_wanted = asked.last is not None or asked.run_id is not None or first is None
        events: list[Event] = []
        if is_wanted and (upto is None or upto > max(last, _FIRST_SHOWN)):
            if upto is not None:
                await self._recorded.wait_for(upto)
            events = await self._recorded.after(last - 1, upto)
        known = [event.id.sequence for event in events]
        # The feed may begin before what the reader has: its words stand where they stood, not behind that.
        self._translation.sequence = max([last, *known[-1:]]) if upto is None else upto
        return events

    async def _lost(self) -> list[Event]:
        """Return what the record has behind the end of the feed: a Redis that lost its last writes."""
        recorded = await self._recorded.after(self._translation.sequence)
        if not recorded:
            return []
        # They may have come to the feed between its end and the record's answer.
        after = entry_at(self._sieve.place)
        page = await self._sources.pages.page(*self._asked.watched, after=after, count=_PAGE)
        events = [event async for some in self._pages(page) for event in some]
        return [*events, *self._sieve.fresh(recorded)]
