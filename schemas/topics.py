"""The topics: which record travels where, how long it is kept, and who may write plain JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType

from schemas import records

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic. `name` has no prefix; `retention_ms` is None for compacted topics."""

    name: str
    record: type[records.AnyRecord] | None
    retention_ms: int | None
    key_field: str = "session_id"
    inbound: bool = False
    """Whether producers outside Maestro write it: plain JSON objects are accepted there."""

    @property
    def is_compacted(self) -> bool:
        """Whether the newest message of a key is kept for ever."""
        return self.retention_ms is None


USER_MESSAGES = TopicSpec(
    name="user-messages",
    record=records.UserMessage,
    retention_ms=7 * _DAY_MS,
    inbound=True,
)
SESSION_COMMANDS = TopicSpec(
    name="session-commands",
    record=records.SessionCommand,
    retention_ms=7 * _DAY_MS,
    inbound=True,
)
TIMERS = TopicSpec(name="timers", record=records.TimerFired, retention_ms=_DAY_MS)
GENERATION_REQUESTS = TopicSpec(
    name="generation-requests",
    record=records.GenerationRequest,
    retention_ms=3 * _DAY_MS,
)
GENERATIONS = TopicSpec(name="generations", record=records.Generation, retention_ms=30 * _DAY_MS)
TOOL_CALLS = TopicSpec(name="tool-calls", record=records.ToolCall, retention_ms=30 * _DAY_MS)
TOOL_RESULTS = TopicSpec(name="tool-results", record=records.ToolResult, retention_ms=30 * _DAY_MS)
TASK_LOGS = TopicSpec(name="task-logs", record=records.TaskLogs, retention_ms=30 * _DAY_MS)
MESSAGES = TopicSpec(name="messages", record=records.ConversationMessage, retention_ms=30 * _DAY_MS)
RUNS = TopicSpec(name="runs", record=records.Run, retention_ms=30 * _DAY_MS)
TASKS = TopicSpec(name="tasks", record=records.Task, retention_ms=None)
SESSIONS = TopicSpec(name="sessions", record=records.Session, retention_ms=None, key_field="id")
AGENTS = TopicSpec(name="agents", record=records.Agent, retention_ms=None, key_field="id", inbound=True)
DOCUMENTS = TopicSpec(name="documents", record=records.Document, retention_ms=30 * _DAY_MS, inbound=True)
DEAD_LETTERS = TopicSpec(name="dead-letters", record=None, retention_ms=30 * _DAY_MS)

ALL_TOPICS: tuple[TopicSpec, ...] = (
    USER_MESSAGES,
    SESSION_COMMANDS,
    TIMERS,
    GENERATION_REQUESTS,
    GENERATIONS,
    TOOL_CALLS,
    TOOL_RESULTS,
    TASK_LOGS,
    MESSAGES,
    RUNS,
    TASKS,
    SESSIONS,
    AGENTS,
    DOCUMENTS,
    DEAD_LETTERS,
)

BY_NAME: Mapping[str, TopicSpec] = MappingProxyType({spec.name: spec for spec in ALL_TOPICS})
BY_RECORD: Mapping[type[records.Record], TopicSpec] = MappingProxyType(
    {spec.record: spec for spec in ALL_TOPICS if spec.record is not None}
)

MAX_MESSAGE_BYTES = 1_048_576
"""`max.message.bytes` of every topic: what the broker accepts for one batch."""

MAX_VALUE_BYTES = 900_000
"""Largest uncompressed value that is ever sent. A batch that the broker refuses would poison its partition's
sequence for ever, so the size is checked before sending, with room for key, headers and framing."""


def key_of(record: records.Record) -> str:
    """Return the message key of `record`: session, own id, or the user of a document without session."""
    key: str | None = _KEYS[type(record)](record)
    return record.user_id if key is None and isinstance(record, records.Document) else str(key)


_KEYS = {kind: attrgetter(spec.key_field) for kind, spec in BY_RECORD.items()}
