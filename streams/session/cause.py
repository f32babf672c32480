"""Why a decision was made: the columns that all its log entries share, as the fold needs them."""

from typing import Self

from msgspec import Struct

from schemas.records import TaskLogs
from streams.session.event import Event, micros_of


class Cause(Struct, frozen=True, kw_only=True, gc=False):
    """The event behind a decision, and the term that it was decided under.

    `at_ms` is the broker's time of the event in whole milliseconds since 1970.
    """

    id: str
    at_ms: int
    occurred_at_us: int
    term: int

    @classmethod
    def of_event(cls, event: Event, *, term: int) -> Self:
        """Return the cause that `event` is for a decision of `term`."""
        return cls(id=event.id, at_ms=event.at_ms, occurred_at_us=event.at_ms * 1000, term=term)

    @classmethod
    def of_logs(cls, logs: TaskLogs) -> Self:
        """Return the cause that a recorded decision names."""
        occurred_at_us = micros_of(logs.occurred_at)
        return cls(
            id=logs.cause_id, at_ms=occurred_at_us // 1000, occurred_at_us=occurred_at_us, term=logs.term
        )
