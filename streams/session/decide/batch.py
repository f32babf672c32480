"""The tool calls of one generation are all answered: say what they brought, and ask the model again."""

from collections.abc import Mapping, Sequence

from schemas.lists import Action
from streams.session.context import ActiveRun, AskedCall
from streams.session.decide.decision import Decision
from streams.session.history import shorten_run
from streams.session.payloads import Observation
from streams.session.sizes import first_chars

RESULT_CHARS = 160
"""What an observation says of one result."""


def conclude_batch(
    decision: Decision,
    run: ActiveRun,
    calls: Sequence[AskedCall],
    texts: Mapping[str, str],
    *,
    from_order: int,
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
    own = [message for message in decision.context.messages if message.run_id == run.id]
    shortened = shorten_run(own, from_order, decision.context.context_summary, decision.rules)
    if shortened is not None:
        decision.log(Action.CONTEXT_SUMMARIZED, shortened, run_id=run.id)
    decision.go_on(run)
