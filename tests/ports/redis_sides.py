"""The two sides that a contract suite runs on: the stores of a real Redis, and the fakes."""

from dataclasses import dataclass
from typing import Protocol

from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts
from stores.redis.feed import Feed
from stores.redis.journal import Journal
from stores.redis.timers import Timers
from tests.fakes.redis_stores import FakeContexts, FakeFeed, FakeJournal, FakeRedis, FakeTimers


@dataclass(frozen=True, slots=True)
class Stores:
    """What one process has."""

    contexts: Contexts | FakeContexts
    timers: Timers | FakeTimers
    journal: Journal | FakeJournal
    feed: Feed | FakeFeed


class RedisSide(Protocol):
    """A Redis, real or not, that two processes use."""

    one: Stores
    other: Stores

    async def flush(self) -> None:
        """Forget everything."""
        ...

    async def begin_epoch(self, partition: int) -> None:
        """Keep the data, but end their epoch, as a failover does."""
        ...


class FakeSide:
    """The fakes."""

    def __init__(self) -> None:
        self._redis = FakeRedis()
        self.one = fake_stores(self._redis)
        self.other = fake_stores(self._redis)

    async def flush(self) -> None:
        """Forget everything."""
        self._redis.flush()

    async def begin_epoch(self, partition: int) -> None:  # noqa: ARG002  a failover is of the whole server
        """Go on under another run of the server, nothing lost."""
        self._redis.failover(self._redis.dump())


class RealSide:
    """A real server with two clients."""

    def __init__(self, one: RedisConnection, other: RedisConnection) -> None:
        self._connection = one
        self.one = real_stores(one)
        self.other = real_stores(other)

    async def flush(self) -> None:
        """Forget everything."""
        await self._connection.command(b"FLUSHALL")

    async def begin_epoch(self, partition: int) -> None:
        """Remove the marker: the next script begins another epoch."""
        await self._connection.command(b"DEL", self._connection.keys.epoch(partition))


def fake_stores(redis: FakeRedis) -> Stores:
    """All stores of one process on the fake server."""
    return Stores(FakeContexts(redis), FakeTimers(redis), FakeJournal(redis), FakeFeed(redis))


def real_stores(connection: RedisConnection) -> Stores:
    """All stores of one process on a real server."""
    return Stores(Contexts(connection), Timers(connection), Journal(connection), Feed(connection))
