"""A live feed in memory, and what a session asks a model."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.errors import MaestroError
from schemas.examples import GENERATION_REQUEST
from stores.redis.contexts import FeedEntry
from stores.redis.feed import FeedItem
from streams.generate.deltas import DELTA

REQUEST = GENERATION_REQUEST
ATTEMPT = "01980000-0000-7000-8000-0000000000aa"
OTHER_ATTEMPT = "01980000-0000-7000-8000-0000000000bb"


_LAST = "9999999999999-0"


@dataclass
class FakeFeed:
    """Keeps what is appended. `gate` holds every append until it is set; `error` is raised instead.

    `ended` is the run that the session says has ended.
    """

    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    places: set[tuple[int, str, int, int]] = field(default_factory=set[tuple[int, str, int, int]])
    gate: asyncio.Event | None = None
    error: MaestroError | None = None
    calls: int = 0
    ended: str | None = None

    async def append(
        self, partition: int, session_id: str, entries: Sequence[FeedEntry], *, keep_s: int, max_len: int
    ) -> None:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.places.add((partition, session_id, keep_s, max_len))
        for entry in entries:
            assert entry.kind == DELTA
            self.entries.append(orjson.loads(entry.data))

    async def read(
        self,
        partition: int,  # noqa: ARG002  there is one session
        session_id: str,  # noqa: ARG002
        *,
        after: str,
        block_ms: int = 0,  # noqa: ARG002  nobody waits here
        count: int = 100,  # noqa: ARG002
    ) -> tuple[FeedItem, ...]:
        if self.ended is None or after == _LAST:
            return ()
        data = orjson.dumps({"stage": "run_cancelled", "run_id": self.ended})
        return (FeedItem(_LAST, "stage", data),)

    @property
    def text(self) -> str:
        """What a watcher has read."""
        return "".join(entry["text"] for entry in self.entries)
