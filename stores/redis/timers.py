"""Timers of a partition's sessions: what is due by Redis' clock, and whether the set is complete."""

from collections.abc import Sequence
from dataclasses import dataclass

from stores.redis.connection import RedisConnection
from stores.redis.contexts import Epoch, epoch_of
from stores.redis.due import SCORES_PER_MS, moment_of, score_of
from stores.redis.replies import as_bytes, as_int, as_list, as_text
from stores.redis.scripts import (
    ARMED_MARK,
    ARMED_READ,
    EPOCH_READ,
    TIMERS_ARM,
    TIMERS_DUE,
    TIMERS_REMOVE,
)

_ARM_AT_ONCE = 500  # timers per script: below a millisecond, so that the session steps are not held up


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer with its session; `due_ms` is in Unix time."""

    session_id: str
    key: str
    kind: str
    due_ms: int

    @property
    def member(self) -> bytes:
        """Its name among the partition's timers."""
        return f"{self.session_id}/{self.key}".encode()


class Timers:
    """The timers of all partitions; what is due is told by Redis' clock."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys

    async def epoch(self, partition: int) -> Epoch:
        """Return the partition's current epoch. Raises TransientError."""
        return epoch_of(
            as_bytes(
                await self._connection.run(EPOCH_READ, self._keys.epoch(partition), self._connection.owner)
            )
        )

    async def due(self, partition: int, limit: int) -> tuple[DueTimer, ...]:
        """Return at most `limit` timers that are due, the earliest first. Raises TransientError."""
        reply = as_list(
            await self._connection.run(
                TIMERS_DUE,
                self._keys.epoch(partition),
                self._keys.timers(partition),
                self._connection.owner,
                b"%d" % SCORES_PER_MS,
                b"%d" % limit,
            )
        )
        return tuple(_timer(as_text(reply[at]), as_int(reply[at + 1])) for at in range(0, len(reply), 2))

    async def remove_if_unchanged(self, partition: int, timer: DueTimer) -> bool:
        """Remove a timer that fired; return False when it is gone or due at another time.

        Raises TransientError.
        """
        reply = await self._connection.run(
            TIMERS_REMOVE,
            self._keys.epoch(partition),
            self._keys.timers(partition),
            self._connection.owner,
            timer.member,
            b"%d" % (timer.due_ms * SCORES_PER_MS),
            b"%d" % ((timer.due_ms + 1) * SCORES_PER_MS),
        )
        return as_int(reply) == 1

    async def is_armed(self, partition: int) -> bool:
        """Tell whether the timers were made complete in the current epoch. Raises TransientError."""
        reply = await self._connection.run(
            ARMED_READ, self._keys.epoch(partition), self._keys.armed(partition), self._connection.owner
        )
        return as_int(reply) == 1

    async def arm(self, partition: int, epoch: str, entries: Sequence[DueTimer]) -> bool:
        """Put timers back from the record; return False when the epoch has changed (some may be in then).

        A due time that is there already and later stays. Raises TransientError.
        """
        for start in range(0, len(entries), _ARM_AT_ONCE):
            flat: list[bytes] = []
            for timer in entries[start : start + _ARM_AT_ONCE]:
                flat += (score_of(timer.due_ms, timer.kind), timer.member)
            reply = await self._connection.run(
                TIMERS_ARM,
                self._keys.epoch(partition),
                self._keys.timers(partition),
                self._connection.owner,
                epoch.encode(),
                *flat,
            )
            if as_int(reply) == 0:
                return False
        return True

    async def mark_armed(self, partition: int, epoch: str) -> bool:
        """Note that the timers are complete for `epoch`; return False when it has changed.

        Raises TransientError.
        """
        reply = await self._connection.run(
            ARMED_MARK,
            self._keys.epoch(partition),
            self._keys.armed(partition),
            self._connection.owner,
            epoch.encode(),
        )
        return as_int(reply) == 1


def _timer(member: str, score: int) -> DueTimer:
    session_id, _, key = member.partition("/")  # a session id is a UUID
    due_ms, kind = moment_of(score)
    return DueTimer(session_id=session_id, key=key, kind=kind, due_ms=due_ms)
