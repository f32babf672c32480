"""One worker process: starts the role, watches it, drains it on SIGTERM, and tells by its exit code."""

import asyncio
import logging
import signal
import time

from faust.types import TP

from bus.membership import Membership
from schemas.errors import ErrorCode, FatalError
from streams.runtime.acker import Place
from streams.runtime.app import FaustDoor
from streams.runtime.connection import ConnectionOptions
from streams.runtime.role import Role
from streams.runtime.runner import Runner
from streams.runtime.settings import RuntimeSettings
from streams.runtime.take import Take
from telemetry.health import Health
from telemetry.metrics import IS_MEMBER, OWNED_PARTITIONS, REBALANCES, STEPS_IN_FLIGHT

_log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Worker:
    """One member of the consumer group `group`, running `role` until a signal or a failure.

    `static_name` is given only where a name is stable across restarts and unique in the group (the pod of a
    StatefulSet, a supervisor's child): the group then waits for the process to come back instead of moving
    its partitions.
    """

    def __init__(
        self,
        role: Role,
        settings: RuntimeSettings,
        connection: ConnectionOptions,
        group: str,
        static_name: str | None = None,
    ) -> None:
        self.health = Health()
        self.rebalance_limit_s = settings.rebalance_limit_s
        self._role = role
        self._settings = settings
        self._partitions: frozenset[int] = frozenset()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failure: str | None = None
        self._door = FaustDoor(
            topics=role.topics,
            group=group,
            static_name=static_name,
            settings=settings,
            connection=connection,
            dispatch=self._dispatch,
            hooks=self,
            fail=self.fail,
        )
        self._runner = Runner(
            role,
            settings,
            acknowledge=self._door.acknowledge,
            pause=self._door.pause,
            resume=self._door.resume,
            fail=self.fail,
        )

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT; return 0 after the drain, 1 when the process must be replaced.

        A second signal ends the drain at once.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        start = asyncio.create_task(self._door.start())
        try:
            await self._supervise(start)
            await self._finish()
        finally:
            start.cancel()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return 0 if self._failure is None else 1

    def stop(self) -> None:
        """Begin the drain, as SIGTERM does."""
        self._stop.set()

    def fail(self, error: BaseException) -> None:
        """End the process with exit code 1."""
        if self._failure is None:
            self._failure = f"{type(error).__name__}: {error}"
            _log.error("the worker cannot go on: %s", self._failure, exc_info=error)
            self.health.fail(self._failure)
        self._stop.set()

    @property
    def in_flight(self) -> int:
        """How many steps hold a slot."""
        return self._runner.in_flight

    def waiting(self) -> dict[Place, int | None]:
        """Return the owned partitions, with the broker's time (ms) of the oldest message that is in hand."""
        oldest = self._runner.oldest()
        return {
            place: oldest.get(place)
            for topic in self._role.topics
            for place in ((topic, partition) for partition in self._partitions)
        }

    def revoking(self) -> None:
        """Stop taking and acknowledging (called by the consumer before its last commit)."""
        self._runner.revoking()

    async def revoked(self) -> None:
        """Tell the role that its partitions are gone."""
        partitions, self._partitions = self._partitions, frozenset[int]()
        OWNED_PARTITIONS.set(0)
        if partitions:
            try:
                await self._role.on_revoked(partitions)
            except Exception as error:  # noqa: BLE001 - raised into aiokafka it would only be logged
                self.fail(error)

    async def assigned(self, places: frozenset[TP], generation: int) -> None:
        """Check the assignment, end steps that went elsewhere, tell the role, and begin the generation."""
        REBALANCES.inc()
        try:
            partitions = self._checked(places)
            await self._runner.assigned(frozenset((tp.topic, tp.partition) for tp in places), generation)
            self._partitions = partitions
            OWNED_PARTITIONS.set(len(places))
            await self._role.on_assigned(partitions)
        except Exception as error:  # noqa: BLE001 - raised into aiokafka it would only be logged
            self._runner.revoking()
            self.fail(error)

    def _checked(self, places: frozenset[TP]) -> frozenset[int]:
        counts = self._door.partition_counts()
        if places and len(set(counts.values())) > 1:
            listing = ", ".join(f"{topic}: {count or 'missing'}" for topic, count in sorted(counts.items()))
            message = (
                f"the role's topics must have the same number of partitions ({listing}), or the messages of a"
                " session land on different workers. Create the topics anew with one number."
            )
            raise FatalError(message, code=ErrorCode.MISCONFIGURED)
        by_topic = {topic: frozenset(tp.partition for tp in places if tp.topic == topic) for topic in counts}
        if len(set(by_topic.values())) > 1:
            # Workers with different topic lists run together: a rolling upgrade that adds a topic.
            _log.warning("partition sets differ between topics while versions are mixed: %s", by_topic)
        return frozenset(tp.partition for tp in places)

    async def _dispatch(self, take: Take) -> None:
        await self._runner.dispatch(take.records, take.generation)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _supervise(self, start: asyncio.Task[None]) -> None:
        membership = Membership(self._settings.membership_limit_s, time.monotonic())
        while not self._stop.is_set():
            if start.done() and (error := start.exception()) is not None:
                self.fail(error)
                return
            verdict = membership.observe(self._door.membership(), time.monotonic())
            self.health.beat(membership.readiness)
            IS_MEMBER.set(membership.readiness.ok)
            STEPS_IN_FLIGHT.set(self._runner.in_flight)
            if not verdict:
                self.fail(RuntimeError(verdict.reason))
                return
            await _wait_for(self._stop, self._settings.probe_interval_s)

    async def _finish(self) -> None:
        self.health.drain()
        drain = asyncio.create_task(
            self._runner.drain(0.0 if self._failure else self._settings.drain_limit_s)
        )
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            drain.cancel()
            await self._runner.drain(0.0)
        hurry.cancel()
        # Not a timeout context: services of Faust swallow the cancellation and would keep the process.
        stop = asyncio.create_task(self._door.stop())
        _, pending = await asyncio.wait((stop,), timeout=self._settings.stop_limit_s)
        if pending:
            _log.warning("the Kafka client did not stop within %.0f s", self._settings.stop_limit_s)
        elif (error := stop.exception()) is not None:
            _log.warning("the Kafka client stopped with an error", exc_info=error)
        try:
            async with asyncio.timeout(self._settings.stop_limit_s):
                await self.revoked()
        except TimeoutError:
            _log.warning(
                "the role did not give its partitions back within %.0f s", self._settings.stop_limit_s
            )


async def _wait_for(event: asyncio.Event, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return
