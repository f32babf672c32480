"""Examples of requests and answers for the API document, by operation: one small conversation throughout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

SESSION: Final = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"
RUN: Final = "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d3f"
MESSAGE: Final = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d40"
TASK: Final = "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d41"
GENERATION: Final = "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d42"
CALL: Final = "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d43"
INSTANCE: Final = f"/chat-sessions/{SESSION}"

_BEGAN, _ENDED = "2026-11-02T09:15:00Z", "2026-11-02T09:15:03Z"
_ASKED, _SAID = "How many orders are there?", "There are 42 orders."
_SQL = "select count(*) from orders"
_TITLE = "How many orders are there?"
_REGISTRY: Final = {"subject": "maestro.runs-value", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What may be sent to an operation, and what it answers by status."""

    request: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict[int, Any])


def _pagination(total: int) -> dict[str, Any]:
    return {
        "page": 1,
        "per_page": 20,
        "total_items": total,
        "total_pages": 1,
        "has_next": False,
        "has_prev": False,
    }


def _session(**changed: Any) -> dict[str, Any]:
    return {
        "id": SESSION,
        "user_id": "alice",
        "agent_id": "assistant",
        "title": _TITLE,
        "created_at": _BEGAN,
        "last_activity": _ENDED,
        "total_messages": 2,
        "status": "active",
        "state": "active",
        "context_summary": "",
        "last_message": _SAID,
        **changed,
    }


_USED: Final = {
    "generations": 2,
    "tool_calls": 1,
    "prompt_tokens": 910,
    "completion_tokens": 64,
    "total_tokens": 974,
    "cost_estimate": 0.0012,
}


def _run(**changed: Any) -> dict[str, Any]:
    return {
        "run_id": RUN,
        "session_id": SESSION,
        "task_id": TASK,
        "message_id": MESSAGE,
        "agent_id": "assistant",
        "status": "completed",
        "stop_reason": "answered",
        "input": _ASKED,
        "output": _SAID,
        "sql_query": _SQL,
        "usage": _USED,
        "error": None,
        "created_at": _BEGAN,
        "started_at": _BEGAN,
        "completed_at": _ENDED,
        **changed,
    }


_NOTHING_YET: Final = dict.fromkeys(
    ("stop_reason", "input", "output", "sql_query", "created_at", "started_at", "completed_at")
)
_QUEUED: Final = _run(
    status="queued", usage={**dict.fromkeys(_USED, 0), "cost_estimate": None}, **_NOTHING_YET
)


def _message(place: int, role: str, content: str, sql_query: str | None = None) -> dict[str, Any]:
    return {
        "id": MESSAGE if place == 1 else GENERATION,
        "chat_session_id": SESSION,
        "run_id": RUN,
        "role": role,
        "content": content,
        "sql_query": sql_query,
        "created_at": _BEGAN if place == 1 else _ENDED,
        "sequence_order": place,
        "message_metadata": {"stage": "user_message" if place == 1 else "answer"},
    }


_MESSAGES: Final = {
    "messages": [_message(1, "user", _ASKED), _message(2, "assistant", _SAID, _SQL)],
    "pagination": _pagination(2),
    "session_info": {"id": SESSION, "title": _TITLE, "total_messages": 2},
}


def _agent(**changed: Any) -> dict[str, Any]:
    return {
        "id": "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d44",
        "name": "Bookkeeper",
        "type": "assistant",
        "status": "active",
        "configuration": {"system_prompt": "You keep the books.", "tools": ["sql_query"]},
        "user_id": "alice",
        "session_id": None,
        "built_in": False,
        "created_at": _BEGAN,
        "updated_at": _BEGAN,
        **changed,
    }


_ENTRY: Final[dict[str, Any]] = {
    "id": "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d45",
    "task_id": TASK,
    "session_id": SESSION,
    "run_id": RUN,
    "sequence": 3,
    "action": "run_started",
    "tool_name": None,
    "tool_call_id": None,
    "payload": {},
    "success": True,
    "user_id": "alice",
    "term": 1,
    "cause_id": MESSAGE,
    "cause_topic": "maestro.user-messages",
    "cause_partition": 4,
    "cause_offset": 17,
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "occurred_at": _BEGAN,
    "previous_hash": "6b86b273ff34fce19d6b804eff5a3f57",
    "hash": "d4735e3a265e16eee03f59718b9b5d03",
}

