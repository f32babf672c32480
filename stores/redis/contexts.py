"""Contexts with their outbox: loaded by one script, stored by another if nothing came between."""

from collections.abc import Sequence
from dataclasses import dataclass

from stores.redis.connection import RedisConnection
from stores.redis.replies import as_bytes, as_int, as_list, as_text
from stores.redis.scripts import CONTEXT_LOAD, CONTEXT_STORE

_LENGTH_WITH_CONTEXT = 7
_LENGTH_WITH_TOKEN = 5


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a partition's data belongs to; another id means that data was lost. `born_ms`: Redis' clock."""

    id: str
    born_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A context as it is kept: raw bytes, the outbox of its last decision, its term and its version."""

    context: bytes
    outbox: bytes
    term: int
    version: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found. `token` is the one left where the context was absent; `now_ms` is Redis' clock.

    `had_token`: somebody had left another one before, in this epoch and within the time that tokens are kept.
    """

    epoch: Epoch
    stored: Stored | None
    token: str | None
    now_ms: int
    had_token: bool = False


@dataclass(frozen=True, slots=True)
class TimerEntry:
    """A timer of a session: `key` names it within the session, `due_ms` is in Unix time."""

    key: str
    kind: str
    due_ms: int


@dataclass(frozen=True, slots=True)
class FeedEntry:
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
        fresh = self._connection.fresh_id()
        reply = as_list(
            await self._connection.run(
                CONTEXT_LOAD,
                self._keys.epoch(partition),
                self._keys.context(partition, session_id),
                self._keys.token(partition, session_id),
                fresh,
                fresh if leave_token else b"",
                self._token_keep_ms,
            )
        )
        stored = None
        has_left = len(reply) == _LENGTH_WITH_TOKEN
        if len(reply) == _LENGTH_WITH_CONTEXT:
            stored = Stored(
                context=as_bytes(reply[5]),
                outbox=as_bytes(reply[6]),
                term=as_int(reply[3]),
                version=as_int(reply[4]),
            )
        return Loaded(
            epoch=Epoch(id=as_text(reply[0]), born_ms=as_int(reply[1])),
            stored=stored,
            token=as_text(reply[3]) if has_left else None,
            now_ms=as_int(reply[2]),
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
        token, term, version = (
            (expected, 0, 0) if isinstance(expected, str) else ("", expected[0], expected[1])
        )
        keys = self._keys
        reply = await self._connection.run(
            CONTEXT_STORE,
            keys.epoch(partition),
            keys.context(partition, session_id),
            keys.token(partition, session_id),
            keys.timers(partition),
            keys.timer_kinds(partition),
            keys.feed(partition, session_id),
            self._connection.fresh_id(),
            epoch.encode(),
            token.encode(),
            b"%d" % term,
            b"%d" % version,
            new.context,
            new.outbox,
            b"%d" % new.term,
            b"%d" % new.version,
            b"%d" % ttl_s,
            session_id.encode(),
            self._feed_max,
            b"%d" % len(timers_set),
            b"%d" % len(timers_removed),
            b"%d" % len(feed),
            *_flat(timers_set, timers_removed, feed),
        )
        return as_int(reply) == 1


def _flat(
    timers_set: Sequence[TimerEntry], timers_removed: Sequence[str], feed: Sequence[FeedEntry]
) -> list[bytes]:
    flat: list[bytes] = []
    for timer in timers_set:
        flat += (timer.key.encode(), timer.kind.encode(), b"%d" % timer.due_ms)
    flat += [key.encode() for key in timers_removed]
    for entry in feed:
        flat += (entry.kind.encode(), entry.data)
    return flat
