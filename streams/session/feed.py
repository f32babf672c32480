"""The stages of a decision for whoever watches the session live."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

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
    Payload,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One feed entry.

    `data` is a JSON object: stage, sequence, run_id, at_ms, success, and what the stage shows.
    """

    kind: str
    data: bytes


def stages(logs: TaskLogs) -> tuple[Stage, ...]:
    """Return the stages that `logs` let a watcher see, in order."""
    at_ms = ms_of(logs.occurred_at)
    return tuple(
        Stage(kind=STAGE, data=orjson.dumps({**_common(entry, at_ms), **shown(entry)}))
        for entry in logs.entries
        if (shown := _SHOWN.get(entry.action)) is not None
    )


def _common(entry: LogEntry, at_ms: int) -> dict[str, Any]:
    return {
        "stage": entry.action.value,
        "sequence": entry.sequence,
        "run_id": entry.run_id,
        "at_ms": at_ms,
        "success": entry.success,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"


def _nothing(_entry: LogEntry) -> dict[str, Any]:
    return {}


def _details(entry: LogEntry) -> dict[str, Any]:
    payload = payload_of(entry.action, entry.payload)
    match payload:
        case GenerationRequested(purpose=purpose):
            return {"purpose": purpose}
        case Thought(text=text) | Observation(text=text):
            return {"text": _cut(text)}
        case ToolCalled(arguments=arguments):
            return _tool(entry) | {"arguments": _cut(arguments)}
        case ToolEnded(outcome=outcome, text=text):
            return _tool(entry) | {"outcome": outcome, "text": _cut(text)}
        case ApprovalRequested() | ToolApproved() | ToolDenied():
            return _tool(entry) | _of_person(payload)
        case _:
            return _of_run(payload)


def _of_run(payload: Payload | None) -> dict[str, Any]:
    match payload:
        case RunQueued(position=position):
            return {"position": position}
        case BudgetExceeded(stop_reason=stop_reason, asks_last=asks_last):
            return {"stop_reason": stop_reason, "asks_last": asks_last}
        case RunCompleted(output=output, sql_query=sql_query, stop_reason=stop_reason):
            return {"output": _cut(output), "sql_query": sql_query, "stop_reason": stop_reason}
        case RunFailed() | RunCancelled() | MessageRejected():
            return {
                "stop_reason": payload.stop_reason,
                "error_code": payload.error_code,
                "error_message": _cut(payload.error_message),
            }
        case _:
            return {}


def _of_person(payload: ApprovalRequested | ToolApproved | ToolDenied) -> dict[str, Any]:
    match payload:
        case ApprovalRequested(arguments=arguments, due_ms=due_ms, is_unknown=is_unknown):
            return {"arguments": _cut(arguments), "due_ms": due_ms, "is_unknown": is_unknown}
        case ToolApproved(approved_by=approved_by):
            return {"approved_by": approved_by}
        case ToolDenied(denied_by=denied_by, reason=reason):
            return {"denied_by": denied_by, "reason": reason}


def _tool(entry: LogEntry) -> dict[str, Any]:
    return {"tool_name": entry.tool_name, "tool_call_id": entry.tool_call_id}


_SHOWN: Mapping[Action, Callable[[LogEntry], dict[str, Any]]] = MappingProxyType(
    {
        Action.SESSION_IDLE: _nothing,
        Action.SESSION_EXPIRED: _nothing,
        Action.SESSION_RESUMED: _nothing,
        Action.RUN_STARTED: _nothing,
        Action.DEADLINE_PASSED: _nothing,
        Action.RUN_WAITING: _nothing,
        Action.RUN_ROLLED_BACK: _nothing,
        **dict.fromkeys(
            (
                Action.MESSAGE_REJECTED,
                Action.RUN_QUEUED,
                Action.GENERATION_REQUESTED,
                Action.PLAN,
                Action.THOUGHT,
                Action.REFLECTION,
                Action.TOOL_CALLED,
                Action.TOOL_SUCCEEDED,
                Action.TOOL_FAILED,
                Action.TOOL_OUTCOME_UNKNOWN,
                Action.APPROVAL_REQUESTED,
                Action.TOOL_APPROVED,
                Action.TOOL_DENIED,
                Action.OBSERVATION,
                Action.BUDGET_EXCEEDED,
                Action.RUN_COMPLETED,
                Action.RUN_FAILED,
                Action.RUN_CANCELLED,
            ),
            _details,
        ),
    }
)
