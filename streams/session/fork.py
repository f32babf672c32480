"""A session's log as the beginning of another session: the same history, under ids of its own.

Ids of runs, generations and tool calls follow from the session's id. In the copy they are what they would be
had everything been said in the new session: what is recorded of the one never meets what is of the other.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Raw
from msgspec.structs import fields, replace

from schemas import ids
from schemas.errors import ErrorCode, PoisonError
from schemas.lists import Action, StopReason
from schemas.partition import partition_of
from schemas.records import ConversationMessage, LogEntry, TaskLogs
from schemas.topics import TASK_LOGS
from streams.session.cause import Cause
from streams.session.context import FORMAT, Context, empty, to_bytes
from streams.session.draft import Draft
from streams.session.evolve import evolve
from streams.session.log import next_entry
from streams.session.payload_text import read_payload, text_of
from streams.session.payloads import (
    Checkpoint,
    GenerationRequested,
    MessageReceived,
    MessageRejected,
    Payload,
    RunCancelled,
    SessionForked,
    Thought,
)
from streams.session.project import project
from telemetry.tracing import derived

TERM = 0
"""The term of a log before any fence: nobody has used the session yet."""

_STEP_FIELDS = ("generation_id", "call_id", "step_id")


class Fork:
    """Copies the decisions of `source` one by one into `session_id`, whose `context` follows them.

    `partitions` is the number that every topic has. Nothing is asked for again: copies are read, not worked
    on.
    """

    def __init__(self, source: str, session_id: str, *, partitions: int) -> None:
        self.source = source
        self.context = empty(session_id)
        self.partition = partition_of(session_id, partitions)
        self._source_hash = ""
        self._ids: dict[str, str] = {}
        self._last: TaskLogs | None = None

    def copied(self, logs: TaskLogs) -> TaskLogs:
        """Return a decision of the source, the one after those that were copied, as one of the new session.

        Raises:
            FatalError: an action that this version does not know.
            PoisonError: the source was erased.

        """
        drafts = [self._draft(entry) for entry in logs.entries]
        copy = self._decided(logs, drafts)
        self._source_hash = logs.entries[-1].hash
        self._last = copy
        return copy

    def messages(self, copy: TaskLogs) -> tuple[ConversationMessage, ...]:
        """Return what the decision copied last says in the conversation. Its other outputs are not repeated.

        A run's record would tell whoever waits for its message that it has ended twice; requests would be
        worked on.
        """
        records = project(self.context, copy, self.partition)
        return tuple(record for record in records if isinstance(record, ConversationMessage))

    def concluded(self, *, forked_by: str, at: datetime) -> tuple[TaskLogs, ...]:
        """Return the decisions that end the copy: open runs are cancelled, then the log says what it is.

        The second one stands alone, because a rebuild tells again what the last decision ended.
        """
        return tuple(self._conclusions(forked_by=forked_by, at=at))

    def _conclusions(self, *, forked_by: str, at: datetime) -> Iterator[TaskLogs]:
        last = self._last
        if last is None:
            message = f"session {self.source} has no entries: there is nothing to fork"
            raise PoisonError(message)
        sequence = self.context.sequence
        if self.context.run is not None or self.context.queue:
            # At the time of the last entry: the run did not go on until somebody thought of forking it.
            cut = self._own(last, "cut", sequence, at=last.occurred_at)
            yield self._decided(cut, list(self._cancelled(cut.cause_id, sequence)))
        forked = SessionForked(
            session_id=self.source, sequence=sequence, hash=self._source_hash, forked_by=forked_by
        )
        own = self._own(last, "fork", sequence, at=at)
        yield self._decided(own, [Draft(action=Action.SESSION_FORKED, payload=forked)])

    def _cancelled(self, cause: str, sequence: int) -> Iterator[Draft]:
        run = self.context.run
        for run_id in (*([run.id] if run else []), *(waiting.id for waiting in self.context.queue)):
            why = f"session {self.source} was forked here, after its entry {sequence}"
            yield Draft(
                action=Action.RUN_CANCELLED,
                payload=RunCancelled(
                    stop_reason=StopReason.INTERRUPTED,
                    error_code=ErrorCode.INTERRUPTED,
                    error_message=why,
                    cause=cause,
                ),
                run_id=run_id,
                success=False,
            )

    def _own(self, last: TaskLogs, what: str, sequence: int, *, at: datetime) -> TaskLogs:
        cause = ids.fork_id(self.source, sequence, self.context.session_id, what)
        return last.model_copy(
            update={
                "cause_id": cause,
                "cause_topic": TASK_LOGS.name,
                "cause_partition": self.partition,
                "cause_offset": sequence,
                "trace_id": derived(cause).trace_id,
                "occurred_at": at,
            }
        )

    def _decided(self, like: TaskLogs, drafts: list[Draft]) -> TaskLogs:
        """Fold `drafts` as a decision of the same cause as `like`, and return it."""
        logs = like.model_copy(
            update={"session_id": self.context.session_id, "task_id": self.context.task_id, "term": TERM}
        )
        cause = Cause.of_logs(logs)
        entries: list[LogEntry] = []
        context = self.context
        for draft in drafts:
            drafted = draft
            if draft.action is Action.CHECKPOINT:
                drafted = replace(draft, payload=_checkpoint(context))
            entry = next_entry(context, drafted, text_of(drafted.payload), cause)
            context = evolve(context, entry, cause)
            entries.append(entry)
        self.context = context
        return logs.model_copy(update={"entries": tuple(entries)})

    def _draft(self, entry: LogEntry) -> Draft:
        if entry.action is Action.SESSION_ERASED:
            message = f"session {self.source} was erased: nothing of it may live on"
            raise PoisonError(message, code=ErrorCode.ERASED)
        payload = read_payload(entry.action, entry.payload)
        if payload is None:
            payload = Payload()  # evolve refuses the action, and says what to do
        self._learn(entry, payload)
        return Draft(
            action=entry.action,
            payload=self._renamed(payload),
            run_id=self._new(entry.run_id),
            tool_name=entry.tool_name,
            tool_call_id=self._new(entry.tool_call_id),
            success=entry.success,
        )

    def _learn(self, entry: LogEntry, payload: Payload) -> None:
        """Note the new ids of what the entry names first."""
        match payload:
            case MessageReceived(message_id=message_id) | MessageRejected(message_id=message_id):
                if entry.run_id is not None:
                    self._ids[entry.run_id] = ids.run_id(self.context.session_id, message_id)
            case GenerationRequested(generation_id=old, index=index):
                self._ids[old] = ids.generation_id(self._ids[entry.run_id or ""], index)
            case Thought(generation_id=generation, calls=calls):
                for number, call in enumerate(calls):
                    self._ids[call.id] = ids.tool_call_id(self._ids[generation], number)
            case _ if entry.action is Action.TOOL_APPROVED and entry.tool_call_id is not None:
                old = entry.tool_call_id
                self._ids[ids.repeated_call_id(old)] = ids.repeated_call_id(self._ids.get(old, old))
            case _:
                pass

    def _renamed(self, payload: Payload) -> Payload:
        if isinstance(payload, Thought):
            calls = tuple(replace(call, id=self._ids.get(call.id, call.id)) for call in payload.calls)
            payload = replace(payload, calls=calls)
        names = [field.name for field in fields(payload) if field.name in _STEP_FIELDS]
        return replace(payload, **{name: self._new(getattr(payload, name)) for name in names})

    def _new(self, old: str | None) -> str | None:
        return None if old is None else self._ids.get(old, old)


def _checkpoint(context: Context) -> Checkpoint:
    return Checkpoint(format=FORMAT, context=Raw(to_bytes(context)))
