"""Faust's consumer with our rules around it: how it feeds the agent, what is committed, and when."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streams.runtime.acker import Place
from streams.runtime.consumer_thread import ConsumerThread
from streams.runtime.record import Record
from streams.runtime.take import Take, in_turn, records_of

_log = logging.getLogger(__name__)

_TAKE_LIMIT_S = 1.0
"""How long one take waits for a first message."""


class RebalanceHooks(Protocol):
    """What the runtime does around a rebalance. Called on the event loop of the process; must not raise."""

    rebalance_limit_s: float

    @property
    def in_flight(self) -> int:
        """How many steps run. Asked from the consumer's thread."""
        ...

    def revoking(self) -> None:
        """Stop taking and acknowledging; what was acknowledged until now is committed next."""
        ...

    async def revoked(self) -> None:
        """Offsets are committed, queues are cleared."""
        ...

    async def assigned(self, places: frozenset[TP], generation: int) -> None:
        """Prepare for the new generation; messages arrive only after this returns."""
        ...


class Transport(driver.Transport):
    """Faust's transport, making our consumer."""

    hooks: RebalanceHooks

    def create_consumer(self, callback: Any, **kwargs: Any) -> "Consumer":
        """Return the one consumer of the app."""
        consumer = Consumer(self, callback=callback, loop=self.loop, **kwargs)
        consumer.hooks = self.hooks
        return consumer


class Consumer(driver.Consumer):
    """Feeds the agent with takes, and commits what was acknowledged before partitions are given away."""

    hooks: RebalanceHooks

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        conf = self.app.conf
        self._most_takes = max(1, conf.stream_buffer_maxsize // conf.broker_max_poll_records)
        self._queue: Any = None
        self._room = asyncio.Event()
        self._due: dict[Place, int] = {}
        self._is_due = asyncio.Event()

    def _new_consumer_thread(self) -> ConsumerThread:
        beacon: Any = getattr(self, "beacon")  # noqa: B009 - its type is partly unknown
        return ConsumerThread(self, loop=self.loop, beacon=beacon)

    @property
    def in_flight(self) -> int:
        """How many steps run."""
        return self.hooks.in_flight

    def feed(self, queue: Any) -> None:
        """Put takes into `queue`, that of the agent's channel, which Faust empties around a rebalance."""
        self._queue = queue

    def handed_on(self) -> None:
        """Learn that the agent has passed a take on."""
        self._room.set()

    async def _drain_messages(self, fetcher: Any) -> None:
        """Put each take on the agent's channel as one. Faust's way makes an event of every message."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                records, active = await self._wait_next_records(_TAKE_LIMIT_S)
                if records and not self.should_stop:
                    await self._deliver(records, active)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _deliver(self, taken: Mapping[TP, Any], active: Any) -> None:
        if not self.flow_active:
            await self._go_back()
            return
        partitions = [
            records
            for place, messages in taken.items()
            if (place in active or place in self._buffered_partitions)
            and (records := self._unread(place, records_of(messages)))
        ]
        if partitions:
            self._queue.put_nowait(Take(in_turn(partitions), self.app.consumer_generation_id))
        while self._queue.qsize() >= self._most_takes and self.flow_active and not self.should_stop:
            self._room.clear()
            await self._race(self._room.wait(), self.suspend_flow.wait())

    def _unread(self, place: TP, records: list[Record]) -> list[Record]:
        """Leave out what was delivered before, since the last seek; the client may read a part again."""
        start = self._read_offset[place]
        if start is not None and records[0].offset < start:
            records = [record for record in records if record.offset >= start]
        if records:
            self._read_offset[place] = records[-1].offset + 1
        return records

    async def _go_back(self) -> None:
        """Read again what was taken while the flow was being stopped."""
        try:
            await self.perform_seek()
        except Exception as error:  # noqa: BLE001 - the assignment is gone: the next one seeks anyway
            _log.info("no seek back after a stop of the flow: %s", error)

    async def _race(self, *coros: Any) -> None:
        original: Any = getattr(self, "wait_first")  # noqa: B009 - its type is partly unknown
        await original(*coros)

    def acknowledge(self, place: Place, offset: int) -> None:
        """Let everything of a place before `offset` be committed. Offsets of a place come in order."""
        self._due[place] = offset
        self._is_due.set()

    @Service.task
    async def _commit_handler(self) -> None:
        """Commit an interval after something was acknowledged. Faust's way wakes an idle process as often."""
        while not self.should_stop:
            if not self._due:
                self._is_due.clear()
                await self._is_due.wait()
            await asyncio.sleep(self.commit_interval)
            await self.commit()

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Look for nothing: Faust would only log that slow steps are slow, after walking all partitions."""

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what was acknowledged since the last commit. What could not be committed is tried again."""
        _ = topics, start_new_transaction
        due, owned = self._due, self.assignment()
        offsets = {place: offset for place, offset in due.items() if place in owned}
        if not offsets or not await self._commit({TP(*place): offset for place, offset in offsets.items()}):
            return False
        for place, offset in offsets.items():
            if due[place] == offset:
                del due[place]
        return True

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Commit what was acknowledged, the last time for this generation."""
        self.hooks.revoking()
        try:
            async with asyncio.timeout(self.hooks.rebalance_limit_s):
                # A commit under way began before the last acknowledgements; one that starts now has them all.
                await self.maybe_wait_for_commit_to_finish()
                await self.commit()
        except TimeoutError:
            _log.warning("the commit before the rebalance took too long; some messages will come again")
        # Another dict: a commit that is still under way keeps to the one of its generation.
        self._due = {}
        await super().on_partitions_revoked(revoked)
        await self.hooks.revoked()

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Prepare the runner before Faust lets messages flow.

        A member that owned nothing before was never stopped by Faust: what it fetches until Faust seeks to
        the committed offsets would come twice, or be cleared from the queue and never come again. So the flow
        is stopped here; Faust lets it go on after its seek, as after any other rebalance.
        """
        self.stop_flow()
        self.app.flow_control.suspend()
        await self.hooks.assigned(frozenset(assigned), generation_id)
        await super().on_partitions_assigned(assigned, generation_id)
