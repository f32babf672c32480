"""Live feeds in memory, as far as the hub and the streams use them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.streams.ids import place_of
from schemas.errors import TransientError
from stores.redis.feed_watch import FeedRecord, Watched


@dataclass
class Feeds:
    """Feeds of several sessions; `is_away` as when Redis is."""

    kept: dict[Watched, list[FeedRecord]] = field(default_factory=dict[Watched, list[FeedRecord]])
    is_away: bool = False
    follows: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, watched: Watched, *records: FeedRecord) -> None:
        """Append entries."""
        self.kept.setdefault(watched, []).extend(records)
        self._news.set()

    def forget(self, watched: Watched) -> None:
        """Let a feed expire."""
        self.kept.pop(watched, None)

    async def page(
        self,
        partition: int,
        session_id: str,
        *,
        start: str | None = None,
        after: str | None = None,
        count: int,
    ) -> Sequence[FeedRecord]:
        """Return kept entries."""
        self._check()
        await asyncio.sleep(0)
        records = self.kept.get((partition, session_id), [])
        if after is not None:
            records = [each for each in records if place_of(each.id) > place_of(after)]
        elif start is not None:
            records = [each for each in records if place_of(each.id) >= place_of(start)]
        return records[:count]

    async def newest(self, partition: int, session_id: str, *, count: int) -> Sequence[FeedRecord]:
        """Return the newest entries, the newest first."""
        self._check()
        await asyncio.sleep(0)
        return self.kept.get((partition, session_id), [])[::-1][:count]

    async def follow(
        self, places: Mapping[Watched, str], *, block_ms: int, count: int
    ) -> Mapping[Watched, Sequence[FeedRecord]]:
        """Return what comes behind each place, or nothing when the bell rings."""
        assert block_ms > 0
        self._check()
        self.follows += 1
        found = self._behind(places, count)
        if not found:
            self._news.clear()
            await self._news.wait()
            found = self._behind(places, count)
        return found

    async def ring(self) -> None:
        """End a wait."""
        self._news.set()

    def _behind(self, places: Mapping[Watched, str], count: int) -> dict[Watched, list[FeedRecord]]:
        found = {
            watched: [each for each in self.kept.get(watched, []) if place_of(each.id) > place_of(after)][
                :count
            ]
            for watched, after in places.items()
        }
        return {watched: records for watched, records in found.items() if records}

    def _check(self) -> None:
        if self.is_away:
            message = "Redis is away"
            raise TransientError(message)
