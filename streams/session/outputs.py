"""The records that a context and a log entry become: one function each."""

from typing import Any

import orjson

from schemas import ids
from schemas.lists import Purpose, Role
from schemas.records import (
    ConversationMessage,
    GenerationRequest,
    LogEntry,
    Session,
    Task,
    TaskLogs,
    ToolCall,
)
from streams.built import built
from streams.session.context import ActiveRun, Context, Pending
from streams.session.event import time_of
from streams.session.prompt import prompt
from streams.session.timers import timers_of


def generation_request(context: Context, run: ActiveRun, step: Pending) -> GenerationRequest:
    """Return the request for a pending model call, the same each time it is asked for."""
    purpose = step.purpose or Purpose.ACT
    asked = prompt(context, run, purpose)
    return built(
        GenerationRequest,
        id=step.step_id,
        task_id=context.task_id,
        session_id=context.session_id,
        run_id=run.id,
        user_id=context.user_id,
        agent_id=run.agent_id,
        generation_index=step.index,
        purpose=purpose,
        model_name=asked.model_name,
        messages=asked.messages,
        tools=asked.tools,
        parameters=asked.parameters,
        born_at=time_of(step.born_at_ms),
        deadline_at=time_of(step.due_ms),
        term=step.term,
        sequence=step.sequence,
    )


def tool_call(context: Context, run: ActiveRun, step: Pending) -> ToolCall:
    """Return the request for a pending tool call, the same each time it is asked for."""
    born_at = time_of(step.born_at_ms)
    return built(
        ToolCall,
        id=step.step_id,
        task_id=context.task_id,
        session_id=context.session_id,
        run_id=run.id,
        generation_id=step.generation_id,
        user_id=context.user_id,
        agent_id=run.agent_id,
        call_index=step.index,
        name=step.name,
        arguments=step.arguments,
        provider_call_id=step.provider_call_id,
        created_at=born_at,
        born_at=born_at,
        deadline_at=time_of(step.due_ms),
        approved_by=step.approved_by,
        term=step.term,
        sequence=step.sequence,
    )


def conversation_message(
    logs: TaskLogs,
    entry: LogEntry,
    *,
    order: int,
    role: Role,
    content: str,
    stage: str,
    metadata: str | None = None,
    tool_calls: list[dict[str, Any]] | None = None,
    tool_results: list[dict[str, Any]] | None = None,
    sql_query: str | None = None,
) -> ConversationMessage:
    """Return the conversation's entry number `order`; `stage` is added to the producer's own `metadata`."""
    return built(
        ConversationMessage,
        id=ids.message_id(logs.session_id, order),
        session_id=logs.session_id,
        task_id=logs.task_id,
        run_id=entry.run_id,
        user_id=logs.user_id,
        role=role,
        content=content,
        timestamp=logs.occurred_at,
        metadata=_with_stage(metadata, stage),
        tool_calls=_json(tool_calls),
        tool_results=_json(tool_results),
        sql_query=sql_query,
        sequence_order=order,
        term=logs.term,
        sequence=entry.sequence,
    )


def task_record(context: Context, logs: TaskLogs, *, version: int) -> Task:
    """Return the session's task as it stands."""
    return built(
        Task,
        id=logs.task_id,
        session_id=context.session_id,
        user_id=context.user_id,
        prompt=context.prompt or context.title,
        status=context.task_status,
        repo_url=context.repo_url,
        created_at=time_of(context.created_at_ms),
        updated_at=logs.occurred_at,
        term=logs.term,
        version=version,
    )


def session_record(context: Context, logs: TaskLogs, partition: int, *, version: int) -> Session:
    """Return the session as it stands, with the timers that the owner of its partition arms anew."""
    timers = [
        {"key": timer.key, "kind": timer.kind, "due_ms": timer.due_ms}
        for timer in timers_of(context).values()
    ]
    return built(
        Session,
        id=context.session_id,
        task_id=logs.task_id,
        user_id=context.user_id,
        agent_id=context.agent_id,
        title=context.title,
        status=context.status,
        archived=context.archived,
        context_summary=context.context_summary,
        project_context=context.project_context,
        working_directory=context.working_directory,
        preferences=context.preferences,
        ttl_seconds=context.ttl_s,
        metadata=context.metadata,
        created_at=time_of(context.created_at_ms),
        updated_at=logs.occurred_at,
        last_activity=time_of(context.last_activity_ms),
        total_messages=context.total_messages,
        last_message=context.last_message,
        partition=partition,
        timers=orjson.dumps(timers).decode(),
        term=logs.term,
        version=version,
    )


def _with_stage(metadata: str | None, stage: str) -> str:
    if metadata is None:
        return f'{{"stage":"{stage}"}}'
    # The producer's text stays as it is: its numbers, written anew, may take four times as many bytes (1e15).
    own = metadata.strip() or "{}"
    values = own[1:-1].strip() if own.startswith("{") else f'"value":{own}'
    # Last, because readers take the last of equal names.
    return f'{{{values}{"," if values else ""}"stage":"{stage}"}}'


def _json(value: list[dict[str, Any]] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
