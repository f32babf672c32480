"""Contexts with their outbox: loaded by one script, stored by another if nothing came between."""

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from stores.redis.connection import RedisConnection
from stores.redis.due import score_of
from stores.redis.replies import as_bytes, as_int, as_list, as_text
from stores.redis.scripts import CONTEXT_LOAD, CONTEXT_STORE

_LENGTH_WITH_CONTEXT = 3
_LENGTH_WITH_TOKEN = 5
_ARGUMENTS_BEFORE_TIMERS = 9


class Epoch(Struct, frozen=True, gc=False):
    """What a partition's data belongs to; another id means that data was lost. `born_ms`: Redis' clock."""

    id: str
    born_ms: int


@lru_cache(maxsize=1_024)
def epoch_of(marker: bytes) -> Epoch:
    """Return the epoch that a partition's marker names. Replies repeat a few of them."""
    return Epoch(id=marker.decode(), born_ms=int(marker.split(b"/")[1]) // 1000)


class Stored(Struct, frozen=True, gc=False):
    """A context as it is kept: raw bytes, the outbox of its last decision, its term and its version."""

    context: bytes
    outbox: bytes
    term: int
    version: int


class Loaded(Struct, frozen=True, gc=False):
    """What a load found. `token` is the one left where the context was absent; `now_ms` is Redis' clock.

    `had_token`: somebody had left another one before, in this epoch and within the time that tokens are kept.
    """

    epoch: Epoch
    stored: Stored | None
    token: str | None
    now_ms: int
    had_token: bool = False


class TimerEntry(Struct, frozen=True, gc=False):
    """A timer of a session: `key` names it within the session, `due_ms` is in Unix time."""

    key: str
    kind: str
    due_ms: int


class FeedEntry(Struct, frozen=True, gc=False):
    """One thing to show live."""

    kind: str
    data: bytes


class Contexts:
    """The contexts of all sessions."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys
        self._token_keep_ms = b"%d" % (connection.settings.token_keep_s * 1000)
        self._feed_max = b"%d" % connection.settings.feed_max_entries

    async def load(self, partition: int, session_id: str, *, leave_token: bool) -> Loaded:
        """Return the context, or its absence, together with the epoch that a store must name.

        A context of another epoch is absent. Where it is absent and `leave_token` is set, a fresh token is
        left, which replaces that of any other: only the last one who left one may store. Raises
        TransientError.
        """
        reply = as_list(
            await self._connection.run(
                CONTEXT_LOAD,
                self._keys.epoch(partition),
                self._keys.context(partition, session_id),
                self._keys.token(partition, session_id),
                self._connection.owner,
                self._connection.fresh_id() if leave_token else b"",
                self._token_keep_ms,
            )
        )
        has_left = len(reply) == _LENGTH_WITH_TOKEN
        return Loaded(
            epoch=epoch_of(as_bytes(reply[0])),
            stored=_stored(as_bytes(reply[2])) if len(reply) == _LENGTH_WITH_CONTEXT else None,
            token=as_text(reply[3]) if has_left else None,
            now_ms=as_int(reply[1]),
            had_token=has_left and as_int(reply[4]) == 1,
        )

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
        """Store context, outbox, timers and feed entries, all or nothing; return False when refused.

        `expected` is the (term, version) that was loaded, or the own token where the context was absent.
        Refused as well under another epoch than `epoch`. The context expires `ttl_s` seconds from now, and so
        does the feed when entries are given. Raises TransientError: then it may have been stored or not; load
        again.
        """
        keys, timers_at = self._keys, _ARGUMENTS_BEFORE_TIMERS + 1
        removed_at = timers_at + 2 * len(timers_set)
        marker = epoch.encode()
        if isinstance(expected, str):
            token, beginning = expected.encode(), marker + b"\n"
        else:
            token, beginning = b"", b"%b\n%d\n%d\n" % (marker, *expected)
        reply = await self._connection.run(
            CONTEXT_STORE,
            keys.epoch(partition),
            keys.context(partition, session_id),
            keys.token(partition, session_id),
            keys.timers(partition),
            keys.feed(partition, session_id),
            self._connection.owner,
            marker,
            token,
            beginning,
            _kept(marker, new),
            b"%d" % ttl_s,
            self._feed_max,
            b"%d" % removed_at,
            b"%d" % (removed_at + len(timers_removed)),
            *_flat(f"{session_id}/", timers_set, timers_removed, feed),
        )
        return as_int(reply) == 1


def _kept(marker: bytes, new: Stored) -> bytes:
    """Return the text that Redis keeps: four lines, the context, the outbox."""
    lines = (marker, new.term, new.version, len(new.context))
    return b"%b\n%d\n%d\n%d\n%b%b" % (*lines, new.context, new.outbox)


def _stored(kept: bytes) -> Stored:
    _, term, version, size, both = kept.split(b"\n", 4)
    end = int(size)
    return Stored(context=both[:end], outbox=both[end:], term=int(term), version=int(version))


def _flat(
    of_session: str,
    timers_set: Sequence[TimerEntry],
    timers_removed: Sequence[str],
    feed: Sequence[FeedEntry],
) -> list[bytes]:
    flat: list[bytes] = []
    for timer in timers_set:
        flat += (score_of(timer.due_ms, timer.kind), f"{of_session}{timer.key}".encode())
    flat += [f"{of_session}{key}".encode() for key in timers_removed]
    for entry in feed:
        flat += (b"kind", entry.kind.encode(), b"data", entry.data)
    return flat
