"""What a process keeps open for those who wait: the reader of ended runs, and the hub of live feeds."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.own_writes import ENDED, OwnWrites
from api.owners import Owners
from api.run_waiter import RunWaiter
from api.settings import ApiSettings
from api.streams.events import SHOWN_ACTIONS
from api.streams.hub import FeedHub, OnEnd
from api.streams.sources import Sources
from api.streams.stages import WITH_PAYLOAD
from api.streams.watchman import Watchman
from bus.codec import Codec
from bus.reader import TopicReader
from schemas.errors import MaestroError
from stores.postgres.pool import Database
from stores.postgres.run_ends import RunEnds
from stores.postgres.session_logs import SessionLogs
from stores.postgres.shown_logs import ShownLogs
from stores.redis.connection import RedisConnection
from stores.redis.feed_watch import FeedWatch
from telemetry.logs import logger

if TYPE_CHECKING:
    from stores.postgres.web import Web
    from stores.redis.edge import EdgeKeys

_NOTE_LIMIT_S: Final = 2.0
"""Who watches a run is not kept waiting for its end by a store that is away."""

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What routes wait on. `end` lets all of them go."""

    waiter: RunWaiter
    hub: FeedHub
    sources: Sources
    own_writes: OwnWrites
    on_end: OnEnd
    """To be told before a run's end is sent to whoever watches, so that their next read shows it."""
    owners: Owners
    waits: set[asyncio.Future[None]] = field(default_factory=set[asyncio.Future[None]])
    """One for each request that waits for a run: a result ends its wait."""

    def end(self) -> None:
        """End all streams and waits, in good order: their callers go on elsewhere."""
        self.hub.end_all()
        for wait in tuple(self.waits):
            if not wait.done():
                wait.set_result(None)


@asynccontextmanager
async def open_live(
    settings: ApiSettings,
    *,
    redis: RedisConnection,
    keys: "EdgeKeys",
    database: Database,
    web: "Web",
    codec: Codec,
    runs: TopicReader,
    partitions: int,
) -> AsyncGenerator[Live]:
    """Open what waiting needs; `runs` reads the topic of runs from its end. From here on no end is missed.

    Raises:
        TransientError: Kafka cannot be reached, or the topic is missing.
        FatalError: Kafka refuses us.

    """
    heads = SessionLogs(database)
    shown = ShownLogs(database, shown=SHOWN_ACTIONS, with_payload=WITH_PAYLOAD)
    own_writes = OwnWrites(
        keys, web, RunEnds(database), keep_s=settings.own_write_keep_s, wait_s=settings.read_wait_s
    )

    async def on_end(user_id: str, session_id: str, run_id: str) -> None:
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(_NOTE_LIMIT_S):
                    await own_writes.note(user_id, session_id, run_id, ENDED)
            except MaestroError as error:
                _log.warning("end_not_noted", run_id=run_id, error=error.message)

    async with AsyncExitStack() as stack:
        feeds = FeedWatch(redis)
        hub = await stack.enter_async_context(FeedHub(feeds, queue=settings.stream_queue, on_end=on_end))
        waiter = RunWaiter(runs, codec=codec, feeds=feeds, record=web, heads=heads, partitions=partitions)
        await stack.enter_async_context(waiter)
        await stack.enter_async_context(Watchman(hub, shown, heads, every_s=settings.ping_s))
        sources = Sources(hub=hub, pages=feeds, shown=shown, heads=heads, record_wait_s=settings.read_wait_s)
        yield Live(
            waiter=waiter,
            hub=hub,
            sources=sources,
            own_writes=own_writes,
            on_end=on_end,
            owners=Owners(settings.own_write_keep_s / 2),
        )
