"""An answer that nobody waits for."""

from schemas.lists import Action
from streams.session.context import StepKind
from streams.session.decide.decision import Decision
from streams.session.payloads import ResultIgnored


def ignore_late(decision: Decision, step_id: str, kind: StepKind, run_id: str) -> None:
    """Log the answer to an abandoned step once.

    A repeat of a known answer, or one never asked for, is nothing.
    """
    if step_id in decision.context.abandoned:
        decision.log(
            Action.RESULT_IGNORED,
            ResultIgnored(step_id=step_id, kind=kind),
            run_id=run_id,
            tool_call_id=step_id if kind is StepKind.TOOL else None,
        )
