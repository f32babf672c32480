"""The journal of steps: who works at one, until when, and its value once it is done."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from stores.redis.connection import RedisConnection
from stores.redis.contexts import Epoch, epoch_of
from stores.redis.replies import as_bytes, as_int, as_list
from stores.redis.scripts import STEP_CLAIM, STEP_COMPLETE, STEP_FORGET, STEP_RELEASE, STEP_RENEW

_FORGET_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """The step is ours until the lease ends."""

    epoch: Epoch
    taken_over: bool
    """Another attempt had it and may have started."""
    is_forgotten: bool = False
    """What another attempt left was taken away: whether it is done is in the record alone."""


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done; publish this value again."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Busy:
    """Another attempt works at it; its lease ends in `retry_after_ms` unless renewed."""

    retry_after_ms: int


class Journal:
    """The journal of all steps. A token names one attempt.

    It is random, or `name:start:random` of a process whose name belongs to one process at a time; `start` is
    a text that is greater for each later process of the name. Such an attempt takes over at once what an
    earlier process of its name holds: that one has ended, or is about to find out that it was replaced.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys
        self._keep_ms = connection.settings.journal_claim_keep_s * 1000
        self._claim_keep_ms = b"%d" % self._keep_ms

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        """Claim a step. Claiming again with the same token renews the lease. Raises TransientError."""
        reply = as_list(
            await self._connection.run(
                STEP_CLAIM,
                self._keys.epoch(partition),
                self._keys.step(partition, step_id),
                self._connection.owner,
                token.encode(),
                self._claim_keep_ms,
                self._left_at_end(lease_ms),
            )
        )
        match as_bytes(reply[0]):
            case b"done":
                return Done(as_bytes(reply[1]))
            case b"busy":
                return Busy(as_int(reply[1]))
            case _:
                return _claimed(as_bytes(reply[1]), as_bytes(reply[2]), as_bytes(reply[3]))

    async def renew(self, partition: int, step_id: str, token: str, lease_ms: int) -> bool:
        """Renew the lease, or ask whether the token still holds the step.

        False: the entry is lost, done, or another's. Raises TransientError.
        """
        reply = await self._connection.run(
            STEP_RENEW,
            self._keys.epoch(partition),
            self._keys.step(partition, step_id),
            self._connection.owner,
            token.encode(),
            self._claim_keep_ms,
            self._left_at_end(lease_ms),
        )
        return as_int(reply) == 1

    async def complete(self, partition: int, step_id: str, token: str, value: bytes, keep_ms: int) -> bool:
        """Store the value for `keep_ms`; return False when another token holds the step or it is done.

        After False, claim again: it answers with the stored value or says that another works. An absent
        entry, or one of another epoch, is stored. Raises TransientError.
        """
        reply = await self._connection.run(
            STEP_COMPLETE,
            self._keys.epoch(partition),
            self._keys.step(partition, step_id),
            self._connection.owner,
            token.encode(),
            value,
            b"%d" % keep_ms,
        )
        return as_int(reply) == 1

    async def release(self, partition: int, step_id: str, token: str) -> None:
        """End the own lease now, so that another attempt need not wait. Raises TransientError."""
        await self._connection.run(
            STEP_RELEASE,
            self._keys.epoch(partition),
            self._keys.step(partition, step_id),
            self._connection.owner,
            token.encode(),
            self._claim_keep_ms,
        )

    def _left_at_end(self, lease_ms: int) -> bytes:
        """Return how long the entry of a claim made now has to live when its lease ends."""
        return b"%d" % max(0, self._keep_ms - lease_ms)

    async def forget(self, partition: int, step_ids: Collection[str]) -> None:
        """Delete what is kept of these steps, done or not, but that it was. Raises TransientError."""
        steps = list(step_ids)
        for start in range(0, len(steps), _FORGET_AT_ONCE):
            some = steps[start : start + _FORGET_AT_ONCE]
            await asyncio.gather(*(self._forget(partition, step_id) for step_id in some))

    async def _forget(self, partition: int, step_id: str) -> None:
        await self._connection.run(
            STEP_FORGET,
            self._keys.epoch(partition),
            self._keys.step(partition, step_id),
            self._connection.owner,
            self._claim_keep_ms,
        )


@lru_cache(maxsize=1_024)
def _claimed(marker: bytes, taken_over: bytes, forgotten: bytes) -> Claimed:
    """Return what a claim answered. Nearly all answers of a partition are the same."""
    return Claimed(epoch=epoch_of(marker), taken_over=taken_over == b"1", is_forgotten=forgotten == b"1")
