"""The record of a run as a context has it: active, waiting or just ended."""

from schemas.lists import RunStatus
from schemas.records import Run, TaskLogs
from streams.built import built
from streams.session.context import ActiveRun, Context, EndedRun, QueuedRun
from streams.session.event import time_of


def run_record(context: Context, run_id: str, logs: TaskLogs, *, version: int) -> Run | None:
    """Return the run of that id as `context` has it (active, waiting or just ended), or None."""
    for ended in context.ended:
        if ended.id == run_id:
            return _ended_run(context, ended, logs, version)
    if context.run is not None and context.run.id == run_id:
        return _active_run(context, context.run, logs, version)
    for waiting in context.queue:
        if waiting.id == run_id:
            return _queued_run(context, waiting, logs, version)
    return None


def _active_run(context: Context, run: ActiveRun, logs: TaskLogs, version: int) -> Run:
    usage = run.usage
    return built(
        Run,
        id=run.id,
        task_id=context.task_id,
        session_id=context.session_id,
        agent_id=run.agent_id,
        message_id=run.message_id,
        user_id=context.user_id,
        status=run.status,
        stop_reason=None,
        input=run.input,
        output=None,
        sql_query=None,
        generations=usage.generations,
        tool_calls=usage.tool_calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cost_estimate=usage.cost,
        created_at=time_of(run.created_at_ms),
        started_at=time_of(run.started_at_ms),
        completed_at=None,
        error_code=None,
        error_message=None,
        term=logs.term,
        version=version,
    )


def _queued_run(context: Context, run: QueuedRun, logs: TaskLogs, version: int) -> Run:
    return built(
        Run,
        id=run.id,
        task_id=context.task_id,
        session_id=context.session_id,
        agent_id=run.agent_id,
        message_id=run.message_id,
        user_id=context.user_id,
        status=RunStatus.QUEUED,
        input=run.content,
        created_at=time_of(run.created_at_ms),
        term=logs.term,
        version=version,
    )


def _ended_run(context: Context, run: EndedRun, logs: TaskLogs, version: int) -> Run:
    usage = run.usage
    return built(
        Run,
        id=run.id,
        task_id=context.task_id,
        session_id=context.session_id,
        agent_id=run.agent_id,
        message_id=run.message_id,
        user_id=run.user_id,
        status=run.status,
        stop_reason=run.stop_reason,
        input=run.input,
        output=run.output,
        sql_query=run.sql_query,
        generations=usage.generations,
        tool_calls=usage.tool_calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cost_estimate=usage.cost,
        created_at=time_of(run.created_at_ms),
        started_at=None if run.started_at_ms is None else time_of(run.started_at_ms),
        completed_at=logs.occurred_at,
        error_code=run.error_code,
        error_message=run.error_message,
        term=logs.term,
        version=version,
    )
