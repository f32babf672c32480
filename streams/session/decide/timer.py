"""A moment that the session waited for has come."""

from schemas.errors import ErrorCode
from schemas.lists import Action, StopReason, TimerKind
from schemas.records import TimerFired
from streams.session.budgets import seconds_exceeded
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Pending, StepKind
from streams.session.decide.course import give_up, out_of_budget
from streams.session.decide.decision import Decision
from streams.session.decide.person import deny
from streams.session.event import ms_of
from streams.session.payloads import DeadlinePassed, SessionLapsed
from streams.session.timers import life_timer


def decide_timer(decision: Decision, timer: TimerFired) -> None:
    """End the run whose step has not answered in time, deny what nobody has approved, or let a session lapse.

    A timer of something that is not waited for, or of an earlier due time, is nothing.

    The record's own due time is compared, not the broker's time: whoever fires timers has another clock, and
    a firing that was refused as too early would not come again. What the step waits for decides, not the kind
    of the timer: a call of unknown outcome waits for a person under the same key, and a timer that was put
    back from a record of the time before would be the last one of it.
    """
    if timer.kind in {TimerKind.IDLE, TimerKind.EXPIRY}:
        _lapse(decision, timer)
        return
    run = decision.context.run
    step = decision.context.awaits(timer.key)
    if run is None or step is None or ms_of(timer.due_at) < step.due_ms:
        return
    if step.kind is StepKind.APPROVAL:
        reason = f"nobody approved it within {_waited_s(step):g} s"
        deny(decision, run, step, user_id=None, reason=reason)
    else:
        _end(decision, run, step)


def _end(decision: Decision, run: ActiveRun, step: Pending) -> None:
    decision.log(
        Action.DEADLINE_PASSED,
        DeadlinePassed(step_id=step.step_id, kind=step.kind, due_ms=step.due_ms),
        run_id=run.id,
        tool_name=step.name,
        tool_call_id=step.step_id if step.kind is StepKind.TOOL else None,
        success=False,
    )
    configuration = read_configuration(run.configuration)
    over = seconds_exceeded(decision.context, run, configuration, now_ms=step.due_ms)
    if over is not None and run.over is None:
        out_of_budget(decision, run, over)
        return
    what = f"tool {step.name}" if step.kind is StepKind.TOOL else "the model"
    message = f"{what} did not answer within {_waited_s(step):g} s; try again, or raise the agent's deadline"
    give_up(decision, run, StopReason.DEADLINE, ErrorCode.DEADLINE, message)


def _waited_s(step: Pending) -> float:
    return (step.due_ms - step.born_at_ms) / 1000


def _lapse(decision: Decision, timer: TimerFired) -> None:
    due = life_timer(decision.context)
    if due is None or due.kind is not timer.kind or ms_of(timer.due_at) < due.due_ms:
        return
    action = Action.SESSION_IDLE if due.kind is TimerKind.IDLE else Action.SESSION_EXPIRED
    decision.log(action, SessionLapsed(last_activity_ms=decision.context.last_activity_ms))
