"""How far a process is behind in the partitions that it owns: asked of Kafka now and then, for metrics."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bus.admin import Admin
from bus.message import Place
from schemas.errors import MaestroError
from telemetry.metrics import LAG_MESSAGES, OLDEST_SECONDS

_EVERY_S = 10.0
_LIMIT_S = 10.0
"""Longest wait for Kafka's answer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a process is in one partition. `oldest_ms`: the broker's time of what it has in hand, if any."""

    next_offset: int
    end: int
    oldest_ms: int | None = None

    @property
    def lag(self) -> int:
        """Messages that are not processed."""
        return max(0, self.end - self.next_offset)


@dataclass(frozen=True, slots=True)
class TopicBacklog:
    """What waits in the owned partitions of one topic."""

    lag: int = 0
    oldest_s: float = 0.0


class Backlog:
    """Follows partitions over time, because nobody knows the age of what was not fetched yet."""

    def __init__(self) -> None:
        self._waits: dict[Place, tuple[int, float]] = {}
        """The offset at which each partition stands, and since when; Unix seconds."""

    def observe(self, standings: Mapping[Place, Standing], now_s: float) -> dict[str, TopicBacklog]:
        """Return what waits, by topic. `now_s` is the time in Unix seconds."""
        self._waits = {
            place: self._wait_of(place, standing, now_s)
            for place, standing in standings.items()
            if standing.lag
        }
        found: defaultdict[str, TopicBacklog] = defaultdict(TopicBacklog)
        for place, standing in standings.items():
            known = found[place[0]]
            oldest_s = max(known.oldest_s, self._age_s(place, standing, now_s))
            found[place[0]] = TopicBacklog(known.lag + standing.lag, oldest_s)
        return dict(found)

    def _wait_of(self, place: Place, standing: Standing, now_s: float) -> tuple[int, float]:
        known = self._waits.get(place)
        is_same = known is not None and known[0] == standing.next_offset
        return known if known is not None and is_same else (standing.next_offset, now_s)

    def _age_s(self, place: Place, standing: Standing, now_s: float) -> float:
        if not standing.lag:
            return 0.0
        since_s = self._waits[place][1]
        came_s = since_s if standing.oldest_ms is None else standing.oldest_ms / 1000
        return max(0.0, now_s - min(came_s, since_s))


Look = Callable[[], Awaitable[Mapping[Place, Standing]]]


class BacklogWatch:
    """Sets the metrics by `look`, for as long as it runs."""

    def __init__(self, look: Look, *, every_s: float = _EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._backlog = Backlog()
        self._topics: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._keep_looking(), name="backlog")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LIMIT_S)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                async with asyncio.timeout(_LIMIT_S):
                    standings = await self._look()
            except (MaestroError, TimeoutError):
                continue  # what was found last stays; readiness says that Kafka is away
            self._show(self._backlog.observe(standings, time.time()))

    def _show(self, found: Mapping[str, TopicBacklog]) -> None:
        self._topics |= found.keys()
        for topic in self._topics:
            # What went elsewhere is shown there.
            waiting = found.get(topic, TopicBacklog())
            LAG_MESSAGES.labels(topic).set(waiting.lag)
            OLDEST_SECONDS.labels(topic).set(waiting.oldest_s)


async def worker_standings(
    admin: Admin, group: str, waiting: Mapping[Place, int | None]
) -> dict[Place, Standing]:
    """Return where a worker is: what its group committed, and what it has in hand (`waiting`).

    Raises:
        TransientError: Kafka does not answer.

    """
    if not waiting:
        return {}
    lags = await admin.group_lag(group, {topic for topic, _ in waiting})
    return {
        place: Standing(max(0, lag.committed or 0), lag.end, waiting[place])
        for place, lag in lags.items()
        if place in waiting
    }
