"""Redis' stores in memory: the same methods, the same refusals; the clock, a flush and a failover at hand."""

# The methods mean what the docstrings of the stores say.
# ruff: noqa: D101

import asyncio
import copy
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count

from stores.redis.contexts import Epoch, FeedEntry, Loaded, Stored, TimerEntry
from stores.redis.feed import BEGINNING, FeedItem
from stores.redis.journal import Busy, Claimed, Done
from stores.redis.timers import DueTimer

FOREVER_MS = 1 << 60


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class KeptContext:
    epoch: str
    stored: Stored
    expires_ms: int


@dataclass
class KeptStep:
    epoch: str
    token: str
    until_ms: int
    taken_over: bool
    value: bytes | None = None
    expires_ms: int = FOREVER_MS
    is_forgotten: bool = False


@dataclass
class KeptFeed:
    items: list[FeedItem] = field(default_factory=list[FeedItem])
    expires_ms: int = FOREVER_MS


@dataclass
class Shard:
    """The keys of one partition."""

    epoch: Epoch | None = None
    contexts: dict[str, KeptContext] = field(default_factory=dict[str, KeptContext])
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    timers: dict[tuple[str, str], DueTimer] = field(default_factory=dict[tuple[str, str], DueTimer])
    armed: str | None = None
    steps: dict[str, KeptStep] = field(default_factory=dict[str, KeptStep])
    feeds: dict[str, KeptFeed] = field(default_factory=dict[str, KeptFeed])


