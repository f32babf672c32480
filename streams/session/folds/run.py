"""Entries about runs: from the message that causes one to its one end."""

from msgspec.structs import replace

from schemas.errors import ErrorCode, FatalError
from schemas.lists import Role, RunStatus, TaskStatus
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.context import (
    ABANDONED_STEPS,
    RECENT_RUNS,
    ActiveRun,
    Context,
    EndedRun,
    KnownRun,
    Message,
    QueuedRun,
    StepKind,
    Usage,
)
from streams.session.forgotten import with_run
from streams.session.payloads import (
    MessageReceived,
    MessageRejected,
    Payload,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    RunStarted,
)
from streams.session.sizes import cut, first_chars, message_bytes

TASK_PROMPT_BYTES = 16_384
LAST_MESSAGE_CHARS = 200

_SPEAKERS = frozenset({Role.USER, Role.ASSISTANT})
_TASK_STATUS = {
    RunStatus.COMPLETED: TaskStatus.COMPLETED,
    RunStatus.FAILED: TaskStatus.FAILED,
    RunStatus.CANCELLED: TaskStatus.CANCELLED,
}


def received(context: Context, payload: MessageReceived, entry: LogEntry, cause: Cause) -> Context:
    """Accept a message: its run stands in the queue until it is started."""
    queued = QueuedRun(
        id=_run_id(entry),
        message_id=payload.message_id,
        agent_id=payload.agent_id,
        content=payload.content,
        created_at_ms=cause.at_ms,
        metadata=payload.metadata,
    )
    return replace(
        _arrived(context, queued.id, RunStatus.QUEUED),
        queue=(*context.queue, queued),
        prompt=context.prompt or cut(payload.content, TASK_PROMPT_BYTES),
    )


def rejected(context: Context, payload: MessageRejected, entry: LogEntry, cause: Cause) -> Context:
    """Refuse a message: its run ends before it began."""
    ended = EndedRun(
        id=_run_id(entry),
        message_id=payload.message_id,
        user_id=payload.user_id,
        agent_id=payload.agent_id,
        status=RunStatus.REJECTED,
        stop_reason=payload.stop_reason,
        input=payload.content,
        created_at_ms=cause.at_ms,
        error_code=payload.error_code,
        error_message=payload.error_message,
    )
    return replace(_arrived(context, ended.id, RunStatus.REJECTED), ended=(*context.ended, ended))


def queued(context: Context, payload: RunQueued, entry: LogEntry, _cause: Cause) -> Context:
    """Let a run wait, with the configuration that it will start with."""
    configuration = bytes(payload.configuration).decode()
    return replace(
        context,
        queue=tuple(
            replace(run, configuration=configuration) if run.id == entry.run_id else run
            for run in context.queue
        ),
    )


def started(context: Context, payload: RunStarted, entry: LogEntry, cause: Cause) -> Context:
    """Begin a run: its message becomes part of the conversation."""
    waiting = _waiting(context, entry)
    run = ActiveRun(
        id=waiting.id,
        message_id=waiting.message_id,
        agent_id=payload.agent_id,
        configuration=bytes(payload.configuration).decode(),
        input=waiting.content,
        status=RunStatus.RUNNING,
        created_at_ms=waiting.created_at_ms,
        started_at_ms=cause.at_ms,
    )
    message = Message(
        order=payload.order,
        role=Role.USER,
        content=waiting.content,
        size=message_bytes(waiting.content),
        run_id=run.id,
    )
    return replace(
        said(context, message),
        run=run,
        runs=_with_status(context.runs, run.id, RunStatus.RUNNING),
        queue=_others(context.queue, run.id),
        task_status=TaskStatus.RUNNING,
    )


def completed(context: Context, payload: RunCompleted, _entry: LogEntry, cause: Cause) -> Context:
    """End the active run with its answer."""
    run = active(context)
    answer = Message(
        order=payload.order,
        role=Role.ASSISTANT,
        content=payload.output,
        size=message_bytes(payload.output),
        run_id=run.id,
    )
    ended = EndedRun(
        id=run.id,
        message_id=run.message_id,
        user_id=context.user_id,
        agent_id=run.agent_id,
        status=RunStatus.COMPLETED,
        stop_reason=payload.stop_reason,
        input=run.input,
        created_at_ms=run.created_at_ms,
        started_at_ms=run.started_at_ms,
        output=payload.output,
        sql_query=payload.sql_query,
        usage=run.usage,
    )
    return said(_close(context, ended, cause), answer)


def failed(context: Context, payload: RunFailed, entry: LogEntry, cause: Cause) -> Context:
    """End a run, active or waiting for its turn, without an answer."""
    return _stopped(context, RunStatus.FAILED, payload, entry, cause)


