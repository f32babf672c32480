"""What happened and what it cost: audit trails of tasks, costs of sessions, tool calls in their context."""

from fastapi import APIRouter, Response

from api.parameters import SessionId, TaskId, ToolCallId
from api.problems import not_found
from api.reach import ReachIs
from api.step_shapes import AuditTrail, Cost, ToolCallInContext, context_json, cost_of, trail_json

router = APIRouter(tags=["audit"])

_JSON = "application/json"


@router.get("/tasks/{task_id}/audit-trail", response_model=AuditTrail)
async def get_audit_trail(task_id: TaskId, reach: ReachIs) -> Response:
    """Read every entry of the log of one of your tasks, in order."""
    erased = reach.erased()
    _ = await reach.catch_up()
    entries = await reach.edge.web.task_trail(reach.caller.user_id, task_id)
    if not entries or entries[0].session_id in erased:
        raise not_found("task", task_id)
    return Response(trail_json(task_id, entries), media_type=_JSON, headers=dict(reach.response.headers))


@router.get("/chat-sessions/{session_id}/cost")
async def get_cost(session_id: SessionId, reach: ReachIs) -> Cost:
    """Read what one of your sessions cost so far."""
    session = await reach.session(session_id)
    cost = await reach.edge.web.cost(reach.caller.user_id, session.id)
    if cost is None:
        raise not_found("session", session_id)
    return cost_of(session_id, cost)


@router.get("/tool-calls/{tool_call_id}/context", response_model=ToolCallInContext)
async def get_tool_call_context(tool_call_id: ToolCallId, reach: ReachIs) -> Response:
    """Read a tool call of yours with its result, its generation and its task."""
    erased = reach.erased()
    _ = await reach.catch_up()
    context = await reach.edge.web.tool_call(reach.caller.user_id, tool_call_id)
    if context is None or context.call.session_id in erased:
        raise not_found("tool call", tool_call_id)
    return Response(context_json(context), media_type=_JSON, headers=dict(reach.response.headers))
