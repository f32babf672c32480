"""Whether an event was decided before."""

from enum import StrEnum

from schemas import ids
from schemas.records import UserMessage
from streams.session.context import Context
from streams.session.event import Event
from streams.session.forgotten import may_have


class Applied(StrEnum):
    """What the context knows about an event."""

    YES = "yes"
    NO = "no"
    ASK_RECORD = "ask_record"
    """The context may have forgotten a message's run, or a command: the accepted log decides (behind its
    barrier)."""


def applied(context: Context, event: Event) -> Applied:
    """Return whether `event` was decided already. For ASK_RECORD look up `run_of(event)`, or the event."""
    if event.id in context.applied:
        return Applied.YES
    run_id = run_of(event)
    if run_id is None:
        return Applied.ASK_RECORD if event.is_redriven else Applied.NO
    if _has(context, run_id):
        return Applied.YES
    return Applied.ASK_RECORD if may_have(context.forgotten, run_id) else Applied.NO


def run_of(event: Event) -> str | None:
    """Return the run that a user message causes; None for other events."""
    if isinstance(event.record, UserMessage):
        return ids.run_id(event.session_id, event.id)
    return None


def _has(context: Context, run_id: str) -> bool:
    # A waiting run stays known however many newer ones pushed it out of the recent ones.
    return (
        run_id in [run.id for run in context.runs]
        or run_id in [run.id for run in context.queue]
        or (context.run is not None and context.run.id == run_id)
    )
