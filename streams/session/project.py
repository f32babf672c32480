"""What a decision publishes besides its logs: requests, messages, runs, task and session.

A function of the context after the decision and of its logs alone, because the same records are published
again whenever nobody saw all of them acknowledged.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from schemas.changes import RUN_CHANGES, SESSION_CHANGES, TASK_CHANGES
from schemas.errors import ErrorCode
from schemas.lists import Action, Role, RunStatus, ToolOutcome
from schemas.records import ConversationMessage, GenerationRequest, LogEntry, Record, TaskLogs, ToolCall
from streams.session import outputs
from streams.session.context import ActiveRun, Context, NoteKind, Pending, StepKind
from streams.session.payload_text import payload_of
from streams.session.payloads import (
    Observation,
    RunCompleted,
    RunStarted,
    Thought,
    ToolDenied,
    ToolEnded,
)
from streams.session.run_record import run_record

_DECIDED_BY_PERSON = frozenset({Action.TOOL_APPROVED, Action.TOOL_DENIED})
"""Entries after which a run's record is another when it waited for nothing else."""


def project(after: Context, logs: TaskLogs, partition: int) -> tuple[Record, ...]:
    """Return the records that the decision `logs` publishes: first what others work on.

    `after` is the context that the decision left, `partition` the session's partition. A fence publishes
    nothing.
    """
    requests: list[Record] = []
    messages: list[Record] = []
    runs: dict[str, int] = {}
    announce = False
    for entry in logs.entries:
        action = entry.action
        if action in _REQUESTS:
            if (asked := _asked(after, entry)) is not None:
                requests.append(asked[0])
                announce |= asked[1]
        elif (message := _MESSAGES.get(action)) is not None:
            messages.append(message(after, logs, entry, payload_of(action, entry.payload)))
        if entry.run_id is not None and _changes_run(after, action):
            runs[entry.run_id] = entry.sequence
    return (*requests, *_runs(after, logs, runs), *messages, *_states(after, logs, partition, announce))


def reissue(context: Context) -> tuple[GenerationRequest | ToolCall, ...]:
    """Return the requests for all that workers owe, as they were first made.

    Same ids, birth, deadline, term and sequence; `context` as it is now. What a person owes is no request.
    """
    run = context.run
    if run is None:
        return ()
    return tuple(
        _request(context, run, step) for step in context.pending if step.kind is not StepKind.APPROVAL
    )


def _request(context: Context, run: ActiveRun, step: Pending) -> GenerationRequest | ToolCall:
    make = outputs.generation_request if step.kind is StepKind.GENERATION else outputs.tool_call
    return make(context, run, step)


def _asked(after: Context, entry: LogEntry) -> tuple[Record, bool] | None:
    """Return the request that `entry` makes, and whether the session waits for nothing earlier.

    The session's record must name a moment that is not later than the earliest that the session waits for:
    whoever finds the timers lost arms them from there. Later ones need no new record.
    """
    run = after.run
    if run is None:
        return None
    payload: Any = payload_of(entry.action, entry.payload)
    is_tool = entry.action is Action.TOOL_CALLED
    step = after.awaits(entry.tool_call_id or "" if is_tool else payload.generation_id)
    if step is None:
        return None
    make = outputs.tool_call if is_tool else outputs.generation_request
    return make(after, run, step), payload.due_ms == run.announced_due_ms


def _changes_run(after: Context, action: Action) -> bool:
    if action in RUN_CHANGES:
        return True
    return action in _DECIDED_BY_PERSON and after.run is not None and after.run.status is RunStatus.RUNNING


def _runs(after: Context, logs: TaskLogs, changed: dict[str, int]) -> Iterator[Record]:
    for run_id, version in changed.items():
        run = run_record(after, run_id, logs, version=version)
        if run is not None:
            yield run


def _states(after: Context, logs: TaskLogs, partition: int, announce: bool) -> Iterator[Record]:
    if after.erased:
        return  # The record forgets both; nothing may bring them back.
    actions = [entry.action for entry in logs.entries]
    if not TASK_CHANGES.isdisjoint(actions):
        yield outputs.task_record(after, logs, version=after.sequence)
    if announce or not SESSION_CHANGES.isdisjoint(actions):
        yield outputs.session_record(after, logs, partition, version=after.sequence)


def _question(after: Context, logs: TaskLogs, entry: LogEntry, payload: RunStarted) -> ConversationMessage:
    return outputs.conversation_message(
        logs,
        entry,
        order=payload.order,
        role=Role.USER,
        content=_input_of(after, entry.run_id),
        stage="message",
        metadata=payload.metadata,
    )


def _observation(
    _after: Context, logs: TaskLogs, entry: LogEntry, payload: Observation
) -> ConversationMessage:
    return outputs.conversation_message(
        logs, entry, order=payload.order, role=Role.SYSTEM, content=payload.text, stage="observation"
    )


def _answer(_after: Context, logs: TaskLogs, entry: LogEntry, payload: RunCompleted) -> ConversationMessage:
    return outputs.conversation_message(
        logs,
        entry,
        order=payload.order,
        role=Role.ASSISTANT,
        content=payload.output,
        stage="answer",
        sql_query=payload.sql_query,
    )


def _thought(_after: Context, logs: TaskLogs, entry: LogEntry, payload: Thought) -> ConversationMessage:
    return outputs.conversation_message(
        logs,
        entry,
        order=payload.order,
        role=Role.ASSISTANT,
        content=payload.text,
        stage="draft" if payload.note is NoteKind.DRAFT else entry.action.value,
        tool_calls=[
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in payload.calls
        ],
    )


def _tool_result(
    _after: Context, logs: TaskLogs, entry: LogEntry, payload: ToolEnded | ToolDenied
) -> ConversationMessage:
    outcome = (
        {"outcome": ToolOutcome.DENIED, "error_code": ErrorCode.DENIED, "error_message": payload.reason}
        if isinstance(payload, ToolDenied)
        else {
            "outcome": payload.outcome,
            "error_code": payload.error_code,
            "error_message": payload.error_message,
        }
    )
    return outputs.conversation_message(
        logs,
        entry,
        order=payload.order,
        role=Role.TOOL,
        content=payload.text,
        stage="tool_result",
        tool_results=[{"tool_call_id": entry.tool_call_id, "name": entry.tool_name, **outcome}],
    )


def _input_of(after: Context, run_id: str | None) -> str:
    if after.run is not None and after.run.id == run_id:
        return after.run.input
    return next((ended.input for ended in after.ended if ended.id == run_id), "")


_REQUESTS = frozenset({Action.GENERATION_REQUESTED, Action.TOOL_CALLED})
_MESSAGES: Mapping[Action, Callable[[Context, TaskLogs, LogEntry, Any], ConversationMessage]] = (
    MappingProxyType(
        {
            Action.RUN_STARTED: _question,
            Action.PLAN: _thought,
            Action.THOUGHT: _thought,
            Action.REFLECTION: _thought,
            Action.TOOL_SUCCEEDED: _tool_result,
            Action.TOOL_FAILED: _tool_result,
            Action.TOOL_OUTCOME_UNKNOWN: _tool_result,
            Action.TOOL_DENIED: _tool_result,
            Action.OBSERVATION: _observation,
            Action.RUN_COMPLETED: _answer,
        }
    )
)
"""By action: trying one kind of payload after the other would cost as much as making the message."""
