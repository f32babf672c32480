"""The tool calls of one generation are all answered: say what they brought, and go on."""

from collections.abc import Mapping, Sequence

from schemas.lists import Action
from streams.session.context import ActiveRun, AskedCall, Message, Pending
from streams.session.decide.course import after_batch, shorten
from streams.session.decide.decision import Decision
from streams.session.payloads import Observation
from streams.session.sizes import first_chars

RESULT_CHARS = 160
"""What an observation says of one result."""


def end_call(decision: Decision, run: ActiveRun, step: Pending, text: str, *, failed: bool) -> None:
    """Conclude the batch of `step`, which has ended with `text`, when it was the last that was waited for."""
    if any(other.step_id != step.step_id for other in decision.context.pending):
        return
    asked, results = _asked(decision, step)
    texts = {result.tool_call_id: result.content for result in results if result.tool_call_id is not None}
    texts[step.asked_id] = text
    has_failure = run.has_failure or failed
    conclude_batch(decision, run, asked.calls, texts, from_order=asked.order, has_failure=has_failure)


def conclude_batch(
    decision: Decision,
    run: ActiveRun,
    calls: Sequence[AskedCall],
    texts: Mapping[str, str],
    *,
    from_order: int,
    has_failure: bool,
) -> None:
    """Log the observation of `calls` (results by call id in `texts`) and go on with `run`.

    `from_order` is the place of the message that asked for them: what the run said before it may be
    shortened.
    """
    lines = [f"{call.name}: {first_chars(texts.get(call.id, ''), RESULT_CHARS)}" for call in calls]
    decision.log(
        Action.OBSERVATION,
        Observation(order=decision.next_order(), text="\n".join(lines)),
        run_id=run.id,
    )
    shorten(decision, run, from_order)
    after_batch(decision, run, has_failure=has_failure)


def _asked(decision: Decision, step: Pending) -> tuple[Message, Sequence[Message]]:
    """Return the message that asked for the call of `step`, and those after it."""
    messages, asked_id = decision.context.messages, step.asked_id
    place = len(messages) - 1
    while all(call.id != asked_id for call in messages[place].calls):
        place -= 1
    return messages[place], messages[place + 1 :]
