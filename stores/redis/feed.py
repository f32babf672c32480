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


_LAST_OF_A_MILLISECOND = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An entry with its id, which says what to read after.

    The stages of one decision stand in Redis as one: all but the last have the id of that one, a colon and
    their number (from 0).
    """

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
        limit, place = b"%d" % count, _place(after)
        reply = await self._connection.command(b"XREAD", b"COUNT", limit, b"STREAMS", key, place)
        if reply is None and block_ms > 0:
            wait = b"%d" % block_ms
            reply = await self._connection.block(
                b"XREAD", b"COUNT", limit, b"BLOCK", wait, b"STREAMS", key, place, block_ms=block_ms
            )
        items = _items(reply)
        seen = next((at for at, item in enumerate(items, 1) if item.id == after), 0)
        return tuple(items[seen : seen + count])


def _place(after: str) -> bytes:
    """Return the place in the stream that what follows the id `after` comes after."""
    entry, is_inner, _ = after.partition(":")
    if not is_inner:
        return after.encode()
    ms, _, number = entry.partition("-")
    if number == "0":
        return b"%d-%d" % (int(ms) - 1, _LAST_OF_A_MILLISECOND)
    return b"%b-%d" % (ms.encode(), int(number) - 1)


def _items(reply: Reply) -> list[FeedItem]:
    streams = as_list(reply)
    entries = as_list(as_list(streams[0])[1]) if streams else []
    return [item for entry in entries for item in items_of(as_list(entry))]


def items_of(entry: list[Reply]) -> list[FeedItem]:
    """Return the entries that stand in one of Redis, as it was answered: the id, and names with values."""
    identity, values = as_text(entry[0]), as_list(entry[1])[1::2]  # between the names: kind, data, kind, …
    last = len(values) // 2 - 1
    return [
        FeedItem(
            id=identity if number == last else f"{identity}:{number}",
            kind=as_text(values[2 * number]),
            data=as_bytes(values[2 * number + 1]),
        )
        for number in range(last + 1)
    ]
