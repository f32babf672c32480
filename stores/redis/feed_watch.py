"""Many live feeds followed at once: one blocking read for all of them, and pages of what one has kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stores.redis.connection import RedisConnection
from stores.redis.feed import FeedItem, items_of
from stores.redis.replies import as_list, as_text
from stores.redis.wire import Reply

Watched = tuple[int, str]
"""A partition and a session."""

NOTHING_YET = "0-0"
"""The entry before the first one."""

_WAKE_KEEP_S = 3_600


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """One entry of a feed: all stages of one decision, or some words. `id` is `milliseconds-number`."""

    id: str
    items: tuple[FeedItem, ...]


class FeedWatch:
    """Reads feeds for one process. Every method raises TransientError when Redis cannot be reached.

    `follow` is for one caller at a time. The sessions that it names may be of any partition, so it is not for
    a Redis Cluster, where each partition has a place of its own.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys
        self._bell = f"{connection.keys.prefix}edge:bell:{connection.owner.decode()}".encode()
        self._rung = NOTHING_YET

    async def page(
        self,
        partition: int,
        session_id: str,
        *,
        start: str | None = None,
        after: str | None = None,
        count: int,
    ) -> list[FeedRecord]:
        """Return at most `count` entries that are kept, in order: from `start` on, or behind `after`."""
        place = start if after is None else f"({after}"
        key = self._keys.feed(partition, session_id)
        reply = await self._connection.command(
            b"XRANGE", key, (place or "-").encode(), b"+", b"COUNT", b"%d" % count
        )
        return _records(as_list(reply))

    async def newest(self, partition: int, session_id: str, *, count: int) -> list[FeedRecord]:
        """Return at most `count` entries, the newest first."""
        key = self._keys.feed(partition, session_id)
        reply = await self._connection.command(b"XREVRANGE", key, b"+", b"-", b"COUNT", b"%d" % count)
        return _records(as_list(reply))

    async def follow(
        self, places: Mapping[Watched, str], *, block_ms: int, count: int
    ) -> dict[Watched, list[FeedRecord]]:
        """Return what comes behind each of `places` (ids of entries), at most `count` entries of each feed.

        Waits up to `block_ms` for the first of them, or until the bell is rung.
        """
        keys = {self._keys.feed(*watched): watched for watched in places}
        names, ids = [self._bell, *keys], [self._rung, *(places[watched] for watched in keys.values())]
        reply = await self._connection.block(
            b"XREAD", b"COUNT", b"%d" % count, b"BLOCK", b"%d" % block_ms,
            b"STREAMS", *names, *(each.encode() for each in ids),
            block_ms=block_ms,
        )  # fmt: skip
        found: dict[Watched, list[FeedRecord]] = {}
        for stream in as_list(reply):
            name, entries = as_list(stream)
            watched = keys.get(as_text(name).encode())
            if watched is None:
                self._rung = as_text(as_list(as_list(entries)[-1])[0])
            else:
                found[watched] = _records(as_list(entries))
        return found

    async def ring(self) -> None:
        """Let a `follow` that waits return now, so that it can be called with other places."""
        waits = (
            self._connection.command(b"XADD", self._bell, b"MAXLEN", b"1", b"*", b"", b""),
            self._connection.command(b"EXPIRE", self._bell, b"%d" % _WAKE_KEEP_S),
        )
        for wait in waits:
            _ = await wait


def _records(entries: Sequence[Reply]) -> list[FeedRecord]:
    found = (tuple(items_of(as_list(entry))) for entry in entries)
    return [FeedRecord(items[-1].id, items) for items in found if items]
