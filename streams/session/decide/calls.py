"""One tool call's beginning: sent, put before a person, or refused."""

from collections.abc import Iterable

from schemas.errors import ErrorCode
from schemas.lists import Action, ToolOutcome
from streams.session.context import ActiveRun, Pending
from streams.session.decide.asked_calls import ParsedCall
from streams.session.decide.decision import Decision
from streams.session.payloads import ApprovalRequested, ToolCalled, ToolEnded
from streams.session.rules import Rules
from streams.session.sizes import cut

REFUSAL_BYTES = 4_096
"""Most of what the model reads about a call that is refused."""


def send(decision: Decision, run: ActiveRun, generation_id: str, call: ParsedCall, *, due_ms: int) -> None:
    """Start a call as the model asked for it."""
    decision.log(
        Action.TOOL_CALLED,
        ToolCalled(
            generation_id=generation_id,
            index=call.index,
            arguments=call.arguments,
            provider_call_id=call.provider_call_id,
            due_ms=due_ms,
        ),
        run_id=run.id,
        tool_name=call.name,
        tool_call_id=call.id,
    )


def send_approved(
    decision: Decision, run: ActiveRun, step: Pending, *, step_id: str, approved_by: str, due_ms: int
) -> None:
    """Start the call that `step` asked a person about, under `step_id`."""
    decision.log(
        Action.TOOL_CALLED,
        ToolCalled(
            generation_id=step.generation_id or "",
            index=step.index,
            arguments=step.arguments or "{}",
            provider_call_id=step.provider_call_id,
            due_ms=due_ms,
            approved_by=approved_by,
            call_id=None if step_id == step.asked_id else step.asked_id,
        ),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step_id,
    )


def ask_person(
    decision: Decision, run: ActiveRun, generation_id: str, call: ParsedCall, *, due_ms: int
) -> None:
    """Ask a person before the call starts."""
    decision.log(
        Action.APPROVAL_REQUESTED,
        ApprovalRequested(
            generation_id=generation_id,
            index=call.index,
            arguments=call.arguments,
            provider_call_id=call.provider_call_id,
            due_ms=due_ms,
        ),
        run_id=run.id,
        tool_name=call.name,
        tool_call_id=call.id,
    )


def ask_again(decision: Decision, run: ActiveRun, step: Pending, *, due_ms: int) -> None:
    """Ask a person whether to repeat `step`, of which nobody knows whether it did its work."""
    decision.log(
        Action.APPROVAL_REQUESTED,
        ApprovalRequested(
            generation_id=step.generation_id or "",
            index=step.index,
            arguments=step.arguments or "{}",
            provider_call_id=step.provider_call_id,
            due_ms=due_ms,
            call_id=step.call_id,
            is_unknown=True,
        ),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id,
    )


def refuse(
    decision: Decision, run: ActiveRun, call: ParsedCall, tools: Iterable[str], *, room_bytes: int
) -> str:
    """Fail a call of a tool that the agent does not have; return what the model reads."""
    known = ", ".join(tools) or "none"
    message = f"there is no tool {call.name}; the tools are: {known}"
    text = cut(f"Error ({ErrorCode.UNKNOWN_TOOL}): {message}", min(room_bytes, REFUSAL_BYTES))
    decision.log(
        Action.TOOL_FAILED,
        ToolEnded(
            outcome=ToolOutcome.UNKNOWN_TOOL,
            order=decision.next_order(),
            text=text,
            latency_ms=0,
            error_code=ErrorCode.UNKNOWN_TOOL,
            error_message=cut(message, REFUSAL_BYTES // 4),
        ),
        run_id=run.id,
        tool_name=call.name,
        tool_call_id=call.id,
        success=False,
    )
    return text


def result_bytes(rules: Rules, batch: int) -> int:
    """Return how much the model may read of one result. A batch shares its bytes: many are cut more."""
    return min(rules.max_result_bytes, rules.max_batch_bytes // max(1, batch))
