"""What a session decides about: one record of an input topic, with its place and time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.records import Generation, SessionCommand, TimerFired, ToolResult, UserMessage

EventRecord = UserMessage | SessionCommand | TimerFired | Generation | ToolResult

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One input record. `id` is the record's own, or derived from its place when it brought none.

    `topic` is the topic's name without prefix; `at` is the broker's timestamp (aware), the only clock a
    decision knows.
    """

    id: str
    topic: str
    partition: int
    offset: int
    at: datetime
    trace_id: str
    record: EventRecord

    @property
    def session_id(self) -> str:
        """The session that the record belongs to."""
        return self.record.session_id

    @property
    def at_ms(self) -> int:
        """The broker's timestamp in whole milliseconds since 1970."""
        return ms_of(self.at)


def ms_of(at: datetime) -> int:
    """Return `at` in whole milliseconds since 1970, exactly (no floating point)."""
    return (at - _EPOCH) // _MILLISECOND


def micros_of(at: datetime) -> int:
    """Return `at` in microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def time_of(at_ms: int) -> datetime:
    """Return the aware UTC instant of `at_ms` milliseconds since 1970."""
    return _EPOCH + at_ms * _MILLISECOND
