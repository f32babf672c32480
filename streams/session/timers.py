"""The timers that a context asks for: one per moment that the session must not miss."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.lists import SessionStatus, TimerKind
from streams.session.context import Context, StepKind

_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A moment to be told of. `key` is what it guards: a step id, or the session's own life by its kind.

    `due_ms` is milliseconds since 1970.
    """

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
    timers = {
        step.step_id: Timer(
            key=step.step_id,
            kind=TimerKind.APPROVAL if step.kind is StepKind.APPROVAL else TimerKind.DEADLINE,
            due_ms=step.due_ms,
        )
        for step in context.pending
    }
    life = life_timer(context)
    if life is not None:
        timers[life.key] = life
    return timers


def life_timer(context: Context) -> Timer | None:
    """Return when the session is idle, or expires, if nothing happens until then; None while that is open.

    A session with an open run does neither. So the timer moves when runs begin and end, not at every step.
    """
    if context.is_new or context.erased or context.run is not None or context.status is SessionStatus.EXPIRED:
        return None
    if context.status is SessionStatus.ACTIVE and 0 < context.idle_s < context.ttl_s:
        kind, after_s = TimerKind.IDLE, context.idle_s
    else:
        kind, after_s = TimerKind.EXPIRY, context.ttl_s
    return Timer(key=kind.value, kind=kind, due_ms=context.last_activity_ms + after_s * _MS)


def is_overdue(context: Context, now_ms: int) -> bool:
    """Return whether the time to live is over at `now_ms`, though nobody has decided so yet."""
    life = life_timer(context)
    return life is not None and now_ms >= context.last_activity_ms + context.ttl_s * _MS


def lifetime_s(before: Context, after: Context, *, now_ms: int, grace_s: int, max_ttl_s: int) -> int:
    """Return the seconds from `now_ms` (Redis' clock) until Redis forgets the context `after`.

    That is its time to live and the grace, in which its expiry can be decided. Expired or erased: the grace.
    Only activity renews the time: what changes nothing else leaves what is left of it. A session with an open
    run outlives its deadlines, whatever its time to live.
    """
    if after.erased or after.status is SessionStatus.EXPIRED:
        return grace_s
    ttl_s = min(after.ttl_s, max_ttl_s)
    if after.last_activity_ms == before.last_activity_ms and after.run is None:
        ttl_s = min(ttl_s, max(0, _seconds_up(after.last_activity_ms + ttl_s * _MS - now_ms)))
    last_due_ms = max((step.due_ms for step in after.pending), default=now_ms)
    return max(ttl_s, _seconds_up(last_due_ms - now_ms)) + grace_s


def timer_change(before: Mapping[str, Timer], after: Mapping[str, Timer]) -> TimerChange:
    """Return what must be set and removed to come from `before` to `after`."""
    return TimerChange(
        to_set=tuple(timer for key, timer in after.items() if before.get(key) != timer),
        to_remove=tuple(key for key in before if key not in after),
    )


def _seconds_up(ms: int) -> int:
    return -(-ms // _MS)
