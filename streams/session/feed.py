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
    MessageRejected,
    Observation,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    Thought,
    ToolCalled,
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
    return tuple(
        Stage(kind=STAGE, data=orjson.dumps(_common(entry, logs) | shown(entry)))
        for entry in logs.entries
        if (shown := _SHOWN.get(entry.action)) is not None
    )


def _common(entry: LogEntry, logs: TaskLogs) -> dict[str, Any]:
    return {
        "stage": entry.action.value,
        "sequence": entry.sequence,
        "run_id": entry.run_id,
        "at_ms": ms_of(logs.occurred_at),
        "success": entry.success,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"


def _nothing(_entry: LogEntry) -> dict[str, Any]:
    return {}


def _details(entry: LogEntry) -> dict[str, Any]:
    details: dict[str, Any] = {}
    match payload_of(entry.action, entry.payload):
        case RunQueued(position=position):
            details = {"position": position}
        case Thought(text=text) | Observation(text=text):
            details = {"text": _cut(text)}
        case ToolCalled(arguments=arguments):
            details = _tool(entry) | {"arguments": _cut(arguments)}
        case ToolEnded(outcome=outcome, text=text):
            details = _tool(entry) | {"outcome": outcome, "text": _cut(text)}
        case RunCompleted(output=output, sql_query=sql_query):
            details = {"output": _cut(output), "sql_query": sql_query}
        case RunFailed() | RunCancelled() | MessageRejected() as ended:
            details = {
                "stop_reason": ended.stop_reason,
                "error_code": ended.error_code,
                "error_message": _cut(ended.error_message),
            }
        case _:
            pass
    return details


def _tool(entry: LogEntry) -> dict[str, Any]:
    return {"tool_name": entry.tool_name, "tool_call_id": entry.tool_call_id}


_SHOWN: Mapping[Action, Callable[[LogEntry], dict[str, Any]]] = MappingProxyType(
    {
        Action.SESSION_RESUMED: _nothing,
        Action.RUN_STARTED: _nothing,
        Action.GENERATION_REQUESTED: _nothing,
        Action.DEADLINE_PASSED: _nothing,
        Action.RUN_ROLLED_BACK: _nothing,
        **dict.fromkeys(
            (
                Action.MESSAGE_REJECTED,
                Action.RUN_QUEUED,
                Action.PLAN,
                Action.THOUGHT,
                Action.REFLECTION,
                Action.TOOL_CALLED,
                Action.TOOL_SUCCEEDED,
                Action.TOOL_FAILED,
                Action.TOOL_OUTCOME_UNKNOWN,
                Action.OBSERVATION,
                Action.RUN_COMPLETED,
                Action.RUN_FAILED,
                Action.RUN_CANCELLED,
            ),
            _details,
        ),
    }
)
