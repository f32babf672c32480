"""The timers that a context asks for: one per moment that the session must not miss."""

from msgspec import Struct

from schemas.lists import SessionStatus, TimerKind
from streams.session.context import Context, Pending, StepKind

_MS = 1000


class Timer(Struct, frozen=True, kw_only=True, gc=False):
    """A moment to be told of. `key` is what it guards: a step id, or the session's own life by its kind.

    `due_ms` is milliseconds since 1970.
    """

    key: str
    kind: TimerKind
    due_ms: int


class TimerChange(Struct, frozen=True, kw_only=True, gc=False):
    """What one decision changes about a session's timers."""

    to_set: list[Timer]
    to_remove: list[str]


def timers_of(context: Context) -> dict[str, Timer]:
    """Return all timers of `context` by key; a rebuilt context arms the same."""
    timers = {step.step_id: _step_timer(step) for step in context.pending}
    life = life_timer(context)
    if life is not None:
        timers[life.key] = life
    return timers


def life_timer(context: Context) -> Timer | None:
    """Return when the session is idle, or expires, if nothing happens until then; None while that is open.

    A session with an open run does neither. So the timer moves when runs begin and end, not at every step.
    """
    if context.run is not None or context.is_new or context.erased or context.status is SessionStatus.EXPIRED:
        return None
    if context.status is SessionStatus.ACTIVE and 0 < context.idle_s < context.ttl_s:
        kind, after_s = TimerKind.IDLE, context.idle_s
    else:
        kind, after_s = TimerKind.EXPIRY, context.ttl_s
    return Timer(key=kind.value, kind=kind, due_ms=context.last_activity_ms + after_s * _MS)


def is_overdue(context: Context, now_ms: int) -> bool:
    """Return whether the time to live is over at `now_ms`, though nobody has decided so yet."""
    return now_ms >= context.last_activity_ms + context.ttl_s * _MS and life_timer(context) is not None


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
    last_due_ms = max([step.due_ms for step in after.pending], default=now_ms)
    return max(ttl_s, _seconds_up(last_due_ms - now_ms)) + grace_s


def timer_change(before: Context, after: Context, *, is_lost: bool) -> TimerChange:
    """Return what must be set and removed to come from the timers of `before` to those of `after`.

    `is_lost`: none of them may be set any more, so all are set again.
    """
    had = {step.step_id: step for step in before.pending}
    to_set: list[Timer] = []
    for step in after.pending:
        old = had.pop(step.step_id, None)
        if is_lost or old is None or old.due_ms != step.due_ms or old.kind is not step.kind:
            to_set.append(_step_timer(step))
    to_remove = list(had)
    was, life = life_timer(before), life_timer(after)
    if life is not None and (is_lost or life != was):
        to_set.append(life)
    if was is not None and (life is None or life.key != was.key):
        to_remove.append(was.key)
    return TimerChange(to_set=to_set, to_remove=to_remove)


def _step_timer(step: Pending) -> Timer:
    kind = TimerKind.APPROVAL if step.kind is StepKind.APPROVAL else TimerKind.DEADLINE
    return Timer(key=step.step_id, kind=kind, due_ms=step.due_ms)


def _seconds_up(ms: int) -> int:
    return -(-ms // _MS)
