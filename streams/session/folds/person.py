"""Entries about what a person decides: a run waits for a word, and goes on with it."""

from msgspec.structs import replace

from schemas.lists import Role, RunStatus
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.context import ActiveRun, Context, Message, Pending, StepKind
from streams.session.folds.run import active, said
from streams.session.folds.step import answered, asked_id, waiting_for
from streams.session.payloads import ApprovalRequested, Payload, ToolApproved, ToolDenied
from streams.session.sizes import message_bytes


def approval_requested(
    context: Context, payload: ApprovalRequested, entry: LogEntry, cause: Cause
) -> Context:
    """Wait for a person's word about a tool call."""
    run = active(context)
    step = Pending(
        step_id=entry.tool_call_id or "",
        kind=StepKind.APPROVAL,
        run_id=run.id,
        index=payload.index,
        born_at_ms=cause.at_ms,
        due_ms=payload.due_ms,
        term=cause.term,
        sequence=entry.sequence,
        generation_id=payload.generation_id,
        name=entry.tool_name,
        arguments=payload.arguments,
        provider_call_id=payload.provider_call_id,
        call_id=payload.call_id,
        is_unknown=payload.is_unknown,
    )
    return waiting_for(context, run, step)


def run_waiting(context: Context, _payload: Payload, _entry: LogEntry, cause: Cause) -> Context:
    """Let the run wait; its clock stands still."""
    run = replace(active(context), status=RunStatus.WAITING, waiting_since_ms=cause.at_ms)
    return replace(context, run=run)


def approved(context: Context, _payload: ToolApproved, entry: LogEntry, cause: Cause) -> Context:
    """Stop waiting for the person; the call itself is another entry."""
    return _decided(context, entry, cause)


def denied(context: Context, payload: ToolDenied, entry: LogEntry, cause: Cause) -> Context:
    """Stop waiting for the person, and keep what the model shall read."""
    step_id = asked_id(context, entry.tool_call_id or "")
    decided = _decided(context, entry, cause)
    run = replace(active(decided), has_failure=True)
    message = Message(
        order=payload.order,
        role=Role.TOOL,
        content=payload.text,
        size=message_bytes(payload.text),
        run_id=run.id,
        tool_call_id=step_id,
    )
    return said(replace(decided, run=run), message)


def _decided(context: Context, entry: LogEntry, cause: Cause) -> Context:
    after = answered(context, entry.tool_call_id or "")
    if any(step.kind is StepKind.APPROVAL for step in after.pending):
        return after
    return replace(after, run=going_on(active(after), cause.at_ms))


def going_on(run: ActiveRun, at_ms: int) -> ActiveRun:
    """Return `run` as it works again: nothing waits for a person any more."""
    if run.waiting_since_ms is None:
        return run
    return replace(
        run,
        status=RunStatus.RUNNING,
        waited_ms=run.waited_ms + max(0, at_ms - run.waiting_since_ms),
        waiting_since_ms=None,
    )
