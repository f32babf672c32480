"""Entries about the session itself: its birth, its settings, its conversation's older part."""

from msgspec.structs import replace

from schemas.lists import SessionStatus
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.context import Context
from streams.session.payloads import (
    ContextSummarized,
    Payload,
    SessionConfigured,
    SessionCreated,
    SessionResumed,
)
from streams.session.sizes import shortened


def created(context: Context, payload: SessionCreated, _entry: LogEntry, cause: Cause) -> Context:
    """Begin the session."""
    return replace(
        context,
        user_id=payload.user_id,
        agent_id=payload.agent_id,
        title=payload.title,
        repo_url=payload.repo_url,
        ttl_s=payload.ttl_s,
        idle_s=payload.idle_s,
        created_at_ms=cause.at_ms,
    )


def resumed(context: Context, payload: SessionResumed, _entry: LogEntry, _cause: Cause) -> Context:
    """Return to active."""
    idle_s = context.idle_s if payload.idle_s is None else payload.idle_s
    return replace(context, status=SessionStatus.ACTIVE, idle_s=idle_s)


def went_idle(context: Context, _payload: Payload, _entry: LogEntry, _cause: Cause) -> Context:
    """Note that nobody has used the session for a while."""
    return replace(context, status=SessionStatus.IDLE)


def expired(context: Context, _payload: Payload, _entry: LogEntry, _cause: Cause) -> Context:
    """Note that the session's time to live is over: the record keeps it, Redis need not."""
    return replace(context, status=SessionStatus.EXPIRED)


def erased(context: Context, _payload: Payload, _entry: LogEntry, cause: Cause) -> Context:
    """Leave a stub: where the log stands, and the runs that were cut off, without what was said."""
    return Context(
        session_id=context.session_id,
        erased=True,
        sequence=context.sequence,
        hash=context.hash,
        updated_at_ms=cause.at_ms,
        ended=tuple(replace(run, input="", output=None, sql_query=None) for run in context.ended),
        applied=context.applied,
    )


def configured(context: Context, payload: SessionConfigured, _entry: LogEntry, _cause: Cause) -> Context:
    """Change the values that are given."""
    return replace(
        context,
        title=_given(payload.title, context.title),
        agent_id=payload.agent_id if payload.agent_id is not None else context.agent_id,
        ttl_s=payload.ttl_s if payload.ttl_s is not None else context.ttl_s,
        metadata=_given(payload.metadata, context.metadata),
        project_context=_given(payload.project_context, context.project_context),
        preferences=_given(payload.preferences, context.preferences),
        working_directory=payload.working_directory
        if payload.working_directory is not None
        else context.working_directory,
    )


def archived(context: Context, _payload: Payload, _entry: LogEntry, _cause: Cause) -> Context:
    """Put the conversation away."""
    return replace(context, archived=True)


def unarchived(context: Context, _payload: Payload, _entry: LogEntry, _cause: Cause) -> Context:
    """Take the conversation out again."""
    return replace(context, archived=False)


def summarized(context: Context, payload: ContextSummarized, _entry: LogEntry, _cause: Cause) -> Context:
    """Let the summary stand for the oldest messages, and keep only the beginnings of some."""
    return replace(
        context,
        context_summary=payload.summary,
        messages=tuple(
            shortened(message) if message.order in payload.shortened else message
            for message in context.messages
            if message.order > payload.dropped_through
        ),
    )


def unchanged(context: Context, _payload: Payload, _entry: LogEntry, _cause: Cause) -> Context:
    """Change nothing: the entry is for readers."""
    return context


def _given(value: str | None, otherwise: str) -> str:
    return otherwise if value is None else value
