"""A person decides about a tool call, or nobody does in time: start it, or say why not."""

from schemas import ids
from schemas.agent_file import AgentConfiguration
from schemas.errors import ErrorCode
from schemas.lists import Action, RunStatus, StopReason
from streams.session.budgets import due_ms
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Pending, StepKind
from streams.session.decide import calls
from streams.session.decide.batch import end_call
from streams.session.decide.decision import Decision
from streams.session.folds.person import going_on
from streams.session.payloads import ToolApproved, ToolDenied
from streams.session.sizes import cut

REASON_BYTES = 2_048


def approval_due_ms(decision: Decision, configuration: AgentConfiguration) -> int:
    """Return until when a person is waited for."""
    return decision.event.at_ms + configuration.approval_limit_s * 1000


def wait_for_person(decision: Decision, run: ActiveRun) -> None:
    """Let `run` wait, unless it does already."""
    if run.status is not RunStatus.WAITING:
        decision.log(Action.RUN_WAITING, run_id=run.id)


def approve(decision: Decision, run: ActiveRun, step: Pending, *, user_id: str, reason: str | None) -> None:
    """Start the call. Its time counts from now; one that may have done its work starts under a new id."""
    decision.log(
        Action.TOOL_APPROVED,
        ToolApproved(approved_by=user_id, reason=None if reason is None else cut(reason, REASON_BYTES)),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id,
    )
    configuration = read_configuration(run.configuration)
    now_ms = decision.event.at_ms
    due = now_ms + configuration.tool_deadline_s * 1000
    if not _others_wait(decision, step):
        run = going_on(run, now_ms)
        due = due_ms(decision.context, run, configuration.tool_deadline_s, configuration, now_ms=now_ms)
    calls.send_approved(
        decision,
        run,
        step,
        step_id=ids.repeated_call_id(step.step_id) if step.is_unknown else step.step_id,
        approved_by=user_id,
        due_ms=due,
    )


def deny(decision: Decision, run: ActiveRun, step: Pending, *, user_id: str | None, reason: str) -> None:
    """Do not start the call; `user_id` None: the time limit passed.

    The model reads why. A call of which nobody knows whether it did its work ends the run instead.
    """
    reason = cut(reason, REASON_BYTES)
    text = _denial(decision, run, step, reason)
    decision.log(
        Action.TOOL_DENIED,
        ToolDenied(denied_by=user_id, reason=reason, order=decision.next_order(), text=text),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id,
        success=False,
    )
    if step.is_unknown:
        message = (
            f"nobody knows whether tool {step.name} did its work, and it was not started again ({reason});"
            " look there before you ask for it once more"
        )
        decision.fail(run, StopReason.TOOL_OUTCOME_UNKNOWN, ErrorCode.TOOL_OUTCOME_UNKNOWN, message)
        return
    if not _others_wait(decision, step):
        run = going_on(run, decision.event.at_ms)
    end_call(decision, run, step, text, failed=True)


def _denial(decision: Decision, run: ActiveRun, step: Pending, reason: str) -> str:
    room = calls.result_bytes(decision.rules, len(run.batch))
    if step.is_unknown:
        what = "nobody knows whether this call did its work; it was not started again"
        return cut(f"Error ({ErrorCode.TOOL_OUTCOME_UNKNOWN}): {what}: {reason}", room)
    return cut(f"Error ({ErrorCode.DENIED}): the call was not allowed: {reason}", room)


def _others_wait(decision: Decision, step: Pending) -> bool:
    return any(
        other.kind is StepKind.APPROVAL and other.step_id != step.step_id
        for other in decision.context.pending
    )
