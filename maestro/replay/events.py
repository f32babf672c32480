"""What caused a recorded decision: from the record, from its topic, or from the log itself."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from bus.agents_table import AgentsTable
from bus.reader import TopicReader
from maestro.clients import KafkaAccess
from schemas.errors import PoisonError
from schemas.records import (
    Agent,
    Generation,
    Record,
    SessionCommand,
    TaskLogs,
    TimerFired,
    ToolResult,
    UserMessage,
)
from schemas.topics import BY_NAME, GENERATIONS, TIMERS, TOOL_RESULTS, USER_MESSAGES
from stores.postgres.pool import Database
from stores.postgres.steps import Steps
from streams.session.context import Context
from streams.session.decide import agent_wanted
from streams.session.event import EventRecord
from streams.session.identity import place_id
from streams.session.payload_text import read_payload
from streams.session.payloads import ResultIgnored
from streams.session.redecide import event_of
from streams.session.replayed import agent_of, message_of, timer_of
from streams.session.role import INPUTS
from streams.session.rules import Rules

_LOOK_LIMIT_S = 15.0


class Source(StrEnum):
    """Where an event was found."""

    RECORD = "record"
    TOPIC = "topic"
    CONTEXT = "context"
    """A timer that the context had set."""
    LOG = "log"
    """A message that only its own log entries tell of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An event and the agent that its decision used."""

    record: EventRecord
    source: Source
    agent: Agent | None
    is_agent_certain: bool
    """Whether the agent is as it was then, not as it is now."""

    @property
    def is_certain(self) -> bool:
        """Whether a difference would be one, and not only something that nobody remembers."""
        return self.is_agent_certain and self.source is not Source.LOG


class Events:
    """Finds the events of one session's decisions. Use as `async with`; topics are opened when needed."""

    def __init__(self, record: Database, kafka: KafkaAccess, rules: Rules) -> None:
        self._steps = Steps(record)
        self._kafka = kafka
        self._rules = rules
        self._stack = AsyncExitStack()
        self._readers: dict[int, TopicReader] = {}
        self._agents: AgentsTable | None = None

    async def __aenter__(self) -> Self:
        """Begin; nothing is opened yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        await self._stack.aclose()

    async def of(self, before: Context, logs: TaskLogs) -> Found | None:
        """Return what caused the decision `logs` in the context `before`; None when nobody remembers it.

        Raises:
            TransientError: Kafka or the record does not answer.

        """
        found = await self._record(before, logs)
        if found is None:
            return None
        record, source = found
        known = agent_of(before, logs, record, self._rules)
        if known is not None:
            return Found(record=record, source=source, agent=known.agent, is_agent_certain=True)
        agent = await self._latest(agent_wanted(before, event_of(logs, record), self._rules))
        return Found(record=record, source=source, agent=agent, is_agent_certain=False)

    async def _record(self, before: Context, logs: TaskLogs) -> tuple[EventRecord, Source] | None:
        if (kept := await self._recorded(logs)) is not None and kept.id == logs.cause_id:
            return kept, Source.RECORD
        if logs.cause_topic == TIMERS.name and (timer := timer_of(before, logs)) is not None:
            return timer, Source.CONTEXT
        if (published := await self._published(logs)) is not None:
            return published, Source.TOPIC
        if logs.cause_topic == USER_MESSAGES.name and (message := message_of(logs)) is not None:
            return message, Source.LOG
        return None

    async def _recorded(self, logs: TaskLogs) -> Generation | ToolResult | None:
        if logs.cause_topic == GENERATIONS.name:
            return await self._steps.generation(logs.cause_id)
        call = _call_of(logs) if logs.cause_topic == TOOL_RESULTS.name else None
        return None if call is None else await self._steps.tool_result(call)

    async def _published(self, logs: TaskLogs) -> EventRecord | None:
        spec = BY_NAME.get(logs.cause_topic)
        if spec not in INPUTS:
            return None
        reader = await self._reader(logs.cause_partition)
        place = (self._kafka.names.full(spec), logs.cause_partition)
        message = await reader.message_at(place, logs.cause_offset, deadline_s=_LOOK_LIMIT_S)
        if message is None or message.value is None:
            return None
        try:
            record = self._kafka.codec.decode(spec, message.value)
        except PoisonError:
            return None
        if not isinstance(record, UserMessage | SessionCommand | TimerFired | Generation | ToolResult):
            return None
        own = place_id(
            spec, message.partition, message.offset, headers=message.headers, names=self._kafka.names
        )
        # A topic that was made again has other messages in the same places.
        return record if (record.id or own) == logs.cause_id and _is_of(record, logs) else None

    async def _reader(self, partition: int) -> TopicReader:
        if partition not in self._readers:
            reader = self._kafka.reader(*INPUTS, partitions=[partition])
            self._readers[partition] = await self._stack.enter_async_context(reader)
        return self._readers[partition]

    async def _latest(self, agent_id: str | None) -> Agent | None:
        if agent_id is None:
            return None
        if self._agents is None:
            self._agents = await self._stack.enter_async_context(self._kafka.agents())
        return await self._agents.get(agent_id)


def _is_of(record: Record, logs: TaskLogs) -> bool:
    return getattr(record, "session_id", None) == logs.session_id


def _call_of(logs: TaskLogs) -> str | None:
    """Return the tool call whose result a decision is about."""
    for entry in logs.entries:
        payload = read_payload(entry.action, entry.payload)
        if isinstance(payload, ResultIgnored):
            return payload.step_id
        if entry.tool_call_id is not None:
            return entry.tool_call_id
    return None
