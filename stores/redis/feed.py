"""The live feed of a session: what people watch while it happens. A view, not the record: it may be lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from stores.redis.connection import RedisConnection
from stores.redis.contexts import FeedEntry
from stores.redis.replies import as_bytes, as_list, as_text
from stores.redis.scripts import FEED_APPEND
from stores.redis.wire import Reply

BEGINNING = "0"
"""The place before the first entry."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An entry with its id; ids ascend."""

    id: str
    kind: str
    data: bytes


class Feed:
    """The feeds of all sessions."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys

    async def append(
        self, partition: int, session_id: str, entries: Sequence[FeedEntry], *, keep_s: int, max_len: int
    ) -> None:
        """Append entries in order to a feed that a decision has begun; it expires `keep_s` seconds from now.

        It keeps about `max_len` entries. Where there is none nothing is kept: words that come when their
        session is erased already must not stay. Raises TransientError.
        """
        if not entries:
            return
        flat: list[bytes] = []
        for entry in entries:
            flat += (entry.kind.encode(), entry.data)
        await self._connection.run(
            FEED_APPEND,
            self._keys.epoch(partition),
            self._keys.feed(partition, session_id),
            self._connection.owner,
            b"%d" % keep_s,
            b"%d" % max_len,
            *flat,
        )

    async def delete(self, partition: int, session_id: str) -> None:
        """Forget the feed of a session. Raises TransientError."""
        await self._connection.command(b"UNLINK", self._keys.feed(partition, session_id))

    async def read(
        self, partition: int, session_id: str, *, after: str = BEGINNING, block_ms: int = 0, count: int = 100
    ) -> tuple[FeedItem, ...]:
        """Return at most `count` entries after the id `after`, in order.

        Where there is none it waits for one up to `block_ms` (0: does not wait). Raises TransientError.
        """
        key = self._keys.feed(partition, session_id)
        limit = b"%d" % count
        reply = await self._connection.command(b"XREAD", b"COUNT", limit, b"STREAMS", key, after.encode())
        if reply is None and block_ms > 0:
            wait = b"%d" % block_ms
            reply = await self._connection.block(
                b"XREAD", b"COUNT", limit, b"BLOCK", wait, b"STREAMS", key, after.encode(), block_ms=block_ms
            )
        return _items(reply)


def _items(reply: Reply) -> tuple[FeedItem, ...]:
    streams = as_list(reply)
    if not streams:
        return ()
    return tuple(_item(as_list(entry)) for entry in as_list(as_list(streams[0])[1]))


def _item(entry: list[Reply]) -> FeedItem:
    fields = as_list(entry[1])
    return FeedItem(id=as_text(entry[0]), kind=as_text(fields[1]), data=as_bytes(fields[3]))
