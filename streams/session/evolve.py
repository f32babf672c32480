"""The fold: how one log entry changes a context.

The context is what folding all entries of a session leaves.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from schemas.errors import FatalError
from schemas.lists import Action
from schemas.records import LogEntry
from streams.session.cause import Cause
from streams.session.checkpoint import restored
from streams.session.context import RECENT_EVENTS, Context
from streams.session.folds import person, run, session, step
from streams.session.payload_text import read_payload
from streams.session.payloads import Checkpoint, Payload

# Each function takes the payload type that PAYLOADS names for its action; a test walks through all pairs.
_Fold = Callable[[Context, Any, LogEntry, Cause], Context]

FOLDS: Mapping[Action, _Fold] = MappingProxyType(
    {
        Action.SESSION_CREATED: session.created,
        Action.SESSION_RESUMED: session.resumed,
        Action.SESSION_CONFIGURED: session.configured,
        Action.SESSION_ARCHIVED: session.archived,
        Action.SESSION_UNARCHIVED: session.unarchived,
        Action.SESSION_FORKED: session.unchanged,
        Action.SESSION_IDLE: session.went_idle,
        Action.SESSION_EXPIRED: session.expired,
        Action.SESSION_ERASED: session.erased,
        Action.CONTEXT_SUMMARIZED: session.summarized,
        Action.MESSAGE_RECEIVED: run.received,
        Action.MESSAGE_REJECTED: run.rejected,
        Action.RUN_QUEUED: run.queued,
        Action.RUN_STARTED: run.started,
        Action.RUN_COMPLETED: run.completed,
        Action.RUN_FAILED: run.failed,
        Action.RUN_CANCELLED: run.cancelled,
        Action.RUN_ROLLED_BACK: run.rolled_back,
        Action.GENERATION_REQUESTED: step.generation_requested,
        Action.GENERATION_COMPLETED: step.generation_ended,
        Action.GENERATION_FAILED: step.generation_ended,
        Action.PLAN: step.thought,
        Action.THOUGHT: step.thought,
        Action.REFLECTION: step.thought,
        Action.TOOL_CALLED: step.tool_called,
        Action.TOOL_SUCCEEDED: step.tool_ended,
        Action.TOOL_FAILED: step.tool_ended,
        Action.TOOL_OUTCOME_UNKNOWN: step.outcome_unknown,
        Action.APPROVAL_REQUESTED: person.approval_requested,
        Action.TOOL_APPROVED: person.approved,
        Action.TOOL_DENIED: person.denied,
        Action.RUN_WAITING: person.run_waiting,
        Action.OBSERVATION: step.observed,
        Action.RESULT_IGNORED: step.result_ignored,
        Action.BUDGET_EXCEEDED: step.budget_exceeded,
        Action.DEADLINE_PASSED: session.unchanged,
        Action.COMMAND_IGNORED: session.unchanged,
        Action.CHECKPOINT: session.unchanged,
    }
)
"""What each action does to the context."""

_PASSIVE = frozenset(
    {
        Action.MESSAGE_REJECTED,
        Action.RESULT_IGNORED,
        Action.COMMAND_IGNORED,
        Action.SESSION_IDLE,
        Action.SESSION_EXPIRED,
        Action.CHECKPOINT,
    }
)
"""Entries that are no activity: they do not keep a session alive."""


def evolve(context: Context, entry: LogEntry, cause: Cause, payload: Payload | None = None) -> Context:
    """Return the context after `entry`, which `cause` made; its text is read where no `payload` is given.

    Raises:
        FatalError: the entry's action is unknown to this version; folding on without it would be wrong in
        silence.

    """
    payload = payload or read_payload(entry.action, entry.payload)
    if payload is None:
        message = (
            f"session {context.session_id}: log {entry.sequence} is {entry.action.value}, which this version"
            " does not know; run the version that wrote it, or a newer one"
        )
        raise FatalError(message)
    action, since_checkpoint = entry.action, context.since_checkpoint + 1
    if isinstance(payload, Checkpoint):
        context, since_checkpoint = restored(payload) or context, 0
    applied, ended = context.applied, context.ended
    if not applied or applied[-1] != cause.id:
        # A new decision: what the one before ended has been told.
        applied, ended = (*applied[1 - RECENT_EVENTS :], cause.id), ()
    placed = replace(
        context,
        sequence=entry.sequence,
        hash=entry.hash,
        since_checkpoint=since_checkpoint,
        updated_at_ms=cause.at_ms,
        last_activity_ms=context.last_activity_ms if action in _PASSIVE else cause.at_ms,
        applied=applied,
        ended=ended,
    )
    return FOLDS[action](placed, payload, entry, cause)
