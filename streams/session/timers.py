"""The timers that a context asks for: one per moment that the session must not miss."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.lists import TimerKind
from streams.session.context import Context, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A moment to be told of. `key` is what it guards: a step id. `due_ms` is milliseconds since 1970."""

    key: str
    kind: TimerKind
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerChange:
    """What one decision changes about a session's timers."""

    to_set: tuple[Timer, ...]
    to_remove: tuple[str, ...]


def timers_of(context: Context) -> dict[str, Timer]:
    """Return all timers of `context` by key; a rebuilt context arms the same."""
    return {
        step.step_id: Timer(
            key=step.step_id,
            kind=TimerKind.APPROVAL if step.kind is StepKind.APPROVAL else TimerKind.DEADLINE,
            due_ms=step.due_ms,
        )
        for step in context.pending
    }


def timer_change(before: Mapping[str, Timer], after: Mapping[str, Timer]) -> TimerChange:
    """Return what must be set and removed to come from `before` to `after`."""
    return TimerChange(
        to_set=tuple(timer for key, timer in after.items() if before.get(key) != timer),
        to_remove=tuple(key for key in before if key not in after),
    )
