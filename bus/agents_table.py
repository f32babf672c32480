"""All agents in memory, read from their compacted topic, with a read barrier."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from bus.codec import Codec
from bus.message import Message, Place
from bus.names import TopicNames
from bus.reader import Start, TopicReader
from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError, MaestroError, PoisonError, TransientError
from schemas.records import Agent
from schemas.topics import AGENTS
from telemetry.logs import logger

START_LIMIT_S = 30.0
LOOKUP_LIMIT_S = 10.0
"""Longest wait for an unknown id before the caller is told to try again."""

BARRIER_EVERY_S = 0.1
"""Unknown ids may not cost the broker more than ten questions a second."""

_READ_TIMEOUT_S = 1.0
_RETRY_S = 0.5
_SCHEMA_RETRY_S = 0.1

_log = logger(__name__)


class AgentsTable:
    """The newest agent of each id. One topic reader follows the topic in the background."""

    def __init__(self, kafka: KafkaSettings, *, names: TopicNames, codec: Codec) -> None:
        self._codec = codec
        self._topic = names.full(AGENTS)
        self._reader = TopicReader(kafka, [self._topic], start=Start.BEGINNING)
        self._agents: dict[str, Agent] = {}
        self._progress = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None
        self._lookup: asyncio.Task[None] | None = None
        self._last_lookup = -BARRIER_EVERY_S
        self._failure: Exception | None = None

    async def start(self) -> None:
        """Read the topic to its end and go on following it.

        Raises:
            TransientError: Kafka does not answer, or the topic is missing.
            FatalError: Kafka refuses us.

        """
        await self._reader.start()
        self._following = asyncio.create_task(self._follow(), name="agents table")
        try:
            await self.barrier(START_LIMIT_S)
        except MaestroError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop following. Stopping twice does nothing."""
        tasks = [task for task in (self._lookup, self._following) if task is not None]
        for task in tasks:
            _ = task.cancel()
        # What a task failed with was raised where its answer was wanted.
        _ = await asyncio.gather(*tasks, return_exceptions=True)
        self._lookup = self._following = None
        await self._reader.stop()

    async def get(self, agent_id: str) -> Agent | None:
        """Return the agent; None when no message about it was published before this call.

        Raises:
            TransientError: the id is not in memory and Kafka does not answer whether it exists.
            FatalError: the topic is no longer followed, so what is in memory may be outdated.

        """
        self._refuse_when_deaf()
        found = self._agents.get(agent_id)
        if found is not None:
            return found
        running = self._lookup
        if running is not None and not running.done():
            # That barrier's end may be older than this call: it does not count, but the next one follows it.
            with suppress(TransientError):
                await asyncio.shield(running)
            found = self._agents.get(agent_id)
        if found is None:
            await self._look_again()
        return self._agents.get(agent_id)

    def known(self, agent_id: str) -> Agent | None:
        """Return the agent as it stands in memory: after a `barrier`, as it was published before that."""
        return self._agents.get(agent_id)

    def all(self) -> tuple[Agent, ...]:
        """Return every agent in memory, by id."""
        return tuple(self._agents[agent_id] for agent_id in sorted(self._agents))

    def trouble(self) -> str | None:
        """Return why the topic is no longer followed, in a sentence; None while it is.

        What is in memory stays as it is then, and nothing but a new process follows it again.
        """
        failure = self._failure
        return None if failure is None else f"reading the agents topic stopped with {type(failure).__name__}"

    async def barrier(self, deadline_s: float) -> None:
        """Return when everything that was published before this call is in memory.

        Raises:
            TransientError: not within `deadline_s`.
            FatalError: the topic is no longer followed.

        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._read_to(await self._reader.end_offsets())
        except TimeoutError as error:
            message = f"the agents topic was not read to its end within {deadline_s} s: is the broker up?"
            raise TransientError(message) from error

    async def reached(self, offsets: Mapping[int, int], deadline_s: float) -> None:
        """Return when the messages at some `offsets`, by their partition, are in memory.

        Asks the broker nothing: who knows where something was published needs no `barrier`.

        Raises:
            TransientError: not within `deadline_s`.
            FatalError: the topic is no longer followed.

        """
        if not offsets:
            self._refuse_when_deaf()
            return
        try:
            async with asyncio.timeout(deadline_s):
                await self._read_to(
                    {(self._topic, partition): offset + 1 for partition, offset in offsets.items()}
                )
        except TimeoutError as error:
            message = f"the agents topic was not read so far within {deadline_s} s; try again in a moment"
            raise TransientError(message) from error

    async def _read_to(self, ends: Mapping[Place, int]) -> None:
        async with self._progress:
            self._refuse_when_deaf()
            while not await self._reader.has_read(ends):
                _ = await self._progress.wait()
                self._refuse_when_deaf()

    async def _look_again(self) -> None:
        # Whoever comes while the next barrier waits for its turn shares it: it asks for the end later.
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.create_task(self._barrier_in_turn(), name="agents look-up")
        await asyncio.shield(self._lookup)

    async def _barrier_in_turn(self) -> None:
        await asyncio.sleep(max(0.0, self._last_lookup + BARRIER_EVERY_S - monotonic()))
        self._last_lookup = monotonic()
        await self.barrier(LOOKUP_LIMIT_S)

    def _refuse_when_deaf(self) -> None:
        failure = self._failure
        if isinstance(failure, FatalError):
            raise FatalError(failure.message, code=failure.code) from failure
        if failure is not None:
            message = f"reading the agents topic stopped with {type(failure).__name__}: {failure}"
            raise FatalError(message, code=ErrorCode.HANDLER_ERROR) from failure

    async def _follow(self) -> None:
        try:
            await self._follow_on()
        except Exception as error:  # noqa: BLE001  kept for whoever asks: a task nobody awaits dies unheard
            _log.exception("the agents topic is no longer followed")
            async with self._progress:
                self._failure = error
                self._progress.notify_all()

    async def _follow_on(self) -> None:
        while True:
            try:
                messages = await self._reader.read(timeout_s=_READ_TIMEOUT_S)
            except TransientError as error:
                _log.warning("agents topic cannot be read, trying again", error=error.message)
                await asyncio.sleep(_RETRY_S)
                continue
            async with self._progress:
                for message in messages:
                    await self._apply_patiently(message)
                self._progress.notify_all()

    async def _apply_patiently(self, message: Message) -> None:
        while True:
            try:
                self._apply(message)
            except TransientError as error:
                # Its schema is being looked up; whoever asks for an agent meanwhile waits with a deadline.
                _log.info("agent cannot be read yet", offset=message.offset, error=error.message)
                await asyncio.sleep(_SCHEMA_RETRY_S)
            else:
                return

    def _apply(self, message: Message) -> None:
        if message.value is None:
            _ = self._agents.pop((message.key or b"").decode(errors="replace"), None)
            return
        try:
            record = self._codec.decode(AGENTS, message.value)
        except PoisonError as error:
            # The PostgreSQL sink keeps it as a dead letter; an older version of the agent stays in force.
            _log.warning("agent ignored", offset=message.offset, code=error.code, error=error.message)
            return
        if isinstance(record, Agent):
            self._agents[record.id] = record
