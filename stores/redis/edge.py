"""What the replicas of the HTTP edge share of each user: limits, idempotency keys, what they wrote lately."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stores.redis.connection import RedisConnection
from stores.redis.replies import as_int, as_list, as_text
from stores.redis.scripts import (
    EDGE_ARRIVE,
    EDGE_FORGET,
    EDGE_NOTE,
    EDGE_PLACE,
    EDGE_REMEMBER,
    EDGE_RUN_BEGIN,
    EDGE_WRITES,
)
from stores.redis.wire import Reply

MOST_WRITES = 500
"""Writes of one user that are remembered, and erasures as well; of more, the newest."""

_FEW_WRITES = 20
"""So many are told to whoever arrives: nobody need ask for them then."""

_MS = 1000


@dataclass(frozen=True, slots=True)
class Spent:
    """What a user's window says of one more request."""

    allowed: bool
    left: int
    """Requests that the window still has."""
    retry_after_s: int
    """Seconds until the window ends, rounded up: after them a request is allowed."""


@dataclass(frozen=True, slots=True)
class Write:
    """An event that a user published and that the record may not show yet."""

    event_id: str
    session_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """What every request of a user is served with."""

    spent: Spent
    erased: frozenset[str]
    """The sessions that the user has erased lately."""
    agents: Mapping[int, int]
    """Where in the topic of agents they have published lately: partitions, and the newest offset of each."""
    writes: Sequence[Write] | None
    """What else they have published lately (see `EdgeKeys.writes`); None when that is much."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is kept under an idempotency key."""

    value: str
    """The first value that was given with the key."""
    is_first: bool
    """Whether it is the caller's own, just now."""
    is_same_request: bool
    """Whether the key came with the same request the first time."""


class EdgeKeys:
    """The edge's keys of all users. Every one expires, by the server's clock.

    Every method raises TransientError when Redis cannot be reached.

    Keys of a user carry `{user}`, so that a cluster spreads users. None belongs to an epoch: a Redis that
    forgets them makes limits begin again and a retried key a new request, whose message id decides then.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._prefix = f"{connection.keys.prefix}edge:"

    async def arrive(self, user_id: str, *, limit: int, window_s: int) -> Arrived:
        """Count a request in the window of `window_s` seconds that the user's first request began.

        At most `limit` are allowed in one window (0: any number); refused ones do not count.
        """
        reply = await self._connection.run(
            EDGE_ARRIVE,
            self._key(user_id, f"rate:{window_s}"),
            self._key(user_id, "erased"),
            self._key(user_id, "agents"),
            self._key(user_id, "writes"),
            b"%d" % limit,
            b"%d" % (window_s * _MS),
            b"%d" % (_FEW_WRITES + 1),
        )
        left, ends_in_ms, erased, places, writes = as_list(reply)
        spent = Spent(
            allowed=as_int(left) >= 0,
            left=max(as_int(left), 0),
            retry_after_s=_seconds_up(as_int(ends_in_ms)),
        )
        numbers = [as_int(each) for each in as_list(places)]
        return Arrived(
            spent=spent,
            erased=frozenset(map(as_text, as_list(erased))),
            agents=dict(zip(numbers[::2], numbers[1::2], strict=True)),
            writes=None if len(as_list(writes)) > _FEW_WRITES else _writes(writes),
        )

    async def begin_run(self, user_id: str, run_id: str, *, most: int, keep_s: int) -> bool:
        """Count a run among those of the user that are running; False when there are `most` already.

        A run that is counted already counts once, and is kept for `keep_s` seconds from now: one whose end
        nobody told leaves by itself.
        """
        reply = await self._connection.run(
            EDGE_RUN_BEGIN,
            self._key(user_id, "runs"),
            run_id.encode(),
            b"%d" % most,
            b"%d" % (keep_s * _MS),
        )
        return as_int(reply) == 1

    async def end_run(self, user_id: str, run_id: str) -> None:
        """Count a run no longer. Nothing happens when it is not counted."""
        await self._connection.command(b"ZREM", self._key(user_id, "runs"), run_id.encode())

    async def running(self, user_id: str) -> list[str]:
        """Return the runs of the user that are counted as running, the first to leave by itself first."""
        reply = await self._connection.command(b"ZRANGE", self._key(user_id, "runs"), b"0", b"-1")
        return [as_text(each) for each in as_list(reply)]

    async def remember_key(
        self, user_id: str, key: str, request_hash: str, value: str, *, keep_s: int
    ) -> Remembered:
        """Keep the first value that comes with an idempotency key of the user for `keep_s` seconds.

        `request_hash` says which request it was; it must not hold a line break.
        """
        # Hashed: a key is whatever a client made up, and as long.
        name = hashlib.sha256(key.encode()).hexdigest()
        text = f"{request_hash}\n{value}".encode()
        reply = await self._connection.run(
            EDGE_REMEMBER, self._key(user_id, f"key:{name}"), text, b"%d" % keep_s
        )
        if reply is None:
            return Remembered(value, is_first=True, is_same_request=True)
        kept_hash, _, kept = as_text(reply).partition("\n")
        return Remembered(kept, is_first=False, is_same_request=kept_hash == request_hash)

    async def note_write(
        self, user_id: str, session_id: str, event_id: str, kind: str, *, keep_s: int
    ) -> None:
        """Remember for `keep_s` seconds that the user published an event. Neither part holds a blank."""
        await self._note(user_id, "writes", f"{event_id} {session_id} {kind}", keep_s)

    async def note_erased(self, user_id: str, session_id: str, *, keep_s: int) -> None:
        """Remember for `keep_s` seconds that the user has erased a session."""
        await self._note(user_id, "erased", session_id, keep_s)

    async def note_agent(self, user_id: str, partition: int, offset: int, *, keep_s: int) -> None:
        """Remember for `keep_s` seconds where in the topic of agents the user has published."""
        await self._connection.run(
            EDGE_PLACE,
            self._key(user_id, "agents"),
            b"%d" % partition,
            b"%d" % offset,
            b"%d" % (keep_s * _MS),
        )

    async def writes(self, user_id: str) -> list[Write]:
        """Return the remembered writes of the user, the first to expire first."""
        reply = await self._connection.run(EDGE_WRITES, self._key(user_id, "writes"))
        return _writes(reply)

    async def forget_writes(self, user_id: str, event_ids: Collection[str]) -> None:
        """Remember some writes no longer: the record shows them."""
        if event_ids:
            events = [event_id.encode() for event_id in event_ids]
            await self._connection.run(EDGE_FORGET, self._key(user_id, "writes"), *events)

    async def _note(self, user_id: str, kind: str, note: str, keep_s: int) -> None:
        await self._connection.run(
            EDGE_NOTE, self._key(user_id, kind), note.encode(), b"%d" % (keep_s * _MS), b"%d" % MOST_WRITES
        )

    def _key(self, user_id: str, kind: str) -> bytes:
        # Quoted, because a brace in a user's name would end the hash tag.
        return f"{self._prefix}{{{quote(user_id, safe='@.-_~')}}}:{kind}".encode()


def _writes(reply: Reply) -> list[Write]:
    return [Write(*as_text(each).split(" ", 2)) for each in as_list(reply)]


def _seconds_up(milliseconds: int) -> int:
    return -(-max(milliseconds, 0) // _MS)