class FakeRedis:
    """The server that several stores share. `clock_ms` is its clock."""

    def __init__(self, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self.now_ms = clock_ms
        self._numbers = count(1)
        self._shards: dict[int, Shard] = {}
        self._feed_grew = asyncio.Event()

    def fresh_id(self) -> str:
        return f"fresh-{next(self._numbers)}"

    def shard(self, partition: int) -> Shard:
        """The partition's keys, those that have expired removed."""
        shard = self._shards.setdefault(partition, Shard())
        now_ms = self.now_ms()
        for keys in (shard.contexts, shard.steps, shard.feeds):
            for name in [name for name, kept in keys.items() if kept.expires_ms <= now_ms]:
                del keys[name]
        return shard

    def epoch(self, partition: int) -> Epoch:
        """The partition's epoch, begun where there is none."""
        shard = self.shard(partition)
        if shard.epoch is None:
            shard.epoch = Epoch(self.fresh_id(), self.now_ms())
        return shard.epoch

    def flush(self) -> None:
        """Forget everything, as FLUSHALL does."""
        self._shards.clear()

    def dump(self) -> dict[int, Shard]:
        """What a replica that lags would have."""
        return copy.deepcopy(self._shards)

    def failover(self, dump: dict[int, Shard]) -> None:
        """Go on with an older dump under another run of the server."""
        self._shards = copy.deepcopy(dump)
        for shard in self._shards.values():
            shard.epoch = Epoch(self.fresh_id(), self.now_ms())

    def append_feed(
        self, partition: int, session_id: str, entries: Sequence[FeedEntry], keep_s: int, max_len: int
    ) -> None:
        feed = self.shard(partition).feeds.setdefault(session_id, KeptFeed())
        feed.items += [
            FeedItem(f"{self.now_ms()}-{next(self._numbers)}", entry.kind, entry.data) for entry in entries
        ]
        del feed.items[:-max_len]
        feed.expires_ms = self.now_ms() + keep_s * 1000
        grew, self._feed_grew = self._feed_grew, asyncio.Event()
        grew.set()

    async def feed_growth(self) -> None:
        await self._feed_grew.wait()


class FakeContexts:
    """Contexts in memory."""

    def __init__(self, redis: FakeRedis, feed_max_entries: int = 2_000) -> None:
        self._redis = redis
        self._feed_max_entries = feed_max_entries

    async def load(self, partition: int, session_id: str, *, leave_token: bool) -> Loaded:
        redis, shard = self._redis, self._redis.shard(partition)
        epoch = redis.epoch(partition)
        kept = shard.contexts.get(session_id)
        if kept is not None and kept.epoch == epoch.id:
            return Loaded(epoch, kept.stored, None, redis.now_ms())
        shard.contexts.pop(session_id, None)
        token, had_token = None, False
        if leave_token:
            had_token = session_id in shard.tokens
            token = shard.tokens[session_id] = redis.fresh_id()
        return Loaded(epoch, None, token, redis.now_ms(), had_token)

    async def store(
        self,
        partition: int,
        session_id: str,
        *,
        epoch: str,
        expected: tuple[int, int] | str,
        new: Stored,
        ttl_s: int,
        timers_set: Sequence[TimerEntry] = (),
        timers_removed: Sequence[str] = (),
        feed: Sequence[FeedEntry] = (),
    ) -> bool:
        redis, shard = self._redis, self._redis.shard(partition)
        if redis.epoch(partition).id != epoch or not self._is_expected(shard, session_id, epoch, expected):
            return False
        shard.contexts[session_id] = KeptContext(epoch, new, redis.now_ms() + ttl_s * 1000)
        for timer in timers_set:
            shard.timers[session_id, timer.key] = DueTimer(session_id, timer.key, timer.kind, timer.due_ms)
        for key in timers_removed:
            shard.timers.pop((session_id, key), None)
        if feed:
            redis.append_feed(partition, session_id, feed, ttl_s, self._feed_max_entries)
        return True

    def _is_expected(
        self, shard: Shard, session_id: str, epoch: str, expected: tuple[int, int] | str
    ) -> bool:
        kept = shard.contexts.get(session_id)
        if kept is not None and kept.epoch != epoch:
            kept = None
        if isinstance(expected, str):
            return kept is None and shard.tokens.get(session_id) == expected
        return kept is not None and (kept.stored.term, kept.stored.version) == expected


class FakeTimers:
    """Timers in memory."""

    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis

    async def epoch(self, partition: int) -> Epoch:
        return self._redis.epoch(partition)

    async def due(self, partition: int, limit: int) -> tuple[DueTimer, ...]:
        now_ms = self._redis.now_ms()
        due = [timer for timer in self._redis.shard(partition).timers.values() if timer.due_ms <= now_ms]
        return tuple(sorted(due, key=lambda timer: (timer.due_ms, timer.member))[:limit])

    async def remove_if_unchanged(self, partition: int, timer: DueTimer) -> bool:
        timers = self._redis.shard(partition).timers
        found = timers.get((timer.session_id, timer.key))
        if found is None or found.due_ms != timer.due_ms:
            return False
        del timers[timer.session_id, timer.key]
        return True

    async def is_armed(self, partition: int) -> bool:
        return self._redis.shard(partition).armed == self._redis.epoch(partition).id

    async def arm(self, partition: int, epoch: str, entries: Sequence[DueTimer]) -> bool:
        if self._redis.epoch(partition).id != epoch:
            return not entries
        timers = self._redis.shard(partition).timers
        for timer in entries:
            found = timers.get((timer.session_id, timer.key))
            if found is None or found.due_ms < timer.due_ms:
                timers[timer.session_id, timer.key] = timer
        return True

    async def mark_armed(self, partition: int, epoch: str) -> bool:
        if self._redis.epoch(partition).id != epoch:
            return False
        self._redis.shard(partition).armed = epoch
        return True


def _is_before(held: str, mine: str) -> bool:
    """Tell whether `held` is the token of an earlier process of the same name."""
    if held.count(":") < 2 or mine.count(":") < 2:
        return False
    (held_name, held_start, _), (name, start, _) = held.rsplit(":", 2), mine.rsplit(":", 2)
    return held_name == name and held_start < start


class FakeJournal:
    """The journal in memory."""

    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis

    def _found(self, partition: int, step_id: str) -> KeptStep | None:
        step = self._redis.shard(partition).steps.get(step_id)
        return step if step is not None and step.epoch == self._redis.epoch(partition).id else None

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        epoch, now_ms = self._redis.epoch(partition), self._redis.now_ms()
        step = self._found(partition, step_id)
        taken_over = is_forgotten = False
        if step is not None:
            is_forgotten = step.is_forgotten
            if step.value is not None:
                return Done(step.value)
            if step.token != token and step.until_ms > now_ms and not _is_before(step.token, token):
                return Busy(step.until_ms - now_ms)
            taken_over = step.taken_over if step.token == token else True
        self._redis.shard(partition).steps[step_id] = KeptStep(
            epoch.id, token, now_ms + lease_ms, taken_over, is_forgotten=is_forgotten
        )
        return Claimed(epoch, taken_over, is_forgotten)

    async def renew(self, partition: int, step_id: str, token: str, lease_ms: int) -> bool:
        step = self._found(partition, step_id)
        if step is None or step.value is not None or step.token != token:
            return False
        step.until_ms = self._redis.now_ms() + lease_ms
        return True

    async def complete(self, partition: int, step_id: str, token: str, value: bytes, keep_ms: int) -> bool:
        step = self._found(partition, step_id)
        if step is not None and (step.value is not None or (step.token and step.token != token)):
            return False
        now_ms = self._redis.now_ms()
        self._redis.shard(partition).steps[step_id] = KeptStep(
            self._redis.epoch(partition).id, token, now_ms, False, value, now_ms + keep_ms
        )
        return True

    async def release(self, partition: int, step_id: str, token: str) -> None:
        step = self._found(partition, step_id)
        if step is not None and step.value is None and step.token == token:
            step.until_ms = 0

    async def forget(self, partition: int, step_ids: Collection[str]) -> None:
        for step_id in step_ids:
            if (step := self._found(partition, step_id)) is not None:
                self._redis.shard(partition).steps[step_id] = KeptStep(
                    step.epoch, "", 0, taken_over=True, is_forgotten=True
                )


class FakeFeed:
    """Live feeds in memory."""

    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis

    async def append(
        self, partition: int, session_id: str, entries: Sequence[FeedEntry], *, keep_s: int, max_len: int
    ) -> None:
        if entries and session_id in self._redis.shard(partition).feeds:
            self._redis.append_feed(partition, session_id, entries, keep_s, max_len)

    async def delete(self, partition: int, session_id: str) -> None:
        self._redis.shard(partition).feeds.pop(session_id, None)

    async def read(
        self, partition: int, session_id: str, *, after: str = BEGINNING, block_ms: int = 0, count: int = 100
    ) -> tuple[FeedItem, ...]:
        try:
            async with asyncio.timeout(block_ms / 1000):
                while not (items := self._after(partition, session_id, after, count)):
                    await self._redis.feed_growth()
        except TimeoutError:
            return ()
        return items

    def _after(self, partition: int, session_id: str, after: str, count: int) -> tuple[FeedItem, ...]:
        feed = self._redis.shard(partition).feeds.get(session_id, KeptFeed())
        return tuple(item for item in feed.items if _place(item.id) > _place(after))[:count]


def _place(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
