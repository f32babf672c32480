"""The machine of a paid step: claim it, look it up, do it, record it, publish it; whoever dies on the way.

A step is joined by its step id. One attempt buys its result; every other attempt waits for that one, takes
over when its lease ends, or publishes what the journal or the record has.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Final, Generic

from schemas.errors import TransientError
from schemas.ids import new_id
from stores.redis.contexts import Epoch
from stores.redis.journal import Busy, Claimed, Done
from streams.journal_settings import JournalSettings
from streams.journaled_ports import Erasures, Job, OnceClaims, Publish, R, ResultBarrier, StepJournal
from streams.runtime.parking import parked
from telemetry.logs import logger
from telemetry.metrics import STEPS_REPLAYED
from telemetry.points import point

log = logger(__name__)

_BUSY_PAUSE_S: Final = 0.25
"""Longest wait before asking again for a step that another attempt holds: its result may come any moment."""
_STORE_PAUSE_S: Final = 0.5
_RELEASE_WITHIN_S: Final = 2.0
_RENEWALS_PER_LEASE: Final = 3


class _End(Enum):
    AGAIN = auto()
    """Another attempt has the step now: claim again and see."""
    FINISHED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMachine:
    """Runs jobs. `now_ms` is the wall clock in Unix milliseconds."""

    journal: StepJournal
    once_claims: OnceClaims
    barrier: ResultBarrier
    erasures: Erasures
    publisher: Publish
    settings: JournalSettings
    now_ms: Callable[[], int]

    async def run(self, job: Job[R]) -> None:
        """See to it that the job's one result is recorded and published; return only then.

        Raises:
            TransientError: a store or the broker is away; call again.

        """
        await _Attempts(self, job).run()


class _Attempts(Generic[R]):
    """All attempts of one delivery at one step."""

    def __init__(self, machine: StepMachine, job: Job[R]) -> None:
        self._machine = machine
        self._job = job
        self._settings = machine.settings
        self._lease_ms = int(machine.settings.lease_s * 1000)
        # Kept over attempts: an INSERT that was committed although its connection broke is found as our own.
        self._once_token: str | None = None

    async def run(self) -> None:
        job = self._job
        while True:
            token = new_id()
            asked_at = monotonic()
            claim = await self._machine.journal.claim(job.partition, job.step_id, token, self._lease_ms)
            match claim:
                case Done(value=value):
                    STEPS_REPLAYED.labels(job.role).inc()
                    await self._publish(job.unpack(value))
                    return
                case Busy(retry_after_ms=retry_after_ms):
                    async with parked():
                        await asyncio.sleep(min(_BUSY_PAUSE_S, max(retry_after_ms, 1) / 1000))
                case Claimed(epoch=epoch):
                    if await self._attempt(token, epoch, asked_at) is _End.FINISHED:
                        return

    async def _attempt(self, token: str, epoch: Epoch, asked_at: float) -> _End:
        try:
            async with self._renewed(token):
                await point(f"{self._job.role}.claimed")
                return await self._claimed(token, epoch, asked_at)
        except BaseException:
            await self._release(token)
            raise

    async def _claimed(self, token: str, epoch: Epoch, asked_at: float) -> _End:
        job = self._job
        if self._may_be_recorded(epoch):
            await self._machine.barrier.passed(job.result_topic, job.partition)
            if await self._machine.erasures.is_erased(job.session_id):
                await self._release(token)
                return _End.FINISHED
            recorded = await job.look_up()
            if recorded is not None:
                return await self._already_recorded(token, recorded)
        async with job.slot():
            if job.is_once:
                held = await self._claim_once(token)
                if held is None:
                    return _End.AGAIN
                if not held:
                    return await self._complete(token, job.outcome_unknown())
            if not await self._still_held(token, asked_at):
                return _End.AGAIN
            self._once_token = None
            result = await job.work(token)
        await point(f"{job.role}.called")
        return await self._complete(token, result)

    async def _claim_once(self, token: str) -> bool | None:
        """Return whether the only start is ours; None: the record is away, claim the step again."""
        if self._once_token is None:
            self._once_token = new_id()
        try:
            return await self._machine.once_claims.claim(self._job.step_id, self._once_token)
        except TransientError as error:
            log.warning("once claim undecided", step_id=self._job.step_id, error=error.message)
            await self._release(token)
            await asyncio.sleep(_STORE_PAUSE_S)
            return None

    async def _complete(self, token: str, result: R) -> _End:
        job = self._job
        stored = await self._machine.journal.complete(
            job.partition, job.step_id, token, job.pack(result), self._settings.keep_s * 1000
        )
        if not stored:
            return _End.AGAIN
        await point(f"{job.role}.completed")
        await self._publish(result)
        return _End.FINISHED

    async def _already_recorded(self, token: str, result: R) -> _End:
        # Refused only when another attempt holds the step meanwhile; the record decides all the same.
        job = self._job
        await self._machine.journal.complete(
            job.partition, job.step_id, token, job.pack(result), self._settings.keep_s * 1000
        )
        STEPS_REPLAYED.labels(job.role).inc()
        await self._publish(result)
        return _End.FINISHED

    async def _publish(self, result: R) -> None:
        job = self._job
        await self._machine.publisher.publish(result, trace=job.trace.child(), partition=job.partition)
        await point(f"{job.role}.published")

    def _may_be_recorded(self, epoch: Epoch) -> bool:
        """Tell whether the journal may have forgotten the step: Redis lost its data, or it is too old."""
        margin_ms = self._settings.margin_s * 1000
        born_ms = self._job.born_ms
        too_old = self._machine.now_ms() - born_ms > self._settings.keep_s * 1000 - margin_ms
        return too_old or born_ms <= epoch.born_ms + margin_ms

    async def _still_held(self, token: str, asked_at: float) -> bool:
        """Verify the claim immediately before the start: a wait or a freeze may have outlived the lease.

        A claim that is young needs no question to be certain, unless the start must never happen twice.
        """
        is_young = monotonic() - asked_at < self._settings.lease_s / _RENEWALS_PER_LEASE
        return (is_young and not self._job.is_once) or await self._renew(token)

    async def _renew(self, token: str) -> bool:
        job = self._job
        return await self._machine.journal.renew(job.partition, job.step_id, token, self._lease_ms)

    @asynccontextmanager
    async def _renewed(self, token: str) -> AsyncGenerator[None]:
        # Most steps end before the first renewal is due: a timer costs less than a task.
        renewing: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(
            self._settings.lease_s / _RENEWALS_PER_LEASE,
            lambda: renewing.append(asyncio.create_task(self._keep_renewing(token))),
        )
        try:
            yield
        finally:
            timer.cancel()
            for task in renewing:
                task.cancel()
            if renewing:
                await asyncio.wait(renewing, timeout=_RELEASE_WITHIN_S)

    async def _keep_renewing(self, token: str) -> None:
        while True:
            try:
                if not await self._renew(token):
                    # Taken over, or forgotten by Redis: what is being paid for goes on, `complete` decides.
                    log.info("lease lost", step_id=self._job.step_id)
                    return
            except TransientError as error:
                log.warning("lease not renewed", step_id=self._job.step_id, error=error.message)
            await asyncio.sleep(self._settings.lease_s / _RENEWALS_PER_LEASE)

    async def _release(self, token: str) -> None:
        """End the lease so that the next attempt need not wait; when that fails, the lease ends by itself."""
        job = self._job
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(_RELEASE_WITHIN_S):
                await self._machine.journal.release(job.partition, job.step_id, token)
