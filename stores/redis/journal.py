"""The journal of steps: who works at one, until when, and its value once it is done."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from stores.redis.connection import RedisConnection
from stores.redis.contexts import Epoch
from stores.redis.replies import as_bytes, as_int, as_list, as_text
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
    """The journal of all steps. A token is random and names one attempt."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._keys = connection.keys
        self._claim_keep_ms = b"%d" % (connection.settings.journal_claim_keep_s * 1000)

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        """Claim a step. Claiming again with the same token renews the lease. Raises TransientError."""
        reply = as_list(
            await self._connection.run(
                STEP_CLAIM,
                self._keys.epoch(partition),
                self._keys.step(partition, step_id),
                self._connection.fresh_id(),
                token.encode(),
                b"%d" % lease_ms,
                self._claim_keep_ms,
            )
        )
        match as_bytes(reply[0]):
            case b"done":
                return Done(as_bytes(reply[1]))
            case b"busy":
                return Busy(as_int(reply[1]))
            case _:
                epoch = Epoch(id=as_text(reply[1]), born_ms=as_int(reply[2]))
                return Claimed(
                    epoch=epoch, taken_over=as_int(reply[3]) == 1, is_forgotten=as_int(reply[4]) == 1
                )

    async def renew(self, partition: int, step_id: str, token: str, lease_ms: int) -> bool:
        """Renew the lease, or ask whether the token still holds the step.

        False: the entry is lost, done, or another's. Raises TransientError.
        """
        reply = await self._connection.run(
            STEP_RENEW,
            self._keys.epoch(partition),
            self._keys.step(partition, step_id),
            self._connection.fresh_id(),
            token.encode(),
            b"%d" % lease_ms,
            self._claim_keep_ms,
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
            self._connection.fresh_id(),
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
            self._connection.fresh_id(),
            token.encode(),
        )

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
            self._connection.fresh_id(),
            self._claim_keep_ms,
        )