_CALL_IN_CONTEXT: Final = {
    "tool_call": {
        "id": CALL,
        "task_id": TASK,
        "session_id": SESSION,
        "run_id": RUN,
        "generation_id": GENERATION,
        "agent_id": "assistant",
        "name": "sql_query",
        "arguments": {"query": _SQL},
        "created_at": _BEGAN,
        "approved_by": None,
    },
    "tool_result": {
        "id": "0197a3c4-5b1e-5c7a-8a51-3f0f6f1c2d46",
        "tool_call_id": CALL,
        "session_id": SESSION,
        "run_id": RUN,
        "outcome": "succeeded",
        "success": True,
        "result": {"columns": ["count"], "rows": [[42]]},
        "error": None,
        "created_at": _BEGAN,
        "latency_ms": 4,
    },
    "generation": None,
    "task": None,
}

_CHANGED: Final = {"title": "Orders", "status": "archived"}
_USAGE: Final = {"generations": 2, "prompt_tokens": 910, "completion_tokens": 64, "total_tokens": 974}
_NO_SCHEMA: Final = {"error_code": 40403, "message": "Schema 1 not found."}
_NO_SUBJECT: Final = {"error_code": 40401, "message": "Subject 'nothing-value' not found."}
_NO_VERSION: Final = {"error_code": 40402, "message": "Version 9 not found."}
_BAD_VERSION: Final = {
    "error_code": 42202,
    "message": "The specified version 'first' is not a valid version id: a number from 1, or latest.",
}
_SCHEMA: Final = '{"type": "record", "name": "Run", "namespace": "maestro", "fields": []}'

EXAMPLES: Final[Mapping[str, Example]] = MappingProxyType(
    {
        "list_sessions": Example(
            answers={
                200: {
                    "sessions": [
                        {
                            "id": SESSION,
                            "title": _TITLE,
                            "last_message": _SAID,
                            "messages_count": 2,
                            "updated_at": _ENDED,
                            "status": "active",
                            "agent_id": "assistant",
                        }
                    ],
                    "pagination": _pagination(1),
                }
            }
        ),
        "create_session": Example(
            request={"agent_id": "assistant", "title": "Orders"},
            answers={201: _session(title="Orders", total_messages=0, last_message=None)},
        ),
        "get_session": Example(answers={200: _session()}),
        "change_session": Example(request=_CHANGED, answers={200: _session(**_CHANGED)}),
        "list_messages": Example(answers={200: _MESSAGES}),
        "send_message": Example(request={"message": _ASKED}, answers={202: _QUEUED}),
        "run_agent": Example(
            request={"message": _ASKED, "wait_seconds": 20}, answers={200: _run(), 202: _QUEUED}
        ),
        "get_run": Example(answers={200: _run()}),
        "cancel_run": Example(
            request={"reason": "not needed any more"}, answers={200: _run(), 202: _run(status="running")}
        ),
        "list_runs": Example(answers={200: {"runs": [_run()], "pagination": _pagination(1)}}),
        "list_agents": Example(answers={200: {"agents": [_agent()], "pagination": _pagination(1)}}),
        "create_agent": Example(
            request={"name": "Bookkeeper", "configuration": {"system_prompt": "You keep the books."}},
            answers={201: _agent()},
        ),
        "get_agent": Example(answers={200: _agent()}),
        "change_agent": Example(request={"status": "inactive"}, answers={200: _agent(status="inactive")}),
        "get_audit_trail": Example(
            answers={200: {"task_id": TASK, "session_id": SESSION, "entries": [_ENTRY]}}
        ),
        "get_cost": Example(
            answers={
                200: {
                    "session_id": SESSION,
                    "total": 0.0012,
                    "generations": 2,
                    "unpriced": 0,
                    "is_complete": True,
                }
            }
        ),
        "get_tool_call_context": Example(answers={200: _CALL_IN_CONTEXT}),
        "get_usage": Example(
            answers={
                200: {
                    "since": "2026-11-01",
                    "until": "2026-11-30",
                    "days": [
                        {
                            **_USAGE,
                            "day": "2026-11-02",
                            "model": "openai/gpt-4o",
                            "cost_estimate": 0.0012,
                            "unpriced": 0,
                        }
                    ],
                    "total": {**_USAGE, "cost_estimate": 0.0012, "unpriced": 0},
                }
            }
        ),
        "get_schema": Example(answers={200: {"schema": _SCHEMA}, 404: _NO_SCHEMA}),
        "get_uses": Example(answers={200: [_REGISTRY], 404: _NO_SCHEMA}),
        "list_subjects": Example(answers={200: ["maestro.runs-value", "maestro.user-messages-value"]}),
        "list_versions": Example(answers={200: [1], 404: _NO_SUBJECT}),
        "get_version": Example(
            answers={
                200: {**_REGISTRY, "id": 464795570, "schema": _SCHEMA},
                404: _NO_VERSION,
                422: _BAD_VERSION,
            }
        ),
        "live": Example(answers={200: {"ok": True}, 503: {"ok": False}}),
        "ready": Example(answers={200: {"ok": True}, 503: {"ok": False}}),
    }
)
