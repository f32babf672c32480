"""What a session decides about: one record of an input topic, with its place and time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from schemas.records import Generation, SessionCommand, TimerFired, ToolResult, UserMessage

EventRecord = UserMessage | SessionCommand | TimerFired | Generation | ToolResult

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_INSTANTS_REMEMBERED = 1_024
"""The records of one decision share their instants."""


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One input record. `id` is the record's own, or derived from its place when it brought none.

    `topic` is the topic's name without prefix; `at_ms` is the broker's timestamp in milliseconds since 1970,
    the only clock a decision knows. `is_redriven`: a command out of the dead letters, which may have taken
    effect at any time before.
    """

    id: str
    topic: str
    partition: int
    offset: int
    at_ms: int
    trace_id: str
    record: EventRecord
    is_redriven: bool = False

    @property
    def session_id(self) -> str:
        """The session that the record belongs to."""
        return self.record.session_id

    @property
    def at(self) -> datetime:
        """The broker's timestamp as an aware instant."""
        return time_of(self.at_ms)


def ms_of(at: datetime) -> int:
    """Return `at` in whole milliseconds since 1970, exactly (no floating point)."""
    return (at - _EPOCH) // _MILLISECOND


def micros_of(at: datetime) -> int:
    """Return `at` in microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=_INSTANTS_REMEMBERED)
def time_of(at_ms: int) -> datetime:
    """Return the aware UTC instant of `at_ms` milliseconds since 1970."""
    return _EPOCH + at_ms * _MILLISECOND
