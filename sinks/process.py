"""The sink process: one group member that keeps topics in a store, until a signal."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from bus.follower import Stream
from bus.membership import MembershipFacts
from bus.message import Message, Place
from schemas.errors import ErrorCode, FatalError, MaestroError, TransientError
from schemas.topics import TASK_LOGS, TopicSpec
from sinks.decoding import decoded
from sinks.lane import Lane
from sinks.ports import DeadLetterBox, Decoder, Entry, Source, Store
from sinks.refusals import Refusals
from sinks.rejects import Rejects
from sinks.settings import SinkSettings
from sinks.supervision import Supervision
from telemetry.health import Health, Verdict
from telemetry.logs import logger
from telemetry.metrics import OWNED_PARTITIONS, REBALANCES

_log = logger(__name__)

_FETCH_RECORDS = 5000
_FETCH_WAIT_S = 0.5
_COMMIT_EVERY_S = 2.0
"""Only for those who watch the group's lag."""
_LOG_REST_S = 0.05
_FENCE_REST_S = 0.005
_FENCES_COME_S = 1.0
"""Rebuilds wait for fences. While some come, none waits longer than 5 ms behind other log records to be
fetched; the first after a second without any, 50 ms at most."""
_CHORES_EVERY_S = 2.0
_KEEP_UP_EVERY_S = 6 * 3600.0
_OVERTAKEN_PAUSE_S = 1.0
"""Long enough for a process that was frozen to learn from its heartbeat that it lost its partitions."""
_OVERTAKEN_LIMIT = 10
_OVERTAKEN_WINDOW_S = 120.0
"""More often within this time, and somebody else writes under our name for good: stop and say so."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Chore = Callable[[], Awaitable[None]]
"""Something that is done now and then beside recording; TransientError puts it off."""


class SinkProcess:
    """Reads topics (full name → specification) as one member of a group and writes them to the store.

    `connect` it with a source of its `streams` before `run`: the source asks `on_assigned` where to go on.
    The log has a lane and a stream of its own, because rebuilds wait for it.
    """

    def __init__(
        self,
        *,
        topics: Mapping[str, TopicSpec],
        settings: SinkSettings,
        store: Store,
        decoder: Decoder,
        dead_letters: DeadLetterBox,
    ) -> None:
        self.health = Health()
        self._settings = settings
        self._store = store
        self._decoder = decoder
        self._chores: list[Chore] = []
        self._source: Source | None = None
        self._stop = asyncio.Event()
        self._overtakings = Refusals(_OVERTAKEN_LIMIT, _OVERTAKEN_WINDOW_S)
        self._is_overtaken = False
        self._is_source_away = False
        self._committed: dict[Place, int] = {}
        self._supervision = Supervision(self._membership, limit_s=settings.membership_limit_s)
        rejects = Rejects(
            dead_letters, topics, limit=settings.refused_limit, window_s=settings.refused_window_s
        )
        logs = {topic: spec for topic, spec in topics.items() if spec is TASK_LOGS}
        others = {topic: spec for topic, spec in topics.items() if spec is not TASK_LOGS}
        linger_s = settings.linger_ms / 1000
        # What nobody waits for gathers at the broker: one fetch brings it all.
        plans = ((logs, linger_s, _LOG_REST_S), (others, 0.0, linger_s))
        self._lanes = tuple(
            Lane(
                own,
                settings=settings,
                linger_s=lane_linger_s,
                store=store,
                refuse=rejects.refuse,
                generation=lambda: self._reader.generation,
                overtaken=self._overtaken,
            )
            for own, lane_linger_s, _ in plans
            if own
        )
        self.streams = tuple(Stream(topics=tuple(own), rest_s=rest_s) for own, _, rest_s in plans if own)

    def connect(self, source: Source, *, chores: Sequence[Chore] = ()) -> None:
        """Give it its group member, and chores that need it: they are done every few seconds."""
        self._source = source
        self._chores += chores

    def waiting(self) -> dict[Place, tuple[int, int | None]]:
        """Return of each owned partition the offset that the store has, and when the oldest message came.

        That is the broker's time (ms) of the oldest that waits here, None when none does.
        """
        return {place: found for lane in self._lanes for place, found in lane.oldest().items()}

    async def on_assigned(self, places: frozenset[Place]) -> Mapping[Place, int]:
        """Drop what was buffered, let transactions in flight end, and return where the store stands.

        Raises:
            TransientError: the store cannot answer now; asked again, it may.

        """
        generation = self._reader.generation
        for lane in self._lanes:
            lane.drop()
        await self._settle()
        await self._respect_overtaking()
        positions = await self._store.begin(sorted(places))
        self._committed.clear()
        for place, position in positions.items():
            next(lane for lane in self._lanes if place[0] in lane.topics).claim(place, position, generation)
        REBALANCES.inc()
        OWNED_PARTITIONS.set(len(positions))
        _log.info("assigned", partitions=len(places))
        return positions

    async def _respect_overtaking(self) -> None:
        if self._overtakings.is_too_much:
            message = (
                "another process keeps moving this sink's offsets: two consumer groups may write to one "
                "database; stop the one that does not belong here"
            )
            raise FatalError(message, code=ErrorCode.FENCED)
        if self._is_overtaken:
            await asyncio.sleep(_OVERTAKEN_PAUSE_S)
            self._is_overtaken = False

    def stop(self) -> None:
        """End `run`: transactions in flight finish, the rest is read again by whoever is next."""
        self._stop.set()

    async def run(self) -> int:
        """Record until SIGTERM, SIGINT, `stop` or a failure; return the exit code: 1 or 0."""
        code = 0
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.stop)
        try:
            await self._record()
        except* MaestroError as errors:
            reason = _first(errors).message
            self.health.fail(reason)
            _log.error("the sink stops", reason=reason)
            code = 1
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return code

    @property
    def _reader(self) -> Source:
        if self._source is None:
            message = "the sink has no source: connect one before it runs"
            raise FatalError(message)
        return self._source

    def _membership(self) -> MembershipFacts:
        return self._reader.membership()

    async def _record(self) -> None:
        await self._first_keep_up()
        source = self._reader
        await source.start()
        try:
            async with asyncio.TaskGroup() as group:
                writers = [group.create_task(lane.run()) for lane in self._lanes]
                others = [group.create_task(self._read(*each)) for each in enumerate(self._lanes)]
                others += [
                    group.create_task(each) for each in (self._commit(), self._keep_up(), self._tidy())
                ]
                await self._stop.wait()
                self.health.drain()
                for other in others:
                    other.cancel()
                await self._settle()
                for writer in writers:
                    writer.cancel()
        finally:
            await source.stop()

    async def _settle(self) -> None:
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.settle(self._settings.drain_limit_s))

    async def _read(self, stream: int, lane: Lane) -> None:
        while True:
            self._beat(stream)
            # The store is away or slow: nothing more is fetched, membership stays.
            if not await lane.has_room(_FETCH_WAIT_S):
                continue
            try:
                batch = await self._reader.get_batch(
                    stream, max_records=_FETCH_RECORDS, timeout_s=_FETCH_WAIT_S
                )
                generation = self._reader.generation
                lane.put(await self._decoded(stream, lane, batch), generation)
                if batch and TASK_LOGS in lane.topics.values():
                    is_awaited = lane.awaited_ago_s < _FENCES_COME_S
                    self._reader.rest(stream, _FENCE_REST_S if is_awaited else _LOG_REST_S)
                self._is_source_away = False
            except TransientError as error:
                if not self._is_source_away:
                    _log.warning("cannot read now, trying again", error=error.message)
                self._is_source_away = True
                await asyncio.sleep(self._settings.retry_first_s)

    async def _decoded(
        self, stream: int, lane: Lane, batch: Mapping[Place, Sequence[Message]]
    ) -> dict[Place, list[Entry]]:
        """Decode what was fetched; wait while the registry is asked for a schema: nothing is skipped."""
        while True:
            try:
                return await decoded(self._decoder, lane.topics, batch)
            except TransientError as error:
                _log.info("cannot decode yet, trying again", error=error.message)
                self._beat(stream)
                await asyncio.sleep(self._settings.retry_first_s)

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_EVERY_S)
            positions = {place: at for lane in self._lanes for place, at in lane.positions.items()}
            moved = {place: at for place, at in positions.items() if self._committed.get(place) != at}
            if moved:
                # Refused while the group rebalances: the next round has them again.
                with suppress(TransientError):
                    await self._reader.commit(moved)
                    self._committed.update(moved)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_CHORES_EVERY_S)
            _ = self._supervision.checked()  # here too: reading may be what hangs
            for chore in self._chores:
                try:
                    await chore()
                except TransientError as error:
                    _log.info("a chore is put off", error=error.message)

    def _overtaken(self, reason: str) -> None:
        self._is_overtaken = True
        self._overtakings = self._overtakings.adding(1, now_s=time.monotonic())
        _log.warning("another process was first: all partitions start again", reason=reason)
        self._reader.assigned()

    def _beat(self, stream: int) -> None:
        self.health.beat(self._readiness(), f"stream {stream}")

    def _readiness(self) -> Verdict:
        membership = self._supervision.checked()
        if not membership:
            return membership
        if any(lane.is_store_away for lane in self._lanes):
            return Verdict(ok=False, reason="the store is away; what arrives waits")
        if self._is_source_away:
            return Verdict(ok=False, reason="Kafka or the store does not answer")
        if not any(lane.positions for lane in self._lanes):
            return Verdict(ok=False, reason="no partition is assigned yet")
        return Verdict(ok=True)

    async def _first_keep_up(self) -> None:
        while not self._stop.is_set():
            try:
                await self._store.keep_up()
            except TransientError as error:
                for stream, _ in enumerate(self._lanes):
                    self.health.beat(Verdict(ok=False, reason=error.message), f"stream {stream}")
                await asyncio.sleep(self._settings.retry_first_s)
            else:
                return

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_UP_EVERY_S)
            await self._first_keep_up()


def topics_of(specs: Iterable[TopicSpec], prefix: str) -> dict[str, TopicSpec]:
    """Return the full names of topics with their specifications."""
    return {f"{prefix}{spec.name}": spec for spec in specs}


def _first(errors: BaseExceptionGroup[MaestroError]) -> MaestroError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
