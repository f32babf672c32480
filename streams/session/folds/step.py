"""Entries about steps: what a run asks of models and tools, and what they answer."""

from msgspec.structs import replace

from schemas.lists import Role
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.context import Context, Message, Pending, StepKind, Usage
from streams.session.folds.run import active, said
from streams.session.payloads import (
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
    return _waiting(replace(context, run=replace(run, next_index=payload.index + 1)), step)


def generation_ended(context: Context, payload: GenerationEnded, _entry: LogEntry, _cause: Cause) -> Context:
    """Stop waiting for a model, and count what it used."""
    run = active(context)
    return replace(
        _answered(context, payload.generation_id),
        run=replace(run, usage=with_generation(run.usage, payload)),
        spent=with_generation(context.spent, payload),
    )


def thought(context: Context, payload: Thought, _entry: LogEntry, _cause: Cause) -> Context:
    """Keep what the model said, and the order of the calls that it asked for."""
    run = active(context)
    message = Message(
        order=payload.order,
        role=Role.ASSISTANT,
        content=payload.text,
        size=message_bytes(payload.text, payload.calls),
        run_id=run.id,
        calls=payload.calls,
    )
    batch = tuple(call.id for call in payload.calls)
    return replace(said(context, message), run=replace(run, batch=batch))


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
    )
    return _waiting(
        replace(context, run=replace(run, usage=_with_call(run.usage)), spent=_with_call(context.spent)), step
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
        tool_call_id=entry.tool_call_id,
    )
    answered = said(_answered(context, entry.tool_call_id or ""), message)
    if payload.sql_query is None:
        return answered
    return replace(answered, run=replace(run, sql_query=payload.sql_query))


def observed(context: Context, payload: Observation, _entry: LogEntry, _cause: Cause) -> Context:
    """Count the remark: it has a place in the conversation, but prompts carry the results themselves."""
    return replace(context, total_messages=payload.order)


def result_ignored(context: Context, payload: ResultIgnored, _entry: LogEntry, _cause: Cause) -> Context:
    """Forget a step that was abandoned: it has answered now, and is ignored once."""
    return replace(
        context, abandoned=tuple(step_id for step_id in context.abandoned if step_id != payload.step_id)
    )


def _waiting(context: Context, step: Pending) -> Context:
    run = active(context)
    announced = run.announced_due_ms
    # The session's record names the earliest moment of the run; only an earlier one has to be announced.
    if announced is None or step.due_ms < announced:
        run = replace(run, announced_due_ms=step.due_ms)
    return replace(context, run=run, pending=(*context.pending, step))


def _answered(context: Context, step_id: str) -> Context:
    return replace(context, pending=tuple(step for step in context.pending if step.step_id != step_id))


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
