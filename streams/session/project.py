"""What a decision publishes besides its logs: requests, messages, runs, task and session.

A function of the context after the decision and of its logs alone, because the same records are published
again whenever nobody saw all of them acknowledged.
"""

from collections.abc import Iterator

from schemas.errors import ErrorCode
from schemas.lists import Action, Role, RunStatus, ToolOutcome
from schemas.records import ConversationMessage, GenerationRequest, LogEntry, Record, TaskLogs, ToolCall
from streams.session import outputs
from streams.session.context import Context, NoteKind, StepKind
from streams.session.payload_text import payload_of
from streams.session.payloads import (
    GenerationRequested,
    Observation,
    Payload,
    RunCompleted,
    RunStarted,
    Thought,
    ToolCalled,
    ToolDenied,
    ToolEnded,
)

RUN_CHANGES = frozenset(
    {
        Action.MESSAGE_REJECTED,
        Action.RUN_QUEUED,
        Action.RUN_STARTED,
        Action.RUN_WAITING,
        Action.RUN_COMPLETED,
        Action.RUN_FAILED,
        Action.RUN_CANCELLED,
    }
)
"""Entries after which a run's record is another."""

_DECIDED_BY_PERSON = frozenset({Action.TOOL_APPROVED, Action.TOOL_DENIED})
"""Entries after which a run's record is another when it waited for nothing else."""

_TASK_CHANGES = (RUN_CHANGES | {Action.SESSION_CREATED, Action.MESSAGE_RECEIVED}) - {Action.RUN_QUEUED}
_SESSION_CHANGES = _TASK_CHANGES | {
    Action.SESSION_RESUMED,
    Action.SESSION_CONFIGURED,
    Action.SESSION_IDLE,
    Action.SESSION_EXPIRED,
    Action.SESSION_ARCHIVED,
    Action.SESSION_UNARCHIVED,
    Action.CONTEXT_SUMMARIZED,
    Action.RUN_ROLLED_BACK,
}


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
        payload = payload_of(entry.action, entry.payload)
        request = _request(after, payload, entry)
        if request is not None:
            requests.append(request)
            announce = announce or _is_earliest(after, payload)
        elif (message := _message(after, logs, entry, payload)) is not None:
            messages.append(message)
        if _changes_run(after, entry) and entry.run_id is not None:
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
        outputs.generation_request(context, run, step)
        if step.kind is StepKind.GENERATION
        else outputs.tool_call(context, run, step)
        for step in context.pending
        if step.kind is not StepKind.APPROVAL
    )


def _changes_run(after: Context, entry: LogEntry) -> bool:
    if entry.action in RUN_CHANGES:
        return True
    return (
        entry.action in _DECIDED_BY_PERSON and after.run is not None and after.run.status is RunStatus.RUNNING
    )


def _request(after: Context, payload: Payload | None, entry: LogEntry) -> GenerationRequest | ToolCall | None:
    if after.run is None:
        return None
    match payload:
        case GenerationRequested(generation_id=step_id) if step := after.awaits(step_id):
            return outputs.generation_request(after, after.run, step)
        case ToolCalled() if step := after.awaits(entry.tool_call_id or ""):
            return outputs.tool_call(after, after.run, step)
        case _:
            return None


def _is_earliest(after: Context, payload: Payload | None) -> bool:
    # The session's record must name a moment that is not later than the earliest that the session waits for:
    # whoever finds the timers lost arms them from there. Later ones need no new record.
    due_ms = getattr(payload, "due_ms", None)
    return after.run is not None and due_ms == after.run.announced_due_ms


def _runs(after: Context, logs: TaskLogs, changed: dict[str, int]) -> Iterator[Record]:
    for run_id, version in changed.items():
        run = outputs.run_record(after, run_id, logs, version=version)
        if run is not None:
            yield run


def _states(after: Context, logs: TaskLogs, partition: int, announce: bool) -> Iterator[Record]:
    if after.erased:
        return  # The record forgets both; nothing may bring them back.
    actions = {entry.action for entry in logs.entries}
    if actions & _TASK_CHANGES:
        yield outputs.task_record(after, logs, version=after.sequence)
    if announce or actions & _SESSION_CHANGES:
        yield outputs.session_record(after, logs, partition, version=after.sequence)


def _message(
    after: Context, logs: TaskLogs, entry: LogEntry, payload: Payload | None
) -> ConversationMessage | None:
    match payload:
        case RunStarted(order=order, metadata=metadata):
            return outputs.conversation_message(
                logs,
                entry,
                order=order,
                role=Role.USER,
                content=_input_of(after, entry.run_id),
                stage="message",
                metadata=metadata,
            )
        case Thought():
            return _thought(logs, entry, payload)
        case ToolEnded() | ToolDenied():
            return _tool_result(logs, entry, payload)
        case Observation(order=order, text=text):
            return outputs.conversation_message(
                logs, entry, order=order, role=Role.SYSTEM, content=text, stage="observation"
            )
        case RunCompleted(order=order, output=output, sql_query=sql_query):
            return outputs.conversation_message(
                logs,
                entry,
                order=order,
                role=Role.ASSISTANT,
                content=output,
                stage="answer",
                sql_query=sql_query,
            )
        case _:
            return None


def _thought(logs: TaskLogs, entry: LogEntry, payload: Thought) -> ConversationMessage:
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


def _tool_result(logs: TaskLogs, entry: LogEntry, payload: ToolEnded | ToolDenied) -> ConversationMessage:
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
