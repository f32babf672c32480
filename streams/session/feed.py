"""The stages of a decision for whoever watches the session live."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson
from msgspec import Struct

from schemas.lists import Action
from schemas.records import LogEntry, TaskLogs
from streams.session.event import ms_of
from streams.session.payload_text import payload_of
from streams.session.payloads import (
    ApprovalRequested,
    BudgetExceeded,
    GenerationRequested,
    MessageRejected,
    Observation,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    Thought,
    ToolApproved,
    ToolCalled,
    ToolDenied,
    ToolEnded,
)

STAGE = "stage"
"""Kind of these feed entries; others on the same feed are tokens."""

MAX_CHARS = 4_000
"""Most of one text in a stage: the feed is for watching, the record has the whole."""


class Stage(Struct, frozen=True, kw_only=True, gc=False):
    """One feed entry.

    `data` is a JSON object: stage, sequence, run_id, at_ms, success, and what the stage shows.
    """

    kind: str
    data: bytes


def stages(logs: TaskLogs) -> tuple[Stage, ...]:
    """Return the stages that `logs` let a watcher see, in order."""
    at_ms = ms_of(logs.occurred_at)
    return tuple(
        [
            Stage(kind=STAGE, data=orjson.dumps(_stage(entry, at_ms)))
            for entry in logs.entries
            if entry.action in _NAMES
        ]
    )


def _stage(entry: LogEntry, at_ms: int) -> dict[str, Any]:
    action = entry.action
    stage = {
        "stage": _NAMES[action],
        "sequence": entry.sequence,
        "run_id": entry.run_id,
        "at_ms": at_ms,
        "success": entry.success,
    }
    details = _DETAILS.get(action)
    return stage if details is None else stage | details(entry, payload_of(action, entry.payload))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"


def _queued(_entry: LogEntry, payload: RunQueued) -> dict[str, Any]:
    return {"position": payload.position}


def _requested(_entry: LogEntry, payload: GenerationRequested) -> dict[str, Any]:
    return {"purpose": payload.purpose}


def _said(_entry: LogEntry, payload: Thought | Observation) -> dict[str, Any]:
    return {"text": _cut(payload.text)}


def _called(entry: LogEntry, payload: ToolCalled) -> dict[str, Any]:
    return {**_tool(entry), "arguments": _cut(payload.arguments)}


def _tool_ended(entry: LogEntry, payload: ToolEnded) -> dict[str, Any]:
    return {**_tool(entry), "outcome": payload.outcome, "text": _cut(payload.text)}


def _asked(entry: LogEntry, payload: ApprovalRequested) -> dict[str, Any]:
    return {
        **_tool(entry),
        "arguments": _cut(payload.arguments),
        "due_ms": payload.due_ms,
        "is_unknown": payload.is_unknown,
    }


def _approved(entry: LogEntry, payload: ToolApproved) -> dict[str, Any]:
    return {**_tool(entry), "approved_by": payload.approved_by}


def _denied(entry: LogEntry, payload: ToolDenied) -> dict[str, Any]:
    return {**_tool(entry), "denied_by": payload.denied_by, "reason": payload.reason}


def _tool(entry: LogEntry) -> dict[str, Any]:
    return {"tool_name": entry.tool_name, "tool_call_id": entry.tool_call_id}


def _spent(_entry: LogEntry, payload: BudgetExceeded) -> dict[str, Any]:
    return {"stop_reason": payload.stop_reason, "asks_last": payload.asks_last}


def _completed(_entry: LogEntry, payload: RunCompleted) -> dict[str, Any]:
    return {
        "output": _cut(payload.output),
        "sql_query": payload.sql_query,
        "stop_reason": payload.stop_reason,
    }


def _failed(_entry: LogEntry, payload: RunFailed | RunCancelled | MessageRejected) -> dict[str, Any]:
    return {
        "stop_reason": payload.stop_reason,
        "error_code": payload.error_code,
        "error_message": _cut(payload.error_message),
    }


_DETAILS: Mapping[Action, Callable[[LogEntry, Any], dict[str, Any]]] = MappingProxyType(
    {
        Action.MESSAGE_REJECTED: _failed,
        Action.RUN_QUEUED: _queued,
        Action.GENERATION_REQUESTED: _requested,
        Action.PLAN: _said,
        Action.THOUGHT: _said,
        Action.REFLECTION: _said,
        Action.TOOL_CALLED: _called,
        Action.TOOL_SUCCEEDED: _tool_ended,
        Action.TOOL_FAILED: _tool_ended,
        Action.TOOL_OUTCOME_UNKNOWN: _tool_ended,
        Action.APPROVAL_REQUESTED: _asked,
        Action.TOOL_APPROVED: _approved,
        Action.TOOL_DENIED: _denied,
        Action.OBSERVATION: _said,
        Action.BUDGET_EXCEEDED: _spent,
        Action.RUN_COMPLETED: _completed,
        Action.RUN_FAILED: _failed,
        Action.RUN_CANCELLED: _failed,
    }
)
_BARE = (
    Action.SESSION_IDLE,
    Action.SESSION_EXPIRED,
    Action.SESSION_RESUMED,
    Action.RUN_STARTED,
    Action.DEADLINE_PASSED,
    Action.RUN_WAITING,
    Action.RUN_ROLLED_BACK,
)
"""Stages that show nothing more."""

_NAMES: Mapping[Action, str] = MappingProxyType({action: action.value for action in (*_DETAILS, *_BARE)})
