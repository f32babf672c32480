"""Entries about steps: what a run asks of models and tools, and what they answer."""

from msgspec.structs import replace

from schemas.lists import Role
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.context import (
    ABANDONED_STEPS,
    RECENT_REFLECTIONS,
    ActiveRun,
    Context,
    Message,
    Note,
    NoteKind,
    Pending,
    StepKind,
    Usage,
)
from streams.session.folds.run import active, said, unanswered
from streams.session.payloads import (
    BudgetExceeded,
    GenerationEnded,
    GenerationRequested,
    Observation,
    ResultIgnored,
    Thought,
    ToolCalled,
    ToolEnded,
)
from streams.session.sizes import message_bytes


def generation_requested(
    context: Context, payload: GenerationRequested, entry: LogEntry, cause: Cause
) -> Context:
    """Wait for a model."""
    run = active(context)
    step = Pending(
        step_id=payload.generation_id,
        kind=StepKind.GENERATION,
        run_id=run.id,
        index=payload.index,
        born_at_ms=cause.at_ms,
        due_ms=payload.due_ms,
        term=cause.term,
        sequence=entry.sequence,
        purpose=payload.purpose,
    )
    return waiting_for(context, replace(run, next_index=payload.index + 1), step)


def generation_ended(context: Context, payload: GenerationEnded, _entry: LogEntry, _cause: Cause) -> Context:
    """Stop waiting for a model, and count what it used."""
    run = active(context)
    return replace(
        answered(context, payload.generation_id),
        run=replace(run, usage=with_generation(run.usage, payload)),
        spent=with_generation(context.spent, payload),
    )


def thought(context: Context, payload: Thought, _entry: LogEntry, _cause: Cause) -> Context:
    """Keep what the model said, and the order of the calls that it asked for; or what the run noted."""
    run = active(context)
    if payload.note is not None:
        noted = replace(run, notes=_with_note(run.notes, Note(kind=payload.note, text=payload.text)))
        return replace(context, run=noted, total_messages=payload.order)
    message = Message(
        order=payload.order,
        role=Role.ASSISTANT,
        content=payload.text,
        size=message_bytes(payload.text, payload.calls),
        run_id=run.id,
        calls=payload.calls,
    )
    batch = tuple(call.id for call in payload.calls)
    return replace(said(context, message), run=replace(run, batch=batch, has_failure=False))


def tool_called(context: Context, payload: ToolCalled, entry: LogEntry, cause: Cause) -> Context:
    """Wait for a tool."""
    run = active(context)
    step = Pending(
        step_id=entry.tool_call_id or "",
        kind=StepKind.TOOL,
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
        approved_by=payload.approved_by,
    )
    return waiting_for(
        replace(context, spent=_with_call(context.spent)), replace(run, usage=_with_call(run.usage)), step
    )


def tool_ended(context: Context, payload: ToolEnded, entry: LogEntry, _cause: Cause) -> Context:
    """Stop waiting for a tool, and keep what the model shall read."""
    run = active(context)
    message = Message(
        order=payload.order,
        role=Role.TOOL,
        content=payload.text,
        size=message_bytes(payload.text),
        run_id=run.id,
        tool_call_id=asked_id(context, entry.tool_call_id or ""),
    )
    after = said(answered(context, entry.tool_call_id or ""), message)
    if entry.success and payload.sql_query is None:
        return after
    return replace(
        after,
        run=replace(
            run,
            sql_query=run.sql_query if payload.sql_query is None else payload.sql_query,
            has_failure=run.has_failure or not entry.success,
        ),
    )


def outcome_unknown(context: Context, payload: ToolEnded, entry: LogEntry, _cause: Cause) -> Context:
    """Stop waiting for a tool; what the model reads of the call follows from what a person decides."""
    return replace(answered(context, entry.tool_call_id or ""), total_messages=payload.order)


def budget_exceeded(context: Context, payload: BudgetExceeded, _entry: LogEntry, _cause: Cause) -> Context:
    """Wait for nothing else when a last answer is asked for."""
    if not payload.asks_last:
        return context
    run = active(context)
    return replace(
        context,
        run=replace(run, over=payload.stop_reason),
        pending=(),
        abandoned=(*context.abandoned, *unanswered(context, run.id))[-ABANDONED_STEPS:],
    )


def observed(context: Context, payload: Observation, _entry: LogEntry, _cause: Cause) -> Context:
    """Count the remark: it has a place in the conversation, but prompts carry the results themselves."""
    return replace(context, total_messages=payload.order)


def result_ignored(context: Context, payload: ResultIgnored, _entry: LogEntry, _cause: Cause) -> Context:
    """Forget a step that was abandoned: it has answered now, and is ignored once."""
    return replace(
        context, abandoned=tuple(step_id for step_id in context.abandoned if step_id != payload.step_id)
    )


def waiting_for(context: Context, run: ActiveRun, step: Pending) -> Context:
    """Return `context` with the active run as `run` is now, and one more step that it waits for."""
    announced = run.announced_due_ms
    # The session's record names the earliest moment of the run; only an earlier one has to be announced.
    if announced is None or step.due_ms < announced:
        run = replace(run, announced_due_ms=step.due_ms)
    return replace(context, run=run, pending=(*context.pending, step))


def answered(context: Context, step_id: str) -> Context:
    """Return `context` without waiting for that step."""
    return replace(context, pending=tuple([step for step in context.pending if step.step_id != step_id]))


def asked_id(context: Context, step_id: str) -> str:
    """Return the id under which the model asked for the call whose step that is."""
    step = context.awaits(step_id)
    return step_id if step is None else step.asked_id


def with_generation(usage: Usage, payload: GenerationEnded) -> Usage:
    """Return `usage` with one more model call."""
    cost = usage.cost
    if payload.cost is not None:
        cost = payload.cost if cost is None else cost + payload.cost
    return Usage(
        generations=usage.generations + 1,
        tool_calls=usage.tool_calls,
        prompt_tokens=usage.prompt_tokens + payload.prompt_tokens,
        completion_tokens=usage.completion_tokens + payload.completion_tokens,
        total_tokens=usage.total_tokens + payload.total_tokens,
        cost=cost,
        unpriced=usage.unpriced + (payload.cost is None),
    )


def _with_call(usage: Usage) -> Usage:
    return replace(usage, tool_calls=usage.tool_calls + 1)


def _with_note(notes: tuple[Note, ...], note: Note) -> tuple[Note, ...]:
    # Only so many reflections: the rest of a run's notes is one plan and one draft.
    noted = (*notes, note)
    reflections = [old for old in noted if old.kind is NoteKind.REFLECTION]
    if len(reflections) <= RECENT_REFLECTIONS:
        return noted
    return tuple(old for old in noted if old is not reflections[0])
