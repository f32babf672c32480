"""A moment that the session waited for has come."""

from schemas.errors import ErrorCode
from schemas.lists import Action, StopReason, TimerKind
from schemas.records import TimerFired
from streams.session.context import StepKind
from streams.session.decide.decision import Decision
from streams.session.event import ms_of
from streams.session.payloads import DeadlinePassed


def decide_timer(decision: Decision, timer: TimerFired) -> None:
    """End the run whose step has not answered in time.

    A timer of something else, or of an earlier due time, is nothing.

    The record's own due time is compared, not the broker's time: whoever fires timers has another clock, and
    a firing that was refused as too early would not come again.
    """
    run = decision.context.run
    step = decision.context.awaits(timer.key)
    if timer.kind is not TimerKind.DEADLINE or run is None or step is None:
        return
    if ms_of(timer.due_at) < step.due_ms:
        return
    decision.log(
        Action.DEADLINE_PASSED,
        DeadlinePassed(step_id=step.step_id, kind=step.kind, due_ms=step.due_ms),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id if step.kind is StepKind.TOOL else None,
        success=False,
    )
    waited_s = (step.due_ms - step.born_at_ms) / 1000
    what = f"tool {step.name}" if step.kind is StepKind.TOOL else "the model"
    message = f"{what} did not answer within {waited_s:g} s; try again, or raise the agent's deadline"
    decision.fail(run, StopReason.DEADLINE, ErrorCode.DEADLINE, message)
