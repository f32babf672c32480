"""Turns due times into messages, and puts a partition's timers back when Redis has lost them."""

import asyncio
import logging
from collections.abc import Callable

from schemas import ids
from schemas.errors import FatalError, TransientError
from schemas.lists import TimerKind
from schemas.records import TimerFired
from schemas.topics import SESSIONS, TASK_LOGS
from stores.redis.timers import DueTimer
from streams.end_barrier import EndBarrier
from streams.session.event import time_of
from streams.session.in_flight import InFlight
from streams.session.ports import Barrier, EndOffsets, Publisher, RecordedTimers, Timers, TopicNames
from streams.session.settings import SessionSettings
from telemetry.points import point
from telemetry.tracing import derived

_log = logging.getLogger(__name__)

_KINDS = {kind.value: kind for kind in TimerKind}
_PAGE_SESSIONS = 1000
_DRAIN_LIMIT_S = 300.0
"""Longest wait for the steps in flight before arming; then it is tried again."""
_STOP_LIMIT_S = 5.0
"""What a loop gets to end after it was cancelled."""


class TimerLoop:
    """The timers of the partitions that this process owns. `tend` and `stop` follow the ownership."""

    def __init__(
        self,
        *,
        timers: Timers,
        recorded: RecordedTimers,
        publisher: Publisher,
        ends: EndOffsets,
        barrier: Barrier,
        in_flight: InFlight,
        names: TopicNames,
        settings: SessionSettings,
    ) -> None:
        self._timers = timers
        self._recorded = recorded
        self._publisher = publisher
        self._in_flight = in_flight
        self._written = EndBarrier(names=names, ends=ends, barrier=barrier)
        self._settings = settings
        self._owned: dict[int, asyncio.Task[None]] = {}
        self._fail: Callable[[BaseException], None] = _raise

    def report_to(self, fail: Callable[[BaseException], None]) -> None:
        """Name who is told, with a FatalError, when timers are not tended any more: the process must end."""
        self._fail = fail

    async def tend(self, partitions: frozenset[int]) -> None:
        """Tend exactly these partitions from now on."""
        await self.stop(frozenset(self._owned) - partitions)
        for partition in partitions - self._owned.keys():
            task = asyncio.create_task(self._tend(partition), name=f"timers of partition {partition}")
            task.add_done_callback(self._ended)
            self._owned[partition] = task

    async def stop(self, partitions: frozenset[int] | None = None) -> None:
        """Leave these partitions, or all, to others. What is being fired may still be published: no harm.

        A loop that does not end within its limit is left behind: a rebalance must not wait for it.
        """
        leaving = self._owned.keys() & partitions if partitions is not None else set(self._owned)
        tasks = [self._owned.pop(partition) for partition in leaving]
        for task in tasks:
            task.cancel()
        if tasks:
            _, running = await asyncio.wait(tasks, timeout=_STOP_LIMIT_S)
            for task in running:
                _log.error("the %s have not stopped within %.0f s", task.get_name(), _STOP_LIMIT_S)

    async def arm(self, partition: int) -> bool:
        """Put the partition's timers back from the record unless that was done in this epoch.

        Returns whether it is done: False when the epoch changed meanwhile. The steps in flight end first, and
        the record has what they published before it is read: what they stored before is not missed.

        Raises:
            TransientError: Redis, Kafka or Postgres is away, or steps in flight do not end.

        """
        if await self._timers.is_armed(partition):
            return True
        epoch = (await self._timers.epoch(partition)).id
        await self._drained(partition)
        for topic in (TASK_LOGS, SESSIONS):
            await self._written.passed(topic, partition)
        after: str | None = None
        while True:
            page = await self._recorded.of_partition(partition, after=after, limit=_PAGE_SESSIONS)
            if not page:
                return await self._timers.mark_armed(partition, epoch)
            entries = [DueTimer(timer.session_id, timer.key, timer.kind, timer.due_ms) for timer in page]
            if not await self._timers.arm(partition, epoch, entries):
                return False
            after = page[-1].session_id

    async def fire_due(self, partition: int) -> int:
        """Publish a message for each due timer, then remove it unless it was set anew; return how many.

        Raises:
            TransientError: Redis or Kafka is away; what was published is published again under the same id.

        """
        due = await self._timers.due(partition, self._settings.timer_batch)
        await asyncio.gather(*(self._fire(partition, timer) for timer in due))
        return len(due)

    async def _fire(self, partition: int, timer: DueTimer) -> None:
        identity = ids.timer_id(timer.session_id, timer.key, timer.due_ms)
        fired = TimerFired(
            id=identity,
            session_id=timer.session_id,
            kind=_KINDS.get(timer.kind, TimerKind.UNKNOWN),
            key=timer.key,
            due_at=time_of(timer.due_ms),
        )
        await self._publisher.publish(fired, trace=derived(identity), partition=partition)
        await point("session.timer_published")
        await self._timers.remove_if_unchanged(partition, timer)

    async def _drained(self, partition: int) -> None:
        try:
            async with asyncio.timeout(_DRAIN_LIMIT_S):
                await self._in_flight.drained(partition)
        except TimeoutError as error:
            message = f"steps of partition {partition} have not ended within {_DRAIN_LIMIT_S:.0f} s"
            raise TransientError(message) from error

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failure = FatalError(f"the {task.get_name()} are not tended any more: {error!r}")
            failure.__cause__ = error
            self._fail(failure)

    async def _tend(self, partition: int) -> None:
        # Firing does not wait for arming: what is there is true, arming only adds what is missing.
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_armed(partition))
            group.create_task(self._keep_firing(partition))

    async def _keep_armed(self, partition: int) -> None:
        while True:
            try:
                await self.arm(partition)
            except TransientError as error:
                _log.info("timers of partition %d are armed later: %s", partition, error)
            await asyncio.sleep(self._settings.timer_poll_s)

    async def _keep_firing(self, partition: int) -> None:
        while True:
            fired = 0
            try:
                fired = await self.fire_due(partition)
            except TransientError as error:
                _log.info("timers of partition %d fire later: %s", partition, error)
            if fired < self._settings.timer_batch:
                await asyncio.sleep(self._settings.timer_poll_s)


def _raise(error: BaseException) -> None:
    raise error
