"""Faust's consumer with our rules around it: what is acknowledged, when it is committed, how it is fed."""

import asyncio
import inspect
import logging
import types
from collections.abc import Coroutine, Generator, Mapping
from time import monotonic
from typing import Any, Protocol, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.services import WaitResults

_log = logging.getLogger(__name__)

_BUSY_STEPS = 4
"""Steps in flight from which on messages gather before they are taken."""
_REST_PER_STEP_S = 0.001
_LONGEST_REST_S = 0.025
"""Seconds between two takes of a busy process. A fetch names every partition and costs as much for one
message as for a hundred; what is taken together shares requests to Redis and batches to Kafka."""


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


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread, which asks for the assignment once per partition of every commit."""

    _known: tuple[Any, set[TP]] = (None, set())
    _taken_s = 0.0

    async def _fetch_records(self, *args: Any, **options: Any) -> Any:
        """Take what was fetched; the client fetches again only when all of it is taken."""
        in_flight = cast("Consumer", self.consumer).hooks.in_flight
        if (rest_s := rest_before_take_s(in_flight, since_s=monotonic() - self._taken_s)) > 0:
            await asyncio.sleep(rest_s)
        records = await super()._fetch_records(*args, **options)
        self._taken_s = monotonic()
        return records

    def assignment(self) -> set[TP]:
        """Return the current assignment, converted once."""
        current: Any = self._ensure_consumer().assignment()
        known, converted = self._known
        if current is not known:
            converted = {TP(place.topic, place.partition) for place in current}
            self._known = (current, converted)
        return converted.copy()


class Consumer(driver.Consumer):
    """Acknowledges only what the runner released, and commits before partitions are given away."""

    hooks: RebalanceHooks

    def _new_consumer_thread(self) -> ConsumerThread:
        beacon: Any = getattr(self, "beacon")  # noqa: B009 - its type is partly unknown
        return ConsumerThread(self, loop=self.loop, beacon=beacon)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit as Faust does for an app without tables, transactions and own producer.

        Without drawing a table of the offsets for a log line, ten times a second.
        """
        _ = start_new_transaction
        owned = self.assignment()
        committable = {place: offset for place, offset in offsets.items() if place in owned}
        if not committable or not await self._commit(committable):
            return False
        self._committed_offset.update(committable)
        self.app.monitor.on_tp_commit(committable)
        return True

    def ack(self, message: Any) -> bool:
        """Ignore acknowledgements that Faust makes itself: for events that it skips around a rebalance."""
        _ = message
        return False

    def acknowledge(self, message: Any) -> bool:
        """Let an offset be committed. Called in order per partition, for the current generation only."""
        return super().ack(message)

    async def verify_all_partitions_active(self) -> None:
        """Look for nothing: Faust would only log that slow steps are slow, after walking all partitions."""

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Commit first: Faust forgets here what was acknowledged and not yet committed."""
        self.hooks.revoking()
        try:
            async with asyncio.timeout(self.hooks.rebalance_limit_s):
                # A commit under way began before the last acknowledgements; one that starts now has them all.
                await self.maybe_wait_for_commit_to_finish()
                await self.commit()
        except TimeoutError:
            _log.warning("the commit before the rebalance took too long; some messages will come again")
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

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - Faust's signature
        """Run the first step of a delivery directly; only one that has to wait takes the original way.

        Faust races each delivery against a pause of the flow: four tasks a message. A delivery rarely waits.
        """
        if not _is_delivery(coros) or timeout is not None or self.should_stop:
            return await self._race(*coros, timeout=timeout)
        delivery, pause = coros
        try:
            awaited = delivery.send(None)
        except StopIteration as done:
            pause.close()
            return WaitResults([delivery], [done.value], False)
        return await self._race(_continued(delivery, awaited), pause)

    async def _race(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - Faust's signature
        original: Any = getattr(super(), "wait_first")  # noqa: B009 - its type is partly unknown
        results: WaitResults = await original(*coros, timeout=timeout)
        return results


def rest_before_take_s(in_flight: int, *, since_s: float) -> float:
    """Return the seconds that a process waits `since_s` after its last take; an idle one takes at once."""
    if in_flight < _BUSY_STEPS:
        return 0.0
    return max(0.0, min(_LONGEST_REST_S, in_flight * _REST_PER_STEP_S) - since_s)


def _is_delivery(coros: tuple[Any, ...]) -> bool:
    return len(coros) == 2 and inspect.iscoroutine(coros[0]) and inspect.iscoroutine(coros[1])  # noqa: PLR2004 - a pair


async def _continued(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Any:
    return await _drive(coroutine, awaited)


@types.coroutine
def _drive(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that was started by hand and is waiting for `awaited`."""
    while True:
        try:
            sent = yield awaited
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - a cancellation belongs into the coroutine
            step = coroutine.throw
            argument: Any = error
        else:
            step = coroutine.send
            argument = sent
        try:
            awaited = step(argument)
        except StopIteration as done:
            return done.value
