"""Where the events of streams come from, as streams use it, and what a reader asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from api.streams.hub import FeedHub
from api.streams.ids import EventId
from stores.postgres.session_logs import Head, StoredLog
from stores.redis.feed_watch import FeedRecord, Watched


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
        """Return the newest kept entries, the newest first. Raises TransientError."""
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
