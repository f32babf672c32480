"""A user's recent sessions, for lists that should not wait for PostgreSQL: a view that can be made again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from stores.redis.connection import RedisConnection
from stores.redis.replies import as_bytes, as_list, as_text
from stores.redis.scripts import RECENTS_PUT, RECENTS_READ
from stores.redis.wire import Reply

_ERASED = b""
"""Owner of an erased session: an older record of it that arrives late must not bring it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSession:
    """A session as lists show it. Times in milliseconds since 1970."""

    session_id: str
    user_id: str
    agent_id: str | None
    title: str
    status: str
    archived: bool
    total_messages: int
    last_message: str | None
    last_activity_ms: int
    created_ms: int
    term: int
    version: int


class Recents:
    """The lists of all users. A session leaves one `keep_s` after its last activity, or behind `most` others.

    Keys of a user carry `{user}`, so that one script may touch them; a cluster spreads users.
    """

    def __init__(self, connection: RedisConnection, *, keep_s: int, most: int) -> None:
        self._connection = connection
        self._prefix = f"{connection.keys.prefix}recents:"
        self._keep_s = keep_s
        self._most = most

    async def put(self, sessions: Sequence[RecentSession]) -> None:
        """Keep sessions; the greater (term, version) of a session wins, and erased ones are left out.

        Raises TransientError: some may be kept then; put them again.
        """
        owners = [self._connection.command(b"GET", self._owner(each.session_id)) for each in sessions]
        kept = [each for each, owner in zip(sessions, owners, strict=True) if await owner != _ERASED]
        keep_s = b"%d" % self._keep_s
        replies = [
            self._connection.command(
                b"SET", self._owner(each.session_id), each.user_id.encode(), b"EX", keep_s
            )
            for each in kept
        ]
        replies += [
            self._connection.run(
                RECENTS_PUT,
                *self._lists(each.user_id),
                each.session_id.encode(),
                b"%d" % each.term,
                b"%d" % each.version,
                b"%d" % each.last_activity_ms,
                _value_of(each),
                keep_s,
                b"%d" % self._most,
            )
            for each in kept
        ]
        for reply in replies:
            await reply

    async def remove(self, sessions: Collection[str]) -> None:
        """Forget erased sessions, and remember that they are. Raises TransientError."""
        keep_s = b"%d" % self._keep_s
        for session_id in sessions:
            owner = await self._connection.command(b"GET", self._owner(session_id))
            if owner:
                by_time, data = self._lists(as_text(owner))
                await self._connection.command(b"HDEL", data, session_id.encode())
                await self._connection.command(b"ZREM", by_time, session_id.encode())
            await self._connection.command(b"SET", self._owner(session_id), _ERASED, b"EX", keep_s)

    async def of_user(
        self, user_id: str, *, limit: int = 20, archived: bool | None = False
    ) -> tuple[RecentSession, ...]:
        """Return a user's sessions, the last active first; `archived` None: also those put away.

        Raises TransientError.
        """
        reply = await self._connection.run(RECENTS_READ, *self._lists(user_id), b"%d" % self._keep_s)
        flat = as_list(reply)
        found = (
            _session_of(user_id, as_text(flat[at]), flat[at + 1])
            for at in range(0, len(flat), 2)
            if flat[at + 1] is not None
        )
        return tuple(each for each in found if archived is None or each.archived is archived)[:limit]

    async def offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset of each partition that one is kept of. Raises TransientError."""
        replies = [self._connection.command(b"GET", self._offset(partition)) for partition in partitions]
        found = [await reply for reply in replies]
        return {
            partition: int(as_bytes(value))
            for partition, value in zip(partitions, found, strict=True)
            if value is not None
        }

    async def move(self, offsets: Mapping[int, int]) -> None:
        """Keep the next offsets, after what is before them was put. Raises TransientError."""
        replies = [
            self._connection.command(b"SET", self._offset(partition), b"%d" % offset)
            for partition, offset in offsets.items()
        ]
        for reply in replies:
            await reply

    def _lists(self, user_id: str) -> tuple[bytes, bytes]:
        # Quoted, because a brace in a user's name would end the hash tag.
        tag = f"{self._prefix}{{{quote(user_id, safe='@.-_~')}}}"
        return f"{tag}:by-time".encode(), f"{tag}:sessions".encode()

    def _owner(self, session_id: str) -> bytes:
        return f"{self._prefix}owner:{{{session_id}}}".encode()

    def _offset(self, partition: int) -> bytes:
        return f"{self._prefix}next:{{t{partition:02d}}}".encode()


def newest(sessions: Iterable[RecentSession]) -> list[RecentSession]:
    """Return the greatest (term, version) of each session."""
    best: dict[str, RecentSession] = {}
    for each in sessions:
        held = best.get(each.session_id)
        if held is None or (each.term, each.version) > (held.term, held.version):
            best[each.session_id] = each
    return list(best.values())


def _value_of(session: RecentSession) -> bytes:
    return orjson.dumps(
        (
            session.agent_id,
            session.title,
            session.status,
            session.archived,
            session.total_messages,
            session.last_message,
            session.last_activity_ms,
            session.created_ms,
        )
    )


def _session_of(user_id: str, session_id: str, value: Reply) -> RecentSession:
    term, version, body = as_bytes(value).split(b" ", 2)
    agent_id, title, status, archived, total, last_message, last_activity_ms, created_ms = orjson.loads(body)
    return RecentSession(
        session_id=session_id,
        user_id=user_id,
        agent_id=agent_id,
        title=title,
        status=status,
        archived=archived,
        total_messages=total,
        last_message=last_message,
        last_activity_ms=last_activity_ms,
        created_ms=created_ms,
        term=int(term),
        version=int(version),
    )
