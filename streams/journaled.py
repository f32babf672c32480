"""The machine of a paid step: claim it, look it up, do it, record it, publish it; whoever dies on the way.

A step is joined by its step id. One attempt buys its result; every other attempt waits for that one, takes
over when its lease ends, or publishes what the journal or the record has.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import Any, Final, Generic

from schemas.errors import TransientError
from schemas.ids import random_id
from stores.redis.journal import Busy, Claimed, Done
from streams.journal_settings import JournalSettings
from streams.journaled_ports import (
    Erasures,
    Job,
    OnceClaims,
    Publish,
    R,
    Reconcilable,
    ResultBarrier,
    StepJournal,
)
from streams.runtime.running_step import parked, shielded
from telemetry.logs import logger
from telemetry.metrics import LEASE_TAKEOVERS, LEASES_LOST, STEPS_REPLAYED
from telemetry.points import point

log = logger(__name__)

_TOKENS_REMEMBERED: Final = 10_000
_BUSY_PAUSE_S: Final = 0.25
"""Longest wait before asking again for a step that another attempt holds: its result may come any moment."""
_RELEASE_WITHIN_S: Final = 2.0
_RENEWALS_PER_LEASE: Final = 3


class _End(Enum):
    AGAIN = auto()
    """Another attempt has the step now: claim again and see."""
    FINISHED = auto()


class OnceTokens:
    """Tokens of `once` claims that were sent and not used yet, by step id: this process may still use them.

    Kept over attempts: an INSERT that was committed although its connection broke is found as our own.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def of(self, step_id: str) -> str:
        """Return the token to claim the step with."""
        token = self._tokens.get(step_id)
        if token is None:
            if len(self._tokens) >= _TOKENS_REMEMBERED:
                # Of steps that went elsewhere; forgetting one can only make an outcome unknown.
                del self._tokens[next(iter(self._tokens))]
            token = self._tokens[step_id] = random_id()
        return token

    def take(self, step_id: str) -> bool:
        """Return whether the step may be started now: once for each token, whoever else waits to use it."""
        return self._tokens.pop(step_id, None) is not None


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
    token_prefix: str = ""
    """What tokens begin with, before the attempt's id, where a process has a name of its own (`Journal`)."""
    undecided: OnceTokens = field(default_factory=OnceTokens)

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

    async def run(self) -> None:
        job = self._job
        while True:
            token = self._machine.token_prefix + random_id()
            asked_at = monotonic()
            claim = await self._machine.journal.claim(job.partition, job.step_id, token, self._lease_ms)
            match claim:
                case Claimed():
                    # Whoever gets the partition finds the claim held, and waits for the result.
                    with shielded():
                        end = await self._attempt(token, claim, asked_at)
                    if end is _End.FINISHED:
                        return
                case Done(value=value):
                    STEPS_REPLAYED.labels(job.role).inc()
                    await self._publish(job.unpack(value))
                    return
                case Busy(retry_after_ms=retry_after_ms):
                    async with parked():
                        await asyncio.sleep(min(_BUSY_PAUSE_S, max(retry_after_ms, 1) / 1000))

    async def _attempt(self, token: str, claim: Claimed, asked_at: float) -> _End:
        if claim.taken_over:
            LEASE_TAKEOVERS.labels(self._job.role).inc()
        renewal = _Renewal(self._machine, self._job, token)
        try:
            await point(f"{self._job.role}.claimed")
            return await self._claimed(token, claim, asked_at)
        except BaseException:
            await self._release(token)
            raise
        finally:
            await renewal.stop()

    async def _claimed(self, token: str, claim: Claimed, asked_at: float) -> _End:
        job = self._job
        has_earlier = claim.taken_over
        if self._may_be_forgotten(claim):
            has_earlier = True
            end = await self._looked_up(token)
            if end is not None:
                return end
        async with job.slot():
            result = await self._before_start(token, has_earlier=has_earlier)
            if isinstance(result, _End):
                return result
            is_worked = result is None
            if result is None:
                if not await self._still_held(token, asked_at):
                    return _End.AGAIN
                if job.is_once and not self._machine.undecided.take(job.step_id):
                    return _End.AGAIN
                result = await job.work(self._attempt_id(token))
        await point(f"{job.role}.called")
        end = await self._complete(token, result)
        if is_worked:
            self._note_repeated(result, is_certain=end is _End.AGAIN, is_possible=claim.taken_over)
        return end

    def _note_repeated(self, result: R, *, is_certain: bool, is_possible: bool) -> None:
        if is_certain or is_possible:
            self._job.note_repeated(result, is_certain=is_certain)

    async def _looked_up(self, token: str) -> _End | None:
        """Publish what the record has; None: it has nothing, also nothing that was published before now."""
        job = self._job
        await self._machine.barrier.passed(job.result_topic, job.partition)
        recorded = await job.look_up()
        # Asked after the look-up: a result that is not there may have been erased a moment ago.
        if await self._is_erased(token):
            return _End.FINISHED
        return None if recorded is None else await self._already_recorded(token, recorded)

    async def _before_start(self, token: str, *, has_earlier: bool) -> R | _End | None:
        """Return the result where the work must not be started; None: start."""
        job = self._job
        if job.is_once:
            if await self._is_erased(token):
                return _End.FINISHED
            return None if await self._claim_once() else job.outcome_unknown()
        if has_earlier and isinstance(job, Reconcilable):
            return await job.reconcile(self._attempt_id(token))
        return None

    async def _is_erased(self, token: str) -> bool:
        if not await self._machine.erasures.is_erased(self._job.session_id):
            return False
        await self._release(token)
        return True

    async def _claim_once(self) -> bool:
        """Return whether the only start of the step is ours."""
        undecided, step_id = self._machine.undecided, self._job.step_id
        held = await self._machine.once_claims.claim(step_id, undecided.of(step_id))
        if not held:
            _ = undecided.take(step_id)
        return held

    async def _complete(self, token: str, result: R) -> _End:
        job = self._job
        stored = await self._machine.journal.complete(
            job.partition, job.step_id, token, job.pack(result), self._settings.keep_s * 1000
        )
        if not stored:
            LEASES_LOST.labels(job.role).inc()
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

    def _may_be_forgotten(self, claim: Claimed) -> bool:
        """Tell whether the journal may have lost earlier attempts: Redis forgot, they are old, or erased."""
        margin_ms = self._settings.margin_s * 1000
        born_ms = self._job.born_ms
        too_old = self._machine.now_ms() - born_ms > self._settings.keep_s * 1000 - margin_ms
        return claim.is_forgotten or too_old or born_ms <= claim.epoch.born_ms + margin_ms

    async def _still_held(self, token: str, asked_at: float) -> bool:
        """Verify the claim immediately before the start: a wait or a freeze may have outlived the lease.

        A claim that is young needs no question to be certain, unless the start must never happen twice.
        """
        is_young = monotonic() - asked_at < self._settings.lease_s / _RENEWALS_PER_LEASE
        return (is_young and not self._job.is_once) or await self._renew(token)

    async def _renew(self, token: str) -> bool:
        job = self._job
        return await self._machine.journal.renew(job.partition, job.step_id, token, self._lease_ms)

    def _attempt_id(self, token: str) -> str:
        return token.removeprefix(self._machine.token_prefix)

    async def _release(self, token: str) -> None:
        """End the lease so that the next attempt need not wait; when that fails, the lease ends by itself."""
        job = self._job
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(_RELEASE_WITHIN_S):
                await self._machine.journal.release(job.partition, job.step_id, token)


class _Renewal:
    """Renews an attempt's lease until it is stopped. Most steps end before that is due: they need no task."""

    def __init__(self, machine: StepMachine, job: Job[R], token: str) -> None:
        self._machine = machine
        self._job: Job[Any] = job
        self._token = token
        self._every_s = machine.settings.lease_s / _RENEWALS_PER_LEASE
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._begin)

    async def stop(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_RELEASE_WITHIN_S)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._renew_on())

    async def _renew_on(self) -> None:
        journal, job = self._machine.journal, self._job
        lease_ms = int(self._machine.settings.lease_s * 1000)
        while True:
            try:
                if not await journal.renew(job.partition, job.step_id, self._token, lease_ms):
                    # Taken over, or forgotten by Redis: what is being paid for goes on, `complete` decides.
                    log.info("lease lost", step_id=job.step_id)
                    return
            except TransientError as error:
                log.warning("lease not renewed", step_id=job.step_id, error=error.message)
            await asyncio.sleep(self._every_s)