def cancelled(context: Context, payload: RunCancelled, entry: LogEntry, cause: Cause) -> Context:
    """End a run, active or waiting for its turn, because somebody said so."""
    return _stopped(context, RunStatus.CANCELLED, payload, entry, cause)


def rolled_back(context: Context, _payload: Payload, entry: LogEntry, _cause: Cause) -> Context:
    """Forget what a run said; the log keeps it."""
    return replace(
        context,
        messages=tuple(message for message in context.messages if message.run_id != entry.run_id),
    )


def said(context: Context, message: Message) -> Context:
    """Return `context` with `message` as the newest of its conversation."""
    return replace(
        context,
        messages=(*context.messages, message),
        total_messages=message.order,
        last_message=first_chars(message.content, LAST_MESSAGE_CHARS)
        if message.role in _SPEAKERS and message.content
        else context.last_message,
    )


def unanswered(context: Context, run_id: str) -> tuple[str, ...]:
    """Return the steps of a run that may still answer."""
    return tuple(
        [
            step.step_id
            for step in context.pending
            if step.run_id == run_id and step.kind is not StepKind.APPROVAL
        ]
    )


def _stopped(
    context: Context, status: RunStatus, payload: RunFailed | RunCancelled, entry: LogEntry, cause: Cause
) -> Context:
    run = context.run
    if run is None or run.id != entry.run_id:
        run = _waiting(context, entry)
    is_active = isinstance(run, ActiveRun)
    ended = EndedRun(
        id=run.id,
        message_id=run.message_id,
        user_id=context.user_id,
        agent_id=run.agent_id,
        status=status,
        stop_reason=payload.stop_reason,
        input=run.input if is_active else run.content,
        created_at_ms=run.created_at_ms,
        started_at_ms=run.started_at_ms if is_active else None,
        usage=run.usage if is_active else Usage(),
        error_code=payload.error_code,
        error_message=payload.error_message,
    )
    return _close(context, ended, cause)


def _close(context: Context, ended: EndedRun, cause: Cause) -> Context:
    """Take the run out of what is active, waiting or pending.

    Its unanswered steps are remembered: they may still answer.
    """
    run = context.run
    was_active = run is not None and run.id == ended.id
    return replace(
        context,
        runs=_with_status(context.runs, ended.id, ended.status),
        run=None if was_active else run,
        queue=_others(context.queue, ended.id),
        pending=tuple([step for step in context.pending if step.run_id != ended.id]),
        abandoned=(*context.abandoned, *unanswered(context, ended.id))[-ABANDONED_STEPS:],
        ended=(*context.ended, ended),
        task_status=_TASK_STATUS[ended.status] if was_active else context.task_status,
        spent_ms=context.spent_ms + (run.active_ms(cause.at_ms) if run is not None and was_active else 0),
    )


def _with_status(runs: tuple[KnownRun, ...], run_id: str, status: RunStatus) -> tuple[KnownRun, ...]:
    """Note where a recent run stands now. One that was forgotten already is in the record."""
    for place in range(len(runs) - 1, -1, -1):  # Mostly it is the newest.
        if runs[place].id == run_id:
            return (*runs[:place], KnownRun(id=run_id, status=status), *runs[place + 1 :])
    return runs


def _arrived(context: Context, run_id: str, status: RunStatus) -> Context:
    """Remember a new run, in the order of arrival; the oldest are forgotten and counted."""
    if run_id in [run.id for run in context.runs]:
        return replace(context, runs=_with_status(context.runs, run_id, status))
    runs = (*context.runs, KnownRun(id=run_id, status=status))
    dropped = max(0, len(runs) - RECENT_RUNS)
    forgotten = context.forgotten
    for old in runs[:dropped]:
        forgotten = with_run(forgotten, old.id)
    return replace(
        context, runs=runs[dropped:], runs_dropped=context.runs_dropped + dropped, forgotten=forgotten
    )


def active(context: Context) -> ActiveRun:
    """Return the active run; raise FatalError when the log speaks of one that is not there."""
    if context.run is None:
        message = f"session {context.session_id}: log {context.sequence} ends a run, but none is active"
        raise FatalError(message, code=ErrorCode.INVALID)
    return context.run


def _waiting(context: Context, entry: LogEntry) -> QueuedRun:
    for run in context.queue:
        if run.id == entry.run_id:
            return run
    message = (
        f"session {context.session_id}: log {entry.sequence} is about run {entry.run_id}, which does not wait"
    )
    raise FatalError(message, code=ErrorCode.INVALID)


def _others(queue: tuple[QueuedRun, ...], run_id: str) -> tuple[QueuedRun, ...]:
    return tuple([run for run in queue if run.id != run_id])


def _run_id(entry: LogEntry) -> str:
    return entry.run_id or ""
