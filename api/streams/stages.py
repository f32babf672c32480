"""Log entries as stages, as the live feed had them before it expired. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from schemas.lists import Action
from stores.postgres.session_logs import StoredLog

_MAX_CHARS: Final = 4_000
"""Most of one text, as in the live feed."""

_CUT: Final = frozenset({"text", "arguments", "output", "error_message"})
_TOOL: Final = ("tool_name", "tool_call_id")
_ENDED: Final = ("stop_reason", "error_code", "error_message")

_DETAILS: Final[Mapping[Action, tuple[str, ...]]] = MappingProxyType(
    {
        Action.MESSAGE_REJECTED: _ENDED,
        Action.RUN_QUEUED: ("position",),
        Action.GENERATION_REQUESTED: ("purpose",),
        Action.PLAN: ("text",),
        Action.THOUGHT: ("text",),
        Action.REFLECTION: ("text",),
        Action.OBSERVATION: ("text",),
        Action.TOOL_CALLED: (*_TOOL, "arguments"),
        Action.TOOL_SUCCEEDED: (*_TOOL, "outcome", "text"),
        Action.TOOL_FAILED: (*_TOOL, "outcome", "text"),
        Action.TOOL_OUTCOME_UNKNOWN: (*_TOOL, "outcome", "text"),
        Action.APPROVAL_REQUESTED: (*_TOOL, "arguments", "due_ms", "is_unknown"),
        Action.TOOL_APPROVED: (*_TOOL, "approved_by"),
        Action.TOOL_DENIED: (*_TOOL, "denied_by", "reason"),
        Action.BUDGET_EXCEEDED: ("stop_reason", "asks_last"),
        Action.RUN_COMPLETED: ("output", "sql_query", "stop_reason"),
        Action.RUN_FAILED: _ENDED,
        Action.RUN_CANCELLED: _ENDED,
    }
)
WITH_PAYLOAD: Final = tuple(sorted(_DETAILS))
"""Log entries of which more is shown than that they happened."""

_UNSAID: Final[Mapping[str, Any]] = MappingProxyType(
    {"stop_reason": "answered", "is_unknown": False, "asks_last": False}
)
"""What a payload of an older version does not say."""


def stage_of(log: StoredLog) -> dict[str, Any]:
    """Return the stage of a log entry."""
    stage: dict[str, Any] = {
        "stage": log.action.value,
        "sequence": log.sequence,
        "run_id": log.run_id,
        "at_ms": round(log.occurred_at.timestamp() * 1000),
        "success": log.success,
    }
    names = _DETAILS.get(log.action, ())
    payload: dict[str, Any] = orjson.loads(log.payload) if names else {}
    for name in names:
        stage[name] = getattr(log, name) if name in _TOOL else _detail(payload, name)
    return stage


def _detail(payload: Mapping[str, Any], name: str) -> Any:
    value = payload.get(name, _UNSAID.get(name))
    if name in _CUT and isinstance(value, str) and len(value) > _MAX_CHARS:
        return value[:_MAX_CHARS] + "…"
    return value
